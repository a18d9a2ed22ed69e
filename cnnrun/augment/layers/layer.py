"""What an image layer is: draw, then apply; and the ranges that Keras makes of its factors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.lottery import Lottery

Images: TypeAlias = NDArray[np.float32]
Singles: TypeAlias = NDArray[np.float32]
Arguments: TypeAlias = Mapping[str, Any]
Draws: TypeAlias = Mapping[str, Any]
"""Column -> what was drawn, `(images, ...)`."""

Shape: TypeAlias = tuple[int, int, int]
"""(height, width, channels)."""

Rows: TypeAlias = NDArray[np.int64]
"""Rows of the manifest."""

Read: TypeAlias = Callable[[Rows, int], Images]
"""From rows and the epoch to images `(rows, height, width, channels)`."""

Partners: TypeAlias = Callable[[Rows, int, int], Rows]
"""From rows, the epoch and a number of places to the rows so far behind in the epoch's order."""


@dataclass(frozen=True)
class ImageLayer:
    """One of Keras's image layers.

    Attributes:
        draw: from a lottery, the layer's arguments and the shape of the images to what happens to
            each of them.
        apply: from images `(images, height, width, channels)`, which it may overwrite, their draws
            and the layer's arguments to the images behind it.
        words: from draws and a row of them to a few words; "" for what changes nothing.
    """

    draw: Callable[[Lottery, Arguments, Shape], Draws]
    apply: Callable[[Images, Draws, Arguments], Images]
    words: Callable[[Draws, int], str]


def draws_nothing(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    """The draws of a layer that does the same to every image."""
    return {}


def said(text: str) -> Callable[[Draws, int], str]:
    """The same words for every image."""
    return lambda draws, row: text


def said_if(column: str, text: str) -> Callable[[Draws, int], str]:
    """Words for the images that a column is true of."""
    return lambda draws, row: text if draws[column][row] else ""


def limits(factor: Any, *, least: float) -> tuple[float, float]:
    """The range of a factor, as BaseImagePreprocessingLayer._set_factor has it.

    Args:
        factor: a number, or two in any order.
        least: where Keras's bounds of it begin; a single number f stands for -f to f above it.
    """
    if isinstance(factor, tuple):
        low, high = sorted(factor)
        return low, high
    return max(-abs(factor), least), abs(factor)


def single(numbers: NDArray[Any]) -> Singles:
    """Numbers as Keras reckons with them."""
    return numbers.astype(np.float32)


def per_image(values: NDArray[Any]) -> NDArray[Any]:
    """`(images,)` as `(images, 1, 1, 1)`."""
    return values[:, None, None, None]


def happens(lottery: Lottery, factor: Any) -> NDArray[np.bool_]:
    """Whether each image is changed, where a factor is the range that its probability is of."""
    probability = lottery.uniform("probability", *limits(factor, least=0))
    return lottery.uniform("happens", 0, 1) < probability
