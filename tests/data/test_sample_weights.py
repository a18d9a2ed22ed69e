"""Weights of images, from tables and arrays. Oracle: the numbers that each test writes."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnrun.config.data_section import DataSpec
from cnnrun.config.data_sources import ArraysSource, CsvSource
from cnnrun.data.fingerprint import data_fingerprint
from cnnrun.data.manifest import Manifest
from cnnrun.data.places import read_images_at
from cnnrun.data.sample_weights import refuse_weightless_classes
from cnnrun.data.splits import Splits
from cnnrun.errors import DataError

Touch = Callable[[Iterable[str]], None]
PIXELS = " ".join("7" * 64)


def of_table(lines: str, *, path: str = "path", **arguments: Any) -> Manifest:
    Path("photos.csv").write_text(lines)
    data = DataSpec(csv=CsvSource(file=Path("photos.csv"), path=path, **arguments))
    return read_images_at(data, partial=False)


def of_arrays(arrays: dict[str, Any], **arguments: Any) -> Manifest:
    np.savez("photos.npz", **{name: np.asarray(values) for name, values in arrays.items()})
    data = DataSpec(arrays=ArraysSource(file=Path("photos.npz"), **arguments))
    return read_images_at(data, partial=False)


@pytest.fixture
def photos(touch: Touch) -> None:
    touch(["a.png", "b.png", "c.png", "d.png"])


pytestmark = pytest.mark.usefixtures("photos")


def test_a_column_goes_with_its_images() -> None:
    lines = "path,label,certainty\nd.png,x,0\nb.png,y,2.5\na.png,x,1e-1\n"
    manifest = of_table(lines, weight="certainty")
    assert manifest.paths == ("a.png", "b.png", "d.png")
    np.testing.assert_array_equal(manifest.weights, np.float32([0.1, 2.5, 0]))


def test_images_of_the_folder_that_no_row_names_count_as_one(touch: Touch, snapshot: Any) -> None:
    touch(["all/x/a.png", "all/y/b.png"])
    Path("photos.csv").write_text("path,label,weight\nx/a.png,x,3\n")
    source = CsvSource(file=Path("photos.csv"), weight="weight")
    data = DataSpec(csv=source, directory=Path("all"), layout=("{label}/*",))
    manifest = read_images_at(data, partial=False)
    np.testing.assert_array_equal(manifest.weights, [3, 1])
    assert manifest.notes == snapshot


def test_a_table_of_pixels_has_weights() -> None:
    lines = f"pixels,label,w\n{PIXELS},x,4\n{PIXELS},y,0.5\n"
    manifest = of_table(lines, pixels="pixels", weight="w")
    np.testing.assert_array_equal(manifest.weights, [4, 0.5])


BAD = {
    "below 0": "a.png,x,1\nb.png,y,-1\n",
    "missing": "a.png,x,\nb.png,y,1\nc.png,y,\n",
    "not a number": "a.png,x,nan\nb.png,y,heavy\n",
    "infinite": "a.png,x,inf\nb.png,y,1e39\n",
    "all 0": "a.png,x,0\nb.png,y,0.0\n",
}


@pytest.mark.parametrize("lines", BAD.values(), ids=BAD)
def test_a_weight_that_is_none_is_refused_by_its_row(lines: str, snapshot: Any) -> None:
    with pytest.raises(DataError) as refusal:
        of_table(f"path,label,weight\n{lines}", weight="weight")
    assert str(refusal.value) == snapshot


def test_a_missing_column_is_named(snapshot: Any) -> None:
    with pytest.raises(DataError) as refusal:
        of_table("path,label,wieght\na.png,x,1\nb.png,y,1\n", weight="weight")
    assert str(refusal.value) == snapshot


@pytest.mark.parametrize("column", ["weight", "Sample_Weight"])
def test_a_column_that_seems_to_hold_weights_is_not_ignored_in_silence(
    column: str, snapshot: Any
) -> None:
    manifest = of_table(f"path,label,{column}\na.png,x,1\nb.png,y,2\n")
    assert manifest.weights is None
    assert manifest.notes == snapshot
    beside_pixels = of_table(
        f"pixels,label,{column}\n{PIXELS},x,4\n{PIXELS},y,0.5\n", pixels="pixels"
    )
    assert beside_pixels.notes == manifest.notes
    assert of_table(f"path,{column}\na.png,x\nb.png,y\n", label=column).notes == ()


IMAGES = np.zeros((2, 4, 4), np.uint8)


def test_arrays_of_weights_are_those_of_their_split() -> None:
    pair = {"x_train": IMAGES, "y_train": [0, 1], "x_test": IMAGES[:1], "y_test": [1]}
    one = of_arrays({**pair, "w_train": [2, 0]}, weights="w_train")
    by_split = of_arrays({**pair, "w_train": [2, 0]}, weights="w_{split}")
    both = of_arrays({**pair, "w_train": [2, 0], "w_test": [[9.0]]}, weights="w_{split}")
    np.testing.assert_array_equal(one.weights, [2, 0, 1])
    np.testing.assert_array_equal(by_split.weights, [2, 0, 1])
    np.testing.assert_array_equal(both.weights, [2, 0, 9])
    named = {"photos": IMAGES, "kinds": [0, 1], "certainties": np.float64([0.25, 4])}
    arguments = {"images": "photos", "labels": "kinds", "weights": "certainties"}
    np.testing.assert_array_equal(of_arrays(named, **arguments).weights, [0.25, 4])


WRONG = {
    "too few": [1],
    "below 0": [1, -2],
    "not a number": [np.nan, 1],
    "all 0": [0, 0],
    "text": ["1", "2"],
    "a column too many": [[1, 2], [3, 4]],
}


@pytest.mark.parametrize("weights", WRONG.values(), ids=WRONG)
def test_arrays_that_are_no_weights_are_refused(weights: Any, snapshot: Any) -> None:
    with pytest.raises(DataError) as refusal:
        of_arrays({"images": IMAGES, "labels": [0, 1], "certain": weights}, weights="certain")
    assert str(refusal.value) == snapshot


def test_weights_of_no_split_and_weights_that_are_not_named_are_refused(snapshot: Any) -> None:
    pair = {"x_train": IMAGES, "y_train": [0, 1], "x_test": IMAGES[:1], "y_test": [1]}
    told = []
    for arrays, arguments in (
        ({**pair, "w_test": [1]}, {"weights": "w_{split}"}),
        ({**pair, "w_train": [1, 2]}, {}),
        ({**pair, "w_train": [1, 2]}, {"weights": "v_train"}),
    ):
        with pytest.raises(DataError) as refusal:
            of_arrays(arrays, **arguments)
        told.append(str(refusal.value))
    assert told == snapshot


def test_a_class_whose_training_images_all_count_nothing_is_refused(snapshot: Any) -> None:
    lines = "path,label,weight\na.png,x,1\nb.png,y,0\nc.png,y,3\nd.png,x,1\n"
    manifest = of_table(lines, weight="weight")
    splits = Splits(train=np.array([0, 1]), validation=np.array([2]), test=np.array([3]))
    with pytest.raises(DataError) as refusal:
        refuse_weightless_classes(manifest, splits)
    assert str(refusal.value).split(": ", 1)[1] == snapshot
    refuse_weightless_classes(manifest, replace(splits, train=np.array([0, 1, 2])))


def test_the_fingerprint_is_of_the_weights_too() -> None:
    lines = "path,label,weight\na.png,x,1\nb.png,y,{}\n"
    found = [
        data_fingerprint(of_table(lines.format(each), weight=name), notes_folder=None)["blake3"]
        for each, name in ((1, "weight"), (2, "weight"), (2, "weight"), (2, None))
    ]
    assert found[1] == found[2]
    assert len(set(found)) == 3
