"""Draws applied to pixels by OpenCV and NumPy: ImageDataGenerator's results, many times as fast."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.draws import Draws
from cnnrun.augment.geometry import Sources, moves_pixels, source_matrices, sources
from cnnrun.augment.levels import change_brightness, shift_channels
from cnnrun.augment.splines import write_splines
from cnnrun.augment.warp import Images, Warp, images_at_once

# With less to do, a thread would take as long to start as to work.
_PIXELS_A_THREAD = 2**16


def apply(
    images: NDArray[Any],
    draws: Draws,
    *,
    fill_mode: str,
    cval: float,
    interpolation_order: int,
    threads: int,
) -> Images:
    """Augmented images.

    Args:
        images: `(images, height, width, channels)`, levels from 0 to 255, of any dtype.
        draws: what happens to each image, in the same order.
        fill_mode: what stands outside of an image: "nearest", "reflect", "wrap" or "constant".
        cval: the level that "constant" fills with.
        interpolation_order: 0 takes the nearest pixel, 1 is bilinear; up to 5 are splines, at
            SciPy's speed.
        threads: how many threads share the work; the result is the same for any number.

    Returns:
        `(images, height, width, channels)` in float32. What other images are in the batch does not
        change an image's pixels.
    """
    height, width = images.shape[1:3]
    work = _Work(
        result=np.empty(images.shape, np.float32),
        images=np.ascontiguousarray(images),
        draws=draws,
        sources=sources(draws, image_size=(height, width)),
        is_moved=moves_pixels(draws),
        fill_mode=fill_mode,
        cval=cval,
        interpolation_order=interpolation_order,
    )
    prepare = work.with_splines if interpolation_order > 1 else work.with_warp
    step = 1 if interpolation_order > 1 else images_at_once(height, width)
    parts = [slice(first, first + step) for first in range(0, len(images), step)]
    pixels = len(images) * height * width
    _share(prepare, parts, threads=min(threads, max(1, pixels // _PIXELS_A_THREAD)))
    return work.result


def _share(
    prepare: Callable[[], Callable[[slice], None]], parts: list[slice], *, threads: int
) -> None:
    """Do the parts of the work in threads, each of which prepares for itself."""

    def work(some: list[slice]) -> None:
        augment = prepare()
        for part in some:
            augment(part)

    # The threads are ours: OpenCV's own would fight them over the processors.
    if cv2.getNumThreads() != 1:
        cv2.setNumThreads(1)
    if threads == 1:
        work(parts)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="cnnrun-augment") as executor:
        for future in [executor.submit(work, parts[n::threads]) for n in range(threads)]:
            future.result()


@dataclass(frozen=True, eq=False)
class _Work:
    """What is to be done to images, and where the result goes."""

    result: Images
    images: NDArray[Any]
    draws: Draws
    sources: Sources
    is_moved: NDArray[np.bool_]
    fill_mode: str
    cval: float
    interpolation_order: int

    def with_warp(self) -> Callable[[slice], None]:
        """A function that augments a part of the images, without splines."""
        warp = Warp(
            self.images.shape[1:],
            fill_mode=self.fill_mode,
            cval=self.cval,
            interpolation_order=self.interpolation_order,
            # Brightness cuts levels to whole numbers, which makes a level of a thousandth.
            is_exact=not np.isnan(self.draws.brightness).all(),
        )

        def augment(part: slice) -> None:
            if self.is_moved[part].any():
                warp(self.result[part], self.images[part], self.sources.of_images(part))
            else:
                self.result[part] = self.images[part]
                self._flip(part)
            self._change_levels(part)

        return augment

    def with_splines(self) -> Callable[[slice], None]:
        """A function that augments one image, with splines, which change all that they touch."""
        matrices = source_matrices(self.draws, image_size=self.images.shape[1:3])

        def augment(part: slice) -> None:
            if self.is_moved[part.start]:
                write_splines(
                    self.result[part.start],
                    self.images[part.start],
                    matrices[part.start],
                    fill_mode=self.fill_mode,
                    cval=self.cval,
                    interpolation_order=self.interpolation_order,
                )
            else:
                self.result[part] = self.images[part]
            self._flip(part)
            self._change_levels(part)

        return augment

    def _flip(self, part: slice) -> None:
        pixels = self.result[part]
        for flips, mirrored in (
            (self.draws.horizontal_flip[part], pixels[:, :, ::-1]),
            (self.draws.vertical_flip[part], pixels[:, ::-1]),
        ):
            if flips.any():
                pixels[flips] = mirrored[flips]

    def _change_levels(self, part: slice) -> None:
        shifts, factors = self.draws.channel_shift[part], self.draws.brightness[part]
        if shifts.any():
            shift_channels(self.result[part], shifts)
        if not np.isnan(factors).all():
            change_brightness(self.result[part], factors)
