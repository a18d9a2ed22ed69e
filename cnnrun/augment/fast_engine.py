"""Draws applied to pixels by OpenCV and NumPy: ImageDataGenerator's results, many times as fast."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, final

import cv2
import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.draws import Draws
from cnnrun.augment.geometry import moves_pixels, source_matrices, sources
from cnnrun.augment.levels import change_brightness, shift_channels
from cnnrun.augment.splines import write_splines
from cnnrun.augment.warp import Accuracy, Images, Warp, images_at_once, is_smooth

# With less to do, a thread would take as long to be handed it as to work.
_PIXELS_A_THREAD = 2**16


@final
class FastEngine:
    """Augments batches of images of one shape; several threads may call it at once.

    It keeps its threads and the memory they work in from call to call.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        *,
        fill_mode: str,
        cval: float,
        interpolation_order: int,
        threads: int,
    ) -> None:
        """Prepare for images of one shape.

        Args:
            image_shape: (height, width, channels).
            fill_mode: what stands outside of an image: "nearest", "reflect", "wrap", "constant".
            cval: the level that "constant" fills with.
            interpolation_order: 0 takes the nearest pixel, 1 is bilinear; up to 5 are splines, at
                SciPy's speed.
            threads: how many threads share a batch; results are the same for any number.
        """
        self._shape = image_shape
        self._fill_mode = fill_mode
        self._cval = cval
        self._order = interpolation_order
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="cnnrun-augment")
        self._idle: list[Warp] = []
        # The threads are ours: OpenCV's own would fight them over the processors.
        cv2.setNumThreads(1)

    def __call__(self, images: NDArray[Any], draws: Draws) -> Images:
        """Augmented images.

        Args:
            images: `(images, height, width, channels)`, levels from 0 to 255, of any dtype.
            draws: what happens to each image, in the same order.

        Returns:
            `(images, height, width, channels)` in float32. What other images are in the batch does
            not change an image's pixels, unless only some of them have their brightness drawn.
        """
        result = np.empty(images.shape, np.float32)
        images = np.ascontiguousarray(images)
        if self._order > 1:
            self._share(self._with_splines(result, images, draws), len(images), at_once=1)
        else:
            at_once = images_at_once(*self._shape[:2])
            self._share(self._with_warp(result, images, draws), len(images), at_once=at_once)
        return result

    def _share(self, augment: Callable[[Warp, slice], None], images: int, *, at_once: int) -> None:
        """Augment all images, some at once, in as many threads as are worth it."""
        height, width, _ = self._shape
        threads = max(1, min(self._threads, images * height * width // _PIXELS_A_THREAD))
        parts = [slice(first, first + at_once) for first in range(0, images, at_once)]

        def work(thread: int) -> None:
            warp = self._idle.pop() if self._idle else self._new_warp()
            for part in parts[thread::threads]:
                augment(warp, part)
            self._idle.append(warp)

        if threads == 1:
            work(0)
        else:
            for future in [self._executor.submit(work, thread) for thread in range(threads)]:
                future.result()

    def _new_warp(self) -> Warp:
        return Warp(
            self._shape,
            fill_mode=self._fill_mode,
            cval=self._cval,
            interpolation_order=self._order,
        )

    def _with_warp(
        self, result: Images, images: NDArray[Any], draws: Draws
    ) -> Callable[[Warp, slice], None]:
        """A function that augments a part of the images, without splines."""
        accuracy = self._accuracy(images, draws)
        places = sources(draws, image_size=self._shape[:2])
        is_continuous = is_smooth(fill_mode=self._fill_mode, interpolation_order=self._order)
        if is_continuous and accuracy == "close":
            places = places.rounded()
        is_moved = moves_pixels(draws)

        def augment(warp: Warp, part: slice) -> None:
            if is_moved[part].any():
                some = places.of_images(part)
                warp(result[part], images[part], some, accuracy=accuracy)
            else:
                result[part] = images[part]
                _flip(result[part], draws, part)
            _change_levels(result[part], draws, part)

        return augment

    def _accuracy(self, images: NDArray[Any], draws: Draws) -> Accuracy:
        """How close to SciPy's pixels have to be for the levels to be Keras's."""
        if np.isnan(draws.brightness).all():
            return "close"
        # Brightness cuts levels to whole numbers, which makes a level of a thousandth. It
        # stretches levels beyond 0 and 255 before.
        is_within = images.dtype == np.uint8 and 0 <= self._cval <= 255
        return "whole" if is_within and not draws.channel_shift.any() else "exact"

    def _with_splines(
        self, result: Images, images: NDArray[Any], draws: Draws
    ) -> Callable[[Warp, slice], None]:
        """A function that augments one image, with splines, which change all that they touch."""
        matrices = source_matrices(draws, image_size=self._shape[:2])
        is_moved = moves_pixels(draws)

        def augment(_: Warp, part: slice) -> None:
            if is_moved[part.start]:
                write_splines(
                    result[part.start],
                    images[part.start],
                    matrices[part.start],
                    fill_mode=self._fill_mode,
                    cval=self._cval,
                    interpolation_order=self._order,
                )
            else:
                result[part] = images[part]
            _flip(result[part], draws, part)
            _change_levels(result[part], draws, part)

        return augment


def apply(
    images: NDArray[Any],
    draws: Draws,
    *,
    fill_mode: str,
    cval: float,
    interpolation_order: int,
    threads: int,
) -> Images:
    """Augmented images of a single batch; for arguments and result see FastEngine."""
    height, width, channels = images.shape[1:]
    engine = FastEngine(
        (height, width, channels),
        fill_mode=fill_mode,
        cval=cval,
        interpolation_order=interpolation_order,
        threads=threads,
    )
    return engine(images, draws)


def _flip(pixels: Images, draws: Draws, part: slice) -> None:
    for flips, mirrored in (
        (draws.horizontal_flip[part], pixels[:, :, ::-1]),
        (draws.vertical_flip[part], pixels[:, ::-1]),
    ):
        if flips.any():
            pixels[flips] = mirrored[flips]


def _change_levels(pixels: Images, draws: Draws, part: slice) -> None:
    shifts, factors = draws.channel_shift[part], draws.brightness[part]
    if shifts.any():
        shift_channels(pixels, shifts)
    if not np.isnan(factors).all():
        change_brightness(pixels, factors)
