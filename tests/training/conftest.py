"""Tiny real images, tiny networks: what the tests of training share."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from cnnrun.config.load import load_config
from cnnrun.config.values import Config
from cnnrun.training.reporting import Silent
from cnnrun.training.train import train

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
    train(load_config(path), experiments=folder, into=folder / "run", reporter=Silent())
    return folder / "run"


@pytest.fixture
def on_earlier(make_config: Callable[..., Config], earlier: Path) -> Callable[..., Config]:
    """Makes the config of a head on top of the earlier run, trained in stages."""

    def make(
        *stages: Mapping[str, Any],
        layers: Sequence[Any] = HEAD,
        of_backbone: Mapping[str, Any] = MappingProxyType({}),
        seed: int = 0,
        **training: Any,
    ) -> Config:
        backbone = {"weights": str(earlier), "output_layer": "last_activation", **of_backbone}
        model = {"backbone": backbone, "layers": layers}
        section = {"batch_size": 8, "stages": list(stages), **training}
        return make_config(model=model, train=section, seed=seed)

    return make
