"""What the kinds of a config make of layers, batch norm and objects of Keras.

The sections of a config, whose keys are declared with these, are in data_section.py and so on;
positions do not count when two of them are compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cnnrun.errors import Position

BatchNormPosition = Literal["none", "before_activation", "after_activation", "before_convolution"]
Convolution = Literal["Conv2D", "SeparableConv2D", "DepthwiseConv2D"]
Padding = Literal["valid", "same"]


@dataclass(frozen=True)
class KerasCall:
    """An object of Keras, or a schedule of cnnrun, by name and arguments, as the config gives it.

    Attributes:
        family: the module of Keras that holds it: "layers", "optimizers", "schedules", "losses",
            "metrics", "callbacks", "initializers", "regularizers", "constraints", "activations".
        name: a class ("Adam"), or a function's name or alias as Keras spells it ("relu").
        arguments: argument -> None, bool, int, float, str, Epochs, a KerasCall, a tuple of these.
    """

    family: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Epochs:
    """A length of a schedule in epochs, which becomes one in steps where the data is known."""

    number: float

    def __str__(self) -> str:
        """The length as a config writes it, such as "20 epochs"."""
        return f"{self.number:.10g} epoch{'' if self.number == 1 else 's'}"


@dataclass(frozen=True)
class BatchNorm:
    """Where a block normalizes its batches, and with which arguments of BatchNormalization."""

    position: BatchNormPosition
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LayerSpec:
    """One entry of a layer list.

    Attributes:
        kind: a class of keras.layers ("Conv2D") or a block ("conv_block", "dense_block",
            "residual", "branches", "repeat", "classifier").
        arguments: a Keras layer's arguments as written, without its name; every field of a
            block's dataclass in blocks.py or layer_lists.py.
        path: its name, or its kind in snake case and its number among that kind in its own list
            ("conv_block_2"); relative to that list.
        address: where it stands in the config, such as "model.layers[2].Conv2D".
        position: where it stands in the file.
        named: whether `path` is a name that the user gave.
    """

    kind: str
    arguments: Mapping[str, Any]
    path: str
    address: str
    position: Position | None = field(default=None, compare=False)
    named: bool = False
