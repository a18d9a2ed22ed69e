"""A contact sheet shows every pixel as it is, and its words where they belong."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.plots.contact_sheet import Block, ContactSheet, Group, Tile, draw_contact_sheet
from cnnrun.plots.save import save_figure

NOISE = np.random.default_rng(0).integers(0, 256, (8, 8, 1), np.uint8)


def sheet(
    pixels: np.ndarray,
    *,
    groups: int = 1,
    tiles: int = 2,
    blocks: int = 1,
    outline: np.ndarray | None = None,
    words: str = "rotation 7.3°",
) -> ContactSheet:
    group = Group(
        heading="class cat",
        origin="cat/0001.png",
        tiles=(Tile(pixels, (), None), *[Tile(pixels, (words,), outline)] * (tiles - 1)),
    )
    return ContactSheet(
        title="digits: training images, augmented",
        caption=("The draws are those of epoch 1.",),
        columns=("original", *(f"epoch {epoch}" for epoch in range(1, tiles))),
        blocks=(Block("rotation_range: 10", "a remark", (group,) * groups),) * blocks,
    )


def extents(figure: Figure) -> np.ndarray:
    """Left, right, bottom and top of every image, in dots from the top left corner."""
    return np.array([image.get_extent() for image in figure.axes[0].images])


def saved(figure: Figure, folder: Path) -> np.ndarray:
    """The picture's pixels, `(height, width, 3)`."""
    save_figure(figure, folder / "sheet.png")
    with Image.open(folder / "sheet.png") as image:
        return np.asarray(image.convert("RGB"))


def test_what_a_sheet_says(texts_of, snapshot: SnapshotAssertion) -> None:
    assert texts_of(draw_contact_sheet(sheet(NOISE, groups=2, blocks=2))) == snapshot


def test_headings_stand_once_unless_a_block_has_several_lines(texts_of) -> None:
    for groups, times in ((6, 6), (7, 14)):
        texts = texts_of(draw_contact_sheet(sheet(NOISE, groups=groups, blocks=2)))
        assert texts.count("class cat") == times


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(8, 8), (5, 9), (28, 28), (32, 20), (64, 64)])
def test_each_pixel_of_a_tiny_image_is_a_square_of_the_picture(
    size: tuple[int, int], channels: int, tmp_path: Path
) -> None:
    """Oracle: np.kron."""
    pixels = np.random.default_rng(1).integers(0, 256, (*size, channels), np.uint8)
    figure = draw_contact_sheet(sheet(pixels))
    picture = saved(figure, tmp_path)
    left, right, bottom, top = extents(figure)[0].astype(int)
    factor = (right - left) // size[1]
    expected = np.kron(pixels, np.ones((factor, factor, 1), np.uint8))
    inside = slice(2, -2)  # the frame is drawn over the border
    shown = picture[top:bottom, left:right][inside, inside]
    # matplotlib's grey has 256 steps that are not quite the levels.
    np.testing.assert_allclose(
        shown.astype(int),
        np.broadcast_to(expected[inside, inside], (*shown.shape[:2], 3)),
        atol=1 if channels == 1 else 0,
    )


@pytest.mark.parametrize(
    ("size", "shown"), [((8, 8), (144, 144)), ((300, 400), (108, 144)), ((1000, 2), (144, 1))]
)
def test_images_come_out_at_a_size_to_look_at(
    size: tuple[int, int], shown: tuple[int, int], pixels_of
) -> None:
    figure = draw_contact_sheet(sheet(np.zeros((*size, 3), np.uint8)))
    left, right, bottom, top = extents(figure)[0]
    assert (bottom - top, right - left) == shown
    pixels_of(figure)


@pytest.mark.parametrize("side", [1, 2, 7, 48, 71, 72, 73, 100, 143, 145])
def test_no_size_comes_out_tiny_or_huge(side: int) -> None:
    left, right, *_ = extents(draw_contact_sheet(sheet(np.zeros((side, side, 1)))))[0]
    assert 96 <= right - left <= 192


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_any_channels_and_kind_of_number_can_be_drawn(channels: int, kind, pixels_of) -> None:
    pixels = np.linspace(-10, 300, 8 * 8 * channels).clip(0, 255).reshape(8, 8, channels)
    pixels_of(draw_contact_sheet(sheet(pixels.astype(kind))))


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 7, 10])
@pytest.mark.parametrize("tiles", [1, 2, 4, 11])
def test_images_stand_apart_and_within_the_sheet(groups: int, tiles: int) -> None:
    figure = draw_contact_sheet(sheet(NOISE, groups=groups, tiles=tiles, blocks=2))
    places = extents(figure)
    assert len(np.unique(places, axis=0)) == len(places) == groups * tiles * 2
    width, height = figure.get_size_inches() * 150
    left, right, bottom, top = places.T
    assert min(left.min(), top.min()) >= 0
    assert right.max() <= width
    assert bottom.max() <= height
    for one, other in pairwise(places):
        assert one[1] < other[0] or one[2] < other[3], "beside or below the one before"


def test_lines_are_about_equally_long() -> None:
    figure = draw_contact_sheet(sheet(NOISE, groups=4, tiles=4))
    _, images_a_line = np.unique(extents(figure)[:, 3], return_counts=True)
    assert images_a_line.tolist() == [8, 8]


def test_an_outline_is_drawn_over_its_image_and_nowhere_else(tmp_path: Path) -> None:
    """An outline that is half outside: orange within the image alone, at the middle."""
    outline = np.array([[4.0, -20], [30, -20], [30, 30], [4, 30]])
    black = np.zeros((8, 8, 1), np.uint8)
    figure = draw_contact_sheet(sheet(black, outline=outline))
    picture = saved(figure, tmp_path).astype(int)
    is_orange = (picture[..., 0] - picture[..., 2] > 60) & (picture[..., 0] > 100)
    rows, columns = np.nonzero(is_orange)
    left, right, bottom, top = extents(figure)[1]
    assert rows.min() == pytest.approx(top, abs=2)
    assert rows.max() == pytest.approx(bottom, abs=2)
    assert np.abs(columns - (left + right) / 2).max() <= 2
    assert sum(isinstance(patch, Polygon) for patch in figure.axes[0].patches) == 1


@pytest.mark.parametrize("words", ["W" * 60, "猫" * 60, "$x^2$ " * 20, "a\tb\n" * 30])
def test_long_words_are_shortened_to_their_column(words: str, pixels_of) -> None:
    figure = draw_contact_sheet(sheet(NOISE, words=words, tiles=3))
    pixels_of(figure)
    shown = [text for text in figure.axes[0].texts if "…" in text.get_text()]
    assert len(shown) == 2
    first, second = (text.get_window_extent() for text in shown)
    assert first.x1 <= second.x0


def test_the_same_sheet_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save_figure(draw_contact_sheet(sheet(NOISE)), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
