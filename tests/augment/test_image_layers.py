"""Image layers of `augment.layers`. The oracle is Keras's own layer, handed what was drawn."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cnnrun.augment.layers.chain import FAST, Engine, Link, links_of
from cnnrun.augment.layers.keras_engine import KERAS
from cnnrun.config.augment_layers import faults
from cnnrun.config.keras_table import names_of
from cnnrun.config.values import KerasCall

SIZES = [((1, 1), 3), ((7, 12), 1), ((33, 20), 3)]
LAYERS: dict[str, list[dict[str, Any]]] = {
    "AugMix": [{}, {"all_ops": False, "factor": 0.8, "num_chains": 2, "alpha": 0.3}],
    "AutoContrast": [{}],
    "ContrastLimitedAdaptiveHistogramEqualization": [
        {},
        {"clip_limit": 1.5, "tile_grid_size": (3, 5)},
        {"clip_limit": 0.0, "tile_grid_size": (1, 1)},
    ],
    "Equalization": [{}, {"bins": 64}],
    "RandAugment": [{}, {"num_ops": 4, "factor": (0.1, 1.0)}, {"interpolation": "nearest"}],
    "RandomBrightness": [{"factor": 0.7}, {"factor": (0.2, -0.1)}],
    "RandomColorDegeneration": [{"factor": 0.9}],
    "RandomColorJitter": [
        {"brightness_factor": 0.3, "contrast_factor": 0.5, "hue_factor": 0.4},
        {"saturation_factor": 0.3},
    ],
    "RandomContrast": [{"factor": 0.5}, {"factor": (0.9, 0.4)}],
    "RandomErasing": [
        {},
        {"fill_value": (9.0, 80.0, 300.0)},
        {"factor": 0.5, "scale": (0.3, 0.9), "fill_value": 12.5},
    ],
    "RandomFlip": [{}, {"mode": "horizontal"}, {"mode": "vertical"}],
    "RandomGaussianBlur": [{}, {"factor": 0.8, "kernel_size": (5, 3), "sigma": (0.4, 0.9)}],
    "RandomGrayscale": [{}, {"factor": 1.0}],
    "RandomHue": [{"factor": 1.0}, {"factor": (0.1, 0.3)}],
    "RandomInvert": [{}, {"factor": (0.2, 0.6)}],
    "RandomPerspective": [{}, {"factor": 0.6, "scale": 0.4, "interpolation": "nearest"}],
    "RandomPosterization": [{"factor": 5}, {"factor": (3, 3)}, {"factor": 1}],
    "RandomRotation": [
        {"factor": 0.5, "fill_mode": mode, "fill_value": 70.0, "interpolation": interpolation}
        for mode in ("reflect", "wrap", "constant", "nearest")
        for interpolation in ("bilinear", "nearest")
    ],
    "RandomSaturation": [{"factor": 0.7}, {"factor": (0.2, 1.0)}],
    "RandomSharpness": [{"factor": 1.0}],
    "RandomShear": [{"x_factor": 0.8, "y_factor": 0.3}, {"y_factor": (0.2, 1.0)}],
    "RandomTranslation": [
        {"height_factor": 0.9, "width_factor": 0.4, "fill_mode": mode, "fill_value": 9.0}
        for mode in ("reflect", "wrap", "constant", "nearest")
    ],
    "RandomZoom": [
        {"height_factor": 0.8, "fill_mode": "constant"},
        {"height_factor": (-0.5, 0.2), "width_factor": 0.7, "interpolation": "nearest"},
    ],
    "Solarization": [{}, {"addition_factor": 0.3, "threshold_factor": (0.2, 0.9)}],
    "ZeroPadding2D": [{"padding": 2}, {"padding": ((1, 0), (3, 2))}],
}
RESIZING: dict[str, list[dict[str, Any]]] = {
    "CenterCrop": [{"height": 13, "width": 9}, {"height": 20, "width": 20}],
    "RandomCrop": [{"height": 13, "width": 9}, {"height": 20, "width": 8}],
    "Resizing": [
        {"height": 31, "width": 8},
        {"height": 6, "width": 40, "interpolation": "nearest"},
    ],
}
MIXING: dict[str, list[dict[str, Any]]] = {
    "MixUp": [{}, {"alpha": 1.0}],
    "CutMix": [{}, {"factor": (0.2, 0.4)}],
}
FAILS_AT_ONE_PIXEL = ("RandomPerspective", "ContrastLimitedAdaptiveHistogramEqualization")
"""Layers of Keras's that cannot do with an image of one pixel."""
IDS = np.arange(10, dtype=np.uint64)


def cases(*tables: dict[str, list[dict[str, Any]]]) -> list[Any]:
    return [
        pytest.param(name, each, id=f"{name} {each}")
        for table in tables
        for name, variants in table.items()
        for each in variants
    ]


def noise(size: tuple[int, int], channels: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Images without a flat spot, some of levels that a geometry before it gives."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (len(IDS), *size, channels)).astype(np.float32)
    images[1::2] = random.uniform(0, 255, images[1::2].shape).astype(np.float32)
    return images


def link_of(name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> Link:
    height, width, channels = shape
    return links_of([KerasCall("image_layers", name, arguments)], (height, width, channels))[0]


def by(engine: Engine, link: Link, images: NDArray[np.float32]) -> NDArray[np.float32]:
    draws = link.draw(IDS, seed=3, epoch=2)
    if link.places is None:
        return engine.alone(link, images.copy(), draws)
    return engine.pair(link, images.copy(), images[::-1].copy(), draws)


def apart(link: Link, images: NDArray[np.float32]) -> NDArray[np.float32]:
    fast, keras = by(FAST, link, images), by(KERAS, link, images)
    assert fast.shape == keras.shape
    assert fast.dtype == np.float32
    result: NDArray[np.float32] = np.abs(fast - keras)
    return result


def test_every_layer_of_the_table_is_tried() -> None:
    assert {*LAYERS, *RESIZING, *MIXING} == set(names_of("image_layers"))


@pytest.mark.parametrize(("name", "arguments"), cases(LAYERS, MIXING))
def test_pixels_are_those_of_keras(name: str, arguments: dict[str, Any]) -> None:
    call = KerasCall("image_layers", name, arguments)
    for size, channels in SIZES:
        if any(faults([call], image_size=None, channels=channels)):
            continue
        if name in FAILS_AT_ONE_PIXEL and size == (1, 1):
            continue
        link = link_of(name, arguments, (*size, channels))
        differences = apart(link, noise(size, channels))
        assert np.quantile(differences, 0.999) <= 0.02, size
        assert (differences > 0.02).mean() <= 0.001, size


@pytest.mark.parametrize(("name", "arguments"), cases(RESIZING))
def test_sizes_and_pixels_are_those_of_keras(name: str, arguments: dict[str, Any]) -> None:
    link = link_of(name, arguments, (20, 21, 3))
    assert apart(link, noise((20, 21), 3)).max() <= 0.001


@pytest.mark.parametrize(("name", "arguments"), cases(LAYERS, RESIZING, MIXING))
def test_a_layer_says_what_it_does_to_each_image(name: str, arguments: dict[str, Any]) -> None:
    link = link_of(name, arguments, (20, 21, 3))
    draws = link.draw(IDS, seed=3, epoch=2)
    words = [link.words(draws, row) for row in range(len(IDS))]
    assert not any("nan" in each for each in words)
    columns = [each for each in draws.values() if isinstance(each, np.ndarray)]
    is_made_of_others = len(columns) < len(draws)
    draws_something = any(len(np.unique(each)) > 1 for each in columns)
    assert (len(set(words)) > 1) == (draws_something or is_made_of_others)
