"""Several labels an image, read from tables and arrays. Oracle: the rows that each test writes."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.data_section import DataSpec
from cnnrun.config.data_sources import ArraysSource, CsvSource
from cnnrun.data.manifest import Manifest
from cnnrun.data.places import data_as_read, read_images_at
from cnnrun.errors import DataError

Touch = Callable[[Iterable[str]], None]
COLUMNS = ("Mass", "Edema")


def read(text: str, **said: Any) -> Manifest:
    """The table's images; keys of `csv` begin with csv_."""
    Path("labels.csv").write_text(text, encoding="utf-8")
    source = CsvSource(
        file=Path("labels.csv"),
        **{key[4:]: value for key, value in said.items() if key.startswith("csv_")},
    )
    others = {key: value for key, value in said.items() if not key.startswith("csv_")}
    return read_images_at(DataSpec(csv=source, **({"task": "multi_label"} | others)), partial=False)


def table(*labels: str) -> str:
    return "\n".join(["path,label", *(f'{row}.png,"{each}"' for row, each in enumerate(labels))])


def texts(manifest: Manifest) -> list[str]:
    return [manifest.label_text(row) for row in range(len(manifest))]


@pytest.fixture
def images(touch: Touch) -> None:
    touch([f"{row}.png" for row in range(8)])


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("separator", ["|", ";", ",", "/", "+", " "])
def test_what_parts_the_labels_is_found_and_said(separator: str) -> None:
    cells = ["cat", "dog", f"dog{separator}cat", f"mouse{separator}cat", ""]

    manifest = read(table(*cells))

    assert texts(manifest) == ["cat", "dog", "cat|dog", "cat|mouse", ""]
    assert manifest.separator == separator
    assert any(
        ("spaces part" if separator == " " else separator) in note for note in manifest.notes
    )
    assert any("without a label" in note for note in manifest.notes)


@pytest.mark.usefixtures("images")
def test_what_was_found_stands_in_the_resolved_config() -> None:
    """Another table, such as one to evaluate on, need not show what parts its labels."""
    manifest = read(table("a;b", "b", "c"))

    resolved = data_as_read(
        DataSpec(csv=CsvSource(file=Path("labels.csv")), task="multi_label"), manifest
    )

    assert resolved.csv is not None
    assert resolved.csv.separator == ";"
    assert resolved.classes == ("a", "b", "c")


@pytest.mark.usefixtures("images")
def test_numbers_sort_as_numbers_and_lists_of_python_lose_their_quotes() -> None:
    manifest = read(table("['10', '9']", "['9']", "['2', '10']", "[]"))

    assert manifest.classes == ("2", "9", "10")
    assert texts(manifest) == ["9|10", "9", "2|10", ""]


@pytest.mark.usefixtures("images")
def test_columns_of_0_and_1_leave_unknown_what_they_do_not_say() -> None:
    """As CheXpert has it: 1, 0, -1 for uncertain, and empty cells."""
    rows = ["1.0,0", "0.0,1", "-1.0,1", ",1", "0,0", ","]
    text = "\n".join(["path,Mass,Edema", *(f"{row}.png,{each}" for row, each in enumerate(rows))])

    manifest = read(text, csv_label=COLUMNS)

    assert manifest.classes == COLUMNS
    assert manifest.labels.tolist() == [[1, 0], [0, 1], [-1, 1], [-1, 1], [0, 0]]
    assert any("5.png" in note for note in manifest.notes)  # nothing is known of it
    assert any("taken for unknown" in note for note in manifest.notes)


@pytest.mark.usefixtures("images")
def test_a_label_map_renames_merges_and_leaves_out() -> None:
    manifest = read(
        table("No Finding", "Mass|Nodule", "Nodule|Edema", "Edema|Blur", "No Finding"),
        label_map={"No Finding": None, "Nodule": "Mass", "Blur": "unknown"},
    )

    assert manifest.classes == ("Edema", "Mass")
    assert texts(manifest) == ["", "Mass", "Edema|Mass", ""]


@pytest.mark.usefixtures("images")
def test_a_label_map_says_what_cells_mean() -> None:
    text = "path,Mass,Edema\n0.png,1,\n1.png,-1,1\n2.png,0,1"

    manifest = read(text, csv_label=COLUMNS, label_map={"": "0", "-1": "1"})

    assert manifest.labels.tolist() == [[1, 0], [1, 1], [0, 1]]


@pytest.mark.usefixtures("images")
def test_a_label_map_renames_single_labels_too() -> None:
    manifest = read(
        table("cat", "kitten", "dog", "puppy", "?"),
        task=None,
        label_map={"kitten": "cat", "puppy": "dog", "?": "unknown"},
    )

    assert texts(manifest) == ["cat", "cat", "dog", "dog"]


@pytest.mark.usefixtures("images")
def test_classes_choose_labels_and_say_what_they_leave_out() -> None:
    manifest = read(table("a|b", "c|a", "c", "b"), classes=("b", "a"))

    assert manifest.classes == ("b", "a")
    assert texts(manifest) == ["b|a", "a", "", "b"]
    assert any("left out labels" in note and "c" in note for note in manifest.notes)


BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "no separator": (table("cat", "dog", "No Finding"), {}),
    "a label without images": (table("a|b", "b"), {"classes": ("a", "b", "Hernia")}),
    "another number of labels": (table("a|b", "b"), {"classes": 3}),
    "something else in a column": (
        "path,Mass,Edema\n0.png,1,0\n1.png,maybe,1",
        {"csv_label": COLUMNS},
    ),
    "measurements in a column": (
        "path,Mass,Edema\n" + "\n".join(f"{row % 8}.png,{row / 7:.3f},0" for row in range(40)),
        {"csv_label": COLUMNS},
    ),
    "joined labels in a config of single ones": (
        table("3|7", "1|3", "7|1", "3|1"),
        {"task": None},
    ),
    "several hot columns in one": (
        "path,Mass,Edema\n0.png,1,1\n1.png,0,1",
        {"csv_label": COLUMNS, "task": None},
    ),
    "a number a row": (table("12", "7", "31", "4", "55", "26"), {"task": None}),
}


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("case", BAD)
def test_refused(case: str, snapshot: SnapshotAssertion) -> None:
    text, said = BAD[case]

    with pytest.raises(DataError) as error:
        read(text, **said)

    assert str(error.value) == snapshot


@pytest.mark.usefixtures("images")
def test_who_says_single_label_gets_it() -> None:
    manifest = read(table("3|7", "1|3", "7|1", "3|1"), task="single_label")

    assert manifest.classes == ("1|3", "3|1", "3|7", "7|1")


def arrays(labels: np.ndarray, **said: Any) -> Manifest:
    pixels = np.zeros((len(labels), 4, 4), np.uint8)
    np.savez("images.npz", images=pixels, labels=labels)
    data = DataSpec(arrays=ArraysSource(file=Path("images.npz")), **said)
    return read_images_at(data, partial=False)


@pytest.mark.usefixtures("here")
def test_arrays_of_0_and_1() -> None:
    labels = np.array([[1, 0, 1], [0, 1, 0], [np.nan, 0, -1]])

    manifest = arrays(labels, task="multi_label", classes=("a", "b", "c"))

    assert texts(manifest) == ["a|c", "b", "?a|?c"]


ARRAYS: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
    "several in a config of single ones": (np.array([[1, 0], [1, 1], [0, 0]]), {}),
    "measurements": (np.linspace(0, 1, 30), {}),
    "a number an image": (np.arange(8) * 3, {}),
    "one a row in a config of several": (np.array([0, 1, 2]), {"task": "multi_label"}),
    "probabilities": (np.array([[0.5, 1.0], [0, 0]]), {"task": "multi_label"}),
    "other classes": (np.array([[1, 0], [0, 1]]), {"task": "multi_label", "classes": 3}),
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_refused(case: str, snapshot: SnapshotAssertion) -> None:
    labels, said = ARRAYS[case]

    with pytest.raises(DataError) as error:
        arrays(labels, **said)

    assert str(error.value) == snapshot
