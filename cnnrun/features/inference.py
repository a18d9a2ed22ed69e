"""A network as a function that computes chosen layers faster than `model.predict`."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from cnnrun.features.folding import folded

Compute = Callable[[NDArray[np.float32]], list[NDArray[Any]]]
Infer = Callable[[NDArray[Any]], list[NDArray[np.float32]]]
"""From pixels `(images, height, width, channels)` to an array `(images, ...)` for each output."""


def fast_inference(model: Any, outputs: Sequence[Any], *, precision: str) -> Infer:
    """A function from images to what some layers make of them, in inference mode.

    Only the layers that lead to the outputs are computed, with batch norm folded into what feeds
    it except where that is asked for itself; TensorFlow's rewriter then fuses biases and
    activations. It holds a copy of the weights: later changes of the model go unseen.

    Args:
        model: a functional Keras model that takes raw pixels.
        outputs: names of its layers, or tensors that are computed from it by Keras.
        precision: "float32", in which vectors equal the model's to 1e-5 of their norm; or
            "bfloat16", in which oneDNN multiplies matrices and convolves. Models of half precision
            are computed in float32 or bfloat16 too.

    Returns:
        The function. It takes uint8 or float32, gives float32, and can be called from any thread;
        it computes with as many threads as TensorFlow has in this process.
    """
    tensors = [_tensor(model, output) for output in outputs]
    network = folded(keras.Model(model.inputs[0], tensors))
    compute = _as_it_is(network) if precision == "float32" else _in_bfloat16(network)

    def infer(images: NDArray[Any]) -> list[NDArray[np.float32]]:
        results = compute(images.astype(np.float32, copy=False))
        return [result.astype(np.float32, copy=False) for result in results]

    return infer


def own_inference(model: Any, output: Any) -> Infer:
    """A function from images to what a layer makes of them, in the model's own precision.

    Args:
        model: a functional Keras model that takes raw pixels.
        output: a tensor that is computed from it by Keras.
    """
    network = keras.Model(model.inputs[0], [output])
    if all(layer.compute_dtype == "float32" for layer in network.layers):
        return fast_inference(model, [output], precision="float32")
    compute = _as_it_is(network)
    return lambda images: [
        result.astype(np.float32) for result in compute(images.astype(np.float32, copy=False))
    ]


def one_thread_a_call() -> None:
    """Have each call compute in one thread, for callers that call from several.

    Several small batches beside each other wait less for memory and for each other than parts of a
    large one. Without effect where TensorFlow has computed before in this process.
    """
    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)


def _tensor(model: Any, output: Any) -> Any:
    return model.get_layer(output).output if isinstance(output, str) else output


def _as_it_is(network: Any) -> Compute:
    forward = _traced(network)
    return lambda images: [result.numpy() for result in forward(images)]


def _in_bfloat16(network: Any) -> Compute:
    """A graph whose weights are constants, so that each becomes bfloat16 once."""
    frozen = convert_variables_to_constants_v2(_traced(network).get_concrete_function())
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(frozen.graph.as_graph_def(), name="")
    # A session, because the rewriter's options are its own and not those of the whole process.
    configuration = tf.compat.v1.ConfigProto()
    rewriting = configuration.graph_options.rewrite_options
    rewriting.auto_mixed_precision_onednn_bfloat16 = rewriting.ON
    session = tf.compat.v1.Session(graph=graph, config=configuration)
    compute: Compute = session.make_callable(
        [tensor.name for tensor in frozen.outputs], feed_list=[frozen.inputs[0].name]
    )
    return compute


def _traced(network: Any) -> Any:
    signature = tf.TensorSpec((None, *network.inputs[0].shape[1:]), tf.float32)

    def forward(images: Any) -> Any:
        return tf.nest.flatten(network(images, training=False))

    return tf.function(forward, autograph=False, input_signature=(signature,))
