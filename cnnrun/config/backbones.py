"""`model.backbone`: a network of keras.applications, or that of an earlier run.

What it may say of itself is here and in backbone_rules.py; what other sections say of it is in
backbone_uses.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, final

from typing_extensions import override

from cnnrun.config.applications import APPLICATIONS
from cnnrun.config.backbone_rules import check_arguments, check_layers, check_weights
from cnnrun.config.backbone_spec import BACKBONE_FIELDS, BackboneSpec, NetworkName
from cnnrun.config.keras_calls import kind_of_row
from cnnrun.config.kinds import Kind, Row, Schema
from cnnrun.config.places import INVALID, Advice, Invalid, Place, is_text
from cnnrun.config.plain_values import flow_text
from cnnrun.config.yaml_tree import Entry, MapNode, Node, ScalarNode
from cnnrun.wording import suggestion

# Arguments of constructors that cnnrun gives, and what to write instead.
_GIVEN: Final[Mapping[str, str]] = {
    "input_shape": "`data.image_size` and `data.color_mode` say it",
    "input_tensor": "the images come in by themselves",
}


@final
@dataclass(frozen=True)
class Backbone(Kind):
    """A map of fixed keys and of the arguments that the named network's constructor has."""

    @property
    @override
    def phrase(self) -> str:
        return BACKBONE_FIELDS.phrase

    @override
    def accepts(self, node: Node) -> bool:
        return isinstance(self.opened(node), MapNode)

    @override
    def read(self, place: Place) -> BackboneSpec | Invalid:
        place = place.standing_for(self.opened(place.node))
        node = place.node
        if not isinstance(node, MapNode):
            return self.refuse_form(place)
        known_problems = len(place.problems)
        fixed = {key: entry for key, entry in node.entries.items() if key in BACKBONE_FIELDS.table}
        spec = BACKBONE_FIELDS.read(place.standing_for(MapNode(node.position, fixed)))
        arguments = self._read_arguments(place, node)
        if isinstance(spec, BackboneSpec):
            spec = replace(spec, arguments=arguments)
            check_weights(place, spec)
            check_arguments(place, spec)
            check_layers(place, spec)
        return INVALID if len(place.problems) > known_problems else spec

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, BackboneSpec)

    @override
    def write(self, value: Any, *, relative_to: Path) -> dict[str, Any]:
        kinds = _arguments_of(value.name or "")
        arguments = {
            key: kinds[key].write(each, relative_to=relative_to)
            for key, each in value.arguments.items()
        }
        return BACKBONE_FIELDS.write(value, relative_to=relative_to) | arguments

    def _read_arguments(self, place: Place, node: MapNode) -> dict[str, Any]:
        """The constructor's arguments that are right by themselves."""
        written = _written_name(node)
        known = _arguments_of(written)
        values: dict[str, Any] = {}
        for key in node.entries:
            if key in known:
                row = APPLICATIONS[written].arguments[key] if written in APPLICATIONS else {}
                values[key] = known[key].read(place.entry(key, hint=_hint(row)))
            elif key not in BACKBONE_FIELDS.table:
                _refuse_argument(place, key, written, tuple(known))
        return {key: value for key, value in values.items() if value is not INVALID}

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        whole: Schema = BACKBONE_FIELDS.schema(definitions)["anyOf"][0]
        arguments = {key: kind.schema(definitions) for key, kind in _arguments_of("").items()}
        whole = whole | {"properties": whole["properties"] | arguments}
        return {"anyOf": [NetworkName().schema(definitions), whole]}

    @override
    def keys(self, node: Node | None) -> Mapping[str, Kind]:
        name = _written_name(self.opened(node)) if node is not None else ""
        return {**BACKBONE_FIELDS.keys(None), **_arguments_of(name)}

    @override
    def rows(self) -> Mapping[str, Row]:
        return BACKBONE_FIELDS.rows()

    @override
    def opened(self, node: Node) -> Node:
        if is_text(node):
            return MapNode(node.position, {"name": Entry(node.position, node)})
        return node


def _written_name(node: Node) -> str:
    """The name of the network, "" if none is written."""
    entry = node.entries.get("name") if isinstance(node, MapNode) else None
    name = entry.node if entry is not None else None
    return name.value if isinstance(name, ScalarNode) and isinstance(name.value, str) else ""


def _arguments_of(name: str) -> Mapping[str, Kind]:
    """The arguments of a network's constructor; of an unknown network, those that any has."""
    networks = [APPLICATIONS[name]] if name in APPLICATIONS else APPLICATIONS.values()
    rows = {key: row for each in networks for key, row in each.arguments.items()}
    return {key: kind_of_row(row) for key, row in rows.items()}


def _refuse_argument(place: Place, key: str, name: str, arguments: tuple[str, ...]) -> None:
    if key in _GIVEN:
        rule = f"`{key}` cannot be given here"
        advice: Advice = _GIVEN[key]
    else:
        owner = name if name in APPLICATIONS else "a backbone"
        rule = f"{owner} has no argument of this name"
        advice = partial(suggestion, key, (*BACKBONE_FIELDS.table, *arguments))
    place.refuse_key(key, rule, received=f"`{key}`", advice=advice)


def _hint(row: Mapping[str, Any]) -> str:
    if row.get("default") is None:
        return ""
    if row["name"] == "include_top":
        return "the top is left out unless this is true"
    return f"Keras takes {flow_text(row['default'])} if it is left out"
