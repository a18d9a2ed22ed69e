"""Layers that mix pixels with those around them, or replace them: sharpness, blur, erasing."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cnnrun.augment.layers.layer import (
    Arguments,
    Draws,
    ImageLayer,
    Images,
    Shape,
    happens,
    limits,
    per_image,
    said_if,
    single,
)
from cnnrun.augment.lottery import Lottery

_WHITE = np.float32(255)
_AROUND, _CENTRE = 1 / 13, 5 / 13


def _draw_sharpness(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    factor = lottery.uniform("factor", *limits(arguments["factor"], least=0))
    return {"factor": single(factor)}


def _sharpen(images: Images, draws: Draws, arguments: Arguments) -> Images:
    smooth = _smoothed(images)
    smooth -= images
    smooth *= per_image(np.float32(1) - draws["factor"] * np.float32(2))
    images += smooth
    return _clipped(images)


def _smoothed(images: Images) -> Images:
    """Images whose pixels are means of nine, black standing outside."""
    padded: Images = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    nine: Images = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    nine *= np.float32(_AROUND)
    nine += np.float32(_CENTRE - _AROUND) * images
    return nine


def _draw_blur(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    low, high = limits(arguments["sigma"], least=0)
    sigmas = [lottery.uniform(f"sigma_{axis}", low, high) + 1e-6 for axis in range(2)]
    return {
        "blurs": happens(lottery, arguments["factor"]),
        "sigmas": single(np.stack(sigmas, axis=1)),
    }


def _blur(images: Images, draws: Draws, arguments: Arguments) -> Images:
    for row in np.flatnonzero(draws["blurs"]):
        kernel = _gaussian(arguments["kernel_size"], draws["sigmas"][row])
        image = images[row]
        for channel in range(image.shape[-1]):
            image[..., channel] = ndimage.correlate(image[..., channel], kernel, mode="constant")
    return _clipped(images)


def _gaussian(size: int | tuple[int, int], sigmas: NDArray[np.float32]) -> NDArray[np.float32]:
    """The weights of a blur, `(first size, second size)`, laid out as Keras does."""
    first, second = size if isinstance(size, tuple) else (size, size)
    x, y = (
        _bell(length, float(sigma)) for length, sigma in zip((first, second), sigmas, strict=True)
    )
    return np.outer(y, x).reshape(first, second).astype(np.float32)


def _bell(length: int, sigma: float) -> NDArray[np.float64]:
    places = np.arange(length) - (length - 1) / 2
    weights = np.exp(-0.5 * (places / sigma) ** 2)
    bell: NDArray[np.float64] = weights / weights.sum()
    return bell


def _draw_erasing(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    low, high = limits(arguments["scale"], least=0)
    shares = [np.sqrt(lottery.uniform(f"share_{axis}", low, high)) for axis in "xy"]
    left, right = box_edges(lottery, "x", length=shape[1], share=shares[0])
    top, bottom = box_edges(lottery, "y", length=shape[0], share=shares[1])
    return {
        "erases": happens(lottery, arguments["factor"]),
        "box": np.stack([top, bottom, left, right], axis=1),
        "noise": lottery.bits("noise"),
    }


def box_edges(
    lottery: Lottery, axis: str, *, length: int, share: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where boxes begin and end along an axis (_compute_crop_bounds of Keras).

    Args:
        lottery: draws where they begin.
        axis: its name.
        length: that of the images.
        share: `(images,)`, which share of it each box takes.
    """
    lengths = single(share) * np.float32(length)
    starts = single(lottery.uniform(f"start_{axis}", 0, 1)) * (np.float32(length) - lengths)
    return starts, starts + lengths


def box_slices(box: NDArray[np.float32]) -> tuple[slice, slice]:
    """The rows and columns whose numbers lie within a box: top, bottom, left, right."""
    top, bottom, left, right = np.ceil(box).astype(np.int64).tolist()
    return slice(top, bottom), slice(left, right)


def _erase(images: Images, draws: Draws, arguments: Arguments) -> Images:
    for row in np.flatnonzero(draws["erases"]):
        inside = images[row][box_slices(draws["box"][row])]
        inside[...] = np.clip(
            fill_of(arguments["fill_value"], int(draws["noise"][row]), inside.shape), 0, _WHITE
        )
    return images


def fill_of(
    value: float | tuple[float, ...] | None, seed: int, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """What stands in place of what was erased: a level, one a channel, or Keras's noise."""
    if value is not None:
        return np.broadcast_to(np.array(value, np.float32), shape)
    noise = np.random.Generator(np.random.Philox(seed)).standard_normal(shape, np.float32)
    return noise * _WHITE


def _clipped(images: Images) -> Images:
    result: Images = np.clip(images, 0, _WHITE, out=images)
    return result


def _words_of_blur(draws: Draws, row: int) -> str:
    if not draws["blurs"][row]:
        return ""
    across, down = draws["sigmas"][row]
    return f"blur ↔ {across:.2f} ↕ {down:.2f}"


SHARPNESS = ImageLayer(
    _draw_sharpness, _sharpen, lambda draws, row: f"sharpness x {2 * draws['factor'][row]:.2f}"
)
BLUR = ImageLayer(_draw_blur, _blur, _words_of_blur)
ERASING = ImageLayer(_draw_erasing, _erase, said_if("erases", "erased"))
