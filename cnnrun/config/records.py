"""A map with fixed keys, read into a frozen dataclass whose defaults are the keys' defaults."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, final

from typing_extensions import override

from cnnrun.config.kinds import Kind, Schema
from cnnrun.config.places import INVALID, Place, closest, is_null, listed, suggestion
from cnnrun.config.plain_values import flow_text, plain
from cnnrun.config.yaml_tree import Entry, MapNode, Node, ScalarNode

Check = Callable[[Place, Mapping[str, Any]], None]


@final
@dataclass(frozen=True)
class Key:
    """A key of a record: what its value is, and what it means, for editors and advice.

    `alias` is the field's name where the key is a word that Python reserves, such as `from`.
    """

    kind: Kind
    doc: str
    alias: str = ""


@final
@dataclass(frozen=True)
class Record(Kind):
    """A map that becomes a dataclass.

    Attributes:
        result: the dataclass; a field without a default is a key that has to be written.
        what: the map in words.
        table: its keys.
        checks: rules between values; they see the values that are right by themselves.
        short: the key that a bare value stands for, if there is a short form.
        inherits: a dataclass whose fields stand in for fields without a default.
        bequeaths: the key whose value the records further down inherit.
        elsewhere: keys that are looked for here and stand in another section, and that section.
        whole: what messages call the map where it is a whole file.
    """

    result: type[Any]
    what: str
    table: Mapping[str, Key]
    checks: tuple[Check, ...] = ()
    short: str = ""
    inherits: type[Any] | None = None
    bequeaths: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    whole: str = "a config"

    @property
    @override
    def phrase(self) -> str:
        return self.what

    @override
    def accepts(self, node: Node) -> bool:
        return isinstance(self.opened(node), MapNode)

    @override
    def read(self, place: Place) -> Any:
        place = place.standing_for(self.opened(place.node))
        node = place.node
        if not isinstance(node, MapNode):
            return place.refuse(
                f"must be {self.what}", advice=f"write a map of {listed(self.table)}"
            )
        known_problems = len(place.problems)
        meant = self._refuse_unknown_keys(node, place)
        values = self._read_values(place, meant)
        sound = {name: value for name, value in values.items() if value is not INVALID}
        for check in self.checks:
            check(place, sound)
        if len(place.problems) > known_problems:
            return INVALID
        return self.result(**values)

    def _refuse_unknown_keys(self, node: MapNode, place: Place) -> set[str | None]:
        """Refuse what is no key; the result is what was probably meant."""
        unknown = [key for key in node.entries if key not in self.table]
        for key in unknown:
            place.refuse_key(
                key,
                f"{place.address or self.whole} has no key of this name",
                received=f"`{key}`",
                advice=self._advice_for_unknown(key),
            )
        return {closest(key, self.table) for key in unknown}

    def _advice_for_unknown(self, key: str) -> str:
        meant = closest(key, (*self.table, *self.elsewhere))
        if meant is None or meant not in self.elsewhere:
            return suggestion(key, list(self.table))
        place = f"`{self.elsewhere[meant]}`"
        return f"it goes into {place}" if key == meant else f"did you mean `{meant}` of {place}?"

    def _read_values(self, place: Place, meant: set[str | None]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, (row, each) in self._rows().items():
            is_missing = key in meant and self._is_required(each) and not place.has_key(key)
            values[each.name] = INVALID if is_missing else self._read_value(place, key, row, each)
            if key == self.bequeaths:
                inherited = values[each.name]
                place = place.inheriting(_default(each) if inherited is INVALID else inherited)
        return values

    def _read_value(self, place: Place, key: str, row: Key, each: Field[Any]) -> Any:
        if place.has_key(key):
            return row.kind.read(place.entry(key, hint=self._hint(key, row, each)))
        if self._is_inherited(each):
            return getattr(place.inherited, each.name)
        default = _default(each)
        if default is not MISSING:
            return default
        return place.refuse(
            f"`{key}` is required", received="nothing for it", advice=f"`{key}`: {row.doc}"
        )

    def _hint(self, key: str, row: Key, each: Field[Any]) -> str:
        default = _default(each)
        if default is MISSING or default is None:
            return f"`{key}`: {row.doc}"
        return f"`{key}`: {row.doc} ({_in_words(default)} if left out)"

    def _is_required(self, each: Field[Any]) -> bool:
        return _default(each) is MISSING and not self._is_inherited(each)

    def _is_inherited(self, each: Field[Any]) -> bool:
        if self.inherits is None or _default(each) is not MISSING:
            return False
        return each.name in {inherited.name for inherited in fields(self.inherits)}

    def _rows(self) -> dict[str, tuple[Key, Field[Any]]]:
        by_name = {each.name: each for each in fields(self.result)}
        return {key: (row, by_name[row.alias or key]) for key, row in self.table.items()}

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        rows = self._rows()
        properties = {
            key: row.kind.schema(definitions) | _description(row, each)
            for key, (row, each) in rows.items()
        }
        required = [key for key, (_, each) in rows.items() if self._is_required(each)]
        whole: Schema = {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
            **({"required": required} if required else {}),
        }
        if self.short:
            return {"anyOf": [self.table[self.short].kind.schema(definitions), whole]}
        return whole if required else {"anyOf": [whole, {"type": "null"}]}

    @override
    def keys(self, node: Node | None) -> Mapping[str, Kind]:
        return {key: row.kind for key, row in self.table.items()}

    @override
    def opened(self, node: Node) -> Node:
        if is_null(node):
            return MapNode(node.position, {})
        if self.short and isinstance(node, ScalarNode):
            return MapNode(node.position, {self.short: Entry(node.position, node)})
        return node


def _default(each: Field[Any]) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()


def _description(row: Key, each: Field[Any]) -> Schema:
    text = row.doc[0].upper() + row.doc[1:]
    default = _default(each)
    if default is MISSING or default is None:
        return {"description": text}
    return {"description": text, "default": plain(default, relative_to=Path())}


def _in_words(default: Any) -> str:
    return f"`{flow_text(plain(default, relative_to=Path()))}`"
