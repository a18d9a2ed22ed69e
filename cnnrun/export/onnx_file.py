"""ONNX: written by tf2onnx, quantized and run by onnxruntime."""

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.errors import ExportError
from cnnrun.export.formats import OPSET, PIXELS, PROBABILITIES, Precision
from cnnrun.export.unreadable import unreadable
from cnnrun.runs.files import storage_errors

if TYPE_CHECKING:
    from cnnrun.export.tracing import Classifying, Graph

Pixels = NDArray[np.float32]

_LOGGERS: Final = ("tensorflow", "tf2onnx", "onnxruntime", "root")


def write_network(
    network: "Classifying",
    path: Path,
    *,
    precision: Precision,
    opset: int | None,
    images: Callable[[], Iterator[Pixels]],
    metadata: Mapping[str, str],
) -> None:
    """The network as a file of ONNX, from `pixels` to `probabilities`, batch size free.

    Args:
        network: what is written.
        path: the new file.
        precision: float16 keeps kernels in 16 bits and computes in float32; int8 computes in 8
            bits, with a scale for each channel of a kernel.
        opset: the version of ONNX's operations; None for the usual one.
        images: training images, one a batch, from which int8 learns which values occur.
        metadata: what the file says of itself, by key.

    Raises:
        ExportError: the network has operations that ONNX has not.
        StorageError: the file cannot be written.
    """
    import onnx

    with _quiet():
        model = _converted(network.graph(), opset=opset or OPSET)
        if precision == "int8":
            model = _quantized(model, images)
    if precision == "float16":
        _keep_in_16_bits(model)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    with storage_errors(path):
        onnx.save(model, path)


def open_network(path: Path, *, threads: int | None) -> Callable[[Pixels], Pixels]:
    """A function from pixels to probabilities.

    Args:
        path: a file that `write_network` has written.
        threads: how many compute; None for one a core.

    Raises:
        ExportError: it is not such a file.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as failures

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(str(path), options)
        names = [session.get_inputs()[0].name], [session.get_outputs()[0].name]
    except (
        failures.Fail,
        failures.InvalidArgument,
        failures.InvalidGraph,
        failures.InvalidProtobuf,
        failures.NoSuchFile,
        failures.NotImplemented,
        failures.RuntimeException,
        IndexError,
    ) as error:
        raise unreadable(path, error) from error
    if names != ([PIXELS], [PROBABILITIES]):
        raise unreadable(path, f"a network from {names[0][0]} to {names[1][0]}")

    def infer(pixels: Pixels) -> Pixels:
        found: Pixels = session.run([PROBABILITIES], {PIXELS: pixels})[0]
        return found

    return infer


def _converted(graph: "Graph", *, opset: int) -> Any:
    """The graph as a model of ONNX, its weights put back.

    Raises:
        ExportError: ONNX has not all of its operations.
    """
    import tf2onnx
    from onnx import defs, numpy_helper

    places = {f"{name}:0": value for name, value in graph.weights.items()}
    model, _ = tf2onnx.convert.from_graph_def(
        graph.definition,
        name="cnnrun",
        input_names=[f"{PIXELS}:0", *places],
        output_names=[graph.output],
        tensors_to_rename={f"{PIXELS}:0": PIXELS, graph.output: PROBABILITIES},
        opset=opset,
        custom_op_handlers={"Erfc": (_as_one_less_erf, [])},
    )
    unknown = [
        node for node in model.graph.node if not node.domain and not defs.has(node.op_type, opset)
    ]
    if unknown:
        raise ExportError.at(
            "--to onnx",
            rule=f"must have operations that ONNX has, in its version {opset}",
            received=", ".join(sorted({f"{node.op_type} ({node.name})" for node in unknown})),
            advice="`--to saved_model` has all of TensorFlow's",
        )
    used = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in places.items() if name in used
    )
    inputs = [each for each in model.graph.input if each.name == PIXELS]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "images"
    return model


def _as_one_less_erf(context: Any, node: Any, name: str, _: Sequence[Any]) -> None:
    """The complement of the error function, which tf2onnx does not know, for exact GELU."""
    (output,) = node.output
    shapes, types = [context.get_shape(output)], [context.get_dtype(output)]
    context.remove_node(node.name)
    erf = context.make_node("Erf", node.input)
    one = context.make_const(f"{name}/one", np.array(1, np.float32))
    parts = [one.output[0], erf.output[0]]
    context.make_node("Sub", parts, outputs=[output], name=name, shapes=shapes, dtypes=types)


def _keep_in_16_bits(model: Any) -> None:
    """Have kernels take half the room; the runtime makes float32 of them when it opens the file."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for initializer in model.graph.initializer:
        values = numpy_helper.to_array(initializer)
        if values.dtype != np.float32 or values.ndim < 2 or not _fits_16_bits(values):
            continue
        name = initializer.name
        stored = f"{name}/float16"
        initializer.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _fits_16_bits(values: NDArray[Any]) -> bool:
    return bool(values.size and np.abs(values).max() <= np.finfo(np.float16).max)


def _quantized(model: Any, images: Callable[[], Iterator[Pixels]]) -> Any:
    """The model in 8 bits, its scales fitted to images."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """One image after another."""

        def __init__(self) -> None:
            self._images = images()

        def get_next(self) -> dict[str, Pixels] | None:
            batch = next(self._images, None)
            return None if batch is None else {PIXELS: batch}

    with tempfile.TemporaryDirectory(prefix="cnnrun-export-") as folder:
        whole, folded, quantized = (Path(folder) / f"{name}.onnx" for name in "abc")
        onnx.save(model, whole)
        quant_pre_process(str(whole), str(folded), skip_symbolic_shape=True)
        quantize_static(
            str(folded), str(quantized), Reader(), quant_format=QuantFormat.QDQ, per_channel=True
        )
        return onnx.load(quantized)


@contextmanager
def _quiet() -> Iterator[None]:
    """Within the block, what converters say of their own progress is not said."""
    loggers = [logging.getLogger(None if name == "root" else name) for name in _LOGGERS]
    before = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for each, level in zip(loggers, before, strict=True):
            each.setLevel(level)
