"""TensorFlow's SavedModel: a folder with a graph and variables, which needs no Keras."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from cnnrun.assembly.automatic_choices import use_threads
from cnnrun.errors import ExportError
from cnnrun.export.formats import PIXELS, PROBABILITIES, Precision
from cnnrun.export.tracing import Classifying
from cnnrun.export.unreadable import unreadable
from cnnrun.runs.files import storage_errors

Pixels = NDArray[np.float32]

_SIGNATURE: Final = "serving_default"
_FUNCTIONS_OF_STORAGE: Final = ("__inference__traced_save", "__inference__traced_restore")
# What a graph can do to the machine beside computing. Reading the variables is done by TensorFlow
# itself; and lists and maps of Python's are what the folder's tree of objects consists of.
_OPERATIONS: Final = ("File", "PyFunc", "Save", "Restore", "Dataset", "Iterator", "Print", "Table")
_OBJECTS: Final = frozenset(
    {"user_object", "variable", "function", "bare_concrete_function", "constant", "captured_tensor"}
)
_PLAIN: Final = (
    "_generic_user_object",
    "trackable_list_wrapper",
    "trackable_dict_wrapper",
    "signature_map",
)


def write_network(
    network: Classifying,
    path: Path,
    *,
    precision: Precision,
    opset: int | None,
    images: Callable[[], Iterator[Pixels]],
    metadata: Mapping[str, str],
) -> None:
    """The network as a SavedModel whose signature goes from `pixels` to `probabilities`.

    Args:
        network: what is written.
        path: the new folder.
        precision: float32.
        opset: not of this format.
        images: not needed.
        metadata: what the folder around it says of the network.

    Raises:
        StorageError: it cannot be written.
    """
    del precision, opset, images, metadata
    function, holder = network.function()
    with storage_errors(path):
        try:
            tf.saved_model.save(holder, str(path), signatures={_SIGNATURE: function})
        except tf.errors.OpError as error:  # of a full disk, among others
            raise OSError(error.message) from error


def open_network(path: Path, *, threads: int | None) -> Callable[[Pixels], Pixels]:
    """A function from pixels to probabilities.

    Args:
        path: a folder that `write_network` has written.
        threads: how many compute, where TensorFlow has not computed yet; None for those it has.

    Raises:
        ExportError: it is not such a folder, or could do more than compute.
    """
    if threads is not None:
        use_threads(threads)
    _refuse_what_does_more_than_compute(path)
    try:
        loaded = tf.saved_model.load(str(path))
        function = loaded.signatures[_SIGNATURE]
        outputs = [*function.structured_outputs]
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        raise unreadable(path, error) from error
    if outputs != [PROBABILITIES]:
        raise unreadable(path, f"a network that gives {outputs}")

    def infer(pixels: Pixels) -> Pixels:
        # `loaded` holds the variables, which the function alone would let go.
        found: Any = loaded.signatures[_SIGNATURE](**{PIXELS: tf.constant(pixels)})
        values: Pixels = found[PROBABILITIES].numpy()
        return values

    return infer


def _refuse_what_does_more_than_compute(path: Path) -> None:
    """A SavedModel is a program: one that reads, writes or runs anything is not loaded."""
    try:
        read = SavedModel.FromString((path / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as error:
        raise unreadable(path / "saved_model.pb", error) from error
    for meta in read.meta_graphs:
        for one in meta.object_graph_def.nodes:
            kind = one.WhichOneof("kind")
            identifier = one.user_object.identifier
            if kind not in _OBJECTS or (kind == "user_object" and identifier not in _PLAIN):
                raise _refused(path, identifier or str(kind))
        functions = [
            each
            for each in meta.graph_def.library.function
            if not each.signature.name.startswith(_FUNCTIONS_OF_STORAGE)
        ]
        for node in (node for each in functions for node in each.node_def):
            if any(part in node.op for part in _OPERATIONS):
                raise _refused(path, node.op)


def _refused(path: Path, what: str) -> ExportError:
    return ExportError.at(
        path,
        rule="must compute, and do nothing else",
        received=f"a graph with {what}",
        advice="only load it with TensorFlow itself, and only if you trust its author",
    )
