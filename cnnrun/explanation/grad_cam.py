"""Grad-CAM: which places of an image speak for a class.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization"
(ICCV 2017, arXiv:1610.02391): the channels of a layer, each weighted with the mean gradient of the
class's score by it, summed; what speaks against the class is cut off.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cnnrun.errors import InputError
from cnnrun.explanation.network import (
    NO_MAPS_ADVICE,
    ExplainedNetwork,
    MapLayer,
    class_scores,
)


def grad_cam(
    network: ExplainedNetwork, layer: MapLayer, pixels: NDArray[Any], classes: Sequence[int]
) -> NDArray[np.float32]:
    """A map for each image, `(images, height, width)` of the layer: 0, or how much speaks for it.

    The gradient is that of the score before the softmax or sigmoid: a probability near 1 has none.

    Args:
        network: the network.
        layer: one of its layers.
        pixels: `(images, height, width, channels)`, 0 to 255.
        classes: the class to explain, a number for each image.
    """
    images = tf.constant(pixels, tf.float32)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        if layer.is_passed_by_all and layer.tensor.dtype == "float32":
            # Not recorded, so that nothing of it is kept for the gradient: most of the memory.
            # A part that begins at a tensor of half precision would round what it gets.
            activations = network.until(layer.tensor)(images, training=False)
            activations = tf.nest.flatten(activations)[0]
            tape.watch(activations)
            scores = keras.Model(layer.tensor, network.scores)(activations, training=False)
        else:
            tape.watch(images)
            whole = network.until(layer.tensor, network.scores)
            activations, scores = whole(images, training=False)
        wanted = class_scores(scores, classes, of_labels=network.of_labels)
    gradients = tape.gradient(wanted, activations)
    values = layer.channels_last(activations.numpy())
    weights = layer.channels_last(gradients.numpy()).mean(axis=(1, 2), keepdims=True)
    summed: NDArray[np.float32] = np.maximum((values * weights).sum(axis=-1), 0)
    return summed


def grad_cam_layer(network: ExplainedNetwork, name: str | None) -> MapLayer:
    """The layer of a name, or the last that still has height and width and that everything passes.

    Raises:
        InputError: there is none.
    """
    if name is not None:
        return network.layer(name)
    if network.last is None:
        raise InputError.at(
            "--what grad-cam",
            rule="needs a layer with a height and a width that all of the network passes",
            received="a network without",
            advice=f"name one of its branches with `--layer {network.layers[-1].name}`"
            if network.layers
            else NO_MAPS_ADVICE,
        )
    return network.last
