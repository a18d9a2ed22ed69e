"""Batch norm's statistics, computed from the training images instead of followed by an average.

The moving averages lag behind the weights where steps are few, and then a test measures the lag.
Here the batches pass through the trained network as they do in training, and the moments of what
reaches each batch norm layer are pooled (Wu and Johnson, "Rethinking 'Batch' in BatchNorm", 2021).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnnrun.models.variables import assign_variables, network_variables, read_variables


class BatchStatistics:
    """Recomputes the moving statistics of a network's batch norm.

    Attributes:
        layers: the layers whose statistics move in training, in their order; renormalizing ones
            are left out, for what they compute depends on the moving statistics themselves.
    """

    def __init__(self, model: keras.Model, images: Any) -> None:
        """The network, and the tf.TensorSpec of batches that it gets."""
        self.layers = [
            layer
            for layer in model.layers
            if isinstance(layer, keras.layers.BatchNormalization)
            and layer.trainable
            and not layer.renorm
        ]
        self._model = model
        self._moments = tf.function(self._moments_of, input_signature=[images], autograph=False)

    @contextmanager
    def recomputed(self, batches: Iterable[Any]) -> Iterator[None]:
        """Within the block the network has the statistics of these batches, then its own again.

        Args:
            batches: images as training gets them, each batch a tensor.
        """
        variables = network_variables(self._model)
        before = read_variables(variables)
        try:
            pooled = self._pooled(batches)
            assign_variables(variables, before)  # generators of dropout have moved on
            for layer, (mean, variance) in zip(self.layers, pooled, strict=True):
                layer.moving_mean.assign(mean)
                layer.moving_variance.assign(variance)
            yield
        finally:
            assign_variables(variables, before)

    def _pooled(self, batches: Iterable[Any]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Mean and variance of what reaches each layer, over all images."""
        counts, means, squares = 0, [0.0] * len(self.layers), [0.0] * len(self.layers)
        for images in batches:
            size = int(images.shape[0])
            counts += size
            for index, (mean, variance) in enumerate(self._moments(images)):
                centre = mean.numpy().astype(np.float64)
                means[index] += size * centre
                squares[index] += size * (variance.numpy() + centre**2)
        return [
            (np.asarray(mean / counts), np.asarray(square / counts - (mean / counts) ** 2))
            for mean, square in zip(means, squares, strict=True)
        ]

    def _moments_of(self, images: Any) -> list[tuple[Any, Any]]:
        inputs = keras.Model(self._model.input, [layer.input for layer in self.layers])
        reached = tf.nest.flatten(inputs(images, training=True))
        return [
            tf.nn.moments(tf.cast(values, "float32"), axes=_reduced_axes(layer, values))
            for layer, values in zip(self.layers, reached, strict=True)
        ]


def _reduced_axes(layer: keras.layers.BatchNormalization, values: Any) -> list[int]:
    kept = layer.axis % len(values.shape)
    return [axis for axis in range(len(values.shape)) if axis != kept]
