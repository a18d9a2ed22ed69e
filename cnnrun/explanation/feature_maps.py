"""What the channels of a layer make of an image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cnnrun.explanation.network import ExplainedNetwork, MapLayer

Values = NDArray[np.float32]


def feature_maps(
    network: ExplainedNetwork, layers: Sequence[MapLayer], pixels: NDArray[Any]
) -> list[Values]:
    """For each layer its output, `(images, height, width, channels)`.

    Args:
        network: the network.
        layers: some of its layers.
        pixels: `(images, height, width, channels)`, 0 to 255.
    """
    model = network.until(*(layer.tensor for layer in layers))
    outputs = tf.nest.flatten(model(tf.constant(pixels, tf.float32), training=False))
    return [
        layer.channels_last(output.numpy()) for layer, output in zip(layers, outputs, strict=True)
    ]


def by_variation(values: Values) -> NDArray[np.int64]:
    """The channels of one image's output, `(height, width, channels)`, the most varied first."""
    spread = values.max(axis=(0, 1)) - values.min(axis=(0, 1))
    return np.argsort(-spread, kind="stable")


def constant_channels(values: Values) -> int:
    """How many channels, of `(height, width, channels)`, are the same everywhere."""
    return int((values.max(axis=(0, 1)) == values.min(axis=(0, 1))).sum())
