"""Class folders and split folders as manifests. Oracle: the files that each test writes."""

import os
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.manifest import Manifest, image_ids
from cnnrun.errors import DataError

Touch = Callable[[Iterable[str]], None]


def read(
    name: str, *, classes: tuple[str, ...] | int | None = None, partial: bool = False
) -> Manifest:
    return manifest_from_directory(Path(name), classes=classes, partial=partial)


def refused(name: str, **arguments: object) -> str:
    with pytest.raises(DataError) as error:
        read(name, **arguments)  # type: ignore[arg-type]
    return str(error.value)


def test_class_folders(touch: Touch) -> None:
    touch(["pets/dog/b.PNG", "pets/cat/z.jpg", "pets/cat/a.jpeg"])

    manifest = read("pets")

    assert manifest.root == Path("pets")
    assert manifest.paths == ("cat/a.jpeg", "cat/z.jpg", "dog/b.PNG")
    assert manifest.classes == ("cat", "dog")
    assert manifest.labels.tolist() == [0, 0, 1]
    assert manifest.splits is None
    assert manifest.ids.tolist() == image_ids(manifest.paths).tolist()
    assert manifest.file(2) == Path("pets/dog/b.PNG")
    assert manifest.notes == ()


def test_files_in_nested_folders_belong_to_the_class_above(touch: Touch) -> None:
    touch(["pets/cat/indoor/night/1.png", "pets/cat/2.png", "pets/dog/1.png"])

    manifest = read("pets")

    assert manifest.paths == ("cat/2.png", "cat/indoor/night/1.png", "dog/1.png")
    assert manifest.labels.tolist() == [0, 0, 1]


@pytest.mark.parametrize("validation", ["validation", "valid", "val", "Validation"])
def test_split_folders(touch: Touch, validation: str) -> None:
    touch(
        [f"pets/{split}/{name}/1.png" for split in ("train", validation) for name in ("cat", "dog")]
        + ["pets/test/cat/1.png"]
    )

    manifest = read("pets")

    assert manifest.classes == ("cat", "dog")
    assert dict(zip(manifest.paths, manifest.splits or (), strict=True)) == {
        "train/cat/1.png": "train",
        "train/dog/1.png": "train",
        f"{validation}/cat/1.png": "validation",
        f"{validation}/dog/1.png": "validation",
        "test/cat/1.png": "test",
    }


def test_a_lone_train_folder_is_a_split(touch: Touch) -> None:
    touch(["pets/train/cat/1.png", "pets/train/dog/1.png"])

    assert read("pets").splits == ("train", "train")


def test_train_among_other_names_is_a_class(touch: Touch) -> None:
    touch(["vehicles/train/1.png", "vehicles/bus/1.png", "vehicles/tram/1.png"])

    manifest = read("vehicles")

    assert manifest.classes == ("bus", "train", "tram")
    assert manifest.splits is None


@pytest.mark.parametrize("folders", [["validation", "test"], ["train", "val", "validation"]])
def test_folders_whose_meaning_is_not_certain(
    touch: Touch, folders: list[str], snapshot: object
) -> None:
    touch([f"pets/{folder}/{name}/1.png" for folder in folders for name in ("cat", "dog")])

    assert refused("pets") == snapshot


def test_a_folder_among_splits_that_is_none(touch: Touch, snapshot: object) -> None:
    folders = ("Training", "Testing", "extra")
    touch([f"pets/{folder}/{name}/1.png" for folder in folders for name in ("cat", "dog")])

    manifest = read("pets")

    assert manifest.classes == ("cat", "dog")
    assert manifest.splits == ("test", "test", "train", "train")
    assert manifest.notes == snapshot


def test_what_is_not_an_image_is_left_out_and_noted(touch: Touch, snapshot: object) -> None:
    touch(["pets/cat/1.png", "pets/dog/1.png"])
    touch([f"pets/cat/{number}.txt" for number in range(3)])
    touch(["pets/dog/boxes.xml", "pets/list.csv", "pets/Makefile", "pets/beside.jpg"])
    (Path("pets") / "empty").mkdir()

    manifest = read("pets", partial=True)

    assert manifest.paths == ("cat/1.png", "dog/1.png")
    assert list(manifest.notes) == snapshot


def test_what_systems_and_authors_leave_behind_is_no_news(touch: Touch) -> None:
    touch(["pets/cat/1.png", "pets/dog/1.png"])
    touch(["pets/.DS_Store", "pets/cat/Thumbs.db", "pets/cat/._1.png", "pets/README.md"])
    touch(["pets/LICENSE.txt", "pets/.cache/x/1.png", "pets/__MACOSX/cat/1.png"])

    manifest = read("pets")

    assert manifest.paths == ("cat/1.png", "dog/1.png")
    assert manifest.notes == ()


def test_pictures_that_cannot_be_decoded_are_listed_all_the_same(touch: Touch) -> None:
    touch(["pets/cat/1.heic", "pets/dog/1.png"])

    assert read("pets").paths == ("cat/1.heic", "dog/1.png")


def test_links_are_followed_but_not_in_circles(touch: Touch, snapshot: object) -> None:
    touch(["pets/cat/1.png", "pets/dog/1.png", "elsewhere/2.png"])
    os.symlink(Path("elsewhere").resolve(), "pets/dog/more")
    os.symlink(Path("pets/dog").resolve(), "pets/dog/again")
    os.symlink("/nowhere.png", "pets/cat/broken.png")

    manifest = read("pets")

    assert manifest.paths == ("cat/1.png", "cat/broken.png", "dog/1.png", "dog/more/2.png")
    assert list(manifest.notes) == snapshot


def test_a_pipe_named_like_an_image_is_left_out(touch: Touch) -> None:
    touch(["pets/cat/1.png", "pets/dog/1.png"])
    os.mkfifo("pets/cat/pipe.png")

    assert read("pets").paths == ("cat/1.png", "dog/1.png")


def test_a_link_that_leads_to_itself_is_an_image_that_is_not_there(touch: Touch) -> None:
    touch(["pets/cat/1.png", "pets/dog/1.png"])
    os.symlink("circle.png", "pets/cat/circle.png")
    os.symlink("circle", "pets/circle")

    assert read("pets").paths == ("cat/1.png", "cat/circle.png", "dog/1.png")


def test_a_line_end_in_a_name_is_a_character_of_it(touch: Touch) -> None:
    touch(["pets/cat/1\n2.png", "pets/dog/1.png"])

    assert read("pets").paths == ("cat/1\n2.png", "dog/1.png")


def test_names_in_any_script(touch: Touch) -> None:
    decomposed = unicodedata.normalize("NFD", "é")
    touch([f"pets/{decomposed}/1.png", "pets/猫/写真.png"])

    manifest = read("pets")

    assert manifest.classes == ("é", "猫")
    assert manifest.file(0).exists()
    assert manifest.ids[0] == image_ids(["é/1.png"])[0], "the same id as where names are composed"


def test_names_that_are_not_utf8(touch: Touch, snapshot: object) -> None:
    touch(["pets/cat/1.png", "pets/dog/1.png"])
    Path(os.fsdecode(b"pets/cat/\xff.png")).touch()

    assert refused("pets") == snapshot


def test_classes_give_the_order(touch: Touch) -> None:
    touch(["pets/cat/1.png", "pets/dog/1.png"])

    manifest = read("pets", classes=("dog", "cat"))

    assert manifest.classes == ("dog", "cat")
    assert manifest.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    "classes",
    [("cat", "dogs"), ("cat",), ("cat", "dog", "fish"), 3],
    ids=["misspelt", "too-few", "too-many", "number"],
)
def test_classes_that_disagree(
    touch: Touch, classes: tuple[str, ...] | int, snapshot: object
) -> None:
    touch(["pets/cat/1.png", "pets/dog/1.png"])

    assert refused("pets", classes=classes) == snapshot


def test_images_to_evaluate_on_may_lack_classes(touch: Touch) -> None:
    touch(["new/dog/1.png"])

    manifest = read("new", classes=("cat", "dog"), partial=True)

    assert manifest.classes == ("cat", "dog")
    assert manifest.labels.tolist() == [1]


def test_no_such_folder(touch: Touch, snapshot: object) -> None:
    touch(["pets/cat/1.png"])

    assert refused("pests") == snapshot


def test_no_such_folder_in_no_such_folder(here: Path, snapshot: object) -> None:
    assert refused("somewhere/pets") == snapshot


@pytest.mark.parametrize("name", ["pets.zip", "pets.png"])
def test_a_file_where_a_folder_belongs(touch: Touch, name: str, snapshot: object) -> None:
    touch([name])

    assert refused(name) == snapshot


def test_an_empty_folder(here: Path, snapshot: object) -> None:
    Path("pets").mkdir()

    assert refused("pets") == snapshot


def test_folders_without_images(touch: Touch, snapshot: object) -> None:
    Path("pets/cat").mkdir(parents=True)
    Path("pets/dog").mkdir(parents=True)

    assert refused("pets") == snapshot


def test_folders_with_other_files_only(touch: Touch, snapshot: object) -> None:
    touch(["pets/cat/1.npy", "pets/dog/1.npy", "pets/dog/2.npy"])

    assert refused("pets") == snapshot


def test_a_flat_folder(touch: Touch, snapshot: object) -> None:
    touch(["pets/1.png", "pets/2.png"])

    assert refused("pets") == snapshot


def test_one_class(touch: Touch, snapshot: object) -> None:
    touch(["pets/cat/1.png", "pets/cat/2.png"])

    assert refused("pets") == snapshot


def test_class_folders_one_level_too_deep(touch: Touch) -> None:
    touch(["download/pets/cat/1.png", "download/pets/dog/1.png"])

    manifest = read("download")

    assert manifest.classes == ("cat", "dog")
    assert manifest.paths == ("pets/cat/1.png", "pets/dog/1.png")


def test_a_folder_without_images_is_said(touch: Touch) -> None:
    touch(["pets/cat/1.png", "pets/dog/1.png", "pets/New folder/notes.txt"])

    manifest = read("pets")

    assert manifest.classes == ("cat", "dog")
    assert "no images in New folder" in manifest.notes


def test_links_to_other_classes_are_left_out_and_classes_that_are_links_kept(
    touch: Touch, snapshot: object
) -> None:
    touch(["pets/cat/1.png", "pets/dog/1.png", "elsewhere/fox/3.png"])
    os.symlink(Path("elsewhere/fox").resolve(), "pets/fox")
    os.symlink(Path("pets/dog").resolve(), "pets/cat/likes")
    os.symlink(Path("pets").resolve(), "pets/dog/all")

    manifest = read("pets")

    assert manifest.paths == ("cat/1.png", "dog/1.png", "fox/3.png")
    assert manifest.notes == snapshot


def test_a_class_that_only_tests(touch: Touch, snapshot: object) -> None:
    touch([f"pets/train/{name}/1.png" for name in ("cat", "dog")] + ["pets/test/dogs/1.png"])

    assert refused("pets") == snapshot


def test_an_unreadable_folder(snapshot: object) -> None:
    script = """
import os, sys
from pathlib import Path
from cnnrun.data.folders import manifest_from_directory
from cnnrun.errors import DataError
os.chdir(sys.argv[1])
if os.geteuid() == 0:
    os.setuid(65534)  # nobody, as permissions do not bind root
try:
    manifest_from_directory(Path("pets"), classes=None, partial=False)
except DataError as error:
    print(error)
"""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o711)  # noqa: S103 (whoever the script becomes has to get in)
        closed = Path(folder, "pets", "cat")
        closed.mkdir(parents=True)
        Path(folder, "pets", "dog").mkdir()
        closed.chmod(0)
        result = subprocess.run(
            [sys.executable, "-c", script, folder], capture_output=True, text=True, check=True
        )
        closed.chmod(0o755)

    assert result.stdout == snapshot
