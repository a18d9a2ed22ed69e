"""What a probe batch shows of a network: its activations' inputs, the gradients of its layers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import tensorflow as tf

from cnnrun.config.values import KerasCall
from cnnrun.models.losses import loss_object
from cnnrun.models.network import Network
from cnnrun.models.variables import network_variables

BINS: Final = 40
BINS_REACH: Final = 4.0
"""The histogram reaches so many standard deviations to either side of the mean."""
FLAT: Final = 0.05
"""Where an activation's derivative is below this share of its largest, it is saturated."""

_NOT_ELEMENTWISE: Final = frozenset({"softmax", "log_softmax", "sparsemax", "glu", "linear"})
_ACTIVATION_LAYERS: Final = ("ReLU", "LeakyReLU", "PReLU", "ELU")
_SLOPES_AT: Final = np.linspace(-6, 6, 241, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class ActivationInput:
    """What reaches an activation, over all images and places of the probe batch.

    Attributes:
        mean: of the values.
        std: their standard deviation.
        saturated: the share of values at which the activation is flat: its derivative is below a
            twentieth of its largest. For ReLU these are the negative ones.
        dead: the share of channels that are saturated everywhere.
        gradient_std: the standard deviation of the loss's gradient with respect to the values.
        low: where the histogram begins; what is below counts in its first bin.
        high: where it ends; what is above counts in its last bin.
        counts: values in each of its bins, which are equally wide.
    """

    mean: float
    std: float
    saturated: float
    dead: float
    gradient_std: float
    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Probed:
    """What a probe batch shows.

    Attributes:
        activations: layer -> what reaches its activation.
        gradient_norms: layer -> the Euclidean norm of the loss's gradient with respect to those of
            its weights that learn.
    """

    activations: dict[str, ActivationInput]
    gradient_norms: dict[str, float]


class Probe:
    """Passes batches through a network as training does, and leaves no trace in it."""

    def __init__(self, network: Network, *, loss: KerasCall, by_label: bool = False) -> None:
        self._model = network.model
        self._layers = [built.layer for built in network.layers]
        self._loss = loss_object(loss, by_label=by_label)
        self._look = tf.function(self._look_at, autograph=False)

    def look(self, images: np.ndarray, targets: np.ndarray) -> Probed:
        """What the network makes of a batch in training mode, with its present weights.

        Args:
            images: `(images, height, width, channels)`.
            targets: their labels in the loss's form.
        """
        # Layers that begin to learn in a later stage need a graph of their own.
        learning = tuple(bool(layer.trainable) for layer in self._layers)
        activations, norms = self._look(tf.constant(images), tf.constant(targets), learning)
        return Probed(
            activations={name: _described(parts) for name, parts in activations.items()},
            gradient_norms={name: float(norm) for name, norm in norms.items()},
        )

    def _look_at(
        self, images: Any, targets: Any, learning: tuple[bool, ...]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        heard: dict[str, tuple[Any, Callable[[Any], Any]]] = {}
        variables = [variable.value for variable in network_variables(self._model)]
        before = [tf.identity(variable) for variable in variables]
        with tf.GradientTape() as tape, _listening(self._layers, heard):
            predictions = self._model(images, training=True)
            total = tf.reduce_mean(tf.cast(self._loss(targets, predictions), "float32"))
            total += sum(tf.cast(penalty, "float32") for penalty in self._model.losses)
        weights = {
            layer.name: [weight.value for weight in layer.trainable_weights]
            for layer, learns in zip(self._layers, learning, strict=True)
            if learns and layer.trainable_weights
        }
        values = {name: reaching for name, (reaching, _) in heard.items()}
        of_weights, of_values = tape.gradient(total, (weights, values))
        # Dropout's generators and batch norm's statistics have moved on.
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value, read_value=False)
        norms = {name: _norm(gradients) for name, gradients in of_weights.items()}
        described = {
            name: _moments(*recorded) | {"gradient_std": _spread(of_values[name])}
            for name, recorded in heard.items()
        }
        return described, norms


@contextmanager
def _listening(
    layers: list[Any], heard: dict[str, tuple[Any, Callable[[Any], Any]]]
) -> Iterator[None]:
    """Within the block, what reaches an activation is put down beside the activation itself."""
    restore: list[Callable[[], None]] = []

    def listen(layer: Any, attribute: str) -> None:
        original = getattr(layer, attribute)

        def recording(values: Any, *rest: Any, **named: Any) -> Any:
            heard[layer.name] = (values, original)
            return original(values, *rest, **named)

        setattr(layer, attribute, recording)
        restore.append(lambda: setattr(layer, attribute, original))

    for layer in layers:
        name = getattr(getattr(layer, "activation", None), "__name__", None)
        if type(layer).__name__ in _ACTIVATION_LAYERS:
            listen(layer, "call")
        elif name is not None and name not in _NOT_ELEMENTWISE:
            listen(layer, "activation")
    try:
        yield
    finally:
        for put_back in restore:
            put_back()


def _moments(values: Any, activation: Callable[[Any], Any]) -> dict[str, Any]:
    """The numbers of an ActivationInput as tensors."""
    values = tf.cast(tf.stop_gradient(values), "float32")
    mean, variance = tf.nn.moments(values, axes=list(range(len(values.shape))))
    std = tf.sqrt(variance)
    reach = tf.maximum(BINS_REACH * std, 1e-6)
    slopes = _slopes(values, activation)
    shape = [1] * (len(values.shape) - 1)
    grid = tf.reshape(tf.constant(_SLOPES_AT), [-1, *shape]) * tf.ones_like(values[:1])
    steepest = tf.reduce_max(_slopes(grid, activation))
    is_flat = slopes < FLAT * steepest
    flat_channels = tf.reduce_all(is_flat, axis=list(range(len(values.shape) - 1)))
    return {
        "mean": mean,
        "std": std,
        "saturated": tf.reduce_mean(tf.cast(is_flat, "float32")),
        "dead": tf.reduce_mean(tf.cast(flat_channels, "float32")),
        "low": mean - reach,
        "high": mean + reach,
        "counts": tf.histogram_fixed_width(values, [mean - reach, mean + reach], nbins=BINS),
    }


def _slopes(values: Any, activation: Callable[[Any], Any]) -> Any:
    """The activation's derivative at each value, without its sign."""
    with tf.GradientTape() as tape:
        tape.watch(values)
        result = activation(values)
    return tf.abs(tape.gradient(result, values))


def _norm(gradients: list[Any]) -> Any:
    present = [tf.cast(each, "float32") for each in gradients if each is not None]
    return tf.linalg.global_norm(present) if present else tf.constant(0.0)


def _spread(gradient: Any) -> Any:
    """The standard deviation of numbers whose squares may be too small for float32."""
    if gradient is None:
        return tf.constant(0.0)
    numbers = tf.cast(gradient, "float32")
    largest = tf.reduce_max(tf.abs(numbers))
    return largest * tf.math.reduce_std(tf.math.divide_no_nan(numbers, largest))


def _described(parts: dict[str, Any]) -> ActivationInput:
    counts = tuple(parts["counts"].numpy().tolist())
    numbers = {name: float(value) for name, value in parts.items() if name != "counts"}
    return ActivationInput(counts=counts, **numbers)
