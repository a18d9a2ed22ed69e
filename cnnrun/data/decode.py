"""One image file as pixels: the only decoder, of training, prediction and extraction alike.

Pixels equal Pillow's, and where Keras's load_img reads an image properly, its. Beyond that:

- EXIF rotation is applied.
- 16-bit grey is mapped to 0..255 (Keras wraps or clips it); Pillow itself reduces 16-bit colour.
  Where a value range is given, all bits are kept: pixels are then floats from 0 to 255.
- Transparent pixels are laid on white, as a viewer shows them, unless `color_mode` is rgba.
- An animation is its first frame.
- Large JPEGs are decoded at a part of their size, unless that is turned off (see shrinking.py).
- What Pillow has no mode for (see tiff.py) is read by tifffile, and `bands` says what of it.
"""

import logging
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError, features
from PIL.JpegImagePlugin import JpegImageFile

from cnnrun.data.array_images import array_image
from cnnrun.data.bad_image import BadImageError, damaged, no_image, too_large
from cnnrun.data.decoding import MODES, Decoding
from cnnrun.data.levels import likely_range, lowest_and_highest
from cnnrun.data.packed_images import ImageFile, PackedImage
from cnnrun.data.resizing import resized
from cnnrun.data.shrinking import Shrunk, shrink
from cnnrun.data.tiff import (
    SIGNATURES,
    WHITE_IS_ZERO,
    TiffLayout,
    needs_extra,
    read_layout,
    read_values,
)

Pixels = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Numbers:
    """A picture of numbers that Pillow has no mode for.

    Attributes:
        values: `(height, width, bands)`, as they are stored.
        are_colours: whether the bands are grey or red, green and blue, perhaps with opacity.
    """

    values: Pixels
    are_colours: bool


Picture = Image.Image | Numbers

# No other format of Pillow's is tried: some hand the file to outside programs (EPS to Ghostscript).
_ALWAYS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM")
FORMATS = (*_ALWAYS, "AVIF") if features.check("avif") else _ALWAYS
ONE_AT_A_TIME_FROM_PIXELS = 30_000_000
ORIENTATION_TAG = 0x0112
BITS_TAG = 258
PHOTOMETRIC_TAG = 262
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


def decode_image(path: ImageFile, decoding: Decoding) -> Pixels:
    """The pixels of an image file, upright, in the wanted size and colours.

    Args:
        path: PNG, JPEG, BMP, GIF, WebP, TIFF, PPM, or AVIF where Pillow reads it; a file, or a
            part of one.
        decoding: how; its `image_size` is given.

    Returns:
        `(height, width, channels)`, 0 to 255: uint8, or float32 where there is a value range.

    Raises:
        BadImageError: the file cannot be opened, is no image, is damaged or is too large; or it
            has not the bands that are wanted, or more bits than can be guessed the meaning of.
    """
    if decoding.image_size is None:
        raise ValueError("images in files need an image_size")
    exact = decoding.value_range is not None
    with _naming(path), ExitStack() as held:
        picture, shrunk = _read(path, held, decoding=decoding, exact=exact, may_shrink=True)
        if isinstance(picture, Image.Image) and not exact and decoding.bands is None:
            image = resized(
                in_mode(picture, decoding.color_mode or "rgb", path),
                decoding.image_size,
                interpolation=decoding.interpolation,
                keep_aspect=decoding.keep_aspect,
                shrunk=shrunk,
            )
            pixels = np.array(image)
            return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
        return array_image(
            _ranged(_chosen(picture, decoding, path), decoding, path),
            value_range=decoding.value_range,
            color_mode=None if decoding.bands else decoding.color_mode or "rgb",
            image_size=decoding.image_size,
            interpolation=decoding.interpolation,
            keep_aspect=decoding.keep_aspect,
        )


@contextmanager
def read_picture(path: ImageFile, *, decoding: Decoding, exact: bool) -> Iterator[Picture]:
    """An image file, decoded whole and upright, in its own size and mode.

    What the block makes of it counts as decoding: whatever is raised there names the image.

    Args:
        path: the file.
        decoding: `megapixels_at_most`, and whether there are `bands`.
        exact: whether colours of more than 8 bits are wanted as they are, not as Pillow cuts them.

    Yields:
        Pillow's image; or where Pillow has no mode for it, or cuts it, the numbers in the file.

    Raises:
        BadImageError: see decode_image.
    """
    with _naming(path), ExitStack() as held:
        yield _read(path, held, decoding=decoding, exact=exact, may_shrink=False)[0]


def begins_as_an_image(path: ImageFile) -> bool:
    """Whether Pillow finds the size of an image in a file, whose pixels may be damaged yet."""
    try:
        with _QUIET_PILLOW, _opened(path) as file:
            Image.open(file)
    except Exception:  # noqa: BLE001 - readers over foreign bytes raise what they like
        return False
    return True


def height_and_width(picture: Picture) -> tuple[int, int]:
    """The size of a picture."""
    if isinstance(picture, Image.Image):
        return picture.height, picture.width
    height, width = picture.values.shape[:2]
    return height, width


@contextmanager
def _naming(path: ImageFile) -> Iterator[None]:
    """Whatever is raised within the block names the image; Pillow itself says nothing there."""
    try:
        with _QUIET_PILLOW:
            yield
    except BadImageError:
        raise
    except UnidentifiedImageError as error:
        raise no_image(path) from error
    except Exception as error:
        # Readers over foreign bytes raise what they like: a palette that is missing is an
        # AssertionError. Nothing of ours is changed in here.
        raise damaged(path, error) from error


def _opened(path: ImageFile) -> BinaryIO:
    if isinstance(path, PackedImage):
        return path.open()
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        # Reading a pipe or a device may never end.
        received, advice = "a pipe or a device", "name a file"
        raise BadImageError(path, received=received, advice=advice)
    return path.open("rb")


def _read(
    path: ImageFile, held: ExitStack, *, decoding: Decoding, exact: bool, may_shrink: bool
) -> tuple[Picture, Shrunk | None]:
    file = held.enter_context(_opened(path))
    layout = _tiff_layout(file)
    wanted = max(decoding.bands or (1,))
    if layout is not None and not (layout.is_pillows and wanted <= layout.samples):
        _check_size(layout.width, layout.height, path, decoding)
        _one_at_a_time(layout.width, layout.height, held)
        return _read_tiff(path, layout, decoding=decoding, exact=exact), None
    image = Image.open(file, formats=FORMATS)
    width, height = image.size
    _check_size(width, height, path, decoding)
    shrunk = None
    if may_shrink and decoding.shrinks and isinstance(image, JpegImageFile):
        shrunk = shrink(image, decoding.image_size, orientation=_orientation(image))
        if "progressive" not in image.info:
            # Of a progressive one, libjpeg holds all frequencies, however small it is decoded.
            width, height = image.size
    _one_at_a_time(width, height, held)
    if exact and bits_of(image) > 8 and len(image.getbands()) > 1:
        return _all_bits(path, image), None
    image.load()
    if image.mode in {"P", "PA"} and image.palette is None:
        received, advice = "an image of palette colours without its palette", "save it again"
        raise BadImageError(path, received=received, advice=advice)
    return _upright(_black_is_zero(image)), shrunk


def _check_size(width: int, height: int, path: ImageFile, decoding: Decoding) -> None:
    if width * height > decoding.megapixels_at_most * 1e6:
        raise too_large(path, megapixels=width * height / 1e6, at_most=decoding.megapixels_at_most)


def _one_at_a_time(width: int, height: int, held: ExitStack) -> None:
    """Large pictures wait for each other, so that threads do not multiply what they take."""
    if width * height > ONE_AT_A_TIME_FROM_PIXELS:
        held.enter_context(_LARGE)


_LARGE = threading.Lock()


class _QuietPillow:
    """Pillow's warnings and log silenced, and its limit of pixels replaced by the config's.

    Filters of warnings belong to the process, not the thread, so that of threads that decode side
    by side the first sets them and the last restores them. So does the limit.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._catching = warnings.catch_warnings()
        self._limit: int | None = None
        self._propagated: list[bool] = []
        self._loggers = [logging.getLogger(name) for name in ("PIL", "tifffile")]
        for logger in self._loggers:
            # Without any handler, Python writes what does not propagate to standard error.
            logger.addHandler(logging.NullHandler())

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._catching = warnings.catch_warnings()
                self._catching.__enter__()
                warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
                self._propagated = [logger.propagate for logger in self._loggers]
                for logger in self._loggers:
                    logger.propagate = False
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for logger, propagated in zip(self._loggers, self._propagated, strict=True):
                    logger.propagate = propagated
                Image.MAX_IMAGE_PIXELS = self._limit
                self._catching.__exit__(None, None, None)


_QUIET_PILLOW = _QuietPillow()


def _tiff_layout(file: BinaryIO) -> TiffLayout | None:
    """What a TIFF file's tags say; None for other files, and where they cannot be read."""
    is_tiff = file.read(4) in SIGNATURES
    try:
        return read_layout(file) if is_tiff else None
    except Exception:  # noqa: BLE001 - damaged tags: Pillow says what is wrong with them
        return None
    finally:
        file.seek(0)


def _read_tiff(path: ImageFile, layout: TiffLayout, *, decoding: Decoding, exact: bool) -> Picture:
    """A TIFF that Pillow has no mode for; where it is colours all the same, as Pillow has them."""
    values = read_values(path, pages_are_bands=decoding.bands is not None)
    if layout.is_bands or exact or decoding.bands or values.dtype != np.uint16:
        return Numbers(values, are_colours=not layout.is_bands)
    # As Pillow reduces colours of 16 bits that lie side by side.
    return Image.fromarray((values >> 8).astype(np.uint8))


def _all_bits(path: ImageFile, image: Image.Image) -> Numbers:
    """Colours of 16 bits, of which Pillow would keep 8."""
    if image.format == "TIFF":
        return Numbers(read_values(path, pages_are_bands=False), are_colours=True)
    try:
        import imagecodecs
    except ImportError as error:
        raise needs_extra(path, "colours of 16 bits beside a value_range") from error
    if image.format != "PNG":
        received, advice = f"colours of 16 bits in a {image.format} file", "convert it to PNG"
        raise BadImageError(path, received=received, advice=advice)
    values: Pixels = imagecodecs.png_decode(path.read_bytes())
    if values.shape[2] == 2:  # grey and opacity
        values = values[..., [0, 0, 0, 1]]
    return Numbers(_turned(values, _orientation(image)), are_colours=True)


def bits_of_file(path: ImageFile) -> int:
    """How many bits a channel an image file has, by its header; 8 where that cannot be read."""
    try:
        with _QUIET_PILLOW, _opened(path) as file:
            layout = _tiff_layout(file)
            return layout.bits if layout else bits_of(Image.open(file, formats=FORMATS))
    except Exception:  # noqa: BLE001 - decoding says what is wrong with it
        return 8


def bits_of(image: Image.Image) -> int:
    """How many bits a channel an image file has that Pillow opened and did not load yet."""
    if image.mode in {"I", "F"}:
        return 32 if image.format == "TIFF" else 16
    if image.mode.startswith("I;"):
        return 16
    if image.format == "TIFF":
        return int(max(getattr(image, "tag_v2", {}).get(BITS_TAG, (8,))))
    # What the decoder gets told, such as "RGB;16B".
    tiles = getattr(image, "tile", ())
    return 16 if any(";16" in str(tile[3]) for tile in tiles) else 8


def _black_is_zero(image: Image.Image) -> Image.Image:
    """The image as it is seen: Pillow turns a white that is 0 only in 8 bits."""
    tags = getattr(image, "tag_v2", {})
    if not image.mode.startswith("I;") or tags.get(PHOTOMETRIC_TAG) != WHITE_IS_ZERO:
        return image
    turned = Image.fromarray(65535 - np.asarray(image).astype(np.uint16))
    turned.format, turned.info = image.format, image.info
    return turned


def _upright(image: Image.Image) -> Image.Image:
    """The image as EXIF says it should be seen."""
    orientation = _orientation(image)
    if orientation not in UPRIGHT:
        return image
    upright = image.transpose(UPRIGHT[orientation])
    upright.format = image.format
    return upright


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation of an image. Metadata that cannot be read say nothing.

    Of a TIFF it is asked after the pixels: its reader turns them itself and then drops the tag.
    """
    try:
        orientation = image.getexif().get(ORIENTATION_TAG)
    except Exception:  # noqa: BLE001 - the picture is sound all the same
        return 1
    return orientation if isinstance(orientation, int) else 1


def _turned(values: Pixels, orientation: int) -> Pixels:
    """Numbers turned as EXIF says; Pillow turns numbers of any kind as 32-bit grey."""
    if orientation not in UPRIGHT:
        return values
    bands = np.moveaxis(values.astype(np.int32), 2, 0)
    turned = [np.asarray(Image.fromarray(band).transpose(UPRIGHT[orientation])) for band in bands]
    return np.stack(turned, axis=-1).astype(values.dtype)


def in_mode(image: Image.Image, color_mode: str, path: ImageFile) -> Image.Image:
    """The image in the colours of a `color_mode`, 8 bits a channel.

    Raises:
        BadImageError: its values have no known range, or no colours that Pillow can convert.
    """
    if image.mode == "F" or (image.mode == "I" and image.format not in {"PNG", "PPM"}):
        raise _no_known_range(path, np.asarray(image))
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    try:
        if image.has_transparency_data and color_mode != "rgba":
            image = _on_white(image.convert("RGBA"))
        return image if image.mode == MODES[color_mode] else image.convert(MODES[color_mode])
    except ValueError as error:
        received, advice = f"an image in Pillow's mode {image.mode}", "convert it to RGB"
        raise BadImageError(path, received=received, advice=advice) from error


def _no_known_range(path: ImageFile, values: Pixels) -> BadImageError:
    low, high = lowest_and_highest(values)
    black, white = likely_range(low, high, is_whole=values.dtype.kind != "f")
    kind = "floating-point" if values.dtype.kind == "f" else f"{8 * values.itemsize}-bit"
    return BadImageError(
        path,
        received=f"an image of {kind} values, here {low:g} to {high:g}",
        advice="say which of them are black and white with data.value_range, such as "
        f"[{black:g}, {white:g}]",
    )


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 bits brought to 8, so that 65535 becomes 255."""
    to_eight_bits = ((np.arange(65536) + 128) // 257).astype(np.uint8)
    return Image.fromarray(to_eight_bits[np.clip(np.asarray(image), 0, 65535)])


def _on_white(image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)


def _numbers(picture: Picture) -> Pixels:
    """A picture as `(height, width, bands)`, of the numbers in the file where it has no palette."""
    if isinstance(picture, Numbers):
        return picture.values
    if picture.mode in {"P", "PA", "CMYK", "YCbCr", "LAB"} or "transparency" in picture.info:
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    if picture.mode in {"1", "LA"}:
        picture = picture.convert("L" if picture.mode == "1" else "RGBA")
    values = np.asarray(picture)
    return values[..., np.newaxis] if values.ndim == 2 else values


def _chosen(picture: Picture, decoding: Decoding, path: ImageFile) -> Pixels:
    """The bands that are wanted, `(height, width, bands)`."""
    refuse_bands(picture, decoding, path)
    values = _numbers(picture)
    return values if decoding.bands is None else values[..., [band - 1 for band in decoding.bands]]


def refuse_bands(picture: Picture, decoding: Decoding, path: ImageFile) -> None:
    """Raise unless a picture is of colours, or has the bands that are wanted.

    Raises:
        BadImageError: it has not.
    """
    if isinstance(picture, Image.Image) and decoding.bands is None:
        return
    values = _numbers(picture)
    there = values.shape[2]
    if decoding.bands is None:
        if isinstance(picture, Image.Image) or picture.are_colours:
            return
        raise BadImageError(
            path,
            received=f"an image of {there} bands ({values.dtype})",
            advice="choose some with data.bands, counted from 1, such as "
            f"{list(range(1, min(there, 3) + 1))}",
        )
    missing = [band for band in decoding.bands if band > there]
    if missing:
        raise BadImageError(
            path,
            received=f"an image of {there} band{'s' * (there > 1)}, without band {missing[0]} of"
            " data.bands",
            advice="correct data.bands, or leave such images out",
        )


def _ranged(values: Pixels, decoding: Decoding, path: ImageFile) -> Pixels:
    """The values within the range that is given; refused where there is none and one is needed."""
    if decoding.value_range is None:
        if values.dtype == np.uint8:
            return values
        raise _no_known_range(path, values)
    low, high = decoding.value_range
    if values.dtype == np.uint8 and high > np.iinfo(np.uint8).max:
        received = f"an image of 8 bits beside data.value_range [{low:g}, {high:g}]"
        raise BadImageError(path, received=received, advice="bring all to one depth")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        received = "a value that is not a number (NaN) or infinite"
        raise BadImageError(path, received=received, advice="correct or remove it")
    return np.clip(values.astype(np.float32), low, high)
