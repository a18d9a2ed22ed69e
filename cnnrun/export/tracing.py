"""A run's network as a graph from pixels to probabilities, which the writers of all formats take.

What Keras itself exports has phantom inputs (statistics of `featurewise_*`, the matrix of ZCA),
types that no runtime has where training was in 16 bits, and compiled functions in its midst. Here
the network is its twin in float32, its functions are part of one graph, and whatever it holds is a
number in that graph.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import keras
import tensorflow as tf
from numpy.typing import NDArray

from cnnrun.assembly.automatic_choices import use_threads
from cnnrun.assembly.targets import Output
from cnnrun.calibration.label_map import NEXT_TO_CERTAIN
from cnnrun.calibration.probability_map import LEAST_PROBABILITY
from cnnrun.evaluation.calibrated import AnyMap
from cnnrun.export.formats import PIXELS, PROBABILITIES
from cnnrun.models.saved import load_model
from cnnrun.runs.folder import RunFolder

# Smaller weights stay in the graph, where those of batch norm become one factor and one term.
_APART_FROM_BYTES: Final = 4096
_HALF: Final = ("mixed_bfloat16", "mixed_float16", "bfloat16", "float16")


@final
@dataclass(frozen=True, eq=False)
class Classifying:
    """What is exported.

    Attributes:
        model: takes raw pixels, `(images, height, width, channels)`; all of it in float32.
        output: what its last layer gives.
        calibration: what is applied to the probabilities at the end, if anything is.
    """

    model: Any
    output: Output
    calibration: AnyMap | None

    @property
    def pixel_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of an image."""
        height, width, channels = self.model.inputs[0].shape[1:]
        return height, width, channels

    @property
    def parameters(self) -> int:
        """How many numbers the network holds."""
        return int(self.model.count_params())

    def graph(self) -> "Graph":
        """The network as a graph whose large weights are kept apart.

        What rewrites graphs copies all that they hold, again and again: with EfficientNetB7's
        weights in it, tf2onnx takes 117 s and 12.5 GB.
        """
        weights: dict[str, NDArray[Any]] = {}
        values = [variable.numpy() for variable in self.model.variables]

        def forward(pixels: Any) -> Any:
            held = [_held(each, weights) for each in values]
            mapping = list(zip(self.model.variables, held, strict=True))
            with keras.StatelessScope(state_mapping=mapping):
                return _probabilities(self, pixels)

        function = _function(forward, self)
        definition = function.graph.as_graph_def()
        _fill_in(definition, function.graph)
        return Graph(definition, weights, function.outputs[0].name)

    def function(self) -> tuple[Any, Any]:
        """The network as a concrete function of TensorFlow, and what holds its variables."""
        holder = tf.Module()
        holder.held = [variable.value for variable in self.model.variables]

        def forward(pixels: Any) -> Any:
            return {PROBABILITIES: _probabilities(self, pixels)}

        return _function(forward, self), holder


@final
@dataclass(frozen=True, eq=False)
class Graph:
    """A network as a graph without variables.

    Attributes:
        definition: TensorFlow's `GraphDef`; what is large in it are placeholders.
        weights: what belongs in their places, by name.
        output: the name of its output; that of its input is `pixels:0`.
    """

    definition: Any
    weights: Mapping[str, NDArray[Any]]
    output: str


def compiled_network(run: Path, *, threads: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """A run's network in float32 as a function from pixels to what its last layer gives.

    It is compiled by `tf.function`, the fastest way to call it that Keras has.

    Args:
        run: the run's folder.
        threads: how many compute.
    """
    use_threads(threads)
    return compiled(float32_twin(load_model(RunFolder(run).model_keras)))


def compiled(model: Any) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """A Keras network as a function from pixels to what its last layer gives, in float32."""
    signature = tf.TensorSpec((None, *model.inputs[0].shape[1:]), tf.float32)

    def forward(pixels: Any) -> Any:
        return tf.cast(model(pixels, training=False), tf.float32)

    function = tf.function(forward, autograph=False, input_signature=[signature])
    return lambda pixels: function(tf.constant(pixels)).numpy()


def float32_twin(model: Any) -> Any:
    """The network with the same weights, computing in float32; itself where it does so already.

    Args:
        model: a functional model of Keras's own layers.
    """
    if all(layer.compute_dtype == "float32" for layer in model.layers):
        return model
    twin = type(model).from_config(_in_float32(model.get_config()))
    twin.set_weights(model.get_weights())
    return twin


def _in_float32(config: Any) -> Any:
    """A network's description with every layer in float32."""
    if isinstance(config, list | tuple):
        return type(config)(map(_in_float32, config))
    if not isinstance(config, dict):
        return config
    return {
        key: "float32"
        if key in ("dtype", "name") and isinstance(value, str) and value in _HALF
        else _in_float32(value)
        for key, value in config.items()
    }


def _function(forward: Any, network: Classifying) -> Any:
    signature = tf.TensorSpec((None, *network.pixel_shape), tf.float32, name=PIXELS)
    with _functions_as_parts():
        function = tf.function(forward, autograph=False, input_signature=[signature])
        return function.get_concrete_function()


@contextmanager
def _functions_as_parts() -> Iterator[None]:
    """Within the block, functions that Keras has compiled by themselves become parts of a graph."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def _held(value: NDArray[Any], weights: dict[str, NDArray[Any]]) -> Any:
    """What stands for a weight in the graph: its numbers, or a place for them."""
    if value.nbytes < _APART_FROM_BYTES:
        return tf.constant(value)
    name = f"weight_{len(weights)}"
    weights[name] = value
    return tf.compat.v1.placeholder(value.dtype, value.shape, name=name)


def _fill_in(definition: Any, graph: Any) -> None:
    """Numbers that the graph would get from outside of it become constants in it."""
    captured = {inside.op.name: outside for outside, inside in graph.captures}
    for node in definition.node:
        if node.name in captured:
            value = captured[node.name].numpy()
            node.op = "Const"
            node.attr.clear()
            node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))


def _probabilities(network: Classifying, pixels: Any) -> Any:
    """The probabilities of the classes, `(images, classes)`; see `probabilities_of`."""
    values = network.model(pixels, training=False)
    if network.output.is_multi_label:
        return tf.identity(_of_labels(values, network), name=PROBABILITIES)
    if network.calibration is None:
        return tf.identity(_of_classes(values, network.output), name=PROBABILITIES)
    scale = tf.constant(network.calibration.scale, tf.float32)
    bias = tf.constant(network.calibration.bias, tf.float32)
    logarithms = _logarithms(values, network.output)
    return tf.nn.softmax(logarithms * scale + bias, name=PROBABILITIES)


def _of_labels(values: Any, network: Classifying) -> Any:
    is_logit, applied = network.output.scale == "logits", network.calibration
    if applied is None:
        return tf.sigmoid(values) if is_logit else tf.clip_by_value(values, 0.0, 1.0)
    below = tf.math.log(tf.maximum(values, LEAST_PROBABILITY))
    above = tf.math.log(tf.maximum(1 - values, NEXT_TO_CERTAIN))
    log_odds = values if is_logit else below - above
    scale, bias = (tf.constant(each, tf.float32) for each in (applied.scale, applied.bias))
    return tf.sigmoid(log_odds * scale + bias)


def _of_classes(values: Any, output: Output) -> Any:
    if output.units == 1:
        is_logit = output.scale == "logits"
        positive = tf.sigmoid(values) if is_logit else tf.clip_by_value(values, 0.0, 1.0)
        return tf.concat([1 - positive, positive], axis=1)
    if output.scale in ("logits", "values"):
        return tf.nn.softmax(values)
    if output.scale == "probabilities":
        return values
    total = tf.reduce_sum(values, axis=1, keepdims=True)
    uniform = tf.ones_like(values) / output.units
    return tf.where(total > 0, values / tf.where(total > 0, total, 1.0), uniform)


def _logarithms(values: Any, output: Output) -> Any:
    """The logarithms of the probabilities; of logits, where there are some, for they say more."""
    if output.scale in ("logits", "values") and output.units > 1:
        return tf.nn.log_softmax(values)
    if output.scale == "logits":
        return tf.concat([-tf.nn.softplus(values), -tf.nn.softplus(-values)], axis=1)
    return tf.math.log(tf.maximum(_of_classes(values, output), LEAST_PROBABILITY))
