"""Lists of layers: Keras's own by their class names, cnnrun's blocks in lower case."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, final, get_args

from typing_extensions import override

from cnnrun.config.blocks import (
    ACTIVATION,
    CHANNEL_SHUFFLE,
    CLASSIFIER,
    CONV_BLOCK,
    DENSE_BLOCK,
    SELF_ATTENTION,
    Name,
)
from cnnrun.config.call_forms import (
    call_arguments,
    call_name,
    call_schema,
    opened_call,
    read_call_name,
    refuse_name,
)
from cnnrun.config.keras_calls import Arguments, Call
from cnnrun.config.keras_table import keras_table
from cnnrun.config.kinds import Kind, ListOf, Row, Schema
from cnnrun.config.places import INVALID, Invalid, Place
from cnnrun.config.records import Record
from cnnrun.config.scalar_kinds import Choice, Integer
from cnnrun.config.values import KerasCall, LayerSpec
from cnnrun.config.yaml_tree import ListNode, MapNode, Node, ScalarNode
from cnnrun.errors import Position
from cnnrun.wording import suggestion

MOST_LAYERS: Final = 10_000
"""Of a network, each time that a layer is repeated counted; Keras takes a minute to build them."""

STEM: Final = "stem"
"""What the paths of all layers below a backbone begin with."""

Shortcut = Literal["auto", "identity", "projection"]


@final
@dataclass(frozen=True)
class LayerEntry(Kind):
    """One layer or block; its path is known to its list only."""

    @property
    @override
    def phrase(self) -> str:
        return "a layer of Keras or a block"

    @override
    def accepts(self, node: Node) -> bool:
        return call_name(node) is not None

    @override
    def read(self, place: Place) -> LayerSpec | Invalid:
        kinds = self.keys(None)
        name = read_call_name(place, self.phrase, tuple(kinds))
        if not isinstance(name, str):
            return name
        if name not in kinds:
            return _refuse_layer(place, name, tuple(kinds))
        arguments = call_arguments(place, name)
        read = kinds[name].read(arguments)
        if isinstance(read, Invalid):
            return read
        values: dict[str, Any] = read if isinstance(read, dict) else _fields_of(read)
        return LayerSpec(
            kind=name,
            arguments=values if name in BLOCK_RECORDS else _without_name(values),
            path="",
            address=f"{place.address}.{name}",
            position=_name_position(place.node),
            named=arguments.has_key("name") and values.get("name") is not None,
        )

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, LayerSpec)

    @override
    def write(self, value: Any, *, relative_to: Path) -> Any:
        kinds = self.keys(None)[value.kind].keys(None)
        arguments = {
            key: kinds[key].write(each, relative_to=relative_to)
            for key, each in value.arguments.items()
            if key != "name"
        }
        if value.named:
            arguments["name"] = value.path
        return {value.kind: arguments} if arguments else value.kind

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        if "layer" not in definitions:
            definitions["layer"] = {}  # taken, before the blocks refer to it
            definitions["layer"] = call_schema(self.keys(None), definitions, [])
        return {"$ref": "#/$defs/layer"}

    @override
    def keys(self, node: Node | None) -> Mapping[str, Kind]:
        written = call_name(node) if node is not None else None
        kinds = _kinds_of_layers()
        return kinds if written not in kinds or written is None else {written: kinds[written]}

    @override
    def rows(self) -> Mapping[str, Row]:
        return {
            name: Row(block, (block.result.__doc__ or "").splitlines()[0])
            for name, block in BLOCK_RECORDS.items()
        }

    @override
    def opened(self, node: Node) -> Node:
        return opened_call(node)


@final
@dataclass(frozen=True)
class LayerList(Kind):
    """A list of layers, each of which gets a path that is its own.

    Attributes:
        is_whole_network: whether the classifier may stand at its end; and it may be empty, for
            what a backbone has, if any, is known to the model only.
        is_branch: whether it is one of several beside each other.
    """

    is_whole_network: bool = False
    is_branch: bool = False

    @property
    @override
    def phrase(self) -> str:
        return "a list of at least 1 layer"

    @override
    def accepts(self, node: Node) -> bool:
        return isinstance(node, ListNode)

    @override
    def read(self, place: Place) -> tuple[LayerSpec, ...] | Invalid:
        node = place.node
        is_empty = isinstance(node, ListNode) and not node.items and not self.is_whole_network
        if not isinstance(node, ListNode) or is_empty:
            passes_on = is_empty and self.is_branch
            return place.refuse(
                f"must be {self.phrase}",
                advice="write [Identity] for a branch that hands its input on"
                if passes_on
                else "each layer begins with `- `",
            )
        known_problems = len(place.problems)
        places = [place.item(index) for index in range(len(node.items))]
        layers = [LayerEntry().read(each) for each in places]
        self._check_classifiers(places)
        _check_names(places)
        if len(place.problems) > known_problems:
            return INVALID
        paths = layer_paths(node.items)
        read = tuple(
            replace(layer, path=path)
            for layer, path in zip(layers, paths, strict=True)
            if layer is not INVALID
        )
        if (number := sum(map(_layers_of, read))) > MOST_LAYERS:
            return place.refuse(
                f"a network must have at most {MOST_LAYERS:,} layers",
                received=f"{number:,} in this list" if number < 10**15 else "far more in this list",
                advice="a smaller `times`, or fewer layers",
            )
        return read

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, tuple)

    @override
    def write(self, value: Any, *, relative_to: Path) -> list[Any]:
        return [LayerEntry().write(layer, relative_to=relative_to) for layer in value]

    def _check_classifiers(self, places: Sequence[Place]) -> None:
        allowed = len(places) - 1 if self.is_whole_network else None
        for index, place in enumerate(places):
            if call_name(place.node) == "classifier" and index != allowed:
                refuse_name(
                    place,
                    "classifier",
                    "the classifier must be the last entry of model.layers",
                    "move it there, or write `Dense` here",
                )

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        minimum = 0 if self.is_whole_network else 1
        return {"type": "array", "items": LayerEntry().schema(definitions), "minItems": minimum}

    @override
    def items(self) -> Kind | None:
        return LayerEntry()


def _layers_of(layer: LayerSpec) -> int:
    """How many entries a layer stands for, with what is repeated counted as often."""
    lists = [layer.arguments.get("layers", ()), *layer.arguments.get("branches", ())]
    inside = sum(_layers_of(each) for layers in lists for each in layers)
    return inside * int(layer.arguments.get("times") or 1) + (layer.kind != "repeat")


def layer_paths(nodes: Sequence[Node]) -> list[str]:
    """The path of each layer of a list: its name, or its kind in snake case and its number."""
    numbers: Counter[str] = Counter()
    paths = []
    for node in nodes:
        kind = call_name(node) or ""
        numbers[kind] += 1
        automatic = "classifier" if kind == "classifier" else f"{snake_case(kind)}_{numbers[kind]}"
        paths.append(_given_name(node) or automatic)
    return paths


def all_paths(layers: Sequence[LayerSpec], prefix: str = "") -> Iterator[str]:
    """The full paths of layers and of the layers inside them: `residual_1/conv_block_2`."""
    for layer in layers:
        path = prefix + layer.path
        yield path
        inside = layer.arguments.get("layers", ())
        times = layer.arguments.get("times")
        for time in [""] if times is None else [f"{time}/" for time in range(1, times + 1)]:
            yield from all_paths(inside, f"{path}/{time}")
        for number, branch in enumerate(layer.arguments.get("branches", ()), start=1):
            yield from all_paths(branch, f"{path}/branch_{number}/")


def _merging_layer() -> Call:
    layers = keras_table()["layers"]
    merging = tuple(name for name, entry in layers.items() if entry["inputs"] == "many")
    return Call("layers", merging, group="merging_layers", what="a merging layer of Keras")


_Layers = Annotated[tuple[LayerSpec, ...], LayerList(), "the layers inside"]


@dataclass(frozen=True, kw_only=True)
class Residual:
    """Layers whose result is added to their input."""

    layers: _Layers
    shortcut: Annotated[
        Shortcut,
        Choice(get_args(Shortcut)),
        "how the input reaches the addition: as it is, or by a 1x1 convolution; auto by the shapes",
    ] = "auto"
    activation: Annotated[
        KerasCall | None, ACTIVATION, "the activation after the addition, or `none`"
    ] = None
    name: Name = None


@dataclass(frozen=True, kw_only=True)
class Branches:
    """Parallel lists of layers over one input, merged by a merging layer of Keras."""

    branches: Annotated[
        tuple[tuple[LayerSpec, ...], ...],
        ListOf(LayerList(is_branch=True), "lists of layers", minimum=2),
        "the parallel lists of layers",
    ]
    merge: Annotated[KerasCall, _merging_layer(), "the merging layer of Keras that joins them"] = (
        KerasCall("layers", "Concatenate")
    )
    name: Name = None


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """Layers that stand `times` times in a row, each time with weights of their own."""

    times: Annotated[int, Integer(1), "how often the layers stand in a row"]
    layers: _Layers


@dataclass(frozen=True, kw_only=True)
class ChannelSplit:
    """Layers for one half of the channels; the other passes by, then both are shuffled."""

    layers: _Layers
    groups: Annotated[
        int, Integer(1), "in how many groups the result is shuffled; 1 for not at all"
    ] = 2
    name: Name = None


BLOCK_RECORDS: Final[Mapping[str, Record]] = {
    "conv_block": CONV_BLOCK,
    "dense_block": DENSE_BLOCK,
    "residual": Record(Residual, "a map with `layers`"),
    "branches": Record(Branches, "a map with `branches`"),
    "repeat": Record(Repeat, "a map with `times` and `layers`"),
    "self_attention": SELF_ATTENTION,
    "channel_split": Record(ChannelSplit, "a map with `layers`"),
    "channel_shuffle": CHANNEL_SHUFFLE,
    "classifier": CLASSIFIER,
}
"""The blocks, by name."""


@cache
def _kinds_of_layers() -> Mapping[str, Kind]:
    """What may stand in a list, by name; layers of one input only."""
    layers = keras_table()["layers"]
    single = [name for name, entry in layers.items() if entry["inputs"] == "one"]
    return {**BLOCK_RECORDS, **{name: Arguments("layers", name) for name in single}}


def _refuse_layer(place: Place, name: str, names: Sequence[str]) -> Invalid:
    table = keras_table()
    if name in table["refused"]["layers"]:
        reason = table["refused"]["layers"][name]
        return refuse_name(place, name, f"`{name}` cannot stand in a config", reason)
    if name in table["layers"]:
        return refuse_name(
            place,
            name,
            f"`{name}` takes several inputs, and a list hands on one",
            f"write `branches: {{branches: [[...], [...]], merge: {name}}}`",
        )
    return refuse_name(
        place,
        name,
        "must be a layer of Keras or a block",
        lambda: suggestion(name, names, otherwise=_ALL_LAYERS),
    )


def _check_names(places: Sequence[Place]) -> None:
    """Refuse a path that stands twice in a list; automatic ones differ by themselves."""
    paths = layer_paths([place.node for place in places])
    first_at: dict[str, int] = {}
    for index, (place, path) in enumerate(zip(places, paths, strict=True)):
        earlier = first_at.setdefault(path, index)
        if earlier == index or not (_given_name(place.node) or _given_name(places[earlier].node)):
            continue
        named = place if _given_name(place.node) else places[earlier]
        kind = call_name(named.node) or ""
        named.entry(kind).entry("name").refuse(
            "a layer's name must be its own in its list",
            received=f"`{path}`, which is also the name of {places[earlier].address}"
            if named is place
            else f"`{path}`, which is also the automatic name of {place.address}",
            advice="choose another name",
        )


def _given_name(node: Node) -> str | None:
    kind = call_name(node)
    if kind is None or not isinstance(node, MapNode):
        return None
    arguments = node.entries[kind].node
    if not isinstance(arguments, MapNode) or "name" not in arguments.entries:
        return None
    name = arguments.entries["name"].node
    return name.value if isinstance(name, ScalarNode) and isinstance(name.value, str) else None


def snake_case(name: str) -> str:
    """A layer's name as Keras makes it of its class (`keras.src.utils.naming.tosnake_case`)."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _fields_of(block: Any) -> dict[str, Any]:
    return {each.name: getattr(block, each.name) for each in fields(block)}


def _without_name(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if key != "name"}


def _name_position(node: Node) -> Position:
    if isinstance(node, MapNode):
        return next(iter(node.entries.values())).key_position
    return node.position


_ALL_LAYERS: Final = "https://keras.io/api/layers names the layers of Keras"
