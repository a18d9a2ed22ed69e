"""Fixtures that several packages' tests share. Nothing here imports TensorFlow."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import Phase, settings
from PIL import Image

from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder

MakeImages = Callable[..., Path]

IMAGES_A_CLASS = 20

EARLIER = [
    {"conv_block": {"filters": 4, "kernel_size": 3, "batch_norm": "before_activation"}},
    {"Dropout": {"rate": 0.5}},
    {"conv_block": {"filters": 6, "kernel_size": 3, "name": "last"}},
    "GlobalAveragePooling2D",
    "classifier",
]
HEAD = [
    "GlobalAveragePooling2D",
    # A bias before batch norm has no gradient but rounding errors, which Adam would enlarge.
    {
        "dense_block": {
            "units": 8,
            "use_bias": False,
            "batch_norm": "before_activation",
            "name": "head",
        }
    },
    {"Dropout": {"rate": 0.3, "name": "head_dropout"}},
    {"classifier": {"name": "new_classifier"}},
]

# An example that takes long on a busy machine is no failure.
settings.register_profile("cnnrun", deadline=None)
# For `.ci/mutate`, which asks only whether a test fails: the same examples each time, not shrunk.
settings.register_profile(
    "mutants", deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile("cnnrun")


def pytest_configure() -> None:
    """Undoes what tests in the background inherit and hand on: shells have them ignore Ctrl-C.

    Tests that load Keras themselves compute on every processor as commands do.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


@dataclass(frozen=True)
class Attack:
    """Random faults, the same again with pytest's `--randomly-seed`.

    Attributes:
        random: where every choice comes from.
        times: how often as many of them are tried as by default.
    """

    random: random.Random
    times: int

    def rounds(self, by_default: int) -> Iterator[int]:
        """The numbers of the tries."""
        return iter(range(by_default * self.times))


@pytest.fixture(params=[1, pytest.param(10, marks=pytest.mark.slow)], ids=["short", "long"])
def attack(request: pytest.FixtureRequest) -> Attack:
    """Few faults by default, many where slow tests run; a failure prints the seed."""
    seed = request.config.getoption("randomly_seed", default=0)
    print(f"attacked with the seed {seed}: pytest --randomly-seed={seed}")  # noqa: T201
    return Attack(random.Random(f"{seed} {request.node.name}"), request.param)


@pytest.fixture
def make_images(tmp_path: Path) -> MakeImages:
    """Writes class folders of images: `make_images("photos", {"cat": 3, "dog": 4})`.

    Every class has a brightness of its own, so that a network can tell them apart.
    """

    def make(
        name: str,
        counts: Mapping[str, int],
        *,
        size: tuple[int, int] = (8, 8),
        mode: str = "L",
        suffix: str = ".png",
    ) -> Path:
        """Args: size is (height, width); returns the folder."""
        generator = np.random.default_rng(0)
        channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
        for number, (label, count) in enumerate(counts.items()):
            folder = tmp_path / name / label
            folder.mkdir(parents=True)
            for image in range(count):
                noise = generator.integers(0, 60, size=(*size, *channels), dtype=np.uint8)
                pixels = noise + np.uint8(number * 190 // max(1, len(counts) - 1))
                Image.fromarray(pixels, mode).save(folder / f"{image:04}{suffix}")
        return tmp_path / name

    return make


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    yield disk
    if subprocess.run(["umount", str(disk)], capture_output=True).returncode:
        # Not to stay in the way of whoever clears the folder away.
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
        pytest.fail("a file on the disk was left open")


@pytest.fixture(scope="session")
def mobilenet_weights() -> Path:
    """ImageNet's weights of MobileNet, with its top, in Keras's cache; skips where it has none."""
    file = Path(os.environ.get("KERAS_HOME", "nowhere")) / "models" / "mobilenet_1_0_224_tf.h5"
    if not file.exists():
        pytest.skip("needs ImageNet's weights: set KERAS_HOME to a folder that has them")
    return file


@pytest.fixture(scope="session")
def photographs() -> Path:
    """A folder with the colour photographs `cat.jpg` and `coffee.jpg`."""
    return Path(__file__).parent / "photographs"


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 20 grey 6x6 images each, that a network can learn to tell apart."""
    folder = tmp_path_factory.mktemp("images")
    generator = np.random.default_rng(0)
    for label, name in enumerate(("dark", "grey", "light")):
        (folder / name).mkdir()
        for number in range(IMAGES_A_CLASS):
            pixels = generator.normal(60 + 60 * label, 40, size=(6, 6)).clip(0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number:02d}.png")
    return folder


@pytest.fixture(scope="session")
def label_sections(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """Sections of a tiny run's config: 240 grey 6x6 images of three labels, some of them unknown.

    Their top, their left, or all of them are bright, which noise hides from many: no network tells
    all of them apart.
    """
    folder = tmp_path_factory.mktemp("labels")
    generator = np.random.default_rng(0)
    labels = (generator.random((240, 3)) < [0.5, 0.4, 0.3]).astype(int)
    pixels = generator.normal(70, 45, (240, 6, 6))
    pixels[:, :3] += 50 * labels[:, 0, None, None]
    pixels[:, :, :3] += 40 * labels[:, 1, None, None]
    pixels += 25 * labels[:, 2, None, None]
    labels[generator.random(labels.shape) < 0.1] = -1
    lines = ["file,top,left,bright"]
    for number, (image, row) in enumerate(zip(pixels, labels, strict=True)):
        Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(folder / f"{number:03}.png")
        lines.append(f"{number:03}.png,{','.join('' if each < 0 else str(each) for each in row)}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return {
        "data": {
            "csv": {
                "file": str(folder / "labels.csv"),
                "path": "file",
                "label": ["top", "left", "bright"],
            },
            "task": "multi_label",
            "image_size": [6, 6],
            "color_mode": "grayscale",
            "split": {"validation": 0.3, "test": 0.3},
        },
        "model": {"layers": ["Flatten", {"Dense": {"units": 12}}, "classifier"]},
        "train": {
            "epochs": 6,
            "batch_size": 16,
            "optimizer": {"Adam": {"learning_rate": 0.03}},
        },
    }


@pytest.fixture
def make_config(image_folder: Path, tmp_path: Path) -> Callable[..., Config]:
    """Makes the checked config of a tiny run; keywords replace whole sections."""

    def make(name: str = "tiny", **sections: Any) -> Config:
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(tiny(image_folder) | sections, sort_keys=False))
        return load_config(path)

    return make


def tiny(images: Path) -> Mapping[str, Any]:
    """A network of two layers, three epochs."""
    return {
        "seed": 0,
        "data": {"directory": str(images), "image_size": [6, 6], "color_mode": "grayscale"},
        "model": {
            "layers": [
                {"conv_block": {"filters": 4, "kernel_size": 3}},
                "GlobalAveragePooling2D",
                "classifier",
            ]
        },
        "train": {"epochs": 3, "batch_size": 8},
    }


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs get no plots and no page, which take a third of so short a run's time."""
    leave_pictures_out(monkeypatch)


def leave_pictures_out(patch: pytest.MonkeyPatch) -> None:
    """What the fixture does, for fixtures that last longer than a test."""
    from cnnrun.training import page_record, run_plots, train

    drawn = ((run_plots, "write_plots"), (page_record, "record_page"), (train, "write_run_page"))
    for module, name in drawn:
        patch.setattr(module, name, lambda *_, **__: None)


@pytest.fixture(scope="session")
def trained_once(
    image_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Mapping[str, Any]], Path]:
    """A tiny run without pictures, not to be changed, trained for the first test that asks."""
    runs: dict[str, Path] = {}

    def run_of(sections: Mapping[str, Any]) -> Path:
        config = yaml.safe_dump(tiny(image_folder) | sections, sort_keys=False)
        if config not in runs:
            path = tmp_path_factory.mktemp("trained") / "tiny.yaml"
            path.write_text(config)
            runs[config] = _train_without_pictures(path)
        return runs[config]

    return run_of


def _train_without_pictures(config: Path) -> Path:
    from cnnrun.training.train import train

    with pytest.MonkeyPatch.context() as patch:
        leave_pictures_out(patch)
        into = config.parent / "run"
        train(load_config(config), experiments=config.parent, into=into, listener=silent)
    return into


@pytest.fixture
def make_trained(
    trained_once: Callable[[Mapping[str, Any]], Path], tmp_path: Path
) -> Callable[..., RunFolder]:
    """A tiny run in `tmp_path`, a test's own copy; keywords replace whole sections of its config.

    Paths in it are relative, so that it has to lie as deep as the one that was trained.
    """

    def make(name: str = "run", **sections: Any) -> RunFolder:
        return RunFolder(Path(shutil.copytree(trained_once(sections), tmp_path / name)))

    return make


@pytest.fixture(scope="session")
def earlier(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a network with batch norm and dropout, which becomes the backbone."""
    folder = tmp_path_factory.mktemp("earlier")
    sections = {
        "data": {"directory": str(image_folder), "image_size": [6, 6], "color_mode": "grayscale"},
        "model": {"layers": EARLIER},
        "train": {"epochs": 2, "batch_size": 8},
    }
    path = folder / "earlier.yaml"
    path.write_text(yaml.safe_dump(sections))
    return _train_without_pictures(path)


@pytest.fixture
def on_earlier(make_config: Callable[..., Config], earlier: Path) -> Callable[..., Config]:
    """Makes the config of a head on top of the earlier run, trained in stages."""

    def make(
        *stages: Mapping[str, Any],
        layers: Sequence[Any] = HEAD,
        of_backbone: Mapping[str, Any] = MappingProxyType({}),
        stem: Sequence[Any] | None = None,
        seed: int = 0,
        **training: Any,
    ) -> Config:
        backbone = {"weights": str(earlier), "output_layer": "last_activation", **of_backbone}
        model = {"backbone": backbone, "stem": stem, "layers": layers}
        section = {"batch_size": 8, "stages": list(stages), **training}
        return make_config(model=model, train=section, seed=seed)

    return make
