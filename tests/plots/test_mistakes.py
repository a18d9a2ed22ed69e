"""Mistakes show the image, its name, its class and what it was called."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_sample_image
from syrupy.assertion import SnapshotAssertion

from cnnrun.plots.mistakes import Mistake, mistakes


def mistake(pixels: np.ndarray, *, name: str = "8/0001.png", probability: float = 0.97) -> Mistake:
    return Mistake(pixels, name=name, truth="8", prediction="3", probability=probability)


DIGIT = load_digits().images[8][..., None] / 16 * 255
PHOTOGRAPH = load_sample_image("china.jpg")


def test_a_mistake_says_what_it_is(texts_of, snapshot: SnapshotAssertion) -> None:
    figure = mistakes([mistake(DIGIT)], wrong=1, images=270)
    assert texts_of(figure) == snapshot


def test_long_names_keep_their_ends(texts_of, snapshot: SnapshotAssertion) -> None:
    long = Mistake(
        DIGIT,
        name="photos of the harbour/2026/image_000123.jpeg",
        truth="container ship at sea",
        prediction="container ship in port",
        probability=0.5,
    )
    assert texts_of(mistakes([long], wrong=1, images=270)) == snapshot


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.5, "50 %"), (0.994, "99 %"), (0.9999, "> 99 %"), (1.0, "100 %"), (0.0, "0 %")],
)
def test_near_certainty_is_not_called_certainty(probability: float, text: str, texts_of) -> None:
    figure = mistakes([mistake(DIGIT, probability=probability)], wrong=1, images=2)
    assert any(each.endswith(f", {text}") for each in texts_of(figure))


def test_no_mistake_is_said(texts_of, pixels_of, snapshot: SnapshotAssertion) -> None:
    figure = mistakes([], wrong=0, images=270)
    assert texts_of(figure) == snapshot
    assert pixels_of(figure).std() > 0


def test_pixels_are_shown_as_they_are() -> None:
    shown = [
        figure.axes[0].images[0].get_array()
        for figure in (
            mistakes([mistake(pixels)], wrong=1, images=2) for pixels in (DIGIT, PHOTOGRAPH)
        )
    ]
    np.testing.assert_allclose(shown[0], DIGIT[..., 0] / 255)
    np.testing.assert_allclose(shown[1], PHOTOGRAPH / 255)


def test_grey_is_not_stretched() -> None:
    """An image of 100 and 101 is flat grey to a person, and has to look so."""
    flat = np.array([[[100], [101]]], dtype=np.uint8)
    image = mistakes([mistake(flat)], wrong=1, images=2).axes[0].images[0]
    assert (image.norm.vmin, image.norm.vmax) == (0, 1)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_any_channels_and_kind_of_number_can_be_drawn(channels, kind, pixels_of) -> None:
    pixels = np.linspace(-10, 300, 8 * 8 * channels).clip(0, 255).reshape(8, 8, channels)
    pixels_of(mistakes([mistake(pixels.astype(kind))], wrong=1, images=2))


@pytest.mark.parametrize("count", [1, 2, 6, 7, 24])
def test_each_mistake_has_a_place_of_its_own(count: int) -> None:
    figure = mistakes([mistake(DIGIT)] * count, wrong=count, images=100)
    drawn = figure.axes[0].images
    assert len(drawn) == count
    for first, second in combinations(drawn, 2):
        assert not first.get_window_extent().overlaps(second.get_window_extent())
    assert all(figure.bbox.contains(*image.get_window_extent().max) for image in drawn)


def test_an_image_keeps_its_shape() -> None:
    """Oracle: width and height in pixels of the figure."""
    image = mistakes([mistake(PHOTOGRAPH)], wrong=1, images=2).axes[0].images[0]
    extent = image.get_window_extent()
    assert extent.width / extent.height == pytest.approx(640 / 427)


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3)])
def test_any_shape_can_be_drawn(shape: tuple[int, int], pixels_of) -> None:
    pixels_of(mistakes([mistake(np.zeros((*shape, 3)))], wrong=1, images=2))


def test_photographs_and_digits_side_by_side(pixels_of) -> None:
    many = [mistake(PHOTOGRAPH, name="a 猫.jpg"), mistake(DIGIT), mistake(PHOTOGRAPH[:, :50])]
    drawn = pixels_of(mistakes(many, wrong=3, images=100))
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 1000, "the photograph's colours"
