"""CSV files as manifests. Oracle: the rows that each test writes."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from cnnrun.config.data_sources import CsvSource
from cnnrun.data.csv_file import manifest_from_csv
from cnnrun.data.manifest import Layout, Manifest, image_ids
from cnnrun.errors import DataError

Touch = Callable[[Iterable[str]], None]


def read(
    text: str | bytes,
    *,
    name: str = "labels.csv",
    split: str | None = None,
    group: str | None = None,
    classes: tuple[str, ...] | int | None = None,
) -> Manifest:
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_source(CsvSource(file=Path(name), split=split, group=group), classes=classes)


def read_source(
    source: CsvSource,
    *,
    directory: Path | None = None,
    layout: Layout | None = None,
    classes: tuple[str, ...] | int | None = None,
) -> Manifest:
    return manifest_from_csv(
        source,
        directory=directory,
        layout=layout or Layout(()),
        classes=classes,
        partial=False,
    )


def refused(text: str | bytes, **arguments: object) -> str:
    with pytest.raises(DataError) as error:
        read(text, **arguments)  # type: ignore[arg-type]
    return str(error.value)


@pytest.fixture
def images(touch: Touch) -> None:
    touch(["images/a.png", "images/b.png", "images/c.png", "d.png"])


pytestmark = pytest.mark.usefixtures("images")


def test_paths_and_labels() -> None:
    manifest = read("path,label\nimages/b.png,dog\nimages/a.png,cat\nd.png,dog\n")

    assert manifest.root == Path()
    assert manifest.paths == ("d.png", "images/a.png", "images/b.png")
    assert manifest.classes == ("cat", "dog")
    assert manifest.labels.tolist() == [1, 0, 1]
    assert manifest.splits is None
    assert manifest.groups is None
    assert manifest.ids.tolist() == image_ids(manifest.paths).tolist()
    assert manifest.file(0).exists()


def test_the_order_of_lines_does_not_matter() -> None:
    lines = ["images/b.png,dog", "images/a.png,cat", "d.png,dog"]

    one = read("\n".join(["path,label", *lines]))
    two = read("\n".join(["path,label", *reversed(lines)]))

    assert one.paths == two.paths
    assert one.labels.tolist() == two.labels.tolist()


def test_paths_are_relative_to_the_file(here: Path) -> None:
    (here / "tables").mkdir()

    manifest = read("path,label\n../images/a.png,cat\n../d.png,dog\n", name="tables/labels.csv")

    assert manifest.file(0).resolve() == here / "d.png"


def test_a_path_can_be_written_in_several_ways_and_has_one_id() -> None:
    plain = read("path,label\nimages/a.png,cat\nd.png,dog\n")
    winding = read("path,label\n./images/../images//a.png,cat\n./d.png,dog\n")

    assert plain.ids.tolist() == winding.ids.tolist()


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_as_spreadsheets_write_it(delimiter: str, line_end: str, mark: str) -> None:
    rows = [["path", "label", "remarks"], ['"images/a.png"', " cat ", ""], ["d.png", "dog", "x"]]

    manifest = read(mark + line_end.join(delimiter.join(row) for row in rows) + line_end * 2)

    assert manifest.paths == ("d.png", "images/a.png")
    assert manifest.classes == ("cat", "dog")


def test_line_ends_inside_quotes() -> None:
    manifest = read('path,remarks,label\nd.png,"two\nlines\x0b",a\nimages/a.png,,b\n')

    assert manifest.classes == ("a", "b")


def test_other_column_names(here: Path) -> None:
    Path("table.csv").write_text("id,file name,breed\n1,d.png,pug\n2,images/a.png,tabby\n")

    manifest = read_source(CsvSource(file=Path("table.csv"), path="file name", label="breed"))

    assert manifest.classes == ("pug", "tabby")


def test_splits_and_groups() -> None:
    manifest = read(
        "path,label,split,group\nimages/a.png,cat,train,p1\nimages/b.png,dog,Val,p2\n"
        "images/c.png,dog,train,p3\nd.png,cat,test,p4\n",
        split="split",
        group="group",
    )

    assert manifest.splits == ("test", "train", "validation", "train")
    assert manifest.groups == ("p4", "p1", "p2", "p3")


def test_labels_that_are_numbers_are_names_and_sort_as_text() -> None:
    manifest = read("path,label\nimages/a.png,10\nimages/b.png,9\nd.png,10\n")

    assert manifest.classes == ("10", "9")


def test_classes_give_the_order() -> None:
    manifest = read("path,label\nimages/a.png,10\nimages/b.png,9\n", classes=("9", "10"))

    assert manifest.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        pytest.param("", {}, id="empty-file"),
        pytest.param("path,label\n", {}, id="no-lines"),
        pytest.param("file,lable\nd.png,a\n", {}, id="misspelt-columns"),
        pytest.param("a,b\n1,2\n", {}, id="other-columns"),
        pytest.param(
            "path,label\nd.png,a\n", {"split": "split", "group": "patient"}, id="no-split"
        ),
        pytest.param("path,label\nd.png,\nimages/a.png,\nimages/b.png\n", {}, id="empty-labels"),
        pytest.param("path,label\n,cat\nd.png,dog\n", {}, id="empty-path"),
        pytest.param("path,label\nd.png,a\nimages/a.png,b\n./d.png,b\n", {}, id="twice"),
        pytest.param(
            "path,label\nd.png,a\n" + "".join(f"images/{n}.png,b\n" for n in range(1200)),
            {},
            id="missing-files",
        ),
        pytest.param("path,label\nd.png,a\nimages\\z.png,b\n", {}, id="backslashes"),
        pytest.param(
            "path,label,split\nd.png,a,train\nimages/a.png,b,holdout\n",
            {"split": "split"},
            id="unknown-split",
        ),
        pytest.param(
            "path,label,group\nd.png,a,1\nimages/a.png,b,\n", {"group": "group"}, id="empty-group"
        ),
        pytest.param("path,label\nd.png,a\nimages/a.png,a\n", {}, id="one-class"),
        pytest.param('path,label\nd.png,a\n"images/a.png,b\n', {}, id="open-quote"),
        pytest.param(b"path,label\nd.png,a\nimages/a.png,caf\xe9\n", {}, id="latin-1"),
        pytest.param("path,label\nd.png,a\n".encode("utf-16"), {}, id="utf-16"),
        pytest.param(
            "path,label\nd.png,a\nimages/a.png,b\n", {"classes": ("a", "c")}, id="other-classes"
        ),
    ],
)
def test_refused(text: str | bytes, arguments: dict[str, object], snapshot: object) -> None:
    assert refused(text, **arguments) == snapshot


def test_no_such_file(snapshot: object) -> None:
    read("path,label\nd.png,a\nimages/a.png,b\n", name="labels.csv")

    with pytest.raises(DataError) as error:
        read_source(CsvSource(file=Path("label.csv")))

    assert str(error.value) == snapshot


def test_a_folder_instead_of_a_file(snapshot: object) -> None:
    with pytest.raises(DataError) as error:
        read_source(CsvSource(file=Path("images")))

    assert str(error.value) == snapshot


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)


def labels_of(manifest: Manifest) -> dict[str, str]:
    return {
        path: manifest.classes[label]
        for path, label in zip(manifest.paths, manifest.labels.tolist(), strict=True)
    }


def splits_of(manifest: Manifest) -> dict[str, str]:
    return dict(zip(manifest.paths, manifest.splits or (), strict=True))


def test_tables_without_a_header_joined_on_their_first_column() -> None:
    """As CUB-200 has them: parted by spaces, labels and splits in files of their own."""
    write(
        {
            "cub/images.txt": "1 ../images/a.png\n2 ../images/b.png\n3 ../images/c.png\n",
            "cub/labels.txt": "3 owl\n1 finch\n2 owl\n",
            "cub/split.txt": "1 1\n2 1\n3 0\n",
        }
    )

    manifest = read_source(
        CsvSource(
            file=tuple(Path(f"cub/{name}.txt") for name in ("images", "labels", "split")),
            columns=("id", "image", "label", "is_train"),
            path="image",
            split="is_train",
        ),
        layout=Layout((), {"train": ("1",), "test": ("0",)}),
    )

    assert labels_of(manifest) == {
        "../images/a.png": "finch",
        "../images/b.png": "owl",
        "../images/c.png": "owl",
    }
    assert splits_of(manifest)["../images/c.png"] == "test"


def test_a_table_for_each_split_and_a_pattern_of_columns(touch: Touch) -> None:
    """As Food-101 has them: names without suffix, the class in the path."""
    touch([f"food/{name}/{number}.jpg" for name in ("pho", "pie") for number in range(3)])
    write({"meta/train.txt": "pho/0\npie/0\npho/1\npie/1\n", "meta/test.txt": "pho/2\npie/2\n"})

    manifest = read_source(
        CsvSource(
            file={"train": Path("meta/train.txt"), "test": Path("meta/test.txt")},
            columns=("image",),
            path="{image}.jpg",
        ),
        directory=Path("food"),
        layout=Layout(("{label}/*",)),
    )

    assert labels_of(manifest)["pie/2.jpg"] == "pie"
    assert splits_of(manifest) == {
        f"{name}/{number}.jpg": "test" if number == 2 else "train"
        for name in ("pho", "pie")
        for number in range(3)
    }


def test_a_folder_with_a_table_of_its_validation_images(touch: Touch) -> None:
    """As Tiny ImageNet has them: the table says what the folders do not; the rest is left out."""
    touch([f"tiny/train/{name}/images/{number}.jpg" for name in "nm" for number in range(3)])
    touch([f"tiny/{split}/images/{number}.jpg" for split in ("val", "test") for number in range(2)])
    write({"tiny/val/val.txt": "0.jpg\tn\t0\n1.jpg\tm\t7\n"})

    manifest = read_source(
        CsvSource(
            file={"validation": Path("tiny/val/val.txt")},
            columns=("image", "class", "left"),
            path="val/images/{image}",
            label="class",
        ),
        directory=Path("tiny"),
        layout=Layout(("{split}/{label}/images/*",)),
    )

    assert manifest.classes == ("m", "n")
    assert splits_of(manifest)["val/images/1.jpg"] == "validation"
    assert len(manifest) == 8
    assert "2 images that the table does not name: test/images/0.jpg" in " ".join(manifest.notes)


def test_one_hot_columns() -> None:
    write({"hot.csv": "path,MEL,NV\nd.png,1.0,0.0\nimages/a.png,0.0,1.0\nimages/b.png,0,0\n"})

    manifest = read_source(CsvSource(file=Path("hot.csv"), label=("MEL", "NV")))

    assert labels_of(manifest) == {"d.png": "MEL", "images/a.png": "NV"}
    assert manifest.notes == ("left out 1 row without a label: images/b.png (line 4)",)


def test_images_without_labels_are_left_out_whether_or_not_they_are_there() -> None:
    manifest = read("path,label\nd.png,b\nimages/a.png,a\nelsewhere/9.png,\n")

    assert labels_of(manifest) == {"d.png": "b", "images/a.png": "a"}
    assert manifest.notes == ("left out 1 row without a label: elsewhere/9.png (line 4)",)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("a", "images/a.png"),
        ("A.PNG", "images/a.png"),
        ("a.jpg", "images/a.png"),
        ("/old/place/images/a.png", "images/a.png"),
        ("images\\a.png", "images/a.png"),
        ("e\u0301t\u00e9", "images/\u00e9te\u0301.png"),
    ],
    ids=["stem", "case", "suffix", "moved", "backslash", "composed"],
)
def test_images_are_looked_up_by_name(touch: Touch, written: str, found: str) -> None:
    touch(["images/\u00e9te\u0301.png"])

    manifest = read(f"path,label\nd.png,y\n{written},x\n")

    assert labels_of(manifest) == {"d.png": "y", found: "x"}
    assert any(found in note for note in manifest.notes)


def test_what_could_be_two_images_is_not_looked_up(touch: Touch, snapshot: object) -> None:
    touch(["masks/a.png", "train/1.png", "test/1.png"])

    assert refused("path,label\na,x\nd.png,y\n") == snapshot
    assert refused("path,label\n/old/valid/1.png,x\nd.png,y\n") == snapshot


def test_a_pattern_with_a_star_has_to_cover_one_image(touch: Touch, snapshot: object) -> None:
    touch(["part_1/ISIC_7.jpg", "part_2/ISIC_8.jpg", "part_2/ISIC_9.jpg", "part_1/ISIC_9.jpg"])
    write(
        {"meta.csv": "id,dx\nISIC_7,nv\nISIC_8,mel\n", "more.csv": "id,dx\nISIC_7,nv\nISIC_9,mel\n"}
    )

    manifest = read_source(CsvSource(file=Path("meta.csv"), path="part_*/{id}.jpg", label="dx"))

    assert labels_of(manifest) == {"part_1/ISIC_7.jpg": "nv", "part_2/ISIC_8.jpg": "mel"}
    with pytest.raises(DataError) as error:
        read_source(CsvSource(file=Path("more.csv"), path="part_*/{id}.jpg", label="dx"))
    assert str(error.value) == snapshot


def test_absolute_paths_have_ids_that_survive_a_move(touch: Touch, here: Path) -> None:
    ids = []
    for place in ("one", "two/deeper"):
        touch([f"{place}/photos/{name}.png" for name in "abc"])
        lines = [f"{here}/{place}/photos/{name}.png,{name < 'c'}" for name in "abc"]
        write({f"tables/{place}.csv": "path,label\n" + "\n".join(lines)})
        ids.append(read_source(CsvSource(file=Path(f"tables/{place}.csv"))).ids.tolist())

    assert ids[0] == ids[1]


def test_words_of_a_split_column(snapshot: object) -> None:
    text = "path,label,split\nd.png,a,1\nimages/a.png,b,1\nimages/b.png,a,0\nimages/c.png,b,7\n"
    write({"words.csv": text})

    manifest = read_source(
        CsvSource(file=Path("words.csv"), split="split"),
        layout=Layout((), {"train": ("1",), "test": ("0",)}),
    )

    assert splits_of(manifest) == {
        "d.png": "train",
        "images/a.png": "train",
        "images/b.png": "test",
    }
    assert manifest.notes == snapshot
    assert refused(text.replace("c.png,b,7", "c.png,b,1"), split="split") == snapshot


def test_whole_numbers_are_positions_in_the_classes() -> None:
    manifest = read("path,label\nd.png,1\nimages/a.png,0\n", classes=("rust", "rot"))

    assert labels_of(manifest) == {"d.png": "rot", "images/a.png": "rust"}


def test_classes_that_are_not_listed_are_left_out() -> None:
    text = "path,label\nd.png,a\nimages/a.png,b\nimages/b.png,background\n"

    manifest = read(text, classes=("b", "a"))

    assert manifest.classes == ("b", "a")
    assert len(manifest) == 2
    assert manifest.notes == (
        "left out 1 image of classes that data.classes does not name: background",
    )


@pytest.mark.parametrize(
    "labels",
    [
        ["Mass", "Effusion", "Mass|Effusion", "Effusion"],
        ["scab", "rust", "scab rust", "scab"],
        [f"{number / 7:.3f}" for number in range(30)],
        [str(number * 31) for number in range(30)],
    ],
    ids=["several", "several by spaces", "measurements", "whole numbers"],
)
def test_labels_of_another_task_are_refused(
    touch: Touch, labels: list[str], snapshot: object
) -> None:
    touch([f"{number}.png" for number in range(len(labels))])
    lines = [f"{number}.png,{label}" for number, label in enumerate(labels)]

    assert refused("\n".join(["path,label", *lines])) == snapshot


def test_several_hot_columns_are_refused(snapshot: object) -> None:
    write({"hot.csv": "path,cat,dog\nd.png,1,1\nimages/a.png,0,1\n"})

    with pytest.raises(DataError) as error:
        read_source(CsvSource(file=Path("hot.csv"), label=("cat", "dog")))
    assert str(error.value) == snapshot


def test_pixels_in_a_column(snapshot: object) -> None:
    """As FER2013 has them."""
    rows = [
        f"{number % 3},{' '.join([str(number)] * 9)},{word}"
        for number, word in enumerate(["Training"] * 6 + ["PublicTest"] * 3 + ["PrivateTest"] * 3)
    ]
    write({"fer.csv": "\n".join(["emotion,pixels,Usage", *rows])})
    source = CsvSource(file=Path("fer.csv"), pixels="pixels", label="emotion", split="Usage")
    words = {"train": ("Training",), "validation": ("PublicTest",), "test": ("PrivateTest",)}

    manifest = read_source(source, layout=Layout((), words), classes=("angry", "happy", "sad"))

    assert manifest.pixels is not None
    assert manifest.pixels.shape == (12, 3, 3, 1)
    assert manifest.pixels[5].tolist() == [[[5]] * 3] * 3
    assert manifest.classes == ("angry", "happy", "sad")
    assert manifest.splits == ("train",) * 6 + ("validation",) * 3 + ("test",) * 3
    write({"fer.csv": "emotion,pixels,Usage\n0,1 2 3 4,Training\n1,1 2 3 256,Training\n"})
    with pytest.raises(DataError) as error:
        read_source(source, layout=Layout((), words))
    assert str(error.value) == snapshot


def in_order(
    text: str,
    *,
    path: str = "*.png",
    classes: tuple[str, ...] | None = None,
    layout: Layout | None = None,
) -> Manifest:
    """A file of labels alone, for the images of `shots` in the order of their names."""
    Path("labels.txt").write_text(text)
    file = {"validation": Path("labels.txt")} if layout else Path("labels.txt")
    source = CsvSource(file=file, columns=("label",), path=path)
    return read_source(source, directory=Path("shots"), classes=classes, layout=layout)


def test_a_label_a_line_belongs_to_the_images_in_their_order(
    touch: Touch, snapshot: object
) -> None:
    touch([f"shots/s{number:02}.png" for number in (3, 11, 2, 20)])

    manifest = in_order("wolf\nlynx\nwolf\nbear\n")

    assert manifest.paths == ("s02.png", "s03.png", "s11.png", "s20.png")
    assert [manifest.classes[label] for label in manifest.labels] == [
        "wolf",
        "lynx",
        "wolf",
        "bear",
    ]
    assert manifest.notes == snapshot


@pytest.mark.parametrize(("numbers", "first"), [("2 0 1 2", 0), ("3 1 2 3", 1)])
def test_numbers_are_positions_in_the_classes_that_are_given(
    numbers: str, first: int, touch: Touch
) -> None:
    touch([f"shots/s{number}.png" for number in range(4)])

    manifest = in_order(numbers.replace(" ", "\n"), classes=("wolf", "lynx", "bear"))

    assert [manifest.classes[label] for label in manifest.labels] == [
        "bear",
        "wolf",
        "lynx",
        "bear",
    ]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["s1.png", "s2.png"], "a\nb\na\n"),
        (["s9.png", "s10.png"], "a\nb\n"),
        (["elsewhere/s1.png"], "a\nb\n"),
    ],
)
def test_lines_that_cannot_be_dealt_out_are_refused(
    names: list[str], text: str, touch: Touch, snapshot: object
) -> None:
    touch([f"shots/{name}" for name in names])
    with pytest.raises(DataError) as error:
        in_order(text)
    assert str(error.value) == snapshot


TRAINED = [f"shots/train/{name}/{n}.png" for name in ("bear", "lynx", "wolf") for n in range(3)]
LAYOUT = Layout(("{split}/{label}/*",))


def test_numbers_beside_class_folders_are_positions_among_them(
    touch: Touch, snapshot: object
) -> None:
    touch([*TRAINED, *(f"shots/val/v{number}.png" for number in range(3))])

    manifest = in_order("2\n0\n2\n", path="val/*", layout=LAYOUT)

    validation = manifest.labels[-3:].tolist()
    assert [manifest.classes[label] for label in validation] == ["wolf", "bear", "wolf"]
    assert manifest.notes == snapshot


@pytest.mark.parametrize("text", ["3\n1\n2\n", "0\n7\n1\n"])
def test_numbers_that_no_order_is_known_of_are_refused(
    text: str, touch: Touch, snapshot: object
) -> None:
    """ILSVRC's own numbers count from 1, and not in the order of its synsets."""
    touch([*TRAINED, *(f"shots/val/v{number}.png" for number in range(3))])
    with pytest.raises(DataError) as error:
        in_order(text, path="val/*", layout=LAYOUT)
    assert str(error.value) == snapshot


def test_numbers_beside_class_folders_in_a_given_order(touch: Touch) -> None:
    touch([*TRAINED, *(f"shots/val/v{number}.png" for number in range(3))])

    manifest = in_order("3\n1\n2\n", path="val/*", layout=LAYOUT, classes=("wolf", "bear", "lynx"))

    validation = manifest.labels[-3:].tolist()
    assert [manifest.classes[label] for label in validation] == ["lynx", "wolf", "bear"]
