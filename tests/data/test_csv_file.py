"""CSV files as manifests. Oracle: the rows that each test writes."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from cnnrun.data.csv_file import manifest_from_csv
from cnnrun.data.manifest import Manifest, image_ids
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
    return manifest_from_csv(
        Path(name),
        path_column="path",
        label_column="label",
        split_column=split,
        group_column=group,
        classes=classes,
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

    manifest = manifest_from_csv(
        Path("table.csv"),
        path_column="file name",
        label_column="breed",
        split_column=None,
        group_column=None,
        classes=None,
    )

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
        pytest.param("path,label\nd.png,\nimages/a.png,a\nimages/b.png\n", {}, id="empty-labels"),
        pytest.param("path,label\n,cat\nd.png,dog\n", {}, id="empty-path"),
        pytest.param("path,label\nd.png,a\nimages/a.png,b\n./d.png,b\n", {}, id="twice"),
        pytest.param(
            "path,label\nd.png,a\n" + "".join(f"images/{n}.png,b\n" for n in range(1200)),
            {},
            id="missing-files",
        ),
        pytest.param("path,label\nd.png,a\nimages\\a.png,b\n", {}, id="backslashes"),
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
        manifest_from_csv(
            Path("label.csv"),
            path_column="path",
            label_column="label",
            split_column=None,
            group_column=None,
            classes=None,
        )

    assert str(error.value) == snapshot


def test_a_folder_instead_of_a_file(snapshot: object) -> None:
    with pytest.raises(DataError) as error:
        manifest_from_csv(
            Path("images"),
            path_column="path",
            label_column="label",
            split_column=None,
            group_column=None,
            classes=None,
        )

    assert str(error.value) == snapshot
