"""LiteRT, formerly TensorFlow Lite: written by TensorFlow's converter, run by ai-edge-litert."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnnrun.errors import ExportError
from cnnrun.export.formats import PIXELS, PROBABILITIES, Precision
from cnnrun.export.unreadable import unreadable
from cnnrun.runs.environment import usable_cores
from cnnrun.runs.files import write_bytes

if TYPE_CHECKING:
    from cnnrun.export.tracing import Classifying

Pixels = NDArray[np.float32]


def write_network(
    network: "Classifying",
    path: Path,
    *,
    precision: Precision,
    opset: int | None,
    images: Callable[[], Iterator[Pixels]],
    metadata: Mapping[str, str],
) -> None:
    """The network as a file of LiteRT, from `pixels` to `probabilities`, batch size free.

    Args:
        network: what is written.
        path: the new file.
        precision: float16 keeps weights in 16 bits and computes in float32; int8 computes in whole
            numbers of 8 bits alone, but for pixels and probabilities.
        opset: not of LiteRT.
        images: training images, one a batch, from which int8 learns which values occur.
        metadata: what the folder says of the network, for which this format has no place.

    Raises:
        ExportError: the network has operations that LiteRT has not.
        StorageError: the file cannot be written.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import ConverterError

    del opset, metadata
    function, holder = network.function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], holder)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: ({PIXELS: batch} for batch in images())
    try:
        with warnings.catch_warnings():
            # TensorFlow's own interpreter, which looks at the images for int8, is to go one day.
            warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter is deprecated")
            written = converter.convert()
    except (ConverterError, RuntimeError, ValueError) as error:
        raise ExportError.at(
            f"--to litert --precision {precision}",
            rule="must have operations that LiteRT has",
            received=_what_is_missing(str(error)),
            advice="`--precision float16` needs fewer of them"
            if precision == "int8"
            else "`--to onnx` and `--to saved_model` have others",
        ) from error
    write_bytes(path, written)


def open_network(path: Path, *, threads: int | None) -> Callable[[Pixels], Pixels]:
    """A function from pixels to probabilities.

    Args:
        path: a file that `write_network` has written.
        threads: how many compute; None for one a core.

    Raises:
        ExportError: it is not such a file.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(str(path), num_threads=threads or usable_cores())
        interpreter.allocate_tensors()
        runner = interpreter.get_signature_runner()
        names = [*runner.get_input_details()], [*runner.get_output_details()]
    except (ValueError, RuntimeError, KeyError) as error:
        raise unreadable(path, error) from error
    if names != ([PIXELS], [PROBABILITIES]):
        raise unreadable(path, f"a network from {names[0]} to {names[1]}")

    def infer(pixels: Pixels) -> Pixels:
        found: Pixels = runner(**{PIXELS: pixels})[PROBABILITIES]
        return found

    return infer


def _what_is_missing(message: str) -> str:
    """The part of a converter's message that names what it could not do."""
    telling = [line.strip() for line in message.splitlines() if "op" in line.lower()]
    named = [line for line in telling if "ops:" in line.lower() or "failed" in line.lower()]
    return (named or telling or [message.strip()])[0]
