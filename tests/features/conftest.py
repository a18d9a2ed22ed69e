"""Networks whose batch norm does something, and folders of photographs."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

Learned = Callable[[Any], Any]


@pytest.fixture
def learned() -> Learned:
    """Gives a model's batch norm the statistics and scales of one that has learned something."""

    def change(model: Any) -> Any:
        random = np.random.default_rng(0)
        for layer in model.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                for weight in layer.weights:
                    positive = weight.name in ("gamma", "moving_variance")
                    low, high = (0.5, 1.5) if positive else (-0.2, 0.2)
                    weight.assign(random.uniform(low, high, weight.shape))
        return model

    return change
