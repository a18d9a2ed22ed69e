"""The table of Keras's classes and their arguments, as the config language knows them.

`python -m cnnrun.models.keras_table` writes it to cnnrun/config/keras_table.json, from where the
config package reads it: so a config is checked without loading Keras. A test compares the file
with the Keras that is installed.
"""

import inspect
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import keras

from cnnrun.models.argument_kinds import (
    BASE_LAYER_ARGUMENTS,
    REQUIRED,
    Kind,
    argument_kind,
    is_left_out,
)
from cnnrun.models.keras_modules import MODULES
from cnnrun.models.refusals import REFUSED, RENAMED, RENAMED_IN_OPTIMIZERS

TABLE_FILE: Final = Path(__file__).parents[1] / "config" / "keras_table.json"

MERGING: Final = frozenset(
    {"Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"}
)
"""Layers that take several tensors; they merge the lists of `branches`."""

DIMENSIONS: Final[Mapping[str, int]] = {"1D": 1, "2D": 2, "3D": 3}
RANKS: Final[Mapping[str, int]] = {
    "GRU": 3,
    "LSTM": 3,
    "SimpleRNN": 3,
    "ConvLSTM1D": 4,
    "ConvLSTM2D": 5,
    "ConvLSTM3D": 6,
    "RepeatVector": 2,
    "Resizing": 4,
    "CenterCrop": 4,
}
"""Ranks that a name's ending does not give; convolutional LSTMs have an axis of time."""

EXTRA_ALIASES: Final[Mapping[str, Mapping[str, str]]] = {
    # What `compile` understands beyond keras.metrics: it chooses by the model's output.
    "metrics": {"acc": "Accuracy", "accuracy": "Accuracy"},
    "optimizers": {"lamb": "Lamb"},
    "regularizers": {"l1_l2": "L1L2"},
}


def keras_table() -> dict[str, Any]:
    """Every class that a config may name, with its arguments, by family; sorted by name."""
    families = {family: _family(family, module) for family, module in MODULES.items()}
    return {
        "keras": ".".join(keras.__version__.split(".")[:2]),
        **families,
        "activations": _activations(),
        "aliases": {family: _aliases(family, families[family]) for family in _ALIASED},
        "renamed": _renamed(families),
        "refused": {family: dict(sorted(reasons.items())) for family, reasons in REFUSED.items()},
    }


def table_text(table: Mapping[str, Any]) -> str:
    """The table as JSON, with one line for each argument and each short entry."""
    return "".join(_json_lines(table, indent=0)) + "\n"


def main() -> None:
    """Write the table of the installed Keras into the config package."""
    TABLE_FILE.write_text(table_text(keras_table()), encoding="utf-8")


def _family(family: str, module: Any) -> dict[str, Any]:
    return {
        name: _entry(name, family, member)
        for name, member in sorted(vars(module).items())
        if inspect.isclass(member) and name[0].isupper() and name not in REFUSED.get(family, {})
    }


def _entry(name: str, family: str, member: type) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "doc": _first_line(member),
        "arguments": list(_arguments(name, family, member)),
    }
    if family == "layers":
        entry |= {"inputs": "many" if name in MERGING else "one"}
        entry["rank"] = _rank(name)
    return entry


def _rank(name: str) -> int | None:
    if name in RANKS:
        return RANKS[name]
    dimensions = _dimensions(name)
    return None if dimensions is None else dimensions + 2


def _dimensions(name: str) -> int | None:
    return DIMENSIONS.get(name.removesuffix("Transpose")[-2:])


def _first_line(member: type) -> str:
    # Lines may be indented: what Python removes from docstrings differs between its versions.
    return " ".join((inspect.getdoc(member) or "").split("\n\n")[0].split())


def _arguments(name: str, family: str, member: type) -> Iterator[dict[str, Any]]:
    parameters = inspect.signature(member).parameters
    takes_more = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    named = {
        key: one
        for key, one in parameters.items()
        if one.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    }
    for key, one in named.items():
        if not is_left_out(name, key):
            kind = argument_kind(
                name, family, key, dimensions=_dimensions(name), default=one.default
            )
            required = one.default is inspect.Parameter.empty or f"{name}.{key}" in REQUIRED
            yield _argument(key, kind, one.default, required=required)
    if family == "layers" and takes_more:
        for key, (kind, default) in BASE_LAYER_ARGUMENTS.items():
            if key not in named and not is_left_out(name, key):
                yield _argument(key, kind, default, required=False)


def _argument(name: str, kind: Kind, default: Any, *, required: bool) -> dict[str, Any]:
    row = {"name": name, "required": required, **kind}
    return row if required else {**row, "default": _plain(default)}


def _plain(value: Any) -> Any:
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _activations() -> list[str]:
    helpers = {"get", "serialize", "deserialize"}
    return sorted(
        name
        for name, member in vars(keras.activations).items()
        if inspect.isfunction(member) and name not in helpers
    )


_ALIASED: Final = ("constraints", "initializers", "losses", "metrics", "optimizers", "regularizers")


def _aliases(family: str, classes: Mapping[str, Any]) -> dict[str, str]:
    """Strings that `keras.<family>.get` takes -> the class that they stand for.

    Losses and metrics in snake_case are functions; the class is the one of the same letters.
    """
    by_letters = {
        _letters(name): name
        for name, entry in classes.items()
        if not any(argument["required"] for argument in entry["arguments"])
    }
    found = {}
    for text in _names_known_to_get(family):
        owner = by_letters.get(_letters(_meaning(family, text)))
        if owner is not None and text not in classes:
            found[text] = owner
    return dict(sorted({**found, **EXTRA_ALIASES.get(family, {})}.items()))


def _names_known_to_get(family: str) -> list[str]:
    module = MODULES[family]
    lowercase = [name for name in vars(module) if name.islower() and not name.startswith("_")]
    known = vars(inspect.getmodule(module.get))["ALL_OBJECTS_DICT"]
    return sorted({*lowercase, *known})


def _meaning(family: str, text: str) -> str:
    known = vars(inspect.getmodule(MODULES[family].get))["ALL_OBJECTS_DICT"]
    member = known.get(text) or getattr(MODULES[family], text, None)
    return getattr(member, "__name__", text)


def _letters(name: str) -> str:
    return name.replace("_", "").lower()


def _renamed(families: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    optimizers = {
        name: dict(RENAMED_IN_OPTIMIZERS)
        for name, entry in families["optimizers"].items()
        if any(argument["name"] == "learning_rate" for argument in entry["arguments"])
    }
    layers = {name: dict(names) for name, names in RENAMED.items()}
    return dict(sorted((optimizers | layers).items()))


def _json_lines(value: Any, *, indent: int) -> Iterator[str]:
    """JSON with everything that fits on one line on one line."""
    line = json.dumps(value)
    if len(line) + indent <= 160 or not isinstance(value, dict | list):
        yield line
        return
    brackets = "{}" if isinstance(value, dict) else "[]"
    items = value.items() if isinstance(value, dict) else ((None, one) for one in value)
    yield brackets[0]
    separator = "\n"
    for key, one in items:
        yield separator + " " * (indent + 1) + ("" if key is None else f"{json.dumps(key)}: ")
        yield from _json_lines(one, indent=indent + 1)
        separator = ",\n"
    yield "\n" + " " * indent + brackets[1]


if __name__ == "__main__":
    main()
