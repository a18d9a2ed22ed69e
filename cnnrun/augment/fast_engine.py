"""Draws applied to pixels by compiled loops: ImageDataGenerator's results, many times as fast."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.brightness import change_brightness, shift_channels
from cnnrun.augment.draws import Draws
from cnnrun.augment.geometry import moves_pixels, source_matrices
from cnnrun.augment.splines import write_splines
from cnnrun.augment.warp import FILL_MODES, Images, warp_of

# With less to do, a thread would take as long to be handed it as to work.
_PIXELS_A_THREAD = 2**16
# TensorFlow takes arrays as they are that begin at a multiple of so many bytes, and copies others.
_ALIGNMENT = 64


@final
class FastEngine:
    """Augments batches of images of one shape; several threads may call it at once."""

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

    def __call__(self, images: NDArray[Any], draws: Draws) -> Images:
        """Augmented images.

        Args:
            images: `(images, height, width, channels)`, levels from 0 to 255, of any dtype.
            draws: what happens to each image, in the same order.

        Returns:
            `(images, height, width, channels)` in float32. What other images are in the batch does
            not change an image's pixels.
        """
        return self.take(images, np.arange(len(images)), draws)

    def take(self, images: NDArray[Any], places: NDArray[np.int64], draws: Draws) -> Images:
        """Some of many images, augmented; read where they are, if that is uint8 or float32.

        Args:
            images: `(any number, height, width, channels)`, as above.
            places: `(images,)`, which of them to take.
            draws: what happens to each of those.

        Returns:
            `(images, height, width, channels)` in float32, where TensorFlow needs no copy of it.

        Raises:
            ValueError: images and draws are not what the engine was made for.
            IndexError: there is no image at one of the places.
        """
        _check_memory(images, places, draws, image_shape=self._shape)
        if images.dtype not in (np.uint8, np.float32) or not images.flags.c_contiguous:
            dtype = np.uint8 if images.dtype == np.uint8 else np.float32
            images = np.ascontiguousarray(images[places], dtype)
            places = np.arange(len(places))
        places = np.ascontiguousarray(places, np.int64)
        result = _aligned((len(places), *self._shape))
        augment = self._with_splines if self._order > 1 else self._with_warp
        self._share(augment(result, images, places, draws), len(places))
        return result

    def _share(self, augment: Callable[[slice], None], images: int) -> None:
        """Augment all images, in as many threads as are worth it."""
        height, width, _ = self._shape
        threads = max(1, min(self._threads, images, images * height * width // _PIXELS_A_THREAD))
        ends = [images * thread // threads for thread in range(threads + 1)]
        parts = [slice(*ends[thread : thread + 2]) for thread in range(threads)]
        others = [self._executor.submit(augment, part) for part in parts[1:]]
        augment(parts[0])
        for future in others:
            future.result()

    def _with_warp(
        self, result: Images, images: NDArray[Any], places: NDArray[np.int64], draws: Draws
    ) -> Callable[[slice], None]:
        """A function that augments a part of the images, without splines."""
        warp = warp_of(images.dtype)
        matrices = np.ascontiguousarray(source_matrices(draws, image_size=self._shape[:2]))
        is_moved = moves_pixels(draws)
        is_mirrored = np.stack([draws.vertical_flip, draws.horizontal_flip], axis=1)

        def augment(part: slice) -> None:
            warp(
                result[part],
                images,
                places[part],
                matrices[part],
                is_moved[part],
                is_mirrored[part],
                self._order == 0,
                FILL_MODES.index(self._fill_mode),
                self._cval,
            )
            _change_levels(result[part], draws, part)

        return augment

    def _with_splines(
        self, result: Images, images: NDArray[Any], places: NDArray[np.int64], draws: Draws
    ) -> Callable[[slice], None]:
        """A function that augments a part of the images, with splines."""
        matrices = source_matrices(draws, image_size=self._shape[:2])
        is_moved = moves_pixels(draws)

        def augment(part: slice) -> None:
            for row in range(part.start, part.stop):
                if is_moved[row]:  # splines change all that they touch
                    write_splines(
                        result[row],
                        images[places[row]],
                        matrices[row],
                        fill_mode=self._fill_mode,
                        cval=self._cval,
                        interpolation_order=self._order,
                    )
                else:
                    result[row] = images[places[row]]
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


def _check_memory(
    images: NDArray[Any],
    places: NDArray[np.int64],
    draws: Draws,
    *,
    image_shape: tuple[int, int, int],
) -> None:
    """Refuse what compiled loops would look for beyond the end of memory."""
    if images.shape[1:] != image_shape or len(draws) != len(places):
        raise ValueError(
            f"the engine takes images of {image_shape} with a draw each, received images of "
            f"{images.shape[1:]}, {len(draws)} draws for {len(places)} of them"
        )
    if len(places) and not 0 <= places.min() <= places.max() < len(images):
        raise IndexError(f"places must be of {len(images)} images, received {places.tolist()}")


def _aligned(shape: tuple[int, ...]) -> Images:
    """Memory for images."""
    size = math.prod(shape) * np.dtype(np.float32).itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % _ALIGNMENT
    return memory[first : first + size].view(np.float32).reshape(shape)
