"""A map with fixed keys, read into a frozen dataclass whose defaults are the keys' defaults."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cached_property, partial
from pathlib import Path
from typing import Annotated, Any, final, get_args, get_origin

from typing_extensions import override

from cnnrun.config.kinds import REQUIRED, Kind, Row, Schema
from cnnrun.config.places import INVALID, MOST_ADVISED, Place, is_null
from cnnrun.config.plain_values import flow_text
from cnnrun.config.yaml_tree import Entry, MapNode, Node, ScalarNode
from cnnrun.wording import closest, quoted, suggestion

Check = Callable[[Place, Mapping[str, Any]], None]


@final
@dataclass(frozen=True)
class WrittenAs:
    """The key of a field whose name the file spells otherwise, such as `from`, Python's own."""

    key: str


@final
@dataclass(frozen=True)
class Key:
    """A key of a record, as its field declares it.

    Attributes:
        name: the key.
        field: the field that holds its value.
        kind: what its value is.
        doc: what it means, for editors, advice and help.
        default: the value where it is left out; MISSING where it cannot be.
    """

    name: str
    field: str
    kind: Kind
    doc: str
    default: Any

    @property
    def written_default(self) -> Any:
        """The default as YAML would hold it; None where there is none, or where it is nothing."""
        if self.default is MISSING or self.default is None:
            return None
        return self.kind.write(self.default, relative_to=Path())


@final
@dataclass(frozen=True)
class Record(Kind):
    """A map that becomes a dataclass.

    Each key is a field of the dataclass, declared as `Annotated[type, kind, doc]`; with a
    `WrittenAs` behind them where the key is not the field's name. To add a key, add its field.

    Attributes:
        result: the dataclass; a field without a default is a key that has to be written.
        what: the map in words.
        checks: rules between values; they see the values that are right by themselves.
        short: the key that a bare value stands for, if there is a short form.
        inherits: a dataclass whose fields stand in for fields without a default.
        bequeaths: the key whose value the records further down inherit.
        elsewhere: keys that are looked for here and stand in another section, and that section.
        whole: what messages call the map where it is a whole file.
    """

    result: type[Any]
    what: str
    checks: tuple[Check, ...] = ()
    short: str = ""
    inherits: type[Any] | None = None
    bequeaths: str = ""
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    whole: str = "a config"

    @cached_property
    def table(self) -> Mapping[str, Key]:
        """The keys, in the order of the fields."""
        keys = (_declared_key(each) for each in fields(self.result))
        return {key.name: key for key in keys if key is not None}

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
                f"must be {self.what}", advice=f"write a map of {quoted(self.table)}"
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
                advice=partial(self._advice_for_unknown, key),
            )
        return {closest(key, self.table) for key in unknown[:MOST_ADVISED]}

    def _advice_for_unknown(self, key: str) -> str:
        meant = closest(key, (*self.table, *self.elsewhere))
        if meant is None or meant not in self.elsewhere:
            return suggestion(key, list(self.table))
        place = f"`{self.elsewhere[meant]}`"
        return f"it goes into {place}" if key == meant else f"did you mean `{meant}` of {place}?"

    def _read_values(self, place: Place, meant: set[str | None]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key in self.table.values():
            is_misspelt = key.name in meant and not place.has_key(key.name)
            is_missing = is_misspelt and self._is_required(key)
            value = INVALID if is_missing else self._read_value(place, key)
            values[key.field] = value
            if key.name == self.bequeaths:
                place = place.inheriting(key.default if value is INVALID else value)
        return values

    def _read_value(self, place: Place, key: Key) -> Any:
        if place.has_key(key.name):
            return key.kind.read(place.entry(key.name, hint=_hint(key)))
        if self._is_inherited(key):
            return getattr(place.inherited, key.field)
        if key.default is not MISSING:
            return key.default
        return place.refuse(
            f"`{key.name}` is required",
            received="nothing for it",
            advice=f"`{key.name}`: {key.doc}",
        )

    def is_required(self, name: str) -> bool:
        """Whether a key has to be written: it has no default, and inherits none."""
        return self._is_required(self.table[name])

    def _is_required(self, key: Key) -> bool:
        return key.default is MISSING and not self._is_inherited(key)

    def _is_inherited(self, key: Key) -> bool:
        if self.inherits is None or key.default is not MISSING:
            return False
        return key.field in {inherited.name for inherited in fields(self.inherits)}

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, self.result)

    @override
    def write(self, value: Any, *, relative_to: Path) -> dict[str, Any]:
        """A map of all keys but those that say nothing, as they do when they are left out."""
        return {
            key.name: key.kind.write(each, relative_to=relative_to)
            for key in self.table.values()
            if (each := getattr(value, key.field)) is not None or key.default is not None
        }

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        properties = {
            key.name: key.kind.schema(definitions) | _description(key)
            for key in self.table.values()
        }
        required = [key.name for key in self.table.values() if self._is_required(key)]
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
        return {key.name: key.kind for key in self.table.values()}

    @override
    def rows(self) -> Mapping[str, Row]:
        return {
            key.name: Row(key.kind, key.doc, self._default_in_words(key))
            for key in self.table.values()
        }

    def _default_in_words(self, key: Key) -> str:
        if self._is_inherited(key):
            return "what `model.blocks` says"
        if self._is_required(key):
            return REQUIRED
        written = key.written_default
        return "none" if written in (None, "", [], {}) else f"`{flow_text(written)}`"

    @override
    def opened(self, node: Node) -> Node:
        if is_null(node):
            return MapNode(node.position, {})
        if self.short and isinstance(node, ScalarNode):
            return MapNode(node.position, {self.short: Entry(node.position, node)})
        return node


def _declared_key(each: Field[Any]) -> Key | None:
    """The key that a field declares; None for a field that no file can set."""
    if get_origin(each.type) is not Annotated:
        return None
    _, kind, doc, *written = get_args(each.type)
    default = each.default if each.default_factory is MISSING else each.default_factory()
    return Key(written[0].key if written else each.name, each.name, kind, doc, default)


def _hint(key: Key) -> str:
    if key.written_default is None:
        return f"`{key.name}`: {key.doc}"
    return f"`{key.name}`: {key.doc} (`{flow_text(key.written_default)}` if left out)"


def _description(key: Key) -> Schema:
    text = key.doc[0].upper() + key.doc[1:]
    if key.written_default is None:
        return {"description": text}
    return {"description": text, "default": key.written_default}
