"""Files for the tests of data. Nothing here imports TensorFlow."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnrun.data.manifest import Manifest, image_ids

Tree = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one, so that messages name paths the same everywhere."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write_image(here: Path) -> Callable[..., Path]:
    """Writes a small image of random pixels: `write_image("cats/cat/1.png")`."""

    def write(
        name: str, *, seed: int = 0, size: tuple[int, int] = (6, 5), mode: str = "RGB"
    ) -> Path:
        channels = {"L": (), "LA": (2,), "RGB": (3,), "RGBA": (4,)}[mode]
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, *channels), dtype=np.uint8)
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def write_images(write_image: Callable[..., Path]) -> Callable[[Iterable[str]], None]:
    """Writes one different image for each name."""

    def write(names: Iterable[str]) -> None:
        for seed, name in enumerate(names):
            write_image(name, seed=seed)

    return write


@pytest.fixture
def touch(here: Path) -> Callable[[Iterable[str]], None]:
    """Makes empty files, for what looks at names alone."""

    def make(names: Iterable[str]) -> None:
        for name in names:
            path = here / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return make


@pytest.fixture
def manifest_of() -> Callable[..., Manifest]:
    """A manifest of images that need not exist: `manifest_of({"a/1.png": "a"})`."""

    def make(
        labels: Mapping[str, str],
        *,
        splits: Iterable[str] | None = None,
        groups: Iterable[str] | None = None,
        root: Path | None = None,
    ) -> Manifest:
        classes = tuple(sorted(set(labels.values())))
        numbers = [classes.index(label) for label in labels.values()]
        return Manifest(
            root=root,
            paths=tuple(labels),
            labels=np.array(numbers, dtype=np.int32),
            classes=classes,
            splits=None if splits is None else tuple(splits),
            groups=None if groups is None else tuple(groups),
            ids=image_ids(labels),
            pixels=None,
            value_range=None,
            notes=(),
        )

    return make
