"""The blocks of one line: `conv_block`, `dense_block`, `classifier`, and what blocks share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final, get_args

from typing_extensions import override

from cnnrun.config.call_forms import call_name
from cnnrun.config.keras_calls import LAYER_NAME, NOTHING, Arguments, Call
from cnnrun.config.keras_rules import (
    refuse_indivisible_filters,
    refuse_strides_with_dilation,
    refuse_unequal_depthwise_strides,
)
from cnnrun.config.keras_table import names_of
from cnnrun.config.kinds import Either, Kind, ListOf, Nullable, Schema
from cnnrun.config.places import INVALID, Invalid, Place, listed, suggestion
from cnnrun.config.records import Key, Record
from cnnrun.config.scalar_kinds import Boolean, Choice, Integer, Number
from cnnrun.config.values import (
    BatchNorm,
    BatchNormPosition,
    BlocksSpec,
    Classifier,
    ConvBlock,
    Convolution,
    DenseBlock,
    KerasCall,
    Padding,
)
from cnnrun.config.yaml_tree import Entry, MapNode, Node, ScalarNode

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
                received=listed(node.entries) or "an empty map",
                advice=f"`position`: {Choice(POSITIONS).phrase}",
            )
        rest = {key: entry for key, entry in node.entries.items() if key != "position"}
        arguments = self._arguments.read(place.standing_for(MapNode(node.position, rest)))
        if position is INVALID or arguments is INVALID:
            return INVALID
        return BatchNorm(position, arguments)

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
        return f"an activation function of Keras or one of the layers {listed(ACTIVATION_LAYERS)}"

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
                advice=suggestion(name, names, otherwise="keras.activations has the names"),
            )
        return Call("activations").read(place)

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
NAME: Final = Key(Nullable(LAYER_NAME), "the block's name, unique in its list")
_USE_BIAS: Final = Key(Boolean(), "whether a bias is added")
_KERNEL: Final[Mapping[str, Key]] = {
    "use_bias": _USE_BIAS,
    "kernel_initializer": Key(Call("initializers"), "how the kernel begins"),
    "bias_initializer": Key(Call("initializers"), "how the bias begins"),
    "kernel_regularizer": Key(_nullable_call("regularizers"), "the penalty on the kernel"),
    "bias_regularizer": Key(_nullable_call("regularizers"), "the penalty on the bias"),
    "kernel_constraint": Key(_nullable_call("constraints"), "what the kernel is held to"),
    "bias_constraint": Key(_nullable_call("constraints"), "what the bias is held to"),
}
_DROPOUT: Final = Key(SHARE, "the share of values that are dropped, at the block's end")
_NORMALIZED: Final[Mapping[str, Key]] = {
    "batch_norm": Key(BatchNormKind(), "where batch normalization stands, and its arguments"),
    "activation": Key(ACTIVATION, "the activation, or `none`"),
    "dropout": _DROPOUT,
}

BLOCKS: Final = Record(
    BlocksSpec,
    "a map of what all blocks have in common",
    {
        **_NORMALIZED,
        **{key: _KERNEL[key] for key in ("kernel_initializer", "kernel_regularizer", "use_bias")},
    },
)


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
    {
        "filters": Key(Nullable(Integer(1)), "the number of output channels"),
        "kernel_size": Key(_size(1), "the kernel's height and width"),
        "strides": Key(_size(1), "the step from one output to the next"),
        "padding": Key(Choice(get_args(Padding)), "whether the borders are padded"),
        "dilation_rate": Key(_size(1), "the distance between the inputs of one output"),
        "groups": Key(Integer(1), "how many groups of channels are convolved apart"),
        "convolution": Key(Choice(get_args(Convolution)), "the layer that convolves"),
        "depth_multiplier": Key(Integer(1), "output channels of the depthwise part per channel"),
        **_NORMALIZED,
        **_KERNEL,
        "spatial_dropout": Key(SHARE, "the share of channels that are dropped, at the end"),
        "name": NAME,
    },
    checks=(_check_conv_block,),
    inherits=BlocksSpec,
)

DENSE_BLOCK: Final = Record(
    DenseBlock,
    "a map of what the block consists of",
    {
        "units": Key(Integer(1), "the number of outputs"),
        **_NORMALIZED,
        **_KERNEL,
        "name": NAME,
    },
    inherits=BlocksSpec,
)

CLASSIFIER: Final = Record(
    Classifier,
    "a map of what the last layer consists of",
    {
        "activation": Key(ACTIVATION, "the activation, or `none` for logits"),
        **_KERNEL,
        "name": Key(LAYER_NAME, "the layer's name"),
    },
    inherits=BlocksSpec,
)
