"""TIFF files that Pillow has no mode for: many bands, planes of 16 bits, floats of other sizes.

Which files these are is read from the tags; their numbers come through tifffile and imagecodecs,
which `pip install "cnnrun[tiff]"` brings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import TiffImagePlugin

from cnnrun.data.bad_image import BadImageError
from cnnrun.data.packed_images import ImageFile

Array = npt.NDArray[Any]

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BIG_TIFF = (b"II+\0", b"MM\0+")
WHITE_IS_ZERO = 0
SEPARATE_PLANES = 2
# How many samples of a pixel are its colours, by photometric interpretation.
COLOURS: Mapping[int, int] = {0: 1, 1: 1, 2: 3, 3: 1, 4: 1, 5: 4, 6: 3, 8: 3}
RGB = 2
ALPHA = ((1,), (2,))  # ExtraSamples: associated and unassociated alpha
UNSIGNED, SIGNED, FLOAT = 1, 2, 3


@dataclass(frozen=True)
class TiffLayout:
    """What a TIFF file's tags say of its pixels.

    Attributes:
        width: in pixels, as stored.
        height: likewise.
        samples: numbers a pixel.
        bits: of each number.
        kind: UNSIGNED, SIGNED or FLOAT.
        photometric: what the first samples mean, see COLOURS.
        extra: what the samples beyond them mean.
        planes: whether each sample is stored as a plane of its own.
    """

    width: int
    height: int
    samples: int
    bits: int
    kind: int
    photometric: int
    extra: tuple[int, ...]
    planes: bool

    @property
    def is_bands(self) -> bool:
        """Whether a pixel has numbers that are neither colours nor opacity."""
        extra = self.samples - COLOURS.get(self.photometric, 1)
        return extra > 1 or (extra == 1 and self.extra not in ALPHA)

    @property
    def is_pillows(self) -> bool:
        """Whether Pillow reads it as what it is."""
        if self.is_bands:
            return False
        if self.kind == UNSIGNED:
            if self.bits <= 8:
                return True
            if self.bits <= 16:
                return self.samples == 1 or (self.samples > 2 and not self.planes)
            return False
        in_32_bits = self.bits == 32 or (self.bits == 16 and self.kind == SIGNED)
        return self.samples == 1 and in_32_bits

    def __str__(self) -> str:
        kinds = {UNSIGNED: "", SIGNED: "signed ", FLOAT: "floating-point "}
        return f"{self.samples} {kinds.get(self.kind, '')}bands of {self.bits} bits"


def read_layout(file: BinaryIO) -> TiffLayout:
    """The layout of a TIFF file's first picture.

    Raises:
        Exception: whatever Pillow's reader of tags raises on damaged ones.
    """
    file.seek(0)
    header = file.read(8)
    if header[:4] in BIG_TIFF:
        header += file.read(8)
    tags = TiffImagePlugin.ImageFileDirectory_v2(header)
    file.seek(tags.next)
    tags.load(file)
    bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
    kinds = tags.get(TiffImagePlugin.SAMPLEFORMAT, (UNSIGNED,))
    return TiffLayout(
        width=int(tags[TiffImagePlugin.IMAGEWIDTH]),
        height=int(tags[TiffImagePlugin.IMAGELENGTH]),
        samples=int(tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1)),
        bits=max(bits),
        kind=kinds[0],
        photometric=int(tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 0)),
        extra=tuple(tags.get(TiffImagePlugin.EXTRASAMPLES, ())),
        planes=tags.get(TiffImagePlugin.PLANAR_CONFIGURATION, 1) == SEPARATE_PLANES,
    )


def read_values(path: ImageFile, *, pages_are_bands: bool) -> Array:
    """The numbers of a TIFF file as they are stored, upright as far as its tags say.

    Args:
        path: the file.
        pages_are_bands: whether pages of one size are the bands of one picture.

    Returns:
        `(height, width, bands)`, 0 for black where the file says that 0 is white.

    Raises:
        BadImageError: tifffile is not installed.
        Exception: whatever tifffile raises on damaged files.
    """
    try:
        import tifffile
    except ImportError as error:
        raise needs_extra(path, "a TIFF that Pillow has no mode for") from error
    with tifffile.TiffFile(path if isinstance(path, Path) else path.open()) as file:
        page = file.pages.first
        values, axes = page.asarray(), page.axes
        if pages_are_bands and len(file.pages) > 1 and values.ndim == 2:
            values = np.stack([each.asarray() for each in file.pages], axis=-1)
            axes = f"{axes}S"
        if int(page.photometric) == WHITE_IS_ZERO and values.dtype.kind == "u":
            values = np.iinfo(values.dtype).max - values
    return _bands_last(values, axes)


def _bands_last(values: Array, axes: str) -> Array:
    """The array as `(height, width, bands)`; axes are tifffile's letters, such as SYX."""
    if values.ndim == 2:
        return values[..., np.newaxis]
    if values.ndim != 3 or set(axes) != set("YXS"):
        raise ValueError(f"axes {axes} of shape {values.shape} are no picture")
    return values.transpose([axes.index(axis) for axis in "YXS"])


def needs_extra(path: ImageFile, what: str) -> BadImageError:
    """That a file can be read once more is installed."""
    return BadImageError(
        path,
        received=f"{what}; tifffile and imagecodecs are not installed",
        advice='read it with: pip install "cnnrun[tiff]"',
    )
