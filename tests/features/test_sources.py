"""Images are found wherever a user says they are, each under a name of its own."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnrun.data.decoding import Decoding
from cnnrun.errors import DataError
from cnnrun.features.sources import Contents, Images, list_images

DECODING = Decoding((8, 8), "rgb", "bilinear", keep_aspect=False)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names_and_labels(images: Images) -> list[tuple[str, str]]:
    return [(image.name, image.label) for image in images.listed]


def test_class_folders_label_their_images(make_images) -> None:
    make_images("photos", {"cat": 1, "dog": 2})
    assert names_and_labels(list_images([Path("photos")])) == [
        ("cat/0000.png", "cat"),
        ("dog/0000.png", "dog"),
        ("dog/0001.png", "dog"),
    ]


def test_images_of_one_class(make_images) -> None:
    make_images("photos", {"cat": 2})
    assert [label for _, label in names_and_labels(list_images([Path("photos")]))] == ["cat"] * 2


def test_images_outside_of_class_folders_have_no_label(make_images, here: Path) -> None:
    make_images("photos", {"cat": 1})
    (here / "photos" / "cat" / "0000.png").rename(here / "photos" / "loose.png")
    (here / "photos" / "notes.txt").touch()
    images = list_images([Path("photos")])
    assert names_and_labels(images) == [("loose.png", "")]
    assert images.notes == ("left out what is not an image: 1 .txt",)


def test_loose_images_beside_folders(make_images, here: Path) -> None:
    make_images("photos", {"cat": 2})
    (here / "photos" / "cat" / "0000.png").rename(here / "photos" / "loose.png")
    images = list_images([Path("photos")])
    assert names_and_labels(images) == [("cat/0001.png", ""), ("loose.png", "")]


def test_a_table_an_array_and_files(make_images, here: Path) -> None:
    make_images("photos", {"cat": 1, "dog": 1}, mode="RGB")
    (here / "table.csv").write_text(
        "path,label\nphotos/cat/0000.png,tom\nphotos/dog/0000.png,rex\n"
    )
    pixels = np.arange(2 * 64, dtype=np.uint8).reshape(2, 8, 8)
    np.savez(here / "digits.npz", images=pixels, labels=np.array(["one", "two"]))
    images = list_images(
        [Path("table.csv"), Path("digits.npz"), Path("photos/../photos/cat/0000.png")]
    )
    assert names_and_labels(images) == [
        ("photos/cat/0000.png", "tom"),
        ("photos/dog/0000.png", "rex"),
        ("images[0]", "one"),
        ("images[1]", "two"),
        ("photos/../photos/cat/0000.png", ""),
    ]
    load = images.loader(DECODING, Contents(images, notes_folder=Path("notes")))
    loaded = [load(image) for image in images.listed]
    with Image.open(here / "photos/cat/0000.png") as file:
        assert np.array_equal(loaded[0].pixels, np.asarray(file))
    assert np.array_equal(loaded[3].pixels[..., 0], pixels[1])
    assert [image.is_grey for image in loaded] == [False, False, True, True, False]
    assert loaded[0].content == loaded[4].content != loaded[1].content


def test_content_follows_the_file(make_images, here: Path) -> None:
    make_images("photos", {"cat": 1})
    images = list_images([Path("photos")])
    contents = Contents(images, notes_folder=Path("notes"))
    before = contents.of(images.listed[0])
    assert len(before) == 32
    Image.new("L", (8, 8)).save(here / "photos" / "cat" / "0000.png")
    assert contents.of(images.listed[0]) != before
    (here / "photos" / "cat" / "0000.png").unlink()
    assert contents.of(images.listed[0]) == ""


@pytest.mark.parametrize("place", ["photo", "notes.txt", "empty", "texts"])
def test_places_without_images(place: str, here: Path, make_images, snapshot) -> None:
    make_images("photos", {"cat": 1})
    (here / "notes.txt").touch()
    (here / "empty").mkdir()
    (here / "texts").mkdir()
    (here / "texts" / "a.txt").touch()
    with pytest.raises(DataError) as refused:
        list_images([Path(place)])
    assert str(refused.value) == snapshot


def test_two_images_of_one_name(make_images, snapshot) -> None:
    make_images("one", {"cat": 1})
    make_images("two", {"cat": 2})
    with pytest.raises(DataError) as refused:
        list_images([Path("one"), Path("two")])
    assert str(refused.value) == snapshot
