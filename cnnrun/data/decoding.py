"""How an image becomes pixels, as plain values."""

from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from cnnrun.config.data_section import CHANNELS, MEGAPIXELS_AT_MOST, DataSpec
from cnnrun.data.shrinking import SHRUNK_INTERPOLATIONS

MODES = MappingProxyType({"rgb": "RGB", "grayscale": "L", "rgba": "RGBA"})


@dataclass(frozen=True)
class Decoding:
    """How an image becomes pixels.

    Attributes:
        image_size: (height, width) of the result; None leaves arrays as they are.
        color_mode: "rgb", "grayscale", "rgba", or None for rgb of files and arrays as they are.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos", "box" or "hamming".
        keep_aspect: whether to crop the centre to the wanted aspect before resizing, instead of
            squeezing the whole image.
        value_range: the values in a file that stand for black and white; None says those of its
            type, 0 and 255 or 0 and 65535. Arrays bring their own, see Manifest.
        bands: which channels of a file to take, counted from 1; None takes its colours.
        megapixels_at_most: above, a file is refused before it is decoded.
        shrink_on_load: whether large JPEGs are decoded smaller, see shrinking.py.
    """

    image_size: tuple[int, int] | None
    color_mode: str | None
    interpolation: str
    keep_aspect: bool
    value_range: tuple[float, float] | None = None
    bands: tuple[int, ...] | None = None
    megapixels_at_most: float = MEGAPIXELS_AT_MOST
    shrink_on_load: bool = False

    def described(self) -> dict[str, Any]:
        """What features.json says of it: the last four only where they are not as ever."""
        plain = Decoding(None, None, "", keep_aspect=False)
        later = ("value_range", "bands", "megapixels_at_most", "shrink_on_load")
        return {
            key: value
            for key, value in asdict(self).items()
            if key not in later or value != getattr(plain, key)
        }

    @property
    def shrinks(self) -> bool:
        """Whether large JPEGs are decoded smaller."""
        return (
            self.shrink_on_load
            and self.interpolation in SHRUNK_INTERPOLATIONS
            and self.value_range is None
            and self.bands is None
        )

    @property
    def file_channels(self) -> int:
        """How many channels files come to have."""
        return len(self.bands) if self.bands else CHANNELS[self.color_mode or "rgb"]


AS_IT_IS = Decoding(None, None, "bilinear", keep_aspect=False)


def decoding_of(data: DataSpec) -> Decoding:
    """How a config's `data` section has images become pixels."""
    return Decoding(
        image_size=data.image_size,
        color_mode=data.color_mode,
        interpolation=data.resize.interpolation,
        keep_aspect=data.resize.keep_aspect,
        value_range=data.value_range,
        bands=data.bands,
        megapixels_at_most=data.megapixels_at_most,
        shrink_on_load=data.resize.shrink_on_load,
    )
