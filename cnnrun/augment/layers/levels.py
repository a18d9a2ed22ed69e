"""Layers that change the level of each pixel by itself: brightness, contrast, and so on."""

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.layers.layer import (
    Arguments,
    Draws,
    ImageLayer,
    Images,
    Shape,
    draws_nothing,
    happens,
    limits,
    per_image,
    said,
    said_if,
    single,
)
from cnnrun.augment.lottery import Lottery
from cnnrun.wording import counted

_WHITE = np.float32(255)
_RED_GREEN_BLUE = np.array([0.2989, 0.5870, 0.1140], np.float32)
_BITS = 8


def _draw_brightness(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    delta = lottery.uniform("delta", *limits(arguments["factor"], least=-1))
    return {"delta": single(delta) * _WHITE}


def _change_brightness(images: Images, draws: Draws, arguments: Arguments) -> Images:
    images += per_image(draws["delta"])
    return _clipped(images)


def _draw_contrast(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    low, high = limits(arguments["factor"], least=0)
    return {"factor": single(lottery.uniform("factor", 1 - low, 1 + high))}


def _change_contrast(images: Images, draws: Draws, arguments: Arguments) -> Images:
    means = images.mean(axis=(1, 2), keepdims=True, dtype=np.float64).astype(np.float32)
    images -= means
    images *= per_image(draws["factor"])
    images += means
    return _clipped(images)


def _draw_posterization(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    # As in Keras, the greatest number of bits is left out, unless it is the only one.
    low, high = limits(arguments["factor"], least=1)
    choices = np.arange(low, high) if low != high else np.array([low])
    return {"bits": lottery.choice("bits", choices).astype(np.uint8)}


def _posterize(images: Images, draws: Draws, arguments: Arguments) -> Images:
    shifts = per_image(_BITS - draws["bits"])
    levels = np.clip(images, 0, _WHITE).astype(np.uint8)
    kept: Images = ((levels >> shifts) << shifts).astype(np.float32)
    return kept


def _draw_solarization(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    # As in Keras, 255 multiplies the end of a range, and not its beginning.
    columns = {"addition": "addition_factor", "threshold": "threshold_factor"}
    ranges = {column: _from_0(arguments[name]) for column, name in columns.items()}
    return {
        column: single(lottery.uniform(column, low, 255 * high))
        for column, (low, high) in ranges.items()
    }


def _solarize(images: Images, draws: Draws, arguments: Arguments) -> Images:
    images += per_image(draws["addition"])
    np.clip(images, 0, _WHITE, out=images)
    return np.where(images < per_image(draws["threshold"]), images, _WHITE - images)


def _draw_inversion(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    return {"inverts": happens(lottery, arguments["factor"])}


def _invert(images: Images, draws: Draws, arguments: Arguments) -> Images:
    images[draws["inverts"]] = _WHITE - images[draws["inverts"]]
    return images


def _draw_grey(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    return {"greys": lottery.uniform("greys", 0, 1) < arguments["factor"]}


def _make_grey(images: Images, draws: Draws, arguments: Arguments) -> Images:
    images[draws["greys"]] = _grey(images[draws["greys"]])
    return images


def _draw_degeneration(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    factor = lottery.uniform("factor", *limits(arguments["factor"], least=-1))
    return {"factor": single(factor)}


def _degenerate(images: Images, draws: Draws, arguments: Arguments) -> Images:
    return _clipped(images + per_image(draws["factor"]) * (_grey(images) - images))


def _stretch_contrast(images: Images, draws: Draws, arguments: Arguments) -> Images:
    darkest = images.min(axis=(1, 2), keepdims=True)
    brightest = images.max(axis=(1, 2), keepdims=True)
    is_flat = brightest == darkest
    scales = np.divide(
        _WHITE, brightest - darkest, out=np.zeros_like(darkest), where=~is_flat, dtype=np.float32
    )
    stretched = _clipped(images * scales + -darkest * scales)
    return np.where(is_flat, images, stretched)


def _equalize(images: Images, draws: Draws, arguments: Arguments) -> Images:
    """Each channel of each image by its own levels; Keras takes those of a whole batch."""
    bins = arguments["bins"]
    for image in images:
        for channel in range(image.shape[-1]):
            image[..., channel] = _equalized(image[..., channel], bins)
    return images


def _equalized(channel: NDArray[np.float32], bins: int) -> NDArray[np.float32]:
    """A channel `(height, width)` whose levels are spread evenly (_equalize_channel)."""
    scale = np.float32(bins - 1)
    places = np.clip((channel * scale / _WHITE).astype(np.int32), 0, bins - 1)
    counts = np.bincount(places.ravel(), minlength=bins)
    if np.count_nonzero(counts) <= 1:
        return channel
    sums = np.cumsum(counts)
    least = sums[np.flatnonzero(sums)[0]]
    above_least = ((sums - least) * 255).astype(np.float32)
    table = np.clip(np.round(above_least / np.float32(max(sums[-1] - least, 1))), 0, _WHITE)
    indices = np.clip(channel / _WHITE * scale, 0, scale).astype(np.int32)
    equalized: NDArray[np.float32] = table[indices]
    return equalized


def _grey(images: Images) -> Images:
    """`(images, height, width, 1)`; images of one channel as they are."""
    return images if images.shape[-1] == 1 else (images @ _RED_GREEN_BLUE)[..., None]


def _clipped(images: Images) -> Images:
    result: Images = np.clip(images, 0, _WHITE, out=images)
    return result


def _from_0(factor: float | tuple[float, float]) -> tuple[float, float]:
    """A range that a single number is the end of (Solarization._set_factor)."""
    if isinstance(factor, tuple):
        low, high = sorted(factor)
        return low, high
    return 0.0, factor


def _words_of_solarization(draws: Draws, row: int) -> str:
    addition, threshold = draws["addition"][row], draws["threshold"][row]
    return f"solarized +{addition:.0f} from {threshold:.0f}"


BRIGHTNESS = ImageLayer(
    _draw_brightness,
    _change_brightness,
    lambda draws, row: f"brightness {draws['delta'][row]:+.0f}",
)
CONTRAST = ImageLayer(
    _draw_contrast, _change_contrast, lambda draws, row: f"contrast x {draws['factor'][row]:.2f}"
)
POSTERIZATION = ImageLayer(
    _draw_posterization,
    _posterize,
    lambda draws, row: counted(int(draws["bits"][row]), "bit"),
)
SOLARIZATION = ImageLayer(_draw_solarization, _solarize, _words_of_solarization)
INVERSION = ImageLayer(_draw_inversion, _invert, said_if("inverts", "inverted"))
GREY = ImageLayer(_draw_grey, _make_grey, said_if("greys", "grey"))
DEGENERATION = ImageLayer(
    _draw_degeneration, _degenerate, lambda draws, row: f"grey {draws['factor'][row]:+.0%}"
)
AUTO_CONTRAST = ImageLayer(draws_nothing, _stretch_contrast, said("auto contrast"))
EQUALIZATION = ImageLayer(draws_nothing, _equalize, said("equalized"))
