"""`cnnrun preview` writes a picture, and says what stands in its way."""

from pathlib import Path

import pytest
from PIL import Image
from syrupy.assertion import SnapshotAssertion

CONFIG = """\
data: {directory: images, image_size: [8, 8], color_mode: grayscale}
model: {layers: [Flatten, classifier]}
"""


@pytest.fixture
def project(tmp_path: Path, make_images) -> Path:
    """Two classes, a config without augmentation and one with."""
    make_images("images", {"cat": 20, "dog": 20})
    (tmp_path / "plain.yaml").write_text(CONFIG)
    (tmp_path / "augmented.yaml").write_text(
        CONFIG + "augment: {rotation_range: 10, zoom_range: 0.1}\n"
    )
    return tmp_path


def size_of(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as image:
        assert image.format == "PNG"
        return image.size


def test_the_picture_is_written_and_named(project: Path, command) -> None:
    ended = command("preview", "augmented.yaml")
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "preview.png\n", "")
    width, height = size_of(project / "preview.png")
    assert 1500 < width < 2500
    assert 700 < height < 1500


def test_more_images_and_draws_make_a_larger_picture(project: Path, command) -> None:
    for out, options in (
        ("small.png", ("--images", "1", "--draws", "1")),
        ("new/Large.PNG", ("--images", "4", "--draws", "6")),
    ):
        ended = command("preview", "augmented.yaml", "--out", out, *options)
        assert (ended.exit_code, ended.stdout, ended.stderr) == (0, f"{out}\n", "")
    small, large = size_of(project / "small.png"), size_of(project / "new" / "Large.PNG")
    assert large[0] > small[0]
    assert large[1] > 3 * small[1]


def test_the_same_config_gives_the_same_picture(project: Path, command) -> None:
    pictures = []
    for _ in range(2):
        assert command("preview", "augmented.yaml").exit_code == 0, "overwriting its own picture"
        pictures.append((project / "preview.png").read_bytes())
    assert pictures[0] == pictures[1]
    assert command("preview", "augmented.yaml", "--set", "seed=1").exit_code == 0
    assert (project / "preview.png").read_bytes() != pictures[0]


@pytest.mark.parametrize("engine", ["fast", "keras"])
def test_either_engine(engine: str, project: Path, command) -> None:
    ended = command("preview", "augmented.yaml", "--set", f"augment.engine={engine}")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert (project / "preview.png").is_file()


@pytest.mark.parametrize("config", ["plain.yaml", "augmented.yaml"])
def test_the_first_batch(config: str, project: Path, command) -> None:
    ended = command("preview", config, "--batch", "--out", "batch.png")
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "batch.png\n", "")
    width, height = size_of(project / "batch.png")
    assert width > height > 500


def test_without_augmentation(project: Path, command, snapshot: SnapshotAssertion) -> None:
    ended = command("preview", "plain.yaml")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot
    assert not (project / "preview.png").exists()


def test_the_advice_works(project: Path, command) -> None:
    """What the message of the test above tells to try."""
    for options in (
        ["--set", "augment.rotation_range=10"],
        ["--set", "preprocess.zca_whitening=true"],
        ["--batch"],
        ["--layer", "flatten_1"],
    ):
        assert command("preview", "plain.yaml", *options).exit_code == 0
    with (project / "plain.yaml").open("a") as config:
        config.write("augment: {rotation_range: 10, zoom_range: 0.1}\n")
    assert command("preview", "plain.yaml").exit_code == 0


@pytest.mark.parametrize(
    "options",
    [
        ("--out", "preview.jpg"),
        ("--out", "folder.png"),
        ("--out", "."),
        ("--images", "0"),
        ("--draws", "11"),
        ("--batch", "--images", "2"),
        ("--batch", "--draws", "2"),
        ("--batch", "--layer", "flatten_1"),
        ("--layer", "flatten_1", "--images", "2"),
        ("--layer", "flaten_1"),
        ("--layer", "conv"),
    ],
)
def test_wrong_usage(
    options: tuple[str, ...], project: Path, command, snapshot: SnapshotAssertion
) -> None:
    (project / "folder.png").mkdir()
    ended = command("preview", "augmented.yaml", *options)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


def test_a_place_that_cannot_be_written(
    project: Path, command, snapshot: SnapshotAssertion
) -> None:
    ended = command("preview", "augmented.yaml", "--out", "plain.yaml/preview.png")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.replace(str(project), "HERE") == snapshot


def test_absent_images_are_refused(project: Path, command, snapshot: SnapshotAssertion) -> None:
    ended = command("preview", "augmented.yaml", "--set", "data.directory=nowhere")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.replace(str(project), "HERE") == snapshot


def test_images_that_come_in_almost_black_are_refused(
    project: Path, command, snapshot: SnapshotAssertion
) -> None:
    darken(project / "images")

    ended = command("preview", "augmented.yaml")

    assert (ended.exit_code, ended.stderr) == (2, snapshot)
    assert command("preview", "augmented.yaml", "--set", "data.value_range=[0, 16]").exit_code == 0


def test_dark_images_among_others_are_shown(project: Path, command) -> None:
    """Which few are shown does not decide it: training looks at all."""
    darken(project / "images" / "cat")

    assert command("preview", "augmented.yaml", "--images", "1").exit_code == 0


def darken(folder: Path) -> None:
    """Bring every value of a folder's images down to 16 and less."""
    for file in folder.rglob("*.png"):
        with Image.open(file) as image:
            dark = image.point(lambda value: value // 16)
        dark.save(file)
