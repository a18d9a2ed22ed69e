"""JPEGs that are decoded smaller are near the whole decode, and lie where Pillow says."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from sklearn.datasets import load_sample_image

from cnnrun.config.load import load_config
from cnnrun.data import decode
from cnnrun.data.decode import ORIENTATION_TAG, decode_image
from cnnrun.data.decoding import Decoding, decoding_of

WHOLE = Decoding((40, 60), "rgb", "bilinear", keep_aspect=False)
SHRINKING = replace(WHOLE, shrink_on_load=True)

Save = Callable[..., Path]


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    return Image.fromarray(load_sample_image("china.jpg"))


@pytest.fixture
def saved(photograph: Image.Image, tmp_path: Path) -> Save:
    """Saves a photograph of a size, and gives the file."""

    def save(size: tuple[int, int], *, mode: str = "RGB", orientation: int = 1, **how: int) -> Path:
        exif = Image.Exif()
        exif[ORIENTATION_TAG] = orientation
        path = tmp_path / "photograph.jpg"
        photograph.resize(size).convert(mode).save(path, quality=92, exif=exif, **how)
        return path

    return save


def assert_near(path: Path, decoding: Decoding) -> None:
    """What the manual says of the difference, of 255; and that something was shrunk at all."""
    whole = decode_image(path, replace(decoding, shrink_on_load=False)).astype(int)
    shrunk = decode_image(path, replace(decoding, shrink_on_load=True)).astype(int)
    difference = np.abs(whole - shrunk)
    assert 0 < difference.mean() <= 1.2
    assert difference.max() <= 16


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("keep_aspect", [False, True])
def test_a_turned_photograph_of_odd_size_is_near_the_whole_decode(
    saved: Save, orientation: int, keep_aspect: bool
) -> None:
    path = saved((1021, 803), orientation=orientation)
    assert_near(path, replace(WHOLE, keep_aspect=keep_aspect))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize(("mode", "progressive"), [("RGB", 1), ("L", 0), ("CMYK", 0)])
def test_colours_and_progressive_files_are_near_the_whole_decode(
    saved: Save, interpolation: str, mode: str, progressive: int
) -> None:
    path = saved((803, 1021), mode=mode, progressive=progressive)
    assert_near(path, replace(WHOLE, interpolation=interpolation))


@pytest.mark.parametrize(
    ("size", "part"), [((240, 160), 2), ((479, 400), 2), ((485, 323), 4), ((963, 643), 8)]
)
def test_pixels_are_those_of_pillows_draft(saved: Save, size: tuple[int, int], part: int) -> None:
    path = saved(size)
    with Image.open(path) as image:
        assert image.draft(None, (size[0] // part, size[1] // part)) is not None
        box = (0, 0, size[0] / part, size[1] / part)
        expected = np.array(image.resize((60, 40), Image.Resampling.BILINEAR, box=box))
    np.testing.assert_array_equal(decode_image(path, SHRINKING), expected)


@pytest.mark.parametrize(
    ("size", "changes"),
    [
        ((239, 400), {}),
        ((960, 159), {}),
        ((960, 640), {"interpolation": "nearest"}),
        ((960, 640), {"interpolation": "box"}),
        ((960, 640), {"interpolation": "hamming"}),
        ((960, 640), {"value_range": (0.0, 255.0)}),
        ((960, 640), {"bands": (3, 2, 1), "color_mode": None}),
        ((960, 640), {"color_mode": "rgb", "keep_aspect": False, "image_size": (200, 300)}),
    ],
)
def test_what_is_not_shrunk_is_decoded_whole(
    saved: Save, size: tuple[int, int], changes: dict[str, object]
) -> None:
    path, decoding = saved(size), replace(SHRINKING, **changes)  # type: ignore[arg-type]
    np.testing.assert_array_equal(
        decode_image(path, decoding),
        decode_image(path, replace(decoding, shrink_on_load=False)),
    )


@pytest.mark.parametrize("kind", ["png", "webp", "bmp"])
def test_other_formats_are_decoded_whole(
    photograph: Image.Image, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / f"photograph.{kind}"
    photograph.resize((480, 320)).save(path)
    np.testing.assert_array_equal(decode_image(path, SHRINKING), decode_image(path, WHOLE))


def test_pictures_of_several_frames_are_shrunk_too(photograph: Image.Image, tmp_path: Path) -> None:
    # Phones write a depth map or a smaller picture behind the first one.
    path = tmp_path / "phone.jpg"
    large = photograph.resize((960, 640))
    large.save(path, format="MPO", save_all=True, append_images=[photograph], quality=92)
    with Image.open(path) as image:
        assert image.format == "MPO"
    assert_near(path, WHOLE)


@pytest.mark.parametrize("progressive", [True, False])
def test_large_progressive_files_wait_for_each_other(
    saved: Save, monkeypatch: pytest.MonkeyPatch, progressive: bool
) -> None:
    # Oracle: libjpeg's documentation, by which it holds the coefficients of a whole progressive
    # file, and of others those of some lines.
    path = saved((960, 640), progressive=progressive)
    monkeypatch.setattr(decode, "ONE_AT_A_TIME_FROM_PIXELS", 300_000)
    inside: list[None] = []
    seen: list[int] = []
    load = JpegImageFile.load

    def counted_load(image: JpegImageFile) -> object:
        inside.append(None)
        time.sleep(0.1)
        seen.append(len(inside))
        loaded = load(image)
        inside.pop()
        return loaded

    monkeypatch.setattr(JpegImageFile, "load", counted_load)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: decode_image(path, SHRINKING), range(4)))
    assert (max(seen) == 1) == progressive


CONFIG = "data: {directory: images, image_size: [8, 8]%s}\nmodel: {layers: [Flatten, classifier]}\n"


@pytest.mark.parametrize(
    ("name", "said", "expected"),
    [
        ("config.yaml", "", True),
        ("config.yaml", ", resize: {shrink_on_load: false}", False),
        ("resolved.yaml", "", False),
        ("resolved.yaml", ", resize: {keep_aspect: true}", False),
        ("resolved.yaml", ", resize: {shrink_on_load: true}", True),
    ],
)
def test_a_run_that_does_not_name_it_was_decoded_whole(
    tmp_path: Path, name: str, said: str, expected: bool
) -> None:
    (tmp_path / name).write_text(CONFIG % said)
    assert decoding_of(load_config(tmp_path / name).data).shrinks is expected
