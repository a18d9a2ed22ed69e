"""Fixtures that several packages' tests share. Nothing here imports TensorFlow."""

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

MakeImages = Callable[..., Path]

# An example that takes long on a busy machine is no failure.
settings.register_profile("cnnrun", deadline=None)
settings.load_profile("cnnrun")


def pytest_configure() -> None:
    """Undoes what tests in the background inherit and hand on: shells have them ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
        random = np.random.default_rng(0)
        channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
        for number, (label, count) in enumerate(counts.items()):
            folder = tmp_path / name / label
            folder.mkdir(parents=True)
            for image in range(count):
                noise = random.integers(0, 60, size=(*size, *channels), dtype=np.uint8)
                pixels = noise + np.uint8(number * 190 // max(1, len(counts) - 1))
                Image.fromarray(pixels, mode).save(folder / f"{image:04}{suffix}")
        return tmp_path / name

    return make


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
