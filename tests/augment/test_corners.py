"""Draws in words and outlines say what a person sees in the pixels. Oracle: the engine's pixels."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from syrupy.assertion import SnapshotAssertion

from cnnrun.augment.corners import corners_of
from cnnrun.augment.draws import Draws, words_of
from cnnrun.augment.fast_engine import FastEngine

SIZE = (21, 21)
OBLONG = (21, 33)
CENTRE = 10


def one(sheet, **columns: Any) -> Draws:
    """A single image's draws, nothing but some columns on."""
    return replace(
        sheet.draws(1, SIZE), **{name: np.array([value]) for name, value in columns.items()}
    )


def warped(image: np.ndarray, draws: Draws, *, fill_mode: str = "constant") -> np.ndarray:
    engine = FastEngine(
        (*image.shape, 1), fill_mode=fill_mode, cval=0.0, interpolation_order=1, threads=1
    )
    return engine(image[None, ..., None], draws)[0, ..., 0]


def spot(*, below: int = 0, right: int = 0) -> np.ndarray:
    """A black image with one bright spot, so far from its centre."""
    image = np.zeros(SIZE, np.float32)
    image[CENTRE + below, CENTRE + right] = 255
    return image


def movement(image: np.ndarray, draws: Draws) -> np.ndarray:
    """How many rows down and columns right the spot moves."""
    before, after = (
        np.array(np.unravel_index(np.argmax(pixels), SIZE))
        for pixels in (image, warped(image, draws))
    )
    return after - before


@pytest.mark.parametrize(
    ("column", "value", "words", "moved"),
    [
        ("row_shift_pixels", 3.0, "shift 3 px up", (-3, 0)),
        ("row_shift_pixels", -3.0, "shift 3 px down", (3, 0)),
        ("column_shift_pixels", 3.0, "shift 3 px left", (0, -3)),
        ("column_shift_pixels", -3.0, "shift 3 px right", (0, 3)),
    ],
)
def test_shifts_have_the_direction_that_a_person_sees(
    column: str, value: float, words: str, moved: tuple[int, int], sheet
) -> None:
    draws = one(sheet, **{column: value})
    assert words_of(draws, 0) == (words,)
    assert tuple(movement(spot(), draws)) == moved


@pytest.mark.parametrize(("degrees", "arrow"), [(60.0, "↺"), (-60.0, "↻")])
def test_rotations_have_the_direction_that_a_person_sees(degrees: float, arrow: str, sheet) -> None:
    """What is above the centre goes left when an image turns against the clock."""
    draws = one(sheet, rotation_degrees=degrees)
    assert words_of(draws, 0) == (f"rotation 60.0° {arrow}",)
    _, to_the_right = movement(spot(below=-5), draws)
    assert to_the_right < 0 if arrow == "↺" else to_the_right > 0


def test_zoom_names_height_and_width(sheet) -> None:
    """Below 1 enlarges: a spot goes away from the centre."""
    draws = one(sheet, row_zoom=0.5, column_zoom=1.0)
    assert words_of(draws, 0) == ("zoom ↕ 0.50 ↔ 1.00",)
    assert movement(spot(below=4), draws)[0] >= 3
    assert movement(spot(right=4), draws)[1] == 0


def test_words_for_everything(sheet, snapshot: SnapshotAssertion) -> None:
    draws = sheet.draws(
        6,
        SIZE,
        rotation_range=30.0,
        width_shift_range=0.01,
        height_shift_range=0.9,
        shear_range=10.0,
        zoom_range=0.2,
        horizontal_flip=True,
        vertical_flip=True,
        brightness_range=(0.5, 1.5),
        channel_shift_range=20.0,
    )
    assert [words_of(draws, row) for row in range(6)] == snapshot


def test_nothing_drawn_is_said(sheet) -> None:
    assert words_of(sheet.draws(1, SIZE), 0) == ("as it is",)


def test_brightness_of_one_is_said_because_it_cuts_levels(sheet) -> None:
    assert words_of(one(sheet, brightness=1.0), 0) == ("brightness x 1.00",)


@pytest.mark.parametrize("row", range(12))
def test_corners_enclose_the_image(row: int, sheet) -> None:
    """A white image on black: white well within the corners, black well outside of them."""
    draws = sheet.draws(
        12,
        OBLONG,
        seed=3,
        rotation_range=40.0,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=20.0,
        zoom_range=(0.8, 1.6),
        horizontal_flip=True,
        vertical_flip=True,
    ).take(slice(row, row + 1))
    pixels = warped(np.full(OBLONG, 255, np.float32), draws)
    corners = corners_of(draws, image_size=OBLONG)[0]
    columns, rows = np.meshgrid(np.arange(OBLONG[1]) + 0.5, np.arange(OBLONG[0]) + 0.5)
    distance = _distance_inside(np.stack([columns, rows], axis=-1), corners)
    assert (pixels[distance > 1.5] == 255).all()
    assert (pixels[distance < 0] == 0).all()
    assert (distance < 0).any()
    assert (distance > 1.5).any()


def test_corners_keep_their_order_when_nothing_moves(sheet) -> None:
    height, width = SIZE
    corners = corners_of(sheet.draws(1, SIZE), image_size=SIZE)
    np.testing.assert_allclose(corners[0], [[0, 0], [width, 0], [width, height], [0, height]])
    mirrored = corners_of(one(sheet, horizontal_flip=True), image_size=SIZE)
    np.testing.assert_allclose(mirrored[0, 0], [width, 0])


def _distance_inside(places: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """How far inside of a convex outline places are; negative where they are outside."""
    inside = Outline(corners).contains_points(places.reshape(-1, 2)).reshape(places.shape[:-1])
    distances = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = (end - start) / np.linalg.norm(end - start)
        x, y = np.moveaxis(places - start, -1, 0)
        distances.append(np.abs(x * along[1] - y * along[0]))
    distance = np.min(distances, axis=0)
    return np.where(inside, distance, -distance)
