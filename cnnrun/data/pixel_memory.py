"""Where decoded images wait to be read: memory, a file, or nowhere."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from cnnrun.data.parallel import map_in_threads
from cnnrun.errors import StorageError
from cnnrun.runs.positions import read_into, write_at

Slots = npt.NDArray[np.int64]
Array = npt.NDArray[Any]
Shape = tuple[int, int, int]
LoadImage = Callable[[int], Array]

# What stays free for checkpoints, results and whoever else writes to the disk.
DISK_BYTES_LEFT_FREE = 2**30


class PixelMemory(Protocol):
    """Slots for images of one shape, numbered from 0; threads may write different slots at once."""

    shape: Shape
    dtype: np.dtype[Any]
    kept_in: str

    def write(self, slot: int, image: Array) -> None:
        """Put an image, `(height, width, channels)`, into its slot."""

    def read(self, slots: Slots) -> Array:
        """The images in some slots, `(slots, height, width, channels)`."""

    def close(self) -> None:
        """Give back what the images take up."""


def choose_memory(
    load: LoadImage,
    *,
    images: int,
    shape: Shape,
    dtype: np.dtype[Any],
    memory_bytes: int,
    cache_folder: Path,
    are_sound: bool = False,
) -> PixelMemory:
    """The fastest kind that has room for so many images.

    Args:
        load: the image of a slot, for when there is room nowhere.
        images: how many there will be.
        shape: (height, width, channels) of each.
        dtype: their type.
        memory_bytes: how much they may take up in memory.
        cache_folder: where a file for them may lie.
        are_sound: whether all were decoded before, so that each may wait until it is read.
    """
    size = images * int(np.prod(shape)) * dtype.itemsize
    if size <= memory_bytes:
        return InMemory(np.empty((images, *shape), dtype))
    try:
        if are_sound:
            return FilledWhenRead(load, cache_folder, size=size, shape=shape, dtype=dtype)
        return InFile(cache_folder, size=size, shape=shape, dtype=dtype)
    except OSError:  # no room, or no permission: slower, and not worth stopping for
        return DecodedAgain(load, shape=shape, dtype=dtype)


class InMemory:
    """An array; `images` is `(slots, height, width, channels)`."""

    kept_in = "memory"

    def __init__(self, images: Array) -> None:
        self.images = images
        self.shape: Shape = images.shape[1:]
        self.dtype = images.dtype

    def write(self, slot: int, image: Array) -> None:
        """Put an image into its slot."""
        self.images[slot] = image

    def read(self, slots: Slots) -> Array:
        """The images in some slots."""
        return self.images[slots]

    def close(self) -> None:
        """Let go of the array."""
        self.images = self.images[:0]


class InFile:
    """A file without a name, which the system removes when the process ends, however it ends.

    It is read at positions rather than mapped into memory, where its pages would count as the
    process's own and look like a leak.
    """

    kept_in = "file"

    def __init__(self, folder: Path, *, size: int, shape: Shape, dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype
        self._image_bytes = int(np.prod(shape)) * dtype.itemsize
        folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder).free < size + DISK_BYTES_LEFT_FREE:
            raise OSError(f"no room for {size} bytes in {folder}")
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 closed below
        self._descriptor = file.fileno()
        # Closes the file, and so gives its room back, when nobody holds the images any longer.
        self._finalizer = weakref.finalize(self, file.close)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._descriptor, 0, size)

    def write(self, slot: int, image: Array) -> None:
        """Put an image into its slot."""
        data = image.astype(self.dtype, order="C", copy=False).data
        try:
            write_at(self._descriptor, data, slot * self._image_bytes)
        except OSError as error:
            raise StorageError.at(
                "",
                rule="the cache of decoded images must be writable",
                received=str(error.strerror),
                advice="free some space, or raise data.cache_memory_mb so that images stay in"
                " memory",
            ) from error

    def read(self, slots: Slots) -> Array:
        """The images in some slots."""
        images = np.empty((len(slots), *self.shape), self.dtype)
        for image, slot in zip(images, slots.tolist(), strict=True):
            read_into(self._descriptor, image.data, slot * self._image_bytes)
        return images

    def close(self) -> None:
        """Remove the file."""
        self._finalizer()


class FilledWhenRead(InFile):
    """A file that an image comes into when it is read for the first time.

    It is for images that were all decoded before, so that no bad one is among them.
    """

    def __init__(
        self, load: LoadImage, folder: Path, *, size: int, shape: Shape, dtype: np.dtype[Any]
    ) -> None:
        super().__init__(folder, size=size, shape=shape, dtype=dtype)
        self._load = load
        self._is_there = np.zeros(size // self._image_bytes, bool)

    def read(self, slots: Slots) -> Array:
        """The images in some slots, those decoded by threads that were not read yet."""
        missing = slots[~self._is_there[slots]].tolist()
        for slot, image in zip(missing, map_in_threads(self._load, missing), strict=True):
            self.write(slot, image)
            self._is_there[slot] = True
        return super().read(slots)


class DecodedAgain:
    """No memory at all: each read decodes."""

    kept_in = "nothing"

    def __init__(self, load: LoadImage, *, shape: Shape, dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype
        self._load = load

    def write(self, slot: int, image: Array) -> None:
        """Forget the image: having been decoded once, it is known to be sound."""

    def read(self, slots: Slots) -> Array:
        """The images in some slots, decoded by threads."""
        images = np.empty((len(slots), *self.shape), self.dtype)
        for place, image in enumerate(map_in_threads(self._load, slots.tolist())):
            images[place] = image
        return images

    def close(self) -> None:
        """Keep no image, so that none has to be given back."""
