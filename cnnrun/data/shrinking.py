"""JPEGs decoded at 1/2, 1/4 or 1/8 of their size, where that is still twice what is wanted.

A JPEG is stored as frequencies in blocks of 8 by 8 pixels, of which libjpeg takes only the low ones
when a smaller picture is asked for: of 12 megapixels that become 128 by 128, in a quarter of the
time. Pixels then differ by .5 of 255 in the mean, 1.0 where exactly twice remains, and by 16 at
most (two photographs at 4 to 20 times the size), since these interpolations average over what twice
the size holds. Nearest, which does not (6.0 and 176), box (1.3 and 72) and hamming, which hardly
does, are left whole.
"""

from dataclasses import dataclass
from typing import Final, TypeVar

from PIL.JpegImagePlugin import JpegImageFile

SHRUNK_INTERPOLATIONS: Final = frozenset({"bilinear", "bicubic", "lanczos"})
# EXIF's orientations by what setting upright does: whether height and width change places, and
# whether the left side, and the top, come from the far end of what is stored.
_TURNED: Final = frozenset({5, 6, 7, 8})
_FROM_THE_RIGHT: Final = frozenset({2, 3, 6, 7})
_FROM_THE_BOTTOM: Final = frozenset({3, 4, 7, 8})

Box = tuple[float, float, float, float]
Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Shrunk:
    """Where the whole picture of a file lies in what was decoded of it.

    A side of 3997 pixels is 499.625 at an eighth, and 500 are decoded: what is beyond is not of
    the picture.

    Attributes:
        size: (width, height) in the file.
        box: (left, top, right, bottom) of the picture in the smaller one, upright.
    """

    size: tuple[int, int]
    box: Box

    def place(self, part: Box) -> Box:
        """Where a part of the file's picture lies in the smaller one."""
        left, top, right, bottom = self.box
        across, down = (right - left) / self.size[0], (bottom - top) / self.size[1]
        return (
            left + part[0] * across,
            top + part[1] * down,
            left + part[2] * across,
            top + part[3] * down,
        )


def shrink(
    image: JpegImageFile, image_size: tuple[int, int] | None, *, orientation: int
) -> Shrunk | None:
    """Have Pillow decode a JPEG smaller, where twice the wanted size remains.

    Args:
        image: the file, opened and not loaded yet.
        image_size: the wanted (height, width), upright; None wants all there is.
        orientation: EXIF's, 1 to 8.

    Returns:
        Where the picture lies once it is loaded and set upright; None where it is decoded whole.
    """
    if image_size is None:
        return None
    is_turned = orientation in _TURNED
    width, height = _turned(image.size, is_turned)
    if width < 4 * image_size[1] or height < 4 * image_size[0]:
        return None
    twice = (2 * image_size[1], 2 * image_size[0])
    drafted = image.draft(None, _turned(twice, is_turned))
    if drafted is None:
        return None
    decoded = _turned(image.size, is_turned)
    covered = _turned(drafted[1][2:], is_turned)
    left = decoded[0] - covered[0] if orientation in _FROM_THE_RIGHT else 0
    top = decoded[1] - covered[1] if orientation in _FROM_THE_BOTTOM else 0
    return Shrunk((width, height), (left, top, left + covered[0], top + covered[1]))


def _turned(size: tuple[Number, Number], is_turned: bool) -> tuple[Number, Number]:
    return (size[1], size[0]) if is_turned else size
