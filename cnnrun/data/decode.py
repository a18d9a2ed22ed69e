"""One image file as pixels: the only decoder, of training, prediction and extraction alike.

Pixels equal Pillow's, and where Keras's load_img reads an image properly, its. Beyond that:

- EXIF rotation is applied.
- 16-bit grey is mapped to 0..255 (Keras wraps or clips it); Pillow itself reduces 16-bit colour.
- Transparent pixels are laid on white, as a viewer shows them, unless `color_mode` is rgba.
- An animation is its first frame.
"""

import struct
import threading
import warnings
import zlib
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from cnnrun.data.refusal import shown
from cnnrun.errors import DataError, Problem

Pixels = npt.NDArray[np.uint8]

# No other format of Pillow's is tried: some hand the file to outside programs (EPS to Ghostscript).
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM")
# Pillow's own limit against decompression bombs, written out so that it holds for whoever has
# changed Image.MAX_IMAGE_PIXELS.
PIXELS_AT_MOST = 89_478_485
MODES = MappingProxyType({"rgb": "RGB", "grayscale": "L", "rgba": "RGBA"})
RESAMPLING = MappingProxyType(
    {
        "nearest": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
        "lanczos": Image.Resampling.LANCZOS,
        "box": Image.Resampling.BOX,
        "hamming": Image.Resampling.HAMMING,
    }
)
ORIENTATION_TAG = 0x0112
UPRIGHT = MappingProxyType(
    {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
)
# What Pillow's readers raise on damaged files; a test that damages files at random keeps the list.
DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    ZeroDivisionError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
)
# First bytes of what people take for an image that can be read, and what to do about it.
FOREIGN = (
    (4, b"ftypheic", "a HEIC image", "convert it to JPEG"),
    (4, b"ftypheix", "a HEIC image", "convert it to JPEG"),
    (4, b"ftypmif1", "a HEIF image", "convert it to JPEG"),
    (0, b"%!PS", "a PostScript file", "convert it to PNG"),
    (0, b"%PDF", "a PDF file", "convert it to PNG"),
    (0, b"8BPS", "a Photoshop file", "export it as PNG"),
    (0, b"<svg", "an SVG drawing", "convert it to PNG"),
    (0, b"<?xml", "an XML file", "replace it by an image"),
    (0, b"<!DOCTYPE", "a web page", "download the image itself"),
    (0, b"<html", "a web page", "download the image itself"),
    (0, b"version https://git-lfs", "a Git LFS pointer", "run git lfs pull"),
    (0, b"PK\x03\x04", "a ZIP archive", "unpack it"),
)
# First bytes of the formats above: where Pillow finds no image behind them, a header is damaged.
SIGNATURES = (b"\x89PNG", b"\xff\xd8", b"GIF8", b"RIFF", b"II*", b"MM\0*", b"BM")


class BadImageError(DataError):
    """An image that cannot be used.

    Attributes:
        path: the file.
        reason: why, in words that stand after its name.
    """

    def __init__(self, path: Path, *, received: str, advice: str) -> None:
        self.path = path
        self.reason = f"{received}; {advice}"
        rule = "must be an image that can be decoded whole"
        super().__init__(str(Problem(None, shown(path), rule, received, advice)))


def decode_image(
    path: Path,
    *,
    color_mode: str,
    image_size: tuple[int, int],
    interpolation: str,
    keep_aspect: bool,
) -> Pixels:
    """The pixels of an image file, upright, in the wanted size and colours.

    Args:
        path: PNG, JPEG, BMP, GIF, WebP, TIFF or PPM.
        color_mode: "rgb", "grayscale" or "rgba".
        image_size: (height, width) of the result.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos", "box" or "hamming".
        keep_aspect: whether to crop the centre to the wanted aspect before resizing, instead of
            squeezing the whole image.

    Returns:
        `(height, width, channels)`, 0 to 255.

    Raises:
        BadImageError: the file cannot be opened, is no image, is damaged or is too large.
    """
    image = read_image(path)
    image = in_mode(image, color_mode, path)
    image = resized(image, image_size, interpolation=interpolation, keep_aspect=keep_aspect)
    pixels = np.array(image)
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def read_image(path: Path) -> Image.Image:
    """An image file, decoded whole and upright, in its own size and mode.

    Raises:
        BadImageError: the file cannot be opened, is no image, is damaged or is too large.
    """
    try:
        with _PILLOW_WARNINGS, path.open("rb") as file:
            image = Image.open(file, formats=FORMATS)
            if image.width * image.height > PIXELS_AT_MOST:
                raise Image.DecompressionBombError
            image.load()
            return _upright(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path) from error
    except UnidentifiedImageError as error:
        raise _no_image(path) from error
    except DAMAGE as error:
        raise _damaged(path, error) from error


class _PillowWarnings:
    """Pillow's warnings: of metadata ignored, of decompression bombs raised as errors.

    Filters of warnings belong to the process, not the thread, so that of threads that decode side
    by side the first sets them and the last restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._catching = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._catching = warnings.catch_warnings()
                self._catching.__enter__()
                warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
                warnings.simplefilter("error", Image.DecompressionBombWarning)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._catching.__exit__(None, None, None)


_PILLOW_WARNINGS = _PillowWarnings()


def _upright(image: Image.Image) -> Image.Image:
    """The image as EXIF says it should be seen. Metadata that cannot be read say nothing."""
    try:
        # Read only after the pixels: TIFF's reader turns them itself and then drops the tag.
        orientation = image.getexif().get(ORIENTATION_TAG)
    except DAMAGE:
        return image
    if not isinstance(orientation, int) or orientation not in UPRIGHT:
        return image
    upright = image.transpose(UPRIGHT[orientation])
    upright.format = image.format
    return upright


def in_mode(image: Image.Image, color_mode: str, path: Path) -> Image.Image:
    """The image in the colours of a `color_mode`, 8 bits a channel.

    Raises:
        BadImageError: its values have no known range, or no colours that Pillow can convert.
    """
    if image.mode == "F" or (image.mode == "I" and image.format not in {"PNG", "PPM"}):
        kind = "floating-point" if image.mode == "F" else "32-bit"
        advice = "convert it to 8 or 16 bits, or use data.arrays with a value_range"
        raise BadImageError(path, received=f"an image of {kind} values", advice=advice)
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    try:
        if image.has_transparency_data and color_mode != "rgba":
            image = _on_white(image.convert("RGBA"))
        return image if image.mode == MODES[color_mode] else image.convert(MODES[color_mode])
    except ValueError as error:
        received, advice = f"an image in Pillow's mode {image.mode}", "convert it to RGB"
        raise BadImageError(path, received=received, advice=advice) from error


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits brought to 8, so that 65535 becomes 255."""
    to_eight_bits = ((np.arange(65536) + 128) // 257).astype(np.uint8)
    return Image.fromarray(to_eight_bits[np.clip(np.asarray(image), 0, 65535)])


def _on_white(image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def resized(
    image: Image.Image, image_size: tuple[int, int], *, interpolation: str, keep_aspect: bool
) -> Image.Image:
    """The image brought to (height, width), as Keras's load_img does it."""
    height, width = image_size
    if image.size == (width, height):
        return image
    box = _centre_box(image.size, (width, height)) if keep_aspect else None
    return image.resize((width, height), RESAMPLING[interpolation], box=box)


def _centre_box(size: tuple[int, int], wanted: tuple[int, int]) -> tuple[int, int, int, int]:
    """The largest centred (left, top, right, bottom) with the wanted aspect, as Keras rounds it."""
    width, height = size
    crop_width = max(1, min(width, height * wanted[0] // wanted[1]))
    crop_height = max(1, min(height, width * wanted[1] // wanted[0]))
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return left, top, left + crop_width, top + crop_height


def _too_large(path: Path) -> BadImageError:
    return BadImageError(
        path,
        received=f"more than {PIXELS_AT_MOST:,} pixels in its header (a decompression bomb?)",
        advice="shrink or remove it",
    )


def _no_image(path: Path) -> BadImageError:
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        return BadImageError(path, received="an empty file", advice="restore or remove it")
    for offset, magic, kind, advice in FOREIGN:
        if head[offset:].lower().startswith(magic.lower()):
            return BadImageError(path, received=kind, advice=advice)
    if head.startswith(SIGNATURES):
        advice = "copy it again from where it came, or remove it"
        return BadImageError(path, received="an image with a damaged header", advice=advice)
    received = "no image, or a kind of image that Pillow cannot read"
    return BadImageError(path, received=received, advice="convert it to PNG or remove it")


def _damaged(path: Path, error: BaseException) -> BadImageError:
    if isinstance(error, OSError) and error.errno is not None:
        received = error.strerror or str(error)
        return BadImageError(path, received=received, advice="restore it, or its permissions")
    reason = str(error) or type(error).__name__
    kind = "a truncated image" if "truncated" in reason.lower() else "a damaged image"
    advice = "copy it again from where it came, or remove it"
    return BadImageError(path, received=f"{kind} ({reason})", advice=advice)
