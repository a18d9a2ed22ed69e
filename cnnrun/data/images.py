"""Decoded images that are read by row: from memory, from a file, or decoded again each time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnrun.config.data_section import CHANNELS
from cnnrun.data.array_images import array_image
from cnnrun.data.bad_image import BadImageError
from cnnrun.data.decode import decode_image
from cnnrun.data.decoding import Decoding
from cnnrun.data.manifest import Manifest
from cnnrun.data.parallel import map_in_threads
from cnnrun.data.pixel_memory import InMemory, LoadImage, PixelMemory, choose_memory
from cnnrun.data.sound_images import sound_images
from cnnrun.errors import DataError
from cnnrun.shown_text import shown
from cnnrun.wording import counted

Rows = npt.NDArray[np.int64]
Array = npt.NDArray[Any]
Shape = tuple[int, int, int]

BAD_IMAGES_NAMED = 10


class ImageStore:
    """The images of some rows of a manifest, decoded.

    Attributes:
        rows: `(images,)`, the manifest's rows that can be read, in the order they were asked for.
        shape: (height, width, channels) of every image.
        dtype: uint8, or float32 for arrays with a value range; 0 is black and 255 white.
        skipped: (path, reason) of each image left out.
        kept_in: "memory", "file", or "nothing" where each read decodes again.
    """

    def __init__(
        self,
        memory: PixelMemory,
        *,
        rows: Rows,
        slots: Rows,
        skipped: tuple[tuple[str, str], ...],
    ) -> None:
        self.rows = rows
        self.shape = memory.shape
        self.dtype = memory.dtype
        self.skipped = skipped
        self.kept_in = memory.kept_in
        self._memory = memory
        self._slots = slots  # for every row of the manifest, its place in `memory`, or -1

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, rows: Rows) -> Array:
        """The images of some of the manifest's rows.

        Returns:
            `(rows, height, width, channels)`.

        Raises:
            KeyError: one of the rows was skipped or never asked for.
        """
        return self._memory.read(self._slots_of(rows))

    def locate(self, rows: Rows) -> tuple[Array, Rows]:
        """The images of some of the manifest's rows, not copied if they are in memory.

        Returns:
            Images `(any number, height, width, channels)`, and the place among them of each row.

        Raises:
            KeyError: see `read`.
        """
        if isinstance(self._memory, InMemory):
            return self._memory.images, self._slots_of(rows)
        return self.read(rows), np.arange(len(rows))

    def in_memory(self, at_most_bytes: int) -> Array | None:
        """All images at their rows of the manifest, if they are in memory and take no more.

        Returns:
            `(rows of the manifest, height, width, channels)`, black where there is no image; or
            None.
        """
        size = len(self._slots) * int(np.prod(self.shape)) * self.dtype.itemsize
        if not isinstance(self._memory, InMemory) or size > at_most_bytes:
            return None
        if np.array_equal(self._slots, np.arange(len(self._memory.images))):
            return self._memory.images
        everything = np.zeros((len(self._slots), *self.shape), self.dtype)
        everything[self.rows] = self.read(self.rows)
        return everything

    def close(self) -> None:
        """Give memory and disk back."""
        self._memory.close()

    def _slots_of(self, rows: Rows) -> Rows:
        slots = self._slots[rows]
        if slots.size and slots.min() < 0:
            raise KeyError(f"no image in the store for row {rows[int(np.argmin(slots))]}")
        return slots


def open_images(
    manifest: Manifest,
    rows: Rows,
    decoding: Decoding,
    *,
    memory_bytes: int,
    on_bad_image: str,
    cache_folder: Path,
) -> ImageStore:
    """Decode the images of some rows, once, and keep them.

    Args:
        manifest: all images.
        rows: the rows to decode, each once.
        decoding: how images become pixels.
        memory_bytes: how much decoded images may take up in memory; beyond it they go to a file
            that vanishes with the process, or are decoded again where the disk lacks room.
        on_bad_image: "error", or "skip" to leave out images that cannot be decoded.
        cache_folder: the folder for that file; it is made where it is absent.

    Returns:
        The store; `skipped` says what was left out.

    Raises:
        DataError: images cannot be decoded, and are not to be skipped or are all that there is.
        StorageError: the disk filled up while images were written to it.
    """
    load, shape, dtype = image_loader(manifest, decoding)
    if manifest.pixels is not None and manifest.pixels.shape[1:] == shape and dtype == np.uint8:
        return _whole_array(manifest.pixels, rows)
    slots = np.full(len(manifest), -1, dtype=np.int64)
    slots[rows] = np.arange(len(rows))
    size = len(rows) * int(np.prod(shape)) * dtype.itemsize
    sound = sound_images(manifest, rows, decoding, cache_folder) if size > memory_bytes else None
    memory = choose_memory(
        lambda slot: load(int(rows[slot])),
        images=len(rows),
        shape=shape,
        dtype=dtype,
        memory_bytes=memory_bytes,
        cache_folder=cache_folder,
        are_sound=sound is not None and sound.is_noted,
    )
    if sound is not None and sound.is_noted:
        return ImageStore(memory, rows=rows, slots=slots, skipped=())
    try:
        bad = _fill(memory, lambda slot: load(int(rows[slot])), images=len(rows))
        _check_bad_images(manifest, rows, bad, on_bad_image=on_bad_image)
    except BaseException:
        memory.close()
        raise
    slots[rows[[slot for slot, _ in bad]]] = -1
    if sound is not None and not bad:
        sound.note()
    skipped = tuple((manifest.paths[int(rows[slot])], reason) for slot, reason in bad)
    return ImageStore(memory, rows=rows[slots[rows] >= 0], slots=slots, skipped=skipped)


def image_loader(manifest: Manifest, decoding: Decoding) -> tuple[LoadImage, Shape, np.dtype[Any]]:
    """A function from a row of a manifest to its image, with the shape and type of what it gives.

    Args:
        manifest: all images.
        decoding: how images become pixels.

    Raises:
        DataError: the images are arrays without the channels that `color_mode` needs. Of the
            function: an image cannot be decoded.
    """
    pixels = manifest.pixels
    if pixels is None:
        if decoding.image_size is None:
            raise ValueError("images in files need an image_size")
        dtype = np.dtype(np.uint8 if decoding.value_range is None else np.float32)
        shape = (*decoding.image_size, decoding.file_channels)
        return lambda row: decode_image(manifest.file(row), decoding), shape, dtype
    height, width, channels = pixels.shape[1:]
    size = decoding.image_size or (height, width)
    if decoding.color_mode is not None:
        _check_channels(channels, decoding.color_mode)
        channels = CHANNELS[decoding.color_mode]

    def load_row(row: int) -> Array:
        return array_image(
            pixels[row],
            value_range=manifest.value_range,
            color_mode=decoding.color_mode,
            image_size=size,
            interpolation=decoding.interpolation,
            keep_aspect=decoding.keep_aspect,
        )

    dtype = np.dtype(np.uint8 if manifest.value_range is None else np.float32)
    return load_row, (*size, channels), dtype


def _check_channels(channels: int, color_mode: str) -> None:
    if channels not in CHANNELS.values():
        raise DataError.at(
            "the images",
            rule=f"must have 1, 3 or 4 channels for color_mode {color_mode}",
            received=f"{channels} channels",
            advice="leave data.color_mode out to take them as they are",
        )


def _whole_array(pixels: Array, rows: Rows) -> ImageStore:
    """A store over an array that is in memory already and fits as it is."""
    slots = np.full(len(pixels), -1, dtype=np.int64)
    slots[rows] = rows
    return ImageStore(InMemory(pixels), rows=rows, slots=slots, skipped=())


def _fill(memory: PixelMemory, load: LoadImage, *, images: int) -> list[tuple[int, str]]:
    """Decode every image into its slot; the slots that stay empty, each with the reason."""

    def decode(slot: int) -> str | None:
        try:
            image = load(slot)
        except BadImageError as error:
            return error.reason
        memory.write(slot, image)
        return None

    reasons = map_in_threads(decode, range(images))
    return [(slot, reason) for slot, reason in enumerate(reasons) if reason is not None]


def _check_bad_images(
    manifest: Manifest, rows: Rows, bad: Sequence[tuple[int, str]], *, on_bad_image: str
) -> None:
    if bad and (on_bad_image == "error" or len(bad) == len(rows)):
        named = [(manifest.paths[int(rows[slot])], reason) for slot, reason in bad]
        raise _bad_images(manifest, named, images=len(rows))


def _bad_images(manifest: Manifest, named: Sequence[tuple[str, str]], *, images: int) -> DataError:
    place = "the images" if manifest.root is None else shown(manifest.root)
    advice = "restore or remove them"
    if len(named) < images:
        advice += ", or leave them out with data.on_bad_image: skip"
    lines = [f"    {path}: {reason}" for path, reason in named[:BAD_IMAGES_NAMED]]
    if len(named) > BAD_IMAGES_NAMED:
        lines.append(f"    and {len(named) - BAD_IMAGES_NAMED:,} more; cnnrun check-data names all")
    return DataError.at(
        place,
        rule="must hold only images that can be decoded whole",
        received=f"{counted(len(named), 'image')} of {images:,} that cannot",
        advice="\n".join([advice, *lines]),
    )
