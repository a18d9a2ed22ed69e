"""Why a layer cannot stand where it stands, in words that need no knowledge of Keras's insides.

Keras says it in messages made for programmers; their minor version is pinned, and a test holds
one example of each.
"""

import math
import re
from collections.abc import Sequence
from typing import Any, Final

import keras
import tensorflow as tf

from cnnrun.runs.environment import memory_bytes

KERAS_FAILURES: Final = (
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    tf.errors.OpError,
)
"""What the constructor or the call of a layer raises when its arguments or input do not fit."""

Shape = tuple[int | None, ...]

_SHRINK: Final = "use `padding: same`, a smaller window, or fewer layers before it that shrink"
_SAME_SHAPES: Final = "make the lists end in equal shapes: check strides, padding and pooling"

_EXPLANATIONS: Final[Sequence[tuple[str, str, str]]] = (
    ("output size would be zero or negative", "the window must fit into its input", _SHRINK),
    (
        "smaller than the corresponding spatial dimension",
        "the cropping must leave something of its input",
        "crop less",
    ),
    ("Inputs have incompatible shapes", "the inputs must have equal shapes", _SAME_SHAPES),
    (
        "matching shapes except for the concatenation axis",
        "the inputs must have equal shapes, apart from the axis that is concatenated",
        _SAME_SHAPES,
    ),
    (
        "called on exactly 2 inputs",
        "the layer merges exactly two inputs",
        "give two branches, or merge with Add, Average, Concatenate, Maximum or Multiply",
    ),
    (
        "divisible by the number of groups|multiple of the number of channels"
        "|multiple of the number of groups|cannot be more than the number of channels",
        "`groups` must divide the number of channels of its input",
        "choose a divisor of the number of channels",
    ),
    (
        "total size of the tensor must be unchanged",
        "the target shape must hold as many numbers as the input",
        "use -1 for one of the sizes to have it computed",
    ),
    (
        "index out of range|must be in the range|out of bounds|Invalid reduction dimension",
        "an axis must be one of the input's, counted from 0 for the batch or from -1 for the last",
        "",
    ),
    (
        "must be broadcastable",
        "`noise_shape` must give 1, null or the input's own size for each axis",
        "to drop whole channels of an image, write `noise_shape: [null, 1, 1, null]`",
    ),
    (
        "OOM when allocating|failed to allocate",
        "the layer must fit into memory",
        "make it, or the image before it, smaller",
    ),
)
"""Pattern of Keras's message, the rule behind it, and what to do."""

_RANK: Final = re.compile(r"expected (min_|max_)?ndim=(\d+), found ndim=(\d+)")
_EMPHASIS: Final = re.compile(r"\x1b\[1m(.*?)\x1b\[0m", re.DOTALL)


class LayerError(Exception):
    """A layer that cannot be made or called; `network` tells at which line of the config.

    Attributes:
        rule: what has to hold.
        received: what was found, shapes included.
        advice: what to do about it; may be empty.
    """

    def __init__(self, rule: str, received: str, advice: str) -> None:
        self.rule = rule
        self.received = received
        self.advice = advice
        super().__init__(f"{rule}, received {received}" + (f"; {advice}" if advice else ""))


def explain(error: BaseException, *, inputs: Sequence[Shape], layer: Any = None) -> LayerError:
    """The failure of a layer in our words.

    Args:
        error: what Keras raised.
        inputs: the shapes that the layer was called with; none if it was being made.
        layer: the layer, if it was made.
    """
    message = keras_message(error)
    received = f"input {shapes_text(inputs)}{_window(layer)}" if inputs else message
    if found := _RANK.search(message):
        return _rank_error(int(found[2]), int(found[3]), exact=found[1] is None, received=received)
    for pattern, rule, advice in _EXPLANATIONS:
        if re.search(pattern, message):
            return LayerError(rule, received, advice)
    detail = f"input {shapes_text(inputs)}: {message}" if inputs else message
    return LayerError("the layer must suit its arguments and its input", detail, "")


def keras_message(error: BaseException) -> str:
    """The first sentence that matters of a message by Keras, without colours and call traces."""
    text = str(error)
    emphasis = _EMPHASIS.search(text)
    text = emphasis[1] if emphasis else text
    text = re.sub(r"^\{\{.*?\}\}\s*|\s*\[Op:\w+\].*$", "", text, flags=re.DOTALL)
    first = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    return " ".join(first.split()).rstrip(".")


def _window(layer: Any) -> str:
    """The arguments that decide how large an input the layer needs, as a message ends with them."""
    names = (
        "pool_size",
        "kernel_size",
        "dilation_rate",
        "cropping",
        "groups",
        "target_shape",
        "noise_shape",
        "shared_axes",
        "dims",
        "axis",
    )
    given = {name: getattr(layer, name) for name in names if hasattr(layer, name)}
    idle = {
        "dilation_rate": (1, 1),
        "groups": 1,
        "noise_shape": None,
        "shared_axes": None,
        "axis": -1,
    }
    told = [f"{name} {value}" for name, value in given.items() if value != idle.get(name)]
    return f" with {', '.join(told)}" if told else ""


def shape_text(shape: Shape) -> str:
    """A shape as people write it: `(batch, 28, 28, 1)`."""
    batch, *rest = shape
    sizes = [
        "batch" if batch is None else str(batch),
        *("?" if n is None else str(n) for n in rest),
    ]
    return f"({', '.join(sizes)})"


def shapes_text(shapes: Sequence[Shape]) -> str:
    """Shapes as people write them, joined by "and"."""
    return " and ".join(shape_text(shape) for shape in shapes)


def refuse_what_memory_cannot_hold(layer: Any, shape: Shape) -> None:
    """Raise before a layer of Dense's or Conv's kind allocates more than the machine has.

    Raises:
        LayerError: its kernel alone has more bytes than there is memory.
    """
    weights = _kernel_size(layer, shape)
    if weights * 4 > (memory_bytes() or math.inf):
        raise LayerError(
            "the weights must fit into memory",
            f"input {shape_text(shape)}, which makes {weights:,} weights",
            "make the layer smaller, or pool before it",
        )


def refuse_giant_output(shape: Shape) -> None:
    """Raise when one image's output alone has more bytes than there is memory.

    Raises:
        LayerError: so it is.
    """
    size = math.prod(length or 1 for length in shape[1:])
    if size * 4 > (memory_bytes() or math.inf):
        raise LayerError(
            "an image's output must fit into memory",
            f"output {shape_text(shape)}",
            "make the layer smaller, or shrink the image before it",
        )


def _rank_error(expected: int, found: int, *, exact: bool, received: str) -> LayerError:
    count = f"{expected}" if exact else f"at least {expected}"
    advice = ""
    if found < expected:
        advice = "place it before Flatten and the global pooling layers"
    elif expected in (2, 3):
        advice = "place Flatten, Reshape or a global pooling layer before it"
    return LayerError(f"the layer takes tensors of {count} dimensions", received, advice)


def _kernel_size(layer: Any, shape: Shape) -> int:
    channels = shape[-1] or 1
    if isinstance(layer, keras.layers.Dense):
        return int(channels * layer.units)
    if isinstance(layer, keras.layers.Conv1D | keras.layers.Conv2D | keras.layers.Conv3D):
        return int(math.prod(layer.kernel_size) * channels * layer.filters // layer.groups)
    return 0
