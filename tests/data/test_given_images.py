"""Images that a user names without labels. Oracle: the files and arrays that each test writes."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.data.given_images import GivenImages, given_images
from cnnrun.errors import DataError

Write = Callable[[Iterable[str]], None]


def given(*places: str, value_range: tuple[float, float] | None = None) -> GivenImages:
    return given_images([Path(place) for place in places], value_range=value_range)


def names(*places: str) -> list[str]:
    return [name.as_posix() for name in given(*places).names]


SHOTS = ["shots/a.png", "shots/b.png", "shots/deep/c.png"]
IN_THE_TABLE = ["shots/b.png", "shots/a.png"]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("list.csv", "path,label\nshots/b.png,wolf\nshots/a.png,lynx\n"),
        ("list.csv", "id;file\n1;shots/b.png\n2;shots/a.png\n"),
        ("list.txt", "shots/b.png\nshots/a.png\n"),
        ("list.tsv", "shots/b.png\twolf\nshots/a.png\tlynx\n"),
        ("list.csv", "file\nb\na\n"),
        ("list.csv", "{here}/shots/b.png,1\n{here}/shots/a.png,0\n"),
    ],
)
def test_a_table_names_images(table: str, text: str, write_images: Write, here: Path) -> None:
    write_images(SHOTS)
    Path(table).write_text(text.replace("{here}", here.as_posix()))

    assert [(here / each).as_posix() for each in names(table)] == [
        (here / each).as_posix() for each in IN_THE_TABLE
    ]


def test_absolute_paths_of_files_elsewhere(write_images: Write, here: Path) -> None:
    write_images(SHOTS)
    Path("lists").mkdir()
    Path("lists/all.txt").write_text("\n".join(str(here / shot) for shot in SHOTS))

    assert names("lists/all.txt") == [str(here / shot) for shot in SHOTS]


def test_files_folders_tables_and_arrays_in_the_order_given(write_images: Write) -> None:
    write_images(SHOTS)
    Path("list.txt").write_text("shots/a.png\n")
    np.savez("new.npz", images=np.zeros((2, 4, 5), np.uint8))

    found = given("new.npz", "shots/deep", "list.txt", "shots/b.png")

    assert [name.as_posix() for name in found.names] == [
        "new.npz:images[0]",
        "new.npz:images[1]",
        "shots/deep/c.png",
        "shots/a.png",
        "shots/b.png",
    ]
    assert [image.shape for image in found.arrays.values()] == [(4, 5, 1)] * 2


def test_labels_beside_arrays_are_no_images(here: Path) -> None:
    np.savez(here / "x.npz", x_test=np.ones((3, 4, 4, 3), np.uint8), y_test=np.ones((3, 1)))

    assert names("x.npz") == [f"x.npz:x_test[{row}]" for row in range(3)]


def test_arrays_have_the_values_that_the_network_was_trained_on(here: Path) -> None:
    np.savez(here / "x.npz", x=np.full((1, 2, 2), 0.5, np.float32))

    (image,) = given("x.npz", value_range=(0, 1)).arrays.values()

    assert image.tolist() == [[[0.5], [0.5]]] * 2


ARRAYS = {
    "labels alone": {"y": np.arange(5)},
    "one image": {"x": np.zeros((4, 4), np.uint8)},
    "shares": {"x": np.zeros((2, 4, 4), np.float32)},
    "channels first": {"x": np.zeros((2, 3, 32, 32), np.uint8)},
    "negative": {"x": np.full((2, 4, 4), -1)},
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_refused(name: str, here: Path, snapshot: SnapshotAssertion) -> None:
    np.savez(here / "new.npz", **ARRAYS[name])
    with pytest.raises(DataError) as error:
        given("new.npz")
    assert str(error.value) == snapshot


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("numbers.csv", "width,height\n3,4\n5,6\n"),
        ("empty.csv", ""),
        ("header.csv", "path,label\n"),
        ("missing.csv", "path\nshots/z.png\n"),
        ("absent.csv", None),
    ],
)
def test_tables_that_are_refused(
    name: str, text: str | None, write_images: Write, snapshot: SnapshotAssertion
) -> None:
    write_images(SHOTS)
    if text is not None:
        Path(name).write_text(text)
    with pytest.raises(DataError) as error:
        given(name)
    assert str(error.value) == snapshot
