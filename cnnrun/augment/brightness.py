"""Brightness and channel shift, rounded and clipped as ImageDataGenerator does."""

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]

_WHITE = np.float32(255)


def shift_channels(images: Images, shifts: NDArray[np.float64]) -> None:
    """Add to every level of an image, within the darkest and the brightest that it has.

    Args:
        images: `(images, height, width, channels)`, changed in place.
        shifts: `(images,)`, levels.
    """
    darkest = images.min(axis=(1, 2, 3), keepdims=True)
    brightest = images.max(axis=(1, 2, 3), keepdims=True)
    images += shifts.astype(np.float32)[:, None, None, None]
    np.clip(images, darkest, brightest, out=images)


def change_brightness(images: Images, factors: NDArray[np.float64]) -> None:
    """Multiply the levels of images, as Keras does through Pillow.

    Levels are cut to whole numbers, multiplied, cut again, and clipped to 0..255. Images with
    levels outside of 0..255 are brought there for the while and back again. The fourth channel is
    opacity and stays.

    Args:
        images: `(images, height, width, channels)`, changed in place.
        factors: `(images,)`; NaN leaves an image alone.
    """
    for image, factor in zip(images, factors, strict=True):
        if np.isnan(factor):
            continue
        darkest, brightest = image.min(), image.max()
        is_outside = darkest < 0 or brightest > _WHITE
        if is_outside:
            _stretch(image)
        np.trunc(image, out=image)
        colours = image[..., :3] if image.shape[-1] == 4 else image
        colours *= np.float32(factor)
        np.trunc(np.clip(colours, 0, _WHITE, out=colours), out=colours)
        if is_outside:
            image /= _WHITE
            image *= brightest - darkest
            image += darkest


def _stretch(image: Images) -> None:
    """Bring the darkest level of an image to 0 and the brightest to 255."""
    image -= image.min()
    brightest = image.max()
    if brightest != 0:
        image /= brightest
    image *= _WHITE
