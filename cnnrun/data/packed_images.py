"""Images that lie many in one file, each at a place that is known: read by row, in any order."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from cnnrun.shown_text import shown


@dataclass(frozen=True)
class PackedImage:
    """An image that is a part of a file.

    Attributes:
        file: the file.
        name: what it is called there.
        position: where its bytes begin.
        size: how many they are.
    """

    file: Path
    name: str
    position: int
    size: int

    def __str__(self) -> str:
        return f"{self.file.as_posix()}:{self.name}"

    def read_bytes(self) -> bytes:
        """Its bytes, as an image file would have them.

        Raises:
            OSError: the file cannot be read.
            ValueError: the file has become shorter since it was listed.
        """
        with self.file.open("rb", buffering=0) as stream:
            stream.seek(self.position)
            content = bytearray(self.size)
            remaining = memoryview(content)
            while remaining and (count := stream.readinto(remaining)):
                remaining = remaining[count:]
        if remaining:
            raise ValueError("truncated: the file that holds it ends before it does")
        return bytes(content)

    def open(self, mode: str = "rb") -> BinaryIO:
        """Its bytes as a file that is open; the mode is always that."""
        return io.BytesIO(self.read_bytes())


ImageFile = Path | PackedImage
"""An image that is a file, or a part of one."""


@dataclass(frozen=True, eq=False)
class Packing:
    """Where the images of a manifest lie in files that hold many.

    Attributes:
        files: the files.
        file_of: `(images,)`, the place in `files` of each image's.
        positions: `(images,)`, where the bytes of each begin.
        sizes: `(images,)`, how many they are.
        read_as: what was found of how the files are read: values of the source's keys.
    """

    files: tuple[Path, ...]
    file_of: npt.NDArray[np.int32]
    positions: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    read_as: Mapping[str, Any] = field(default_factory=dict)

    def image(self, row: int, name: str) -> PackedImage:
        """The image of a row."""
        file = self.files[int(self.file_of[row])]
        return PackedImage(file, name, int(self.positions[row]), int(self.sizes[row]))

    def taken(self, rows: npt.NDArray[np.integer[Any]]) -> "Packing":
        """Some of the images, in their order."""
        return Packing(
            self.files,
            self.file_of[rows],
            self.positions[rows],
            self.sizes[rows],
            self.read_as,
        )


def shown_image(image: ImageFile) -> str:
    """An image as its reader would write it; one within a file after this and a colon."""
    if isinstance(image, PackedImage):
        return f"{shown(image.file)}:{image.name}"
    return shown(image)
