"""A config fitted to a folder of images: what it says, and that it holds."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.data_section import DataSpec
from cnnrun.config.load import load_config
from cnnrun.errors import DataError, InputError
from cnnrun.starter.backbone_variant import variant_lines
from cnnrun.starter.comments import quoted
from cnnrun.starter.fitted import config_lines, write_fitted_configs
from cnnrun.starter.survey import Survey, survey_images


def test_small_grey_images(tmp_path: Path, make_images, snapshot: SnapshotAssertion) -> None:
    folder = make_images("shapes", {"circle": 50, "square": 20})
    config, variant = write_fitted_configs(folder, project=tmp_path, layout=None)
    assert config == tmp_path / "configs" / "shapes.yaml"
    assert variant == tmp_path / "configs" / "shapes_mobilenet.yaml"
    assert config.read_text() == snapshot
    assert load_config(config).data.directory == folder
    assert variant.read_text() == snapshot(name="on top of MobileNet")
    assert load_config(variant).data.color_mode == "rgb"


def test_photographs_in_split_folders(
    tmp_path: Path, make_images, snapshot: SnapshotAssertion
) -> None:
    for split in ("train", "validation", "test"):
        make_images(f"photos/{split}", {"cat": 4, "dog": 4}, size=(200, 300), mode="RGB")
    config, variant = write_fitted_configs(tmp_path / "photos", project=tmp_path, layout=None)
    assert config.read_text() == snapshot
    assert variant.read_text() == snapshot(name="on top of MobileNet")
    assert load_config(variant).data.image_size == (224, 224)
    loaded = load_config(config)
    assert loaded.data.classes == ("cat", "dog")
    assert loaded.data.image_size == (80, 128)


def test_what_never_ends_and_what_is_damaged_is_counted_without_a_word(
    make_images, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A tag of a TIFF that claims too much: Pillow would write to the terminal."""
    folder = make_images("shapes", {"circle": 5, "square": 5})
    os.mkfifo(tmp_path / "pipe")
    (folder / "circle/pipe.png").symlink_to(tmp_path / "pipe")
    entry = struct.pack("<HHII", 277, 3, 60000, 8)
    (folder / "square/tags.tif").write_bytes(b"II*\0\x08\0\0\0\1\0" + entry + bytes(4))
    found = survey_images(folder, layout=None)
    assert found.unreadable == ("circle/pipe.png", "square/tags.tif")
    assert capfd.readouterr() == ("", "")


def test_grey_pixels_in_colour_files_are_seen(make_images) -> None:
    grey = make_images("grey", {"a": 3, "b": 3}, mode="L", suffix=".jpg")
    for path in grey.rglob("*.jpg"):
        Image.open(path).convert("RGB").save(path)
    assert survey_images(grey, layout=None).is_grey
    assert not survey_images(
        make_images("colour", {"a": 3, "b": 3}, mode="RGB"), layout=None
    ).is_grey


def test_an_exif_rotation_exchanges_height_and_width(make_images) -> None:
    folder = make_images("turned", {"a": 2, "b": 2}, size=(20, 30), mode="RGB", suffix=".jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in folder.rglob("*.jpg"):
        Image.open(path).save(path, exif=exif)
    assert set(survey_images(folder, layout=None).sizes) == {(30, 20)}


def test_an_unreadable_image_is_left_out_and_named(tmp_path: Path, make_images) -> None:
    folder = make_images("photos", {"cat": 5, "dog": 5})
    (folder / "cat" / "broken.png").write_bytes(b"no image")
    config, _ = write_fitted_configs(folder, project=tmp_path, layout=None)
    assert "cat/broken.png" in config.read_text()
    assert load_config(config).data.on_bad_image == "skip"


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"<html><body>404 Not Found</body></html>" * 9, b"\0" * 500]
)
def test_what_is_no_image_is_found_wherever_it_lies(
    tmp_path: Path, make_images, content: bytes
) -> None:
    folder = make_images("photos", {"cat": 150, "dog": 150})
    for place in ("cat/0101.png", "dog/0007.png"):
        (folder / place).write_bytes(content)

    survey = survey_images(folder, layout=None)

    assert survey.unreadable == ("cat/0101.png", "dog/0007.png")


def test_no_readable_image_at_all(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        (tmp_path / "photos" / label / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError) as refusal:
        write_fitted_configs(tmp_path / "photos", project=tmp_path, layout=None)
    assert str(refusal.value).replace(str(tmp_path), "<here>") == snapshot


@pytest.mark.parametrize("kept", [0, 1])
def test_a_config_is_never_overwritten(tmp_path: Path, make_images, kept: int) -> None:
    folder = make_images("photos", {"cat": 5, "dog": 5})
    configs = write_fitted_configs(folder, project=tmp_path, layout=None)
    configs[kept].write_text("mine")
    configs[1 - kept].unlink()
    with pytest.raises(InputError):
        write_fitted_configs(folder, project=tmp_path, layout=None)
    assert configs[kept].read_text() == "mine"
    assert not configs[1 - kept].exists()


def test_a_folder_elsewhere_is_named_relative_to_the_config(tmp_path: Path, make_images) -> None:
    folder = make_images("Größe, 2 cm", {"a: b": 5, "no": 5, "1e3": 5})
    config, _ = write_fitted_configs(folder, project=tmp_path / "project", layout=None)
    assert config.name == "Größe-2-cm.yaml"
    loaded = load_config(config)
    assert loaded.data.directory == folder
    assert str(tmp_path) not in config.read_text()
    assert loaded.data.classes == ("1e3", "a: b", "no")


@pytest.mark.parametrize("classes", [2, 60])
@pytest.mark.parametrize("size", [(1, 1), (4, 4), (7, 9), (28, 28), (64, 64), (3000, 10)])
def test_every_survey_gives_a_valid_config(
    tmp_path: Path, classes: int, size: tuple[int, int]
) -> None:
    survey = Survey(
        data=DataSpec(directory=tmp_path, layout=("{label}/**",)),
        reason=(),
        too_small=(),
        holds_back=True,
        classes=tuple(f"class {number}" for number in range(classes)),
        images=tuple(range(5, 5 + classes)),
        total=sum(range(5, 5 + classes)),
        splits=(),
        sizes=(size,),
        is_grey=False,
        unreadable=(),
    )
    config, variant = tmp_path / "fitted.yaml", tmp_path / "fitted_mobilenet.yaml"
    config.write_text("\n".join(config_lines(survey, name="fitted", folder=tmp_path)))
    variant.write_text("\n".join(variant_lines(survey, name="fitted")))
    assert load_config(config).data.image_size is not None
    backbone = load_config(variant).model.backbone
    assert backbone is not None
    assert backbone.name == "MobileNet"


def test_names_stay_text() -> None:
    assert [quoted(name) for name in ("no", 'a "b"', "é")] == ['"no"', '"a \\"b\\""', '"é"']


def test_a_layout_that_is_said(tmp_path: Path, make_images) -> None:
    for split, number in (("learn_training", 4), ("learn_test", 3)):
        for patient in ("p1", "p2"):
            make_images(f"scans/{split}/{patient}", {"0": number, "1": number})
    with pytest.raises(DataError):
        write_fitted_configs(tmp_path / "scans", project=tmp_path, layout=None)

    config, _ = write_fitted_configs(
        tmp_path / "scans", project=tmp_path, layout="{split}/{group}/{label}/*"
    )

    data = load_config(config).data
    assert data.layout == ("{split}/{group}/{label}/*",)
    assert data.split.words == {"train": ("learn_training",), "test": ("learn_test",)}


def test_classes_too_small_to_hold_any_back_are_left_out(tmp_path: Path, make_images) -> None:
    folder = make_images("birds", {"crow": 9, "owl": 9, "dodo": 1})
    config, _ = write_fitted_configs(folder, project=tmp_path, layout=None)

    assert load_config(config).data.classes == ("crow", "owl")
    assert "dodo (1)" in config.read_text()


def test_a_config_for_classes_of_two_images_holds_none_back(tmp_path: Path, make_images) -> None:
    folder = make_images("faces", {"ann": 2, "bob": 2, "eve": 1})
    loaded = load_config(write_fitted_configs(folder, project=tmp_path, layout=None)[0])

    assert loaded.data.split.shares == (0, 0)
    assert loaded.train.best is None
    assert loaded.data.classes == ("ann", "bob", "eve")


def test_an_empty_file_among_many_is_found(tmp_path: Path, make_images) -> None:
    """Beyond the sample of images that are decoded, headers are looked at."""
    folder = make_images("many", {"a": 150, "b": 150})
    (folder / "a" / "0.png").write_bytes(b"")
    (folder / "b" / "149.png").write_bytes(b"{}")
    config, _ = write_fitted_configs(folder, project=tmp_path, layout=None)

    assert load_config(config).data.on_bad_image == "skip"


@pytest.mark.parametrize("white", [1.0, 16, 4095])
def test_arrays_say_their_black_and_white(tmp_path: Path, white: float) -> None:
    draws = np.random.default_rng(0)
    pixels = draws.random((20, 6, 6)) * white
    pixels = pixels if isinstance(white, float) else np.round(pixels).astype(np.uint16)
    np.savez(tmp_path / "scans.npz", images=pixels, labels=np.arange(20) % 2)

    config, _ = write_fitted_configs(tmp_path / "scans.npz", project=tmp_path, layout=None)

    arrays = load_config(config).data.arrays
    assert arrays is not None
    assert arrays.value_range == (0, white)


def test_files_of_twelve_bits_say_their_white(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    for number in range(12):
        file = tmp_path / f"scans/{'ab'[number % 2]}/{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draws.integers(0, 4096, (8, 8)).astype(np.uint16)).save(file)

    config, _ = write_fitted_configs(tmp_path / "scans", project=tmp_path, layout=None)

    assert load_config(config).data.value_range == (0, 4095)
