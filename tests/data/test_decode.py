"""Image files as pixels. Oracles: Pillow for pixels, NumPy for rotations, the EXIF standard."""

import io
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from cnnrun.data.bad_image import BadImageError
from cnnrun.data.decode import decode_image
from cnnrun.data.decoding import Decoding

Array = npt.NDArray[Any]

HEIGHT, WIDTH = 7, 5
COLOURS = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
GREY = COLOURS[..., 0]
SMOOTH = np.linspace(0, 255, 24 * 32 * 3).reshape(24, 32, 3).astype(np.uint8)


def decode(
    path: str | Path,
    *,
    color_mode: str = "rgb",
    image_size: tuple[int, int] = (HEIGHT, WIDTH),
    interpolation: str = "bilinear",
    keep_aspect: bool = False,
    **more: Any,
) -> Array:
    decoding = Decoding(image_size, color_mode, interpolation, keep_aspect=keep_aspect, **more)
    return decode_image(Path(path), decoding)


def refused(path: str | Path, *, color_mode: str = "rgb") -> str:
    with pytest.raises(BadImageError) as error:
        decode(path, color_mode=color_mode)
    assert error.value.path == Path(path)
    assert error.value.reason in str(error.value)
    return str(error.value)


pytestmark = pytest.mark.usefixtures("here")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("1.png", {}),
        ("1.bmp", {}),
        ("1.tif", {}),
        ("1.tiff", {"compression": "tiff_lzw"}),
        ("1.ppm", {}),
        ("1.webp", {"lossless": True}),
        ("named_wrongly.jpg", {"format": "PNG"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_formats_without_loss(name: str, options: dict[str, Any]) -> None:
    Image.fromarray(COLOURS).save(name, **options)

    pixels = decode(name)

    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, COLOURS)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 5}])
def test_jpeg_pixels_are_pillows(options: dict[str, Any]) -> None:
    Image.fromarray(SMOOTH).save("1.jpg", **options)

    assert np.array_equal(decode("1.jpg", image_size=(24, 32)), np.asarray(Image.open("1.jpg")))


def test_grey_and_colour() -> None:
    Image.fromarray(GREY).save("grey.png")
    Image.fromarray(COLOURS).save("colour.png")

    assert np.array_equal(decode("grey.png", color_mode="grayscale"), GREY[..., np.newaxis])
    assert np.array_equal(decode("grey.png"), np.repeat(GREY[..., np.newaxis], 3, axis=2))
    assert np.array_equal(
        decode("colour.png", color_mode="grayscale")[..., 0],
        np.asarray(Image.fromarray(COLOURS).convert("L")),
    )
    rgba = decode("colour.png", color_mode="rgba")
    assert np.array_equal(rgba[..., :3], COLOURS)
    assert (rgba[..., 3] == 255).all()


def test_palette() -> None:
    image = Image.fromarray(COLOURS).quantize(16)
    image.save("1.png")
    image.save("1.gif")

    expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(decode("1.png"), expected)
    assert np.array_equal(decode("1.gif"), expected)


def test_one_bit() -> None:
    Image.fromarray(GREY > 127).save("1.png")

    assert np.array_equal(decode("1.png", color_mode="grayscale")[..., 0], (GREY > 127) * 255)


def on_white(colours: Array, opacity: Array) -> Array:
    """The definition: opacity of the colour, the rest white."""
    share = opacity[..., np.newaxis] / 255
    return colours * share + 255 * (1 - share)


def test_transparent_pixels_are_laid_on_white() -> None:
    opacity = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    opacity[0] = [0, 255, 0, 255, 128]
    Image.fromarray(np.dstack([COLOURS, opacity])).save("1.png")

    pixels = decode("1.png").astype(int)

    assert np.abs(pixels - on_white(COLOURS, opacity)).max() <= 1
    assert (pixels[0, 0] == 255).all()
    assert np.array_equal(pixels[0, 1], COLOURS[0, 1])
    assert np.array_equal(decode("1.png", color_mode="rgba")[0, 1:2, 3], [255])


def test_grey_with_transparency() -> None:
    opacity = np.full_like(GREY, 0)
    opacity[2:] = 255
    Image.fromarray(np.dstack([GREY, opacity])).save("1.png")

    pixels = decode("1.png", color_mode="grayscale")[..., 0]

    assert (pixels[:2] == 255).all()
    assert np.array_equal(pixels[2:], GREY[2:])


@pytest.mark.parametrize("transparency", [0, bytes([0, 255])], ids=["index", "bytes"])
@pytest.mark.parametrize("color_mode", ["rgb", "grayscale"])
def test_palette_with_transparency(transparency: int | bytes, color_mode: str) -> None:
    image = Image.fromarray((GREY > 127).astype(np.uint8)).convert("P")
    image.putpalette([0, 0, 0, 200, 200, 200])
    image.save("1.png", transparency=transparency)

    pixels = decode("1.png", color_mode=color_mode)

    assert np.array_equal(pixels[..., 0], np.where(GREY > 127, 200, 255))


def test_colour_declared_transparent_without_an_alpha_channel() -> None:
    colours = COLOURS.copy()
    colours[3, 3] = (1, 2, 3)
    Image.fromarray(colours).save("1.png", transparency=(1, 2, 3))

    pixels = decode("1.png")

    assert pixels[3, 3].tolist() == [255, 255, 255]
    assert np.array_equal(pixels[:3], colours[:3])


def test_sixteen_bits_of_grey_are_mapped() -> None:
    values = np.array([[0, 128, 129, 257], [32768, 65278, 65406, 65535]], np.uint16)
    Image.fromarray(values).save("1.png")
    Image.fromarray(values).save("1.tif")
    header = f"P5 {values.shape[1]} {values.shape[0]} 65535\n".encode()
    Path("1.pgm").write_bytes(header + values.astype(">u2").tobytes())

    expected = np.rint(values / 257).astype(int)
    for name in ("1.png", "1.tif", "1.pgm"):
        pixels = decode(name, color_mode="grayscale", image_size=(2, 4))[..., 0]
        assert np.array_equal(pixels, expected), name
        assert np.array_equal(decode(name, image_size=(2, 4))[..., 2], expected), name


def test_sixteen_bits_of_grey_in_the_other_byte_order() -> None:
    values = (GREY.astype(np.uint16) * 257).astype(">u2")
    Image.frombytes("I;16B", (WIDTH, HEIGHT), values.tobytes()).save("1.tif")

    assert np.array_equal(decode("1.tif", color_mode="grayscale")[..., 0], GREY)


def test_sixteen_bits_of_colour() -> None:
    Path("1.png").write_bytes(png(WIDTH, HEIGHT, bits=16, colours=COLOURS.astype(np.uint16) * 257))

    assert np.array_equal(decode("1.png"), COLOURS)


def test_cmyk_jpeg() -> None:
    Image.fromarray(SMOOTH).convert("CMYK").save("1.jpg", quality=95)

    pixels = decode("1.jpg", image_size=(24, 32))

    assert np.abs(pixels.astype(int) - SMOOTH).max() < 40, "as the picture it was, not inverted"
    assert np.array_equal(pixels, np.asarray(Image.open("1.jpg").convert("RGB")))


@pytest.mark.parametrize("name", ["1.gif", "1.webp", "1.png", "1.tif"])
def test_an_animation_is_its_first_frame(name: str) -> None:
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ("red", "lime", "blue")]
    frames[0].save(name, save_all=True, append_images=frames[1:], duration=100)

    red, green, blue = decode(name)[3, 3]

    assert red > 250
    assert green < 5
    assert blue < 5


def test_a_phones_jpeg_with_a_second_picture_inside() -> None:
    first, second = Image.fromarray(SMOOTH), Image.new("RGB", (32, 24))
    first.save("1.jpg", format="MPO", save_all=True, append_images=[second])

    first.save("alone.jpg")
    assert np.array_equal(
        decode("1.jpg", image_size=(24, 32)), decode("alone.jpg", image_size=(24, 32))
    )


# What EXIF's orientations say of the stored pixels: which way up they are to be seen.
SEEN_AS: dict[int, Callable[[Array], Array]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored),
}


@pytest.mark.parametrize("name", ["1.png", "1.webp", "1.tif", "1.jpg"])
@pytest.mark.parametrize("orientation", SEEN_AS)
def test_exif_orientation(name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOURS).save(name, exif=exif.tobytes(), lossless=True)
    Image.fromarray(COLOURS).save("plain.jpg")
    stored = np.asarray(Image.open("plain.jpg")) if name == "1.jpg" else COLOURS

    expected = SEEN_AS[orientation](stored)

    assert np.array_equal(decode(name, image_size=expected.shape[:2]), expected)
    assert np.array_equal(np.asarray(ImageOps.exif_transpose(Image.open(name))), expected)


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_orientations_that_do_not_exist_say_nothing(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOURS).save("1.png", exif=exif.tobytes())

    assert np.array_equal(decode("1.png"), COLOURS)


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff"])
def test_damaged_metadata_do_not_spoil_an_image(exif: bytes) -> None:
    Image.fromarray(SMOOTH).save("1.jpg", exif=exif)

    assert decode("1.jpg", image_size=(24, 32)).shape == (24, 32, 3)


def test_sixteen_bits_turned_by_exif() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(GREY.astype(np.uint16) * 257).save("1.png", exif=exif.tobytes())

    pixels = decode("1.png", color_mode="grayscale", image_size=(WIDTH, HEIGHT))

    assert np.array_equal(pixels[..., 0], np.rot90(GREY, -1))


def test_size_and_kind_of_the_result() -> None:
    Image.fromarray(SMOOTH).save("1.png")

    for color_mode, channels in (("rgb", 3), ("grayscale", 1), ("rgba", 4)):
        pixels = decode("1.png", color_mode=color_mode, image_size=(9, 4))
        assert pixels.shape == (9, 4, channels)
        assert pixels.dtype == np.uint8


def test_the_centre_of_a_wide_image() -> None:
    stripes = np.zeros((10, 30, 3), np.uint8)
    stripes[:, 10:20] = 255
    Image.fromarray(stripes).save("1.png")

    cropped = decode("1.png", image_size=(10, 10), keep_aspect=True)
    squeezed = decode("1.png", image_size=(10, 10), interpolation="nearest")

    assert (cropped == 255).all()
    assert (squeezed == 0).any()


def test_a_line_of_pixels_can_be_cropped_to_a_square() -> None:
    Image.fromarray(np.full((1, 300, 3), 7, np.uint8)).save("1.png")

    assert (decode("1.png", image_size=(300, 3), keep_aspect=True) == 7).all()


# --- what is refused ---


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, bits: int = 8, colours: Array | None = None) -> bytes:
    """A PNG file by the standard's own definition, with or without its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0))
    data = b"\0" * 100
    if colours is not None:
        data = b"".join(b"\0" + row.astype(f">u{bits // 8}").tobytes() for row in colours)
    pixels = chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [100_000, 10_000], ids=["ten-gigapixels", "a-hundred-megapixels"])
def test_a_decompression_bomb(side: int, snapshot: object) -> None:
    Path("bomb.png").write_bytes(png(side, side))

    assert refused("bomb.png") == snapshot


def test_a_decompression_bomb_where_pillows_limit_is_off(
    monkeypatch: pytest.MonkeyPatch, snapshot: object
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    Path("bomb.png").write_bytes(png(100_000, 100_000))

    assert refused("bomb.png") == snapshot


def test_a_decompression_bomb_takes_no_memory() -> None:
    Path("bomb.png").write_bytes(png(100_000, 100_000))
    Image.fromarray(COLOURS).save("small.png")
    script = """
from pathlib import Path
from cnnrun.data.bad_image import BadImageError
from cnnrun.data.decode import read_picture
from cnnrun.data.decoding import AS_IT_IS

def peak_kib():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

def read(name):
    with read_picture(Path(name), decoding=AS_IT_IS, exact=False):
        pass

read("small.png")
before = peak_kib()
try:
    read("bomb.png")
except BadImageError:
    print(peak_kib() - before)
"""
    grown = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert int(grown.stdout) < 10_000, "KiB, of the 30 GB that the pixels would take"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.png", b""),
        ("text.png", b"this is no image"),
        ("zeros.jpg", bytes(1000)),
        ("page.jpg", b"<!DOCTYPE html><html>404</html>"),
        ("phone.jpg", b"\0\0\0\x24ftypheic\0\0\0\0mif1heic"),
        ("phone.heic", b"\0\0\0\x24ftypmif1\0\0\0\0mif1heic"),
        ("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("pointer.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        ("archive.png", b"PK\x03\x04" + bytes(100)),
        ("paper.png", b"%PDF-1.7\n"),
        ("print.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        ("header.png", b"\x89PNG\r\n\x1a\n"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_image(name: str, content: bytes, snapshot: object) -> None:
    Path(name).write_bytes(content)

    assert refused(name) == snapshot


def test_a_broken_link(snapshot: object) -> None:
    Path("1.png").symlink_to("nowhere.png")

    assert refused("1.png") == snapshot


def test_a_folder(snapshot: object) -> None:
    Path("1.png").mkdir()

    assert refused("1.png") == snapshot


def test_values_without_a_range(snapshot: object) -> None:
    Image.fromarray(GREY.astype(np.float32)).save("floats.tif")
    Image.fromarray(GREY.astype(np.int32)).save("wide.tif")

    assert [refused("floats.tif"), refused("wide.tif")] == snapshot


def test_colours_that_pillow_cannot_convert(snapshot: object) -> None:
    Image.frombytes("LAB", (WIDTH, HEIGHT), COLOURS.tobytes()).save("1.tif")

    assert refused("1.tif", color_mode="grayscale") == snapshot


def written(format_name: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(SMOOTH).save(buffer, format_name)
    return buffer.getvalue()


WHOLE = {name: written(name) for name in ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")}


@pytest.mark.parametrize("name", WHOLE)
def test_a_truncated_file(name: str, snapshot: object) -> None:
    Path("1.img").write_bytes(WHOLE[name][: len(WHOLE[name]) // 2])

    assert refused("1.img") == snapshot


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_either_harmless_or_named(name: str, data: st.DataObject) -> None:
    damaged = bytearray(WHOLE[name])
    for _ in range(data.draw(st.integers(1, 4))):
        # Headers, where damage does most, are at the beginning.
        at_most = data.draw(st.sampled_from([30, 400, len(damaged)]))
        place = data.draw(st.integers(0, min(at_most, len(damaged)) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    length = data.draw(st.sampled_from([len(damaged), len(damaged) - 7, len(damaged) // 3]))
    Path("1.img").write_bytes(damaged[:length])

    try:
        pixels = decode("1.img")
    except BadImageError as error:
        assert error.path == Path("1.img")  # noqa: PT017
    else:
        assert pixels.shape == (HEIGHT, WIDTH, 3)


@given(st.binary(max_size=200))
@example(b"GIF89a" + bytes(20))
@example(b"II*\0\x08\0\0\0\xff\xff")
@example(b"RIFF\0\0\0\0WEBPVP8 ")
@example(b"BM" + bytes(60))
@example(b"P6 9 9 255 ")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_of_no_meaning(content: bytes) -> None:
    Path("1.img").write_bytes(content)

    with pytest.raises(BadImageError):
        decode("1.img")


def test_threads_leave_the_filters_of_warnings_as_they_were() -> None:
    Image.fromarray(SMOOTH).save("1.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff")
    Path("bomb.png").write_bytes(png(10_000, 10_000))
    before = list(warnings.filters)

    def decode_both(number: int) -> None:
        decode("1.jpg")
        with pytest.raises(BadImageError):
            decode("bomb.png")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(decode_both, range(200)))

    assert warnings.filters == before
