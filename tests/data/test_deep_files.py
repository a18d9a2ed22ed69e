"""Files of more than 8 bits, or of other than 1, 3 or 4 channels. Oracles: the numbers written, the
TIFF standard's meaning of its tags, and the same picture stored in another way."""

import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image, features

from cnnrun.data.bad_image import BadImageError
from cnnrun.data.decode import bits_of_file, decode_image
from cnnrun.data.decoding import Decoding

Array = npt.NDArray[Any]

HEIGHT, WIDTH = 6, 5
RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 2**16, (HEIGHT, WIDTH), dtype=np.uint16)
COLOURS = RANDOM.integers(0, 2**16, (HEIGHT, WIDTH, 3), dtype=np.uint16)
BANDS = RANDOM.integers(0, 10_000, (HEIGHT, WIDTH, 13), dtype=np.uint16)

pytestmark = pytest.mark.usefixtures("here")


def decode(name: str, color_mode: str | None = "rgb", **how: Any) -> Array:
    decoding = Decoding((HEIGHT, WIDTH), color_mode, "bilinear", keep_aspect=False, **how)
    return decode_image(Path(name), decoding)


def refused(name: str, color_mode: str | None = "rgb", **how: Any) -> str:
    with pytest.raises(BadImageError) as error:
        decode(name, color_mode, **how)
    return str(error.value)


def write_bands(name: str, values: Array = BANDS, **options: Any) -> None:
    how = {"photometric": "minisblack", "planarconfig": "contig", **options}
    tifffile.imwrite(name, values, **how)


def png_of(colours: Array) -> bytes:
    """A PNG of 16-bit colours, by the standard's own definition."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width, channels = colours.shape
    kind = {2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    data = b"".join(b"\0" + row.astype(">u2").tobytes() for row in colours)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")]
    )


def test_twelve_bits_in_sixteen_keep_all_their_levels() -> None:
    Image.fromarray(GREY >> 4).save("1.png")

    pixels = decode("1.png", "grayscale", value_range=(0, 4095))[..., 0]

    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, (GREY >> 4) / 4095 * 255, rtol=1e-6)


@pytest.mark.parametrize("name", ["1.png", "1.tif"])
def test_all_bits_of_colours(name: str) -> None:
    if name.endswith("png"):
        Path(name).write_bytes(png_of(COLOURS))
    else:
        tifffile.imwrite(name, COLOURS, photometric="rgb")

    np.testing.assert_allclose(decode(name, value_range=(0, 65535)), COLOURS / 257, rtol=1e-5)


def test_sixteen_bits_of_grey_with_opacity() -> None:
    opacity = np.where(np.arange(WIDTH) < 2, 0, 65535).astype(np.uint16)
    Path("1.png").write_bytes(png_of(np.dstack([GREY, np.tile(opacity, (HEIGHT, 1))])))

    pixels = decode("1.png", "grayscale", value_range=(0, 65535))[..., 0]

    np.testing.assert_allclose(pixels[:, :2], 255, rtol=1e-5)
    np.testing.assert_allclose(pixels[:, 2:], GREY[:, 2:] / 257, rtol=1e-5)


def test_values_beyond_the_range_are_black_and_white() -> None:
    Image.fromarray(np.array([[0, 1000, 5000, 60_000, 3000]] * HEIGHT, np.uint16)).save("1.tif")

    pixels = decode("1.tif", "grayscale", value_range=(1000, 5000))[0, :, 0]

    assert pixels.tolist() == [0, 0, 255, 255, 127.5]


def test_planes_are_the_picture_that_they_are_side_by_side() -> None:
    tifffile.imwrite("together.tif", COLOURS, photometric="rgb")
    planes = COLOURS.transpose(2, 0, 1).copy()
    tifffile.imwrite("apart.tif", planes, photometric="rgb", planarconfig="separate")

    assert np.array_equal(decode("apart.tif"), decode("together.tif"))
    assert np.array_equal(
        decode("apart.tif", value_range=(0, 65535)), decode("together.tif", value_range=(0, 65535))
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_that_is_zero(dtype: Any) -> None:
    values = GREY.astype(dtype)
    tifffile.imwrite("black.tif", np.iinfo(dtype).max - values, photometric="minisblack")
    tifffile.imwrite("white.tif", values, photometric="miniswhite")

    assert np.array_equal(decode("white.tif"), decode("black.tif"))
    Image.fromarray(np.iinfo(dtype).max - values).save("1.png")
    assert np.array_equal(decode("white.tif"), decode("1.png"))


@pytest.mark.parametrize("bands", [(4, 3, 2), (13,), (1, 5, 9, 13, 2), tuple(range(1, 14))])
def test_bands_in_their_order(bands: tuple[int, ...]) -> None:
    write_bands("1.tif")

    pixels = decode("1.tif", None, bands=bands, value_range=(0, 10_000))

    wanted = BANDS[..., [band - 1 for band in bands]]
    np.testing.assert_allclose(pixels, wanted / 10_000 * 255, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "zlib", "predictor": True},
        {"compression": "lzw"},
        {"compression": "zstd"},
        {"bigtiff": True},
        {"tile": (16, 16)},
        {"byteorder": ">"},
    ],
    ids=str,
)
def test_bands_however_they_are_stored(options: dict[str, Any]) -> None:
    write_bands("1.tif", **options)

    pixels = decode("1.tif", None, bands=(7,), value_range=(0, 10_000))[..., 0]

    np.testing.assert_allclose(pixels, BANDS[..., 6] / 10_000 * 255, rtol=1e-5, atol=1e-5)


def test_planes_and_pages_are_bands() -> None:
    apart = BANDS.transpose(2, 0, 1).copy()
    tifffile.imwrite("planes.tif", apart, photometric="minisblack", planarconfig="separate")
    tifffile.imwrite("pages.tif", apart, photometric="minisblack")
    write_bands("bands.tif")
    how: dict[str, Any] = {"bands": (2, 11), "value_range": (0, 10_000)}

    assert np.array_equal(decode("planes.tif", None, **how), decode("bands.tif", None, **how))
    assert np.array_equal(decode("pages.tif", None, **how), decode("bands.tif", None, **how))


def test_bands_of_eight_bits_stay_as_they_are() -> None:
    values = BANDS.astype(np.uint8)
    write_bands("1.tif", values)

    pixels = decode("1.tif", None, bands=(5, 1))

    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, values[..., [4, 0]])


def test_a_channel_of_an_ordinary_picture() -> None:
    Image.fromarray(COLOURS.astype(np.uint8)).save("1.png")

    assert np.array_equal(decode("1.png", None, bands=(3,)), COLOURS.astype(np.uint8)[..., 2:])


@pytest.mark.parametrize("bands", [2, 3, 4, 5, 13])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_no_band_is_lost_in_silence(bands: int, dtype: Any, snapshot: object) -> None:
    write_bands("1.tif", BANDS[..., :bands].astype(dtype))

    assert refused("1.tif") == snapshot


@pytest.mark.parametrize("extra", [1, 2])
def test_colours_beside_what_is_no_opacity(extra: int) -> None:
    values = BANDS[..., : 3 + extra].astype(np.uint8)
    tifffile.imwrite("1.tif", values, photometric="rgb", extrasamples=["unspecified"] * extra)

    assert f"an image of {3 + extra} bands (uint8)" in refused("1.tif")
    assert np.array_equal(decode("1.tif", None, bands=(4, 1)), values[..., [3, 0]])


def test_opacity_that_is_one_is_laid_on_white_as_ever() -> None:
    values = BANDS[..., :4].astype(np.uint8)
    tifffile.imwrite("1.tif", values, photometric="rgb", extrasamples=["unassalpha"])
    Image.fromarray(values).save("1.png")

    assert np.array_equal(decode("1.tif"), decode("1.png"))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, np.int8])
def test_numbers_of_other_types(dtype: Any) -> None:
    values = np.linspace(-1, 1, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    values = (values * 100).astype(dtype)
    tifffile.imwrite("1.tif", values)

    pixels = decode("1.tif", "grayscale", value_range=(-100, 100))[..., 0]

    np.testing.assert_allclose(pixels, (values.astype(float) + 100) / 200 * 255, atol=0.1)


def test_what_has_to_be_said_first(snapshot: object) -> None:
    write_bands("deep.tif")
    write_bands("few.tif", BANDS[..., :4])
    tifffile.imwrite("floats.tif", (GREY / 65535).astype(np.float32))
    tifffile.imwrite("holes.tif", np.where(GREY > 30_000, np.nan, 1).astype(np.float32))
    Image.fromarray(GREY.astype(np.uint8)).save("eight.png")

    assert [
        refused("deep.tif", None, bands=(4, 3, 2)),
        refused("few.tif", None, bands=(8, 4), value_range=(0, 1)),
        refused("floats.tif"),
        refused("holes.tif", value_range=(0, 1)),
        refused("eight.png", value_range=(0, 4095)),
    ] == snapshot


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, snapshot: object) -> None:
    write_bands("1.tif")
    Path("1.png").write_bytes(png_of(COLOURS))
    monkeypatch.setitem(sys.modules, "tifffile", None)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)

    assert [refused("1.tif", None, bands=(1,)), refused("1.png", value_range=(0, 1))] == snapshot
    assert decode("1.png").dtype == np.uint8


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_truncated_file_of_bands_is_named(part: float) -> None:
    write_bands("whole.tif", np.tile(BANDS, (8, 8, 1)))
    content = Path("whole.tif").read_bytes()
    Path("1.tif").write_bytes(content[: int(part * len(content))])

    assert refused("1.tif", None, bands=(1,), value_range=(0, 1)).startswith("1.tif: must be")


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow was built without AVIF")
def test_avif() -> None:
    smooth = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    Image.fromarray(smooth).save("1.avif", quality=95)

    decoding = Decoding((48, 64), "rgb", "bilinear", keep_aspect=False)
    assert np.array_equal(decode_image(Path("1.avif"), decoding), np.asarray(Image.open("1.avif")))


def test_a_palette_that_is_missing_is_named(snapshot: object) -> None:
    Image.fromarray(GREY.astype(np.uint8)).convert("P").save("1.png")
    content = Path("1.png").read_bytes()
    begin = content.index(b"PLTE") - 4
    (length,) = struct.unpack(">I", content[begin : begin + 4])
    Path("1.png").write_bytes(content[:begin] + content[begin + 12 + length :])

    assert refused("1.png") == snapshot


def test_a_limit_that_is_raised() -> None:
    Image.fromarray(np.zeros((1000, 1200), np.uint8)).save("1.png")

    assert "above 1 " in refused("1.png", megapixels_at_most=1)
    assert decode("1.png", megapixels_at_most=1.2).shape == (HEIGHT, WIDTH, 3)


def test_pillows_and_tifffiles_logs_are_silent(caplog: pytest.LogCaptureFixture) -> None:
    write_bands("1.tif")

    refused("1.tif")
    decode("1.tif", None, bands=(1,), value_range=(0, 9999))

    assert caplog.records == []


def test_bits_by_the_header() -> None:
    write_bands("bands.tif")
    tifffile.imwrite("colours.tif", COLOURS, photometric="rgb")
    Image.fromarray(GREY).save("grey.png")
    Path("colours.png").write_bytes(png_of(COLOURS))
    Image.fromarray(COLOURS.astype(np.uint8)).save("eight.png")
    Image.fromarray(COLOURS.astype(np.uint8)).save("eight.jpg")
    Path("none.png").write_bytes(b"")
    names = ["bands.tif", "colours.tif", "grey.png", "colours.png"]
    names += ["eight.png", "eight.jpg", "none.png"]

    assert [bits_of_file(Path(name)) for name in names] == [16, 16, 16, 16, 8, 8, 8]


def test_a_pipe_does_not_wait(snapshot: object) -> None:
    import os

    os.mkfifo("1.png")

    assert refused("1.png") == snapshot
