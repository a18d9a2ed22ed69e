"""Keras's own classes in a config: `{Adam: {learning_rate: 1e-3}}`, or `Adam` without arguments.

The names, and what each argument takes, come from keras_table.json; rules between arguments from
keras_rules.py.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, final

from typing_extensions import override

from cnnrun.config.call_forms import (
    call_arguments,
    call_name,
    call_schema,
    opened_call,
    read_call_name,
    refuse_name,
)
from cnnrun.config.keras_rules import rules_of
from cnnrun.config.keras_table import (
    FAMILIES,
    LEFT_TO_THE_RUN,
    argument_rows,
    class_of,
    is_own,
    keras_table,
    module_of,
    names_of,
)
from cnnrun.config.kinds import Either, KeyedMap, Kind, ListOf, Nullable, Schema
from cnnrun.config.names_elsewhere import ARGUMENTS_ELSEWHERE, NAMES_ELSEWHERE
from cnnrun.config.places import INVALID, Advice, Invalid, Place, is_null
from cnnrun.config.plain_values import flow_text
from cnnrun.config.scalar_kinds import Boolean, Choice, Integer, Number, Plain, Text
from cnnrun.config.special_arguments import special_kind
from cnnrun.config.values import KerasCall
from cnnrun.config.yaml_tree import ListNode, MapNode, Node, ScalarNode
from cnnrun.wording import closest, suggestion

_MOST_NAMES: Final = 20
_LONGEST_WRITTEN: Final = 40
NOTHING: Final = ("none", "None")
# Families whose aliases stay as they are, for Keras to resolve: "accuracy" becomes one of several
# metrics there, and "MSE" is what its logs then call it.
_ALIASED: Final = ("losses", "metrics", "initializers")
_FAMILY_OF_KIND: Final[Mapping[str, str]] = {
    "initializer": "initializers",
    "regularizer": "regularizers",
    "constraint": "constraints",
    "activation": "activations",
    "layer": "layers",
    "optimizer": "optimizers",
    "metric": "metrics",
    "loss": "losses",
}
# Narrower than what Keras allows: a name is part of addresses, of files and of HDF5 groups.
LAYER_NAME: Final = Text(
    "a name of at most 100 letters, digits, `_`, `-` and `.` that begins with a letter or a digit",
    pattern=r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}",
)


@cache
def argument_kinds(family: str, owner: str) -> Mapping[str, Kind]:
    """What each argument of a class takes."""
    kinds = {
        name: special_kind(family, owner, name, row) or kind_of_row(row)
        for name, row in argument_rows(family, owner).items()
    }
    if owner == "Bidirectional":
        kinds |= dict.fromkeys(("layer", "backward_layer"), RECURRENT_LAYER)
    return kinds | ({"name": Nullable(LAYER_NAME)} if family == "layers" else {})


@final
@dataclass(frozen=True)
class Call(Kind):
    """An object of one family of Keras, read into a KerasCall.

    Attributes:
        family: the family.
        only: the names that are allowed, where it is not the whole family.
        group: what these names are called together, in the schema.
        what: the object in words; the family's by default.
    """

    family: str
    only: tuple[str, ...] = ()
    group: str = ""
    what: str = ""

    @property
    @override
    def phrase(self) -> str:
        return self.what or f"{FAMILIES[self.family]} of Keras"

    @property
    def names(self) -> tuple[str, ...]:
        """The names that may stand here."""
        return self.only or names_of(self.family)

    @override
    def accepts(self, node: Node) -> bool:
        if isinstance(node, ScalarNode):
            return isinstance(node.value, str)
        return isinstance(node, MapNode)

    @override
    def read(self, place: Place) -> KerasCall | Invalid:
        name = read_call_name(place, self.phrase, self.names)
        if not isinstance(name, str):
            return name
        if name not in self.names:
            return self._refuse_name(place, name)
        owner = class_of(self.family, name)
        if owner is None:
            return self._read_function(place, name)
        arguments = Arguments(self.family, owner).read(call_arguments(place, name))
        if not isinstance(arguments, dict):
            return arguments
        keeps_alias = self.family in _ALIASED and not arguments
        return KerasCall(self.family, name if keeps_alias else owner, arguments)

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, KerasCall)

    @override
    def write(self, value: Any, *, relative_to: Path) -> Any:
        if not value.arguments:
            return value.name
        arguments = Arguments(value.family, class_of(value.family, value.name) or value.name)
        return {value.name: arguments.write(value.arguments, relative_to=relative_to)}

    def _read_function(self, place: Place, name: str) -> KerasCall | Invalid:
        if isinstance(place.node, MapNode):
            return place.refuse(
                f"`{name}` takes no arguments here",
                advice=f"write `{name}`, or add a layer with arguments after this one",
            )
        return KerasCall(self.family, name)

    def _refuse_name(self, place: Place, name: str) -> Invalid:
        refused = keras_table()["refused"].get(self.family, {})
        if name in refused:
            return refuse_name(place, name, f"`{name}` cannot be used here", refused[name])
        return refuse_name(
            place,
            name,
            f"must be {self.phrase}",
            lambda: (
                NAMES_ELSEWHERE.get(self.family, {}).get(name)
                or suggestion(name, self.names, otherwise=_where_listed(self))
            ),
        )

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        title = self.group or self.family
        if title not in definitions:
            definitions[title] = {}  # taken, before the arguments refer to it
            definitions[title] = call_schema(self.keys(None), definitions, self._functions())
        return {"$ref": f"#/$defs/{title}"}

    def _functions(self) -> list[str]:
        return [name for name in self.names if class_of(self.family, name) is None]

    @override
    def keys(self, node: Node | None) -> Mapping[str, Kind]:
        written = call_name(node) if node is not None else None
        names = self.names if written is None else (written,)
        owners = {name: class_of(self.family, name) for name in names}
        return {name: Arguments(self.family, owner) for name, owner in owners.items() if owner}

    @override
    def opened(self, node: Node) -> Node:
        return opened_call(node)


@final
@dataclass(frozen=True)
class Arguments(Kind):
    """The arguments of a class of Keras, read into a dict of those that are written.

    Attributes:
        family: the class's family.
        owner: the class.
        without: arguments that cannot be given here.
    """

    family: str
    owner: str
    without: tuple[str, ...] = ()

    @property
    @override
    def phrase(self) -> str:
        return f"a map of arguments of {self.owner}"

    @override
    def accepts(self, node: Node) -> bool:
        return isinstance(node, MapNode) or is_null(node)

    @override
    def read(self, place: Place) -> dict[str, Any] | Invalid:
        place = place.standing_for(self.opened(place.node))
        if not isinstance(place.node, MapNode):
            return place.refuse(
                f"the arguments of {self.owner} must be a map",
                advice=f"write {self._as_map(place.node)}",
            )
        known_problems = len(place.problems)
        known = [key for key in place.node.entries if key in self._rows]
        values = {key: self._read_argument(place, key) for key in known}
        meant = {self._refuse_key(place, key) for key in place.node.entries if key not in known}
        self._require(place, meant)
        sound = {key: value for key, value in values.items() if value is not INVALID}
        for rule in rules_of(self.family, self.owner, self._rows):
            rule(place, self.owner, sound)
        return INVALID if len(place.problems) > known_problems else values

    def _as_map(self, node: Node) -> str:
        """A value without a name, or several, as what they were probably meant to be."""
        kinds = argument_kinds(self.family, self.owner)
        first = next(iter(self._rows), "argument")
        written = _flow_of(node)
        if written is not None and self._rows:
            required = [name for name, row in self._rows.items() if row["required"]]
            if isinstance(node, ListNode) and 1 < len(required) == len(node.items):
                names = zip(required, node.items, strict=True)
                return f"{{{', '.join(f'{name}: {_flow_of(each)}' for name, each in names)}}}"
            taking = (name for name in self._rows if kinds[name].accepts(node))
            if name := next(taking, ""):
                return f"{{{name}: {written}}}"
        return f"{{{first}: ...}} with each argument's name"

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, Mapping)

    @override
    def write(self, value: Any, *, relative_to: Path) -> dict[str, Any]:
        kinds = argument_kinds(self.family, self.owner)
        return {key: kinds[key].write(each, relative_to=relative_to) for key, each in value.items()}

    def _read_argument(self, place: Place, key: str) -> Any:
        row = self._rows[key]
        hint = f"`cnnrun help {self.owner}` explains it"
        if not is_own(self.family, self.owner):
            hint = f"see {self.owner} of {module_of(self.family)}"
        if "default" in row and row["default"] is not None:
            who = "cnnrun" if is_own(self.family, self.owner) else "Keras"
            hint = f"{who} takes {flow_text(row['default'])} if it is left out"
        return argument_kinds(self.family, self.owner)[key].read(place.entry(key, hint=hint))

    def _refuse_key(self, place: Place, key: str) -> str | None:
        """Refuse what is no argument; the result is what was probably meant."""
        names = list(self._rows)
        if why := LEFT_TO_THE_RUN.get(self.family, {}).get(key):
            rule = f"`{key}` cannot be given here: {why}"
            place.refuse_key(key, rule, received=f"`{key}`", advice="leave it out")
            return None
        if instead := ARGUMENTS_ELSEWHERE.get(f"{self.owner}.{key}"):
            rule = f"{self.owner} has no argument of this name"
            place.refuse_key(key, rule, received=f"`{key}`", advice=instead)
            return None
        renamed: str | None = keras_table()["renamed"].get(self.owner, {}).get(key)
        if renamed is not None:
            rule = f"Keras renamed this argument of {self.owner}"
            advice: Advice = f"write `{renamed}`"
        else:
            rule = f"{self.owner} has no argument of this name"
            none = f"{self.owner} takes no arguments"
            advice = partial(suggestion, key, names, otherwise="" if names else none)
        place.refuse_key(key, rule, received=f"`{key}`", advice=advice)
        return renamed or (None if place.is_crowded else closest(key, names))

    def _require(self, place: Place, meant: Collection[str | None]) -> None:
        """Refuse that a required argument is missing, unless it seems to be there misspelt."""
        for name, row in self._rows.items():
            if row["required"] and not place.has_key(name) and name not in meant:
                place.refuse(
                    f"{self.owner} requires the argument `{name}`",
                    received="nothing for it",
                    advice=f"add `{name}`, {argument_kinds(self.family, self.owner)[name].phrase}",
                )

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        rows = self._rows
        required = [name for name, row in rows.items() if row["required"]]
        default = {
            name: {"default": row["default"]}
            for name, row in rows.items()
            if row.get("default") is not None
        }
        whole: Schema = {
            "type": "object",
            "description": keras_table()[self.family][self.owner]["doc"],
            "properties": {
                name: kind.schema(definitions) | default.get(name, {})
                for name, kind in self.keys(None).items()
            },
            "additionalProperties": False,
        }
        if required:
            return whole | {"required": required}
        return whole | {"type": ["object", "null"]}

    @override
    def keys(self, node: Node | None) -> Mapping[str, Kind]:
        kinds = argument_kinds(self.family, self.owner)
        return {name: kind for name, kind in kinds.items() if name in self._rows}

    @property
    def _rows(self) -> Mapping[str, Mapping[str, Any]]:
        rows = argument_rows(self.family, self.owner)
        return {name: row for name, row in rows.items() if name not in self.without}

    @override
    def opened(self, node: Node) -> Node:
        return MapNode(node.position, {}) if is_null(node) else node


RECURRENT_LAYER: Final = Call(
    "layers",
    ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "GRU", "LSTM", "SimpleRNN"),
    group="recurrent_layers",
    what="a recurrent layer of Keras",
)
_RATE_PHRASE: Final = "a number of at least 0 or a learning rate schedule"
LEARNING_RATE: Final = Either((Number(0.0), Call("schedules", what=_RATE_PHRASE)), _RATE_PHRASE)


def kind_of_row(row: Mapping[str, Any]) -> Kind:
    """The kind that a row of a table of arguments describes."""
    kind = _bare_kind(row)
    if not row.get("nullable"):
        return kind
    return Nullable(kind, NOTHING if isinstance(kind, Call) else ())


def _bare_kind(row: Mapping[str, Any]) -> Kind:
    word = row["kind"]
    minimum, maximum = row.get("minimum"), row.get("maximum")
    integer = Integer(minimum, maximum)
    number = Number(minimum, maximum, row.get("exclusive_minimum"), row.get("exclusive_maximum"))
    words: Mapping[str, Kind] = {
        "integer": integer,
        "number": number,
        "boolean": Boolean(),
        "text": Text(),
        "any": Plain(),
        "learning_rate": LEARNING_RATE,
    }
    if isinstance(word, str):
        return Call(_FAMILY_OF_KIND[word]) if word in _FAMILY_OF_KIND else words[word]
    match word:
        case {"choice": choice}:
            return Choice(tuple(choice))
        case {"integers": length}:
            return Either((integer, ListOf(integer, "integers", length=length)))
        case {"numbers": length}:
            return Either((number, ListOf(number, "numbers", length=length)))
        case {"list": item}:
            what, least = word.get("what", f"{item}s"), word.get("least", 0)
            return ListOf(words[item], what, length=word.get("length"), minimum=least)
    return KeyedMap({key: kind_of_row(kind) for key, kind in word["map"].items()})


def _flow_of(node: Node) -> str | None:
    """A short value as it was written; None for a map, a list of lists, or a long one."""
    if isinstance(node, ScalarNode):
        return node.text if len(node.text) <= _LONGEST_WRITTEN else None
    if isinstance(node, ListNode) and all(isinstance(each, ScalarNode) for each in node.items):
        texts = [_flow_of(each) for each in node.items[:_MOST_NAMES]]
        return f"[{', '.join(text for text in texts if text)}]" if all(texts) else None
    return None


def _where_listed(call: Call) -> str:
    classes = [name for name in call.names if class_of(call.family, name) == name]
    if 0 < len(classes) <= _MOST_NAMES:
        return f"the names are {', '.join(f'`{name}`' for name in classes)}"
    if call.family == "image_layers":
        return "`cnnrun help augmentation` has the names"
    return f"{module_of(call.family)} has the names"
