"""How an image becomes a network's pixels, as preprocessing.json and ONNX's metadata say it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self, final

from cnnrun.config.data_section import CHANNELS, DataSpec
from cnnrun.data.decode import FORMATS
from cnnrun.data.decoding import Decoding, decoding_of
from cnnrun.data.resizing import RESAMPLING

Range = tuple[float, float]

_SENTENCES: Final = (
    "an animation is its first frame",
    "with shrink_on_load, large JPEGs are decoded by Pillow's draft, where twice the size remains",
    "the image is turned as EXIF says",
    "grey of 16 bits is brought to 8, so that 65535 becomes 255",
    "transparent pixels are laid on white, unless the colours are rgba",
    "the image is brought to the colours by Pillow's convert",
    "with keep_aspect, the largest centred part with the aspect of image_size is cut out",
    "the image is resized by Pillow with the interpolation",
    "pixels are float32, from 0 to 255; the network standardizes them itself",
)


@final
@dataclass(frozen=True)
class ImageRule:
    """How an image becomes pixels.

    Attributes:
        decoding: how a file does; its `image_size` is the network's.
        channels: how many numbers a pixel has.
        of_arrays: whether the run was trained on arrays, which no file fits.
        array_range: the values in an array that stand for black and white; None says 0 and 255.
    """

    decoding: Decoding
    channels: int
    of_arrays: bool
    array_range: Range | None

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width)."""
        if self.decoding.image_size is None:
            raise ValueError("a rule has the image size of its network")
        return self.decoding.image_size

    def as_json(self) -> dict[str, Any]:
        """The content of preprocessing.json."""
        decoding = asdict(self.decoding)
        return {
            "input": {
                "name": "pixels",
                "type": "float32",
                "shape": ["images", *self.image_size, self.channels],
                "black": 0,
                "white": 255,
            },
            "takes": "arrays" if self.of_arrays else "image files",
            **decoding,
            "array_range": self.array_range,
            "formats": list(FORMATS),
            "steps": list(_SENTENCES),
        }

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Self:
        """The rule that preprocessing.json holds.

        Raises:
            KeyError, TypeError, ValueError: it holds none.
        """
        height, width = map(int, written["image_size"])
        color_mode, interpolation = written["color_mode"], written["interpolation"]
        if color_mode not in (None, *CHANNELS) or interpolation not in RESAMPLING:
            raise ValueError(f"{color_mode!r} and {interpolation!r}")
        if min(height, width) < 1:
            raise ValueError(f"an image_size of {height}x{width}")
        return cls(
            decoding=Decoding(
                image_size=(height, width),
                color_mode=color_mode,
                interpolation=interpolation,
                keep_aspect=bool(written["keep_aspect"]),
                value_range=_range(written["value_range"]),
                bands=None if written["bands"] is None else tuple(map(int, written["bands"])),
                megapixels_at_most=float(written["megapixels_at_most"]),
                shrink_on_load=bool(written["shrink_on_load"]),
            ),
            channels=int(written["input"]["shape"][-1]),
            of_arrays=written["takes"] == "arrays",
            array_range=_range(written["array_range"]),
        )


def rule_of(data: DataSpec, *, pixel_shape: tuple[int, int, int]) -> ImageRule:
    """The rule of a run.

    Args:
        data: the `data` section of its resolved config.
        pixel_shape: (height, width, channels) that its network takes.
    """
    decoding = decoding_of(data)
    return ImageRule(
        decoding=Decoding(**{**vars(decoding), "image_size": pixel_shape[:2]}),
        channels=pixel_shape[2],
        of_arrays=decoding.image_size is None or (decoding.color_mode or decoding.bands) is None,
        array_range=data.arrays.value_range if data.arrays else None,
    )


def _range(written: Any) -> Range | None:
    if written is None:
        return None
    low, high = map(float, written)
    if low >= high:
        raise ValueError(f"a range from {low:g} to {high:g}")
    return low, high
