"""The formats of an export: a line each, and a module that writes and runs it."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final, Literal, final

from cnnrun.errors import ExportError
from cnnrun.wording import listed

FormatName = Literal["onnx", "litert", "saved_model"]
Precision = Literal["float32", "float16", "int8"]

PIXELS: Final = "pixels"
"""The name of a network's input: `(images, height, width, channels)`, float32, 0 to 255."""
PROBABILITIES: Final = "probabilities"
"""The name of its output: `(images, classes)`, float32."""

_PARAMETERS_OF_2_GB: Final = 500_000_000
LOWEST_OPSET: Final = 13
HIGHEST_OPSET: Final = 18
OPSET: Final = 17
"""Of ONNX's operations: the first version that has layer normalization."""


@final
@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        name: as `--to` says it.
        file: the name of the network's file, or folder, without what is said of it.
        suffix: how that name ends.
        module: the module of cnnrun that writes and runs it.
        writers: the packages that write it, beside TensorFlow.
        runtime: the package that runs it.
        precisions: what it can hold.
        parameters_at_most: how many a file can hold, whose sizes and offsets have 31 bits.
        bytes_a_parameter: what writing, running and measuring it takes of the memory, about; see
            tests/benchmarks/export_networks.py.
        opening: the lines of a script that open FILE and define `infer(pixels)`.
    """

    name: FormatName
    file: str
    suffix: str
    module: str
    writers: tuple[str, ...]
    runtime: str
    precisions: tuple[Precision, ...]
    parameters_at_most: int | None
    bytes_a_parameter: int
    opening: str


_ONNX: Final = """\
import onnxruntime

SESSION = onnxruntime.InferenceSession(str(HERE / FILE))


def infer(pixels):
    return SESSION.run(["probabilities"], {"pixels": pixels})[0]
"""
_LITERT: Final = """\
from ai_edge_litert.interpreter import Interpreter

NETWORK = Interpreter(str(HERE / FILE)).get_signature_runner()


def infer(pixels):
    return NETWORK(pixels=pixels)["probabilities"]
"""
_SAVED_MODEL: Final = """\
import tensorflow as tf

NETWORK = tf.saved_model.load(str(HERE / FILE)).signatures["serving_default"]


def infer(pixels):
    return NETWORK(pixels=tf.constant(pixels))["probabilities"].numpy()
"""

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        each.name: each
        for each in (
            Format(
                name="onnx",
                file="model",
                suffix=".onnx",
                module="cnnrun.export.onnx_file",
                writers=("tf2onnx", "onnx"),
                runtime="onnxruntime",
                precisions=("float32", "float16", "int8"),
                parameters_at_most=_PARAMETERS_OF_2_GB,
                bytes_a_parameter=24,
                opening=_ONNX,
            ),
            Format(
                name="litert",
                file="model",
                suffix=".tflite",
                module="cnnrun.export.litert_file",
                writers=(),
                runtime="ai_edge_litert",
                precisions=("float32", "float16", "int8"),
                parameters_at_most=_PARAMETERS_OF_2_GB,
                bytes_a_parameter=32,
                opening=_LITERT,
            ),
            Format(
                name="saved_model",
                file="saved_model",
                suffix="",
                module="cnnrun.export.saved_model_file",
                writers=(),
                runtime="tensorflow",
                precisions=("float32",),
                parameters_at_most=None,
                bytes_a_parameter=24,
                opening=_SAVED_MODEL,
            ),
        )
    }
)
"""The formats by name."""


def refuse_absent_packages(form: Format, *, to_write: bool) -> None:
    """Raise unless the packages are installed that write and run a format, or that run it.

    Raises:
        ExportError: some are not; it says how they come.
    """
    wanted = (*(form.writers if to_write else ()), form.runtime)
    absent = [package for package in wanted if find_spec(package) is None]
    if absent:
        raise ExportError.at(
            form.name,
            rule=f"needs the {'package' if len(wanted) == 1 else 'packages'} {listed(wanted)}",
            received=f"a Python without {listed(absent)}",
            advice="`pip install 'cnnrun[export]'` installs what all formats need",
        )


def refuse_too_many_parameters(form: Format, parameters: int) -> None:
    """Raise unless a file of a format can hold a network.

    Raises:
        ExportError: it cannot.
    """
    if form.parameters_at_most is not None and parameters > form.parameters_at_most:
        raise ExportError.at(
            f"--to {form.name}",
            rule=f"a file of {form.name} holds at most {form.parameters_at_most:,} parameters",
            received=f"{parameters:,}",
            advice="`--to saved_model` holds more",
        )


def refuse_unfit_options(form: Format, *, precision: Precision, opset: int | None) -> None:
    """Raise unless a format has a precision and an opset.

    Raises:
        ExportError: it has not.
    """
    if precision not in form.precisions:
        raise ExportError.at(
            "--precision",
            rule=f"{form.name} holds {listed(form.precisions)}",
            received=precision,
            advice="`--to onnx` and `--to litert` have float16 and int8",
        )
    if opset is None:
        return
    if form.name != "onnx":
        raise ExportError.at(
            "--opset",
            rule="is a version of ONNX's operations",
            received=f"{opset} for {form.name}",
            advice="leave it out, or export `--to onnx`",
        )
    if not LOWEST_OPSET <= opset <= HIGHEST_OPSET:
        raise ExportError.at(
            "--opset",
            rule=f"must be a version from {LOWEST_OPSET} to {HIGHEST_OPSET}",
            received=str(opset),
            advice=f"without it, {OPSET} is written",
        )
