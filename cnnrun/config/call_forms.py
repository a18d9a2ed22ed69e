"""The two forms of a call, in families of Keras as in layer lists: `Name` and `{Name: {...}}`."""

from collections.abc import Mapping

from cnnrun.config.kinds import Kind, Schema
from cnnrun.config.places import Advice, Invalid, Place, is_null
from cnnrun.config.yaml_tree import Entry, MapNode, Node, ScalarNode
from cnnrun.wording import quoted


def call_name(node: Node) -> str | None:
    """The name in a well-formed call: a text, or a map with one key."""
    if isinstance(node, ScalarNode):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, MapNode) and len(node.entries) == 1:
        return next(iter(node.entries))
    return None


def opened_call(node: Node) -> Node:
    """A call with a bare name as the map that it is short for."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return MapNode(node.position, {node.value: Entry(node.position, _empty(node))})
    return node


def read_call_name(place: Place, phrase: str, names: tuple[str, ...]) -> str | Invalid:
    """The name of the call here, known or not; what is no call is refused."""
    name = call_name(place.node)
    if name is not None:
        return name
    node = place.node
    if not isinstance(node, MapNode) or not node.entries:
        return place.refuse(f"must be {phrase}", advice="write its name, or {name: {arguments}}")
    first = next(iter(node.entries))
    if first in names and is_null(node.entries[first].node):
        advice = f"indent the arguments of `{first}` deeper than its name"
    else:
        advice = "write one name, with its arguments below it"
    return place.refuse(f"must be {phrase}: one name", received=quoted(node.entries), advice=advice)


def call_arguments(place: Place, name: str) -> Place:
    """The place of a call's arguments; an empty map for a bare name."""
    if isinstance(place.node, MapNode):
        return place.entry(name)
    return place.standing_for(opened_call(place.node)).entry(name)


def refuse_name(place: Place, name: str, rule: str, advice: Advice) -> Invalid:
    """Note that a call's name cannot stand here, at the name."""
    if isinstance(place.node, MapNode):
        return place.refuse_key(name, rule, received=f"`{name}`", advice=advice)
    return place.refuse(rule, received=f"`{name}`", advice=advice)


def call_schema(
    names: Mapping[str, Kind], definitions: dict[str, Schema], functions: list[str]
) -> Schema:
    """The schema of a call: a bare name, or one object whose properties are all the names."""
    properties = {name: kind.schema(definitions) for name, kind in names.items()}
    bare = [name for name, schema in properties.items() if not schema.get("required")]
    variants: list[Schema] = [{"enum": [*bare, *functions]}] if bare or functions else []
    if properties:
        variants.append(
            {
                "type": "object",
                "properties": properties,
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
            }
        )
    return {"anyOf": variants}


def _empty(node: Node) -> ScalarNode:
    return ScalarNode(node.position, None, "")
