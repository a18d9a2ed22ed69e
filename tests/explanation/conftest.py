"""Small networks with random weights, and images for them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

MakeNetwork = Callable[..., Any]


@pytest.fixture
def pixels() -> np.ndarray:
    """Four images of 16x12 in colour."""
    return np.random.default_rng(0).integers(0, 256, (4, 16, 12, 3)).astype(np.float32)


@pytest.fixture
def make_network() -> MakeNetwork:
    """Builds networks of the same weights: `make_network("flatten", dtype="mixed_float16")`."""
    import keras

    def make(head: str, *, dtype: str = "float32", end: str = "softmax", units: int = 5) -> Any:
        layers = keras.layers
        keras.utils.set_random_seed(0)
        pixels = keras.Input((16, 12, 3), name="pixels")
        x = layers.Rescaling(1 / 255, dtype="float32", name="preprocess_rescale")(pixels)
        policy = {"dtype": dtype}
        x = layers.Conv2D(8, 3, padding="same", activation="relu", name="first", **policy)(x)
        x = layers.MaxPooling2D(2, name="pool", **policy)(x)
        if head == "nested":
            inner = keras.Sequential([layers.Conv2D(8, 3, padding="same", **policy)], name="inner")
            x = inner(x)
        left = layers.Conv2D(8, 3, padding="same", activation="relu", name="left", **policy)(x)
        right = layers.Conv2D(8, 1, name="right", **policy)(x)
        if head == "apart":  # nothing that has places sees both branches
            pooled = [layers.GlobalAveragePooling2D(**policy)(each) for each in (left, right)]
            x = layers.Concatenate(name="vectors", **policy)(pooled)
        else:
            x = layers.Concatenate(name="both", **policy)([left, right])
            x = layers.BatchNormalization(name="norm", **policy)(x)
            x = layers.AveragePooling2D(2, name="last", **policy)(x)
        if head == "flatten":
            x = layers.Flatten(name="flat", **policy)(x)
        elif head == "one place":
            x = layers.GlobalAveragePooling2D(keepdims=True, name="mean", **policy)(x)
            x = layers.Conv2D(16, 1, activation="relu", name="conv_of_one_place", **policy)(x)
            x = layers.Reshape((16,), name="vector", **policy)(x)
        elif head != "apart":
            x = layers.GlobalAveragePooling2D(name="mean", **policy)(x)
        x = layers.Dense(8, activation="relu", name="hidden", **policy)(x)
        if end == "softmax layer":
            x = layers.Dense(units, name="scores", **policy)(x)
            x = layers.Softmax(dtype="float32", name="end")(x)
        else:
            x = layers.Dense(units, activation=end, dtype="float32", name="end")(x)
        return keras.Model(pixels, x)

    return make
