"""predict.py's pixels. Oracle: cnnrun's own decoder, `decode_image` and `array_image`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.data.array_images import array_image
from cnnrun.data.bad_image import BadImageError
from cnnrun.data.decode import decode_image
from cnnrun.data.decoding import Decoding
from cnnrun.export.formats import FORMATS
from cnnrun.export.image_rule import ImageRule
from cnnrun.export.predict_script import predict_script

Pixels = Callable[[Path], np.ndarray]

NO_NETWORK = replace(
    FORMATS["onnx"], opening="import os\n\n\ndef infer(pixels):\n    return pixels\n"
)
PLAIN = Decoding((9, 7), "rgb", "bilinear", keep_aspect=False)
DEEP = replace(PLAIN, value_range=(100.0, 4095.0))


def rule(decoding: Decoding, **changes: Any) -> ImageRule:
    defaults = {"of_arrays": False, "array_range": None, "channels": decoding.file_channels}
    return ImageRule(decoding=decoding, **defaults | changes)


def script_of(found: ImageRule, folder: Path) -> Pixels:
    """The function `pixels` of the script, which is run as it is, but for its network."""
    (folder / "classes.json").write_text('["a", "b"]')
    text = predict_script(NO_NETWORK, "model.onnx", found, is_multi_label=False)
    names = {"__file__": str(folder / "predict.py"), "__name__": "predict"}
    exec(compile(text, "predict.py", "exec"), names)  # noqa: S102

    def pixels(path: Path) -> np.ndarray:
        with path.open("rb") as file:
            found: np.ndarray = names["pixels"](file)
        return found

    return pixels


def noise(*shape: int, high: int = 256, dtype: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, high, shape).astype(dtype)


@pytest.fixture(scope="module")
def written_images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of every kind that Pillow alone reads, and others."""
    folder = tmp_path_factory.mktemp("images")
    colours, grey = Image.fromarray(noise(20, 31, 3)), Image.fromarray(noise(20, 31))
    exif = Image.Exif()
    found = {}

    def save(name: str, image: Image.Image, **options: Any) -> None:
        found[name] = folder / name
        image.save(found[name], **options)

    save("colours.png", colours)
    save("grey.png", grey)
    save("one_bit.png", grey.convert("1"))
    for turn in range(1, 9):
        exif[0x0112] = turn
        save(f"turned_{turn}.jpg", colours, exif=exif)
        save(f"large_{turn}.jpg", Image.fromarray(noise(301, 205, 3)), exif=exif)
    save("large_grey.jpg", Image.fromarray(noise(145, 333)))
    save("large_cmyk.jpg", Image.fromarray(noise(145, 333, 3)).convert("CMYK"), progressive=True)
    save("grey.jpg", grey)
    save("cmyk.jpg", colours.convert("CMYK"))
    save("palette.png", colours.convert("P", palette=Image.Palette.ADAPTIVE))
    save("palette_transparent.png", colours.quantize(16), transparency=3)
    save("opacity.png", Image.fromarray(noise(20, 31, 4)))
    save("grey_opacity.png", Image.fromarray(noise(20, 31, 2), "LA"))
    save("transparent_colour.png", colours, transparency=(1, 2, 3))
    save("grey_16.png", Image.fromarray(noise(20, 31, high=65536, dtype=np.uint16)))
    save("animated.gif", grey, save_all=True, append_images=[grey.rotate(90)])
    save("colours.bmp", colours)
    save("colours.webp", colours, lossless=True)
    save("colours.tif", colours)
    save("cmyk.tif", colours.convert("CMYK"))
    save("lab.tif", colours.convert("LAB"))
    save("grey_16.tif", Image.fromarray(noise(20, 31, high=65536, dtype=np.uint16)))
    save("floats.tif", Image.fromarray(noise(20, 31).astype(np.float32)))
    save("grey.ppm", grey)
    save("floats.pfm", Image.fromarray(noise(20, 31).astype(np.float32)))
    save("signed.tif", grey, tiffinfo={339: 2})
    found["band.tif"] = folder / "band.tif"
    tifffile.imwrite(
        found["band.tif"], noise(20, 31, 2), photometric="minisblack", planarconfig="contig"
    )
    found["planes.tif"] = folder / "planes.tif"
    tifffile.imwrite(
        found["planes.tif"], noise(3, 20, 31), photometric="rgb", planarconfig="separate"
    )
    save("damaged_exif.jpg", colours, exif=b"Exif\0\0no tags at all")
    save("tall.png", Image.fromarray(noise(90, 10, 3)))
    save("as_wanted.png", Image.fromarray(noise(9, 7, 3)))
    return found


MORE_THAN_PILLOW = {"grey_16.tif", "floats.tif", "signed.tif", "band.tif"}


@pytest.mark.parametrize("color_mode", ["rgb", "grayscale", "rgba"])
@pytest.mark.parametrize("keep_aspect", [False, True])
@pytest.mark.parametrize("value_range", [None, (0.0, 255.0), (10.0, 200.0)])
def test_pixels_of_files_are_those_of_the_decoder(
    tmp_path: Path,
    written_images: dict[str, Path],
    color_mode: str,
    keep_aspect: bool,
    value_range: tuple[float, float] | None,
) -> None:
    decoding = replace(
        PLAIN,
        color_mode=color_mode,
        keep_aspect=keep_aspect,
        value_range=value_range,
        shrink_on_load=True,
    )
    pixels = script_of(rule(decoding), tmp_path)
    for name, path in written_images.items():
        if name in MORE_THAN_PILLOW:
            with pytest.raises((ValueError, OSError), match=r"more than|cannot identify"):
                pixels(path)
            continue
        try:
            expected = decode_image(path, decoding)
        except BadImageError:
            with pytest.raises((ValueError, OSError)):
                pixels(path)
            continue
        found = pixels(path)
        assert found.dtype == np.float32
        assert found.shape == (1, *expected.shape)
        np.testing.assert_array_equal(found[0], expected.astype(np.float32), err_msg=name)


@pytest.mark.parametrize("interpolation", ["nearest", "bicubic", "lanczos", "box", "hamming"])
def test_interpolations_are_those_of_the_decoder(tmp_path: Path, interpolation: str) -> None:
    path = tmp_path / "wide.png"
    Image.fromarray(noise(40, 33, 3)).save(path)
    for decoding in (PLAIN, replace(PLAIN, value_range=(0.0, 250.0), keep_aspect=True)):
        decoding = replace(decoding, interpolation=interpolation)
        expected = decode_image(path, decoding).astype(np.float32)
        np.testing.assert_array_equal(script_of(rule(decoding), tmp_path)(path)[0], expected)


def test_16_bits_of_grey_are_kept_beside_a_value_range(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(noise(20, 31, high=4096, dtype=np.uint16)).save(path)
    for color_mode in ("rgb", "grayscale", "rgba"):
        decoding = replace(DEEP, color_mode=color_mode)
        expected = decode_image(path, decoding)
        np.testing.assert_array_equal(script_of(rule(decoding), tmp_path)(path)[0], expected)


@pytest.mark.parametrize("array_range", [None, (-1.0, 1.0), (0.0, 1.0)])
@pytest.mark.parametrize("color_mode", [None, "rgb", "grayscale", "rgba"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_of_arrays_are_those_of_training(
    tmp_path: Path,
    array_range: tuple[float, float] | None,
    color_mode: str | None,
    channels: int,
) -> None:
    values = noise(20, 31, channels)
    if array_range is not None:
        values = (values / 255).astype(np.float32)
    np.save(tmp_path / "image.npy", values)
    decoding = replace(PLAIN, color_mode=color_mode, keep_aspect=True)
    expected = array_image(
        values,
        value_range=array_range,
        color_mode=color_mode,
        image_size=(9, 7),
        interpolation="bilinear",
        keep_aspect=True,
    )
    found = rule(decoding, of_arrays=True, array_range=array_range, channels=expected.shape[2])
    pixels = script_of(found, tmp_path)(tmp_path / "image.npy")
    np.testing.assert_array_equal(pixels[0], expected.astype(np.float32))


def test_what_needs_more_than_pillow_is_refused_by_name(
    tmp_path: Path, written_images: dict[str, Path], snapshot: SnapshotAssertion
) -> None:
    images = written_images
    colours_16 = tmp_path / "colours_16.png"
    write_png_of_16_bits(colours_16)
    cases = [
        (PLAIN, images["grey_16.tif"]),
        (PLAIN, images["floats.tif"]),
        (DEEP, images["colours.png"]),
        (DEEP, colours_16),
        (replace(PLAIN, bands=(4, 2), color_mode=None), images["colours.tif"]),
        (replace(PLAIN, megapixels_at_most=0.0001), images["colours.png"]),
    ]
    said = []
    for decoding, path in cases:
        with pytest.raises(ValueError, match=r".") as refusal:
            script_of(rule(decoding), tmp_path)(path)
        said.append(f"{path.name}: {refusal.value}")
    assert said == snapshot


def write_png_of_16_bits(path: Path) -> None:
    """Colours of 16 bits, which Pillow reads and does not write."""
    import struct
    import zlib

    height, width = 4, 5
    rows = noise(height, width * 3, high=65536, dtype=">u2")
    data = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def test_colours_of_16_bits_are_reduced_as_in_training(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    write_png_of_16_bits(path)
    expected = decode_image(path, PLAIN).astype(np.float32)
    np.testing.assert_array_equal(script_of(rule(PLAIN), tmp_path)(path)[0], expected)


def test_a_damaged_file_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    Image.fromarray(noise(40, 40, 3)).save(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(OSError, match="truncated"):
        script_of(rule(PLAIN), tmp_path)(path)


@pytest.mark.parametrize("shrink_on_load", [True, False])
def test_a_jpeg_that_ends_with_its_header_is_refused_as_pillow_does(
    tmp_path: Path, shrink_on_load: bool
) -> None:
    path = tmp_path / "cut.jpg"
    Image.fromarray(noise(301, 205, 3)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index(b"\xff\xda")])
    with Image.open(path) as image, pytest.raises(OSError, match="cannot load") as expected:
        image.load()
    with pytest.raises(OSError, match="cannot load") as refusal:
        script_of(rule(replace(PLAIN, shrink_on_load=shrink_on_load)), tmp_path)(path)
    assert str(refusal.value) == str(expected.value)


def test_the_script_is_short_enough_to_be_read(snapshot: SnapshotAssertion) -> None:
    """As a config without `resize` has it; nothing in it that such a run's images cannot need."""
    by_default = replace(PLAIN, image_size=(224, 224), shrink_on_load=True)
    text = predict_script(FORMATS["onnx"], "model.onnx", rule(by_default), is_multi_label=False)
    assert text == snapshot
    assert len(text.splitlines()) < 80
    assert max(map(len, text.splitlines())) <= 100
