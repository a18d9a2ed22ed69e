"""Tiny real images, tiny networks: what the tests of training share."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from cnnrun.config.load import load_config
from cnnrun.config.values import Config

IMAGES_A_CLASS = 20


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
