"""What is found in images. Oracle: the faults that each test makes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from cnnrun.data.array_names import ArrayNames
from cnnrun.data.arrays import manifest_from_arrays
from cnnrun.data.check import DataReport, look_at_images, report_on
from cnnrun.data.decoding import AS_IT_IS, Decoding
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.image_facts import Finding, Said
from cnnrun.data.splits import split_rows

WriteImage = Callable[..., Path]

SIZE = {"cat": 25, "dog": 25}


@pytest.fixture
def pets(write_images: Callable[[list[str]], None]) -> Path:
    write_images([f"pets/{name}/{n:02}.png" for name, count in SIZE.items() for n in range(count)])
    return Path("pets")


def check(
    folder: Path | str,
    *,
    cut: bool = False,
    image_size: tuple[int, int] | None = (6, 5),
    color_mode: str | None = "rgb",
    **said: Any,
) -> DataReport:
    manifest = manifest_from_directory(Path(folder), classes=None, partial=True)
    splits = split_rows(manifest, validation=0.1, test=0.1, seed=0) if cut else None
    decoding = Decoding(image_size, color_mode, "bilinear", keep_aspect=False)
    said_by_config = Said(image_size=image_size, color_mode=color_mode, **said)
    return report_on(look_at_images(manifest, splits, decoding), manifest, said_by_config)


def only(report: DataReport) -> Finding:
    (finding,) = report.findings
    return finding


def test_nothing_to_find(pets: Path) -> None:
    report = check(pets)

    assert report.images == 50
    assert report.unreadable == 0
    assert report.findings == ()
    assert report.sizes == {"smallest": (6, 5), "median": (6, 5), "largest": (6, 5)}
    assert report.modes == {"RGB": 50}


def test_images_by_class_and_split(pets: Path) -> None:
    report = check(pets, cut=True)

    assert [(c.name, c.images, c.train, c.validation, c.test) for c in report.classes] == [
        ("cat", 25, 20, 2, 3),
        ("dog", 25, 20, 2, 3),
    ]


def test_images_that_cannot_be_decoded(pets: Path, snapshot: object) -> None:
    whole = (pets / "cat/01.png").read_bytes()
    (pets / "cat/01.png").write_bytes(whole[: len(whole) // 2])
    (pets / "dog/02.png").write_text("no image")

    report = check(pets)

    assert report.unreadable == 2
    assert report.images == 50
    assert report.findings == snapshot


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".gif", ".webp"])
def test_copies_in_any_file_format(pets: Path, suffix: str) -> None:
    picture = Image.fromarray(np.full((6, 5), 7, np.uint8)).convert("P")
    picture.putpixel((0, 0), 9)
    picture.convert("RGB").save(pets / "cat/one.png")
    picture.convert("RGB").save(pets / f"cat/other{suffix}", lossless=True)

    finding = only(check(pets))

    assert finding.kind == "duplicates"
    assert finding.images == (f"cat/one.png = cat/other{suffix}",)


def test_copies_in_one_class(pets: Path, snapshot: object) -> None:
    (pets / "cat/copy.png").write_bytes((pets / "cat/01.png").read_bytes())

    assert only(check(pets)) == snapshot


def test_copies_under_two_labels(pets: Path, snapshot: object) -> None:
    (pets / "dog/copy.png").write_bytes((pets / "cat/01.png").read_bytes())

    assert only(check(pets)) == snapshot


def test_copies_across_splits(write_images: Callable[[list[str]], None], snapshot: object) -> None:
    write_images([f"pets/train/{name}/{n}.png" for name in ("cat", "dog") for n in range(20)])
    write_images(["pets/test/dog/1.png", "pets/test/cat/1.png"])
    Path("pets/test/cat/1.png").write_bytes(Path("pets/train/cat/7.png").read_bytes())
    Path("pets/test/dog/1.png").write_bytes(Path("pets/train/dog/7.png").read_bytes() + b"more")
    manifest = manifest_from_directory(Path("pets"), classes=None, partial=False)

    splits = split_rows(manifest, validation=0, test=0, seed=0)
    look = look_at_images(manifest, splits, Decoding((6, 5), "rgb", "bilinear", keep_aspect=False))
    report = report_on(look, manifest, Said(image_size=(6, 5), color_mode="rgb"))

    assert only(report) == snapshot


def test_classes_of_different_sizes(pets: Path, write_image: WriteImage, snapshot: object) -> None:
    for number in range(60):
        write_image(f"pets/dog/more{number}.png", seed=100 + number)
    write_image("pets/fish/1.png", seed=1000)

    assert check(pets).findings == snapshot


def test_classes_that_are_not_tested(
    write_images: Callable[[list[str]], None], snapshot: object
) -> None:
    names = [f"pets/train/{name}/{n}.png" for name in ("cat", "dog") for n in range(20)]
    write_images([*names, "pets/test/dog/1.png"])
    manifest = manifest_from_directory(Path("pets"), classes=None, partial=False)

    splits = split_rows(manifest, validation=0, test=0, seed=0)
    look = look_at_images(manifest, splits, Decoding((6, 5), "rgb", "bilinear", keep_aspect=False))
    report = report_on(look, manifest, Said(image_size=(6, 5), color_mode="rgb"))

    assert only(report) == snapshot


def test_odd_sizes(pets: Path, write_image: WriteImage, snapshot: object) -> None:
    write_image("pets/cat/scan.png", size=(60, 50))
    write_image("pets/cat/strip.png", size=(6, 18))

    report = check(pets)

    assert report.sizes["largest"] == (60, 50)
    assert report.findings == snapshot


def test_small_images(pets: Path, snapshot: object) -> None:
    finding = only(check(pets, image_size=(12, 10)))

    assert len(finding.images) == 50
    assert (finding.message, finding.advice, finding.images[0]) == snapshot


def test_sizes_of_pictures_turned_by_exif(pets: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in pets.rglob("*.png"):
        Image.open(path).save(path, exif=exif)

    assert check(pets).sizes["median"] == (5, 6)


def test_blank_images(pets: Path, snapshot: object) -> None:
    Image.new("RGB", (5, 6), "navy").save(pets / "cat/blank.png")

    assert only(check(pets)) == snapshot


def test_transparency(pets: Path, write_image: WriteImage, snapshot: object) -> None:
    write_image("pets/cat/logo.png", mode="RGBA")
    opaque = np.random.default_rng(5).integers(0, 256, (6, 5, 4), dtype=np.uint8)
    opaque[..., 3] = 255
    Image.fromarray(opaque).save(pets / "cat/opaque.png")

    assert only(check(pets)) == snapshot
    assert check(pets, color_mode="rgba").findings == ()


def test_grey_among_colours(pets: Path, write_image: WriteImage, snapshot: object) -> None:
    write_image("pets/cat/grey.png", mode="L", seed=99)

    assert only(check(pets)) == snapshot
    assert check(pets, color_mode="grayscale").findings == ()


def test_grey_throughout(write_image: WriteImage, snapshot: object) -> None:
    for number in range(40):
        write_image(f"pets/{'ab'[number % 2]}/{number}.png", mode="L", seed=number)

    assert only(check("pets")) == snapshot


def test_nothing_can_be_decoded(pets: Path) -> None:
    for path in pets.rglob("*.png"):
        path.write_bytes(b"")

    report = check(pets)

    assert report.unreadable == 50
    assert report.sizes == {}


def test_arrays() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1), dtype=np.uint8)
    images[30] = images[10]
    manifest = manifest_from_arrays(
        {"x": images, "y": np.array([0, 1] * 20)},
        place="a.npz",
        value_range=None,
        classes=None,
        names=ArrayNames(),
        partial=False,
    )

    report = report_on(look_at_images(manifest, None, AS_IT_IS), manifest, Said())

    assert report.modes == {"L": 40}
    assert only(report).images == ("x[10] = x[30]",)


def test_a_report_is_json(pets: Path) -> None:
    (pets / "cat/01.png").write_bytes(b"")
    report = check(pets, cut=True)

    read_back: dict[str, Any] = json.loads(json.dumps(report.as_dict()))

    assert read_back["images"] == 50
    assert read_back["classes"][0] == {
        "name": "cat",
        "images": 25,
        "train": 20,
        "validation": 2,
        "test": 3,
    }
    assert read_back["findings"][0]["kind"] == "unreadable"
    assert read_back["findings"][0]["images"][0].startswith("cat/01.png: ")


def test_what_the_config_says_is_not_advised(
    pets: Path, write_image: WriteImage, snapshot: object
) -> None:
    for number in range(60):
        write_image(f"pets/dog/more{number}.png", seed=100 + number)
    write_image("pets/cat/strip.png", size=(6, 18))
    (pets / "dog/02.png").write_text("no image")

    report = check(pets, keep_aspect=True, skips_bad_images=True, weighs_classes=True)

    assert [(each.severity, each.message, each.advice) for each in report.findings] == snapshot


def test_cmyk_is_not_see_through(pets: Path) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    Image.fromarray(picture).convert("CMYK").save(pets / "cat/print.jpg")

    assert check(pets).findings == ()


def test_images_of_sixteen_bits_beside_others(pets: Path, snapshot: object) -> None:
    deep = np.random.default_rng(4).integers(0, 65536, (6, 5), dtype=np.uint16)
    Image.fromarray(deep).save(pets / "cat/scan.png")

    (finding,) = (each for each in check(pets).findings if each.kind == "mixed_depths")

    assert finding == snapshot


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("dtype", "high"), [(np.uint16, 4095), (np.uint8, 9)])
def test_values_that_come_in_almost_black(dtype: Any, high: int, snapshot: object) -> None:
    for number in range(50):
        values = np.random.default_rng(number).integers(0, high + 1, (6, 5)).astype(dtype)
        path = Path(f"scans/{'ab'[number % 2]}/{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(path)

    assert only(check("scans", color_mode="grayscale")) == snapshot
    assert check("scans", color_mode="grayscale", value_range=(0, high)).findings == ()
    (beyond,) = check("scans", color_mode="grayscale", value_range=(0, high // 2)).findings
    assert beyond.kind == "beyond_range"


def test_files_of_several_pictures(pets: Path, snapshot: object) -> None:
    pages = np.random.default_rng(600).integers(0, 256, (3, 6, 5, 3), dtype=np.uint8)
    first, *more = (Image.fromarray(page) for page in pages)
    first.save(pets / "cat/pages.tif", save_all=True, append_images=more)

    assert only(check(pets)) == snapshot


def test_what_was_left_out_is_said(pets: Path) -> None:
    (pets / "cat/list.txt").write_text("names")

    (note,) = check(pets).notes

    assert ".txt" in note


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "saved_again": lambda image: image,
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "smaller": lambda image: image.resize((40, 30)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_copies_that_were_changed(name: str, pets: Path, photographs: Path) -> None:
    with Image.open(photographs / "cat.jpg") as photograph:
        small = photograph.convert("RGB").resize((64, 48))
    small.save(pets / "cat/photograph.png")
    CHANGES[name](small).save(pets / "dog/again.jpg", quality=60)

    found = [each for each in check(pets).findings if each.kind.startswith("near")]

    assert [(each.kind, each.images) for each in found] == [
        ("near_copies_under_two_labels", ("cat/photograph.png = dog/again.jpg",))
    ]
