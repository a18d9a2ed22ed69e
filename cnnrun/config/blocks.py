"""The blocks of one line: `conv_block`, `dense_block`, `classifier`, and what blocks share."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, final, get_args

from typing_extensions import override

from cnnrun.config.call_forms import call_name
from cnnrun.config.keras_calls import LAYER_NAME, NOTHING, Arguments, Call
from cnnrun.config.keras_rules import (
    refuse_indivisible_filters,
    refuse_strides_with_dilation,
    refuse_unequal_depthwise_strides,
)
from cnnrun.config.keras_table import names_of
from cnnrun.config.kinds import REQUIRED, Either, Kind, ListOf, Nullable, Row, Schema
from cnnrun.config.places import INVALID, Invalid, Place
from cnnrun.config.records import Record
from cnnrun.config.scalar_kinds import Boolean, Choice, Integer, Number
from cnnrun.config.values import BatchNorm, BatchNormPosition, Convolution, KerasCall, Padding
from cnnrun.config.yaml_tree import Entry, MapNode, Node, ScalarNode
from cnnrun.wording import quoted, suggestion

ACTIVATION_LAYERS: Final = ("ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax")
ACTIVATION_LAYER: Final = Call("layers", ACTIVATION_LAYERS, group="activation_layers")
POSITIONS: Final[tuple[str, ...]] = get_args(BatchNormPosition)


@final
@dataclass(frozen=True)
class BatchNormKind(Kind):
    """A position, or `{position: ..., momentum: ...}` with arguments of BatchNormalization."""

    @property
    @override
    def phrase(self) -> str:
        return f"{Choice(POSITIONS).phrase}, or a map of `position` and arguments"

    @override
    def accepts(self, node: Node) -> bool:
        return isinstance(self.opened(node), MapNode)

    @override
    def read(self, place: Place) -> BatchNorm | Invalid:
        node = place.node
        position: Any
        if not isinstance(node, MapNode):
            position = Choice(POSITIONS).read(place)
            return INVALID if position is INVALID else BatchNorm(position)
        if "position" in node.entries:
            position = Choice(POSITIONS).read(place.entry("position"))
        else:
            position = place.refuse(
                "`position` is required",
                received=quoted(node.entries) or "an empty map",
                advice=f"`position`: {Choice(POSITIONS).phrase}",
            )
        rest = {key: entry for key, entry in node.entries.items() if key != "position"}
        arguments = self._arguments.read(place.standing_for(MapNode(node.position, rest)))
        if position is INVALID or arguments is INVALID:
            return INVALID
        return BatchNorm(position, arguments)

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, BatchNorm)

    @override
    def write(self, value: Any, *, relative_to: Path) -> Any:
        if not value.arguments:
            return value.position
        arguments = self._arguments.write(value.arguments, relative_to=relative_to)
        return {"position": value.position, **arguments}

    @property
    def _arguments(self) -> Arguments:
        return Arguments("layers", "BatchNormalization", without=("name",))

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        if "batch_norm" not in definitions:
            position = Choice(POSITIONS).schema(definitions)
            whole = self._arguments.schema(definitions)
            properties = {"position": position, **whole["properties"]}
            definitions["batch_norm"] = {
                "anyOf": [
                    position,
                    whole | {"type": "object", "properties": properties, "required": ["position"]},
                ]
            }
        return {"$ref": "#/$defs/batch_norm"}

    @override
    def keys(self, node: Node | None) -> Mapping[str, Kind]:
        return {"position": Choice(POSITIONS), **self._arguments.keys(None)}

    @override
    def rows(self) -> Mapping[str, Row]:
        return {"position": Row(Choice(POSITIONS), "where it stands in the block", REQUIRED)}

    @override
    def opened(self, node: Node) -> Node:
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            return MapNode(node.position, {"position": Entry(node.position, node)})
        return node


@final
@dataclass(frozen=True)
class BlockActivation(Kind):
    """An activation function by name, or one of the layers that are activations."""

    @property
    @override
    def phrase(self) -> str:
        return f"an activation function of Keras or one of the layers {quoted(ACTIVATION_LAYERS)}"

    @override
    def accepts(self, node: Node) -> bool:
        return Call("activations").accepts(node)

    @override
    def read(self, place: Place) -> KerasCall | Invalid:
        name = call_name(place.node)
        if name is None:
            return Call("activations", what=self.phrase).read(place)
        if name in ACTIVATION_LAYERS:
            return ACTIVATION_LAYER.read(place)
        names = (*names_of("activations"), *ACTIVATION_LAYERS)
        if name not in names:
            return place.refuse(
                f"must be {self.phrase}",
                received=f"`{name}`",
                advice=partial(
                    suggestion, name, names, otherwise="keras.activations has the names"
                ),
            )
        return Call("activations").read(place)

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, KerasCall)

    @override
    def write(self, value: Any, *, relative_to: Path) -> Any:
        return Call(value.family).write(value, relative_to=relative_to)

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        kinds = (Call("activations"), ACTIVATION_LAYER)
        return {"anyOf": [kind.schema(definitions) for kind in kinds]}

    @override
    def keys(self, node: Node | None) -> Mapping[str, Kind]:
        written = call_name(node) if node is not None else None
        if written is not None and written not in ACTIVATION_LAYERS:
            return {}
        return ACTIVATION_LAYER.keys(node)

    @override
    def opened(self, node: Node) -> Node:
        written = call_name(node)
        return Call("layers").opened(node) if written in ACTIVATION_LAYERS else node


def _size(minimum: int) -> Kind:
    """One integer, or one for each of height and width."""
    integer = Integer(minimum)
    return Either((integer, ListOf(integer, "integers", length=2)))


def _nullable_call(family: str) -> Kind:
    return Nullable(Call(family), NOTHING)


SHARE: Final = Number(0, below=1)
ACTIVATION: Final = Nullable(BlockActivation(), NOTHING)
Name = Annotated[str | None, Nullable(LAYER_NAME), "the block's name, unique in its list"]
Activation = Annotated[KerasCall | None, ACTIVATION, "the activation, or `none`"]

_BatchNorm = Annotated[
    BatchNorm, BatchNormKind(), "where batch normalization stands in a block, and its arguments"
]
_Dropout = Annotated[float, SHARE, "the share of values that are dropped, at the block's end"]
_UseBias = Annotated[bool, Boolean(), "whether the layer adds a bias"]
_Initializer = Call("initializers")
_KernelInitializer = Annotated[KerasCall, _Initializer, "how the initial kernel is drawn"]
_BiasInitializer = Annotated[KerasCall, _Initializer, "how the initial bias is set"]
_Regularizer = _nullable_call("regularizers")
_KernelRegularizer = Annotated[
    KerasCall | None, _Regularizer, "the penalty on the kernel that is added to the loss"
]
_BiasRegularizer = Annotated[
    KerasCall | None, _Regularizer, "the penalty on the bias that is added to the loss"
]
_Constraint = _nullable_call("constraints")
_KernelConstraint = Annotated[
    KerasCall | None, _Constraint, "what the kernel is brought back to after each step"
]
_BiasConstraint = Annotated[
    KerasCall | None, _Constraint, "what the bias is brought back to after each step"
]
_ZEROS: Final = KerasCall("initializers", "zeros")


@dataclass(frozen=True, kw_only=True)
class BlocksSpec:
    """What every block of the network uses unless it says otherwise."""

    batch_norm: _BatchNorm = BatchNorm("none")
    activation: Activation = KerasCall("activations", "relu")
    dropout: _Dropout = 0.0
    kernel_initializer: _KernelInitializer = KerasCall("initializers", "glorot_uniform")
    kernel_regularizer: _KernelRegularizer = None
    use_bias: _UseBias = True


BLOCKS: Final = Record(BlocksSpec, "a map of what all blocks have in common")


@dataclass(frozen=True, kw_only=True)
class ConvBlock:
    """A convolution with batch norm and activation in a chosen order, and dropout last."""

    filters: Annotated[int | None, Nullable(Integer(1)), "the number of output channels"] = None
    kernel_size: Annotated[int | tuple[int, int], _size(1), "the kernel's height and width"]
    strides: Annotated[
        int | tuple[int, int],
        _size(1),
        "how many pixels lie between two outputs, in height and width",
    ] = 1
    padding: Annotated[
        Padding,
        Choice(get_args(Padding)),
        "whether borders are padded (same: the size stays, but for strides) or not (valid)",
    ] = "same"
    dilation_rate: Annotated[
        int | tuple[int, int], _size(1), "how many pixels lie between two inputs of one output"
    ] = 1
    groups: Annotated[int, Integer(1), "how many groups of channels are convolved apart"] = 1
    convolution: Annotated[
        Convolution, Choice(get_args(Convolution)), "the layer of Keras that convolves"
    ] = "Conv2D"
    depth_multiplier: Annotated[
        int, Integer(1), "how many outputs the depthwise part makes of each channel"
    ] = 1
    batch_norm: _BatchNorm
    activation: Activation
    dropout: _Dropout
    use_bias: _UseBias
    kernel_initializer: _KernelInitializer
    bias_initializer: _BiasInitializer = _ZEROS
    kernel_regularizer: _KernelRegularizer
    bias_regularizer: _BiasRegularizer = None
    kernel_constraint: _KernelConstraint = None
    bias_constraint: _BiasConstraint = None
    spatial_dropout: Annotated[
        float, SHARE, "the share of channels that are dropped whole, at the block's end"
    ] = 0.0
    name: Name = None


def _check_conv_block(place: Place, values: Mapping[str, Any]) -> None:
    """What the three convolutions do not have in common, and what excludes each other."""
    convolution = values.get("convolution")
    if convolution == "DepthwiseConv2D":
        _refuse_filters(place, values)
    elif convolution is not None and not place.has_key("filters"):
        place.refuse(
            f"`filters` is required by {convolution}",
            received="nothing for it",
            advice="`filters`: the number of output channels",
        )
    elif convolution is not None and values.get("filters", 1) is None:
        place.entry("filters").refuse("must be an integer of at least 1")
    if convolution == "Conv2D" and values.get("depth_multiplier", 1) != 1:
        place.entry("depth_multiplier").refuse(
            "Conv2D has no depth_multiplier",
            advice="leave it out, or write `convolution: SeparableConv2D`",
        )
    refuse_strides_with_dilation(place, "conv_block", values)
    if convolution in ("SeparableConv2D", "DepthwiseConv2D"):
        refuse_unequal_depthwise_strides(place, str(convolution), values)
    _check_groups(place, values)
    _check_dropouts(place, values)


def _refuse_filters(place: Place, values: Mapping[str, Any]) -> None:
    if values.get("filters") is not None:
        place.entry("filters").refuse(
            "DepthwiseConv2D has no filters: its output has depth_multiplier times the channels "
            "of its input",
            advice="leave `filters` out, or write `convolution: SeparableConv2D`",
        )


def _check_groups(place: Place, values: Mapping[str, Any]) -> None:
    convolution = values.get("convolution")
    if convolution == "Conv2D":
        refuse_indivisible_filters(place, "conv_block", values)
    elif convolution is not None and values.get("groups", 1) != 1:
        place.entry("groups").refuse(
            f"{convolution} has no groups", advice="leave it out, or write `convolution: Conv2D`"
        )


def _check_dropouts(place: Place, values: Mapping[str, Any]) -> None:
    if values.get("dropout", 0) > 0 and values.get("spatial_dropout", 0) > 0:
        inherited = "" if place.has_key("dropout") else " from model.blocks"
        place.entry("spatial_dropout").refuse(
            "a block takes dropout or spatial_dropout, not both",
            received=f"{values['spatial_dropout']:g}, beside dropout {values['dropout']:g}"
            f"{inherited}",
            advice="write `dropout: 0`, or leave `spatial_dropout` out",
        )


CONV_BLOCK: Final = Record(
    ConvBlock,
    "a map of what the block consists of",
    checks=(_check_conv_block,),
    inherits=BlocksSpec,
)


@dataclass(frozen=True, kw_only=True)
class DenseBlock:
    """A Dense layer with batch norm and activation in a chosen order, and dropout last."""

    units: Annotated[int, Integer(1), "the number of outputs"]
    batch_norm: _BatchNorm
    activation: Activation
    dropout: _Dropout
    use_bias: _UseBias
    kernel_initializer: _KernelInitializer
    bias_initializer: _BiasInitializer = _ZEROS
    kernel_regularizer: _KernelRegularizer
    bias_regularizer: _BiasRegularizer = None
    kernel_constraint: _KernelConstraint = None
    bias_constraint: _BiasConstraint = None
    name: Name = None


DENSE_BLOCK: Final = Record(DenseBlock, "a map of what the block consists of", inherits=BlocksSpec)


SOFTMAX_BY_DEFAULT: Final = KerasCall("activations", "softmax")
"""The classifier's activation where none is written; a sigmoid where images have several labels."""


@dataclass(frozen=True, kw_only=True)
class SelfAttention:
    """Multi-head attention of every position of an image to all of its positions."""

    num_heads: Annotated[int, Integer(1), "how many heads attend apart from each other"]
    key_dim: Annotated[
        int | None,
        Nullable(Integer(1)),
        "the numbers of a head; by default the channels are divided among the heads",
    ] = None
    attention_dropout: Annotated[
        float, SHARE, "the share of attention weights that are dropped in training"
    ] = 0.0
    use_bias: _UseBias
    kernel_initializer: _KernelInitializer
    kernel_regularizer: _KernelRegularizer
    name: Name = None


SELF_ATTENTION: Final = Record(
    SelfAttention, "a map with `num_heads`", inherits=BlocksSpec, short="num_heads"
)


@dataclass(frozen=True, kw_only=True)
class ChannelShuffle:
    """Channels that come in groups, dealt out of their groups in turn."""

    groups: Annotated[int, Integer(2), "how many groups the channels come in"] = 2
    name: Name = None


CHANNEL_SHUFFLE: Final = Record(ChannelShuffle, "a map with `groups`", short="groups")


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """The last layer: Dense with one unit a class, or a label."""

    activation: Annotated[
        KerasCall | None,
        ACTIVATION,
        "the activation, or `none` for logits; sigmoid by default where images have several labels",
    ] = SOFTMAX_BY_DEFAULT
    use_bias: _UseBias
    kernel_initializer: _KernelInitializer
    bias_initializer: _BiasInitializer = _ZEROS
    kernel_regularizer: _KernelRegularizer
    bias_regularizer: _BiasRegularizer = None
    kernel_constraint: _KernelConstraint = None
    bias_constraint: _BiasConstraint = None
    name: Annotated[str, LAYER_NAME, "the layer's name"] = "classifier"


CLASSIFIER: Final = Record(
    Classifier, "a map of what the last layer consists of", inherits=BlocksSpec
)
