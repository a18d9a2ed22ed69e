"""Draws. Oracle of meanings and distributions: ImageDataGenerator's get_random_transform."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from cnnrun.augment.draws import Draws, draw

IMAGES = 4000
SIZE = (40, 60)
# Keras's name of a drawn value, and ours.
COLUMNS = {
    "theta": "rotation_degrees",
    "tx": "column_shift_pixels",
    "ty": "row_shift_pixels",
    "shear": "shear_degrees",
    "zx": "column_zoom",
    "zy": "row_zoom",
    "flip_horizontal": "horizontal_flip",
    "flip_vertical": "vertical_flip",
    "channel_shift_intensity": "channel_shift",
    "brightness": "brightness",
}
EVERYTHING: dict[str, Any] = {
    "rotation_range": 30.0,
    "width_shift_range": 0.2,
    "height_shift_range": 0.1,
    "shear_range": 15.0,
    "zoom_range": 0.3,
    "horizontal_flip": True,
    "vertical_flip": True,
    "brightness_range": (0.5, 1.5),
    "channel_shift_range": 20.0,
}


EXPECTED = {
    "rotation_degrees": [-28.875289847111524, -16.05657024718433],
    "row_shift_pixels": [8.764249418557391, 5.648325351573137],
    "column_shift_pixels": [-3.965264812736132, -0.8268113171399072],
    "shear_degrees": [-1.6044990932377718, 8.558083786780116],
    "row_zoom": [0.715189592970071, 1.0282178945936358],
    "column_zoom": [1.187844422577601, 0.7987492526964106],
    "horizontal_flip": [True, False],
    "vertical_flip": [True, False],
    "brightness": [0.5978103327972393, 1.1942701047436401],
    "channel_shift": [0.023714933295689633, -1.662685899493507],
}


def keras_draws(images: int, parameters: dict[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    np.random.seed(0)
    generator = ImageDataGenerator(**parameters)
    rows = [generator.get_random_transform((*SIZE, 3)) for _ in range(images)]
    return {
        ours: np.array([row[theirs] for row in rows], float) for theirs, ours in COLUMNS.items()
    }


@pytest.mark.parametrize(
    "parameters",
    [
        {"rotation_range": 30.0},
        {"rotation_range": 90},
        {"width_shift_range": 0.2},
        {"height_shift_range": 0.2},
        {"width_shift_range": 3.5},
        {"height_shift_range": 1.0},
        {"width_shift_range": 1},
        {"width_shift_range": 5},
        {"height_shift_range": 2},
        {"width_shift_range": [0.1, 0.25]},
        {"height_shift_range": [-4, 1, 7]},
        {"height_shift_range": [-4, 0]},
        {"width_shift_range": [0.5, 1.0]},
        {"height_shift_range": [0.25, 1.5]},
        {"width_shift_range": []},
        {"shear_range": 15.0},
        {"zoom_range": 0.3},
        {"zoom_range": [0.5, 1.0]},
        {"zoom_range": [1, 1]},
        {"channel_shift_range": 20.0},
        {"brightness_range": (0.2, 1.7)},
        {"horizontal_flip": True},
        {"vertical_flip": True},
        EVERYTHING,
    ],
    ids=str,
)
def test_draws_are_distributed_as_those_of_keras(sheet: Any, parameters: dict[str, Any]) -> None:
    expected = keras_draws(IMAGES, parameters)

    draws = sheet.draws(IMAGES, SIZE, **parameters)

    for column, theirs in expected.items():
        ours = getattr(draws, column).astype(float)
        if np.isnan(theirs).all():  # Keras's None
            assert np.isnan(ours).all() or not ours.any()
        elif len(np.unique(theirs)) <= 16:
            assert_same_shares(ours, theirs)
        else:
            assert stats.ks_2samp(ours, theirs).pvalue > 1e-3


def assert_same_shares(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any]) -> None:
    values, columns = np.unique(np.concatenate([ours, theirs]), return_inverse=True)
    table = [np.bincount(part, minlength=len(values)) for part in np.split(columns, 2)]
    assert len(values) == len(np.unique(theirs))
    if len(values) > 1:
        assert stats.chi2_contingency(table).pvalue > 1e-3


def test_each_column_lies_evenly_over_its_range(sheet: Any) -> None:
    draws = sheet.draws(IMAGES, SIZE, **EVERYTHING)

    ranges = {
        "rotation_degrees": (-30, 30),
        "column_shift_pixels": (-4, 4),
        "row_shift_pixels": (-12, 12),
        "shear_degrees": (-15, 15),
        "row_zoom": (0.7, 1.3),
        "column_zoom": (0.7, 1.3),
        "brightness": (0.5, 1.5),
        "channel_shift": (-20, 20),
    }
    for column, (low, high) in ranges.items():
        values = getattr(draws, column)
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-3, column


def test_columns_are_independent_of_each_other(sheet: Any) -> None:
    draws = sheet.draws(IMAGES, SIZE, **EVERYTHING)

    table = np.array([getattr(draws, each.name).astype(float) for each in fields(draws)])

    correlations = np.corrcoef(table) - np.eye(len(table))
    assert np.abs(correlations).max() < 5 / np.sqrt(IMAGES)


@pytest.mark.parametrize("option", list(EVERYTHING))
def test_an_option_moves_no_column_but_its_own(sheet: Any, option: str) -> None:
    everything = sheet.draws(50, SIZE, **EVERYTHING)

    one_less = sheet.draws(
        50, SIZE, **{key: EVERYTHING[key] for key in EVERYTHING if key != option}
    )

    changed = {
        each.name
        for each in fields(Draws)
        if not np.array_equal(getattr(everything, each.name), getattr(one_less, each.name))
    }
    assert (
        changed
        == {
            "rotation_range": {"rotation_degrees"},
            "width_shift_range": {"row_shift_pixels"},
            "height_shift_range": {"column_shift_pixels"},
            "shear_range": {"shear_degrees"},
            "zoom_range": {"row_zoom", "column_zoom"},
            "horizontal_flip": {"horizontal_flip"},
            "vertical_flip": {"vertical_flip"},
            "brightness_range": {"brightness"},
            "channel_shift_range": {"channel_shift"},
        }[option]
    )


@given(ids=st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=20), data=st.data())
def test_an_image_draws_the_same_in_any_company(ids: list[int], data: Any) -> None:
    some = data.draw(st.lists(st.sampled_from(range(len(ids))), min_size=1))

    def drawn(numbers: list[int]) -> Draws:
        array = np.array(numbers, np.uint64)
        return draw(array, seed=7, epoch=3, image_size=SIZE, **EVERYTHING)

    for each in fields(Draws):
        of_all = getattr(drawn(ids).take(some), each.name)
        of_some = getattr(drawn([ids[row] for row in some]), each.name)
        assert np.array_equal(of_all, of_some)


@pytest.mark.parametrize("other", [{"seed": 1}, {"epoch": 1}], ids=str)
def test_another_seed_or_epoch_draws_anew(sheet: Any, other: dict[str, int]) -> None:
    one = sheet.draws(IMAGES, SIZE, **EVERYTHING)

    two = sheet.draws(IMAGES, SIZE, **other, **EVERYTHING)

    for each in fields(Draws):
        pair = (getattr(one, each.name).astype(float), getattr(two, each.name).astype(float))
        assert abs(np.corrcoef(*pair)[0, 1]) < 5 / np.sqrt(IMAGES)


def test_draws_are_the_same_on_every_machine(sheet: Any) -> None:
    draws = sheet.draws(2, SIZE, **EVERYTHING)

    assert {each.name: getattr(draws, each.name).tolist() for each in fields(draws)} == EXPECTED


def test_whole_shifts_and_flips_are_the_same_on_every_machine(sheet: Any) -> None:
    whole = {"width_shift_range": 5, "height_shift_range": [1, 7, 20]}

    draws = sheet.draws(8, SIZE, **EVERYTHING | whole)

    assert draws.row_shift_pixels.tolist() == [4.0, 3.0, -2.0, 4.0, -4.0, 0.0, 2.0, -1.0]
    assert draws.column_shift_pixels.tolist() == [-1.0, -7.0, 7.0, -20.0, -7.0, -20.0, 1.0, 7.0]
    assert draws.horizontal_flip.astype(int).tolist() == [1, 0, 1, 1, 0, 1, 0, 0]
    assert draws.vertical_flip.astype(int).tolist() == [1, 0, 0, 1, 1, 1, 0, 1]


@pytest.mark.parametrize("parameters", [{}, EVERYTHING], ids=["nothing", "everything"])
def test_columns_have_the_same_types_whatever_is_drawn(
    sheet: Any, parameters: dict[str, Any]
) -> None:
    draws = sheet.draws(3, SIZE, **parameters)

    for each in fields(draws):
        expected = np.bool_ if each.name.endswith("flip") else np.float64
        assert getattr(draws, each.name).dtype == expected, each.name


def test_what_is_not_drawn_is_no_negative_zero(sheet: Any) -> None:
    draws = sheet.draws(3, SIZE)

    assert not np.signbit(draws.rotation_degrees).any()
    assert not np.signbit(draws.row_shift_pixels).any()


def test_a_table_has_as_many_rows_as_images(sheet: Any) -> None:
    assert len(sheet.draws(3, SIZE)) == 3
    assert len(sheet.draws(3, SIZE).take(slice(1, 3))) == 2
