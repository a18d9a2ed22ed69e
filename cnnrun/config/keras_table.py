"""What there is in Keras, as keras_table.json says it.

`python -m cnnrun.models.keras_table` generates the file from the installed Keras, so that a config
is checked without loading Keras.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from cnnrun.config.own_schedules import OWN_SCHEDULES

_TABLE_FILE: Final = Path(__file__).with_name("keras_table.json")

FAMILIES: Final[Mapping[str, str]] = {
    "layers": "a layer",
    "image_layers": "an image layer",
    "optimizers": "an optimizer",
    "schedules": "a learning rate schedule",
    "losses": "a loss",
    "metrics": "a metric",
    "callbacks": "a callback",
    "initializers": "an initializer",
    "regularizers": "a regularizer",
    "constraints": "a constraint",
    "activations": "an activation function",
}
"""The families of what a config may name in Keras, and what one of each is called."""

LEFT_TO_THE_RUN: Final[Mapping[str, Mapping[str, str]]] = {
    "image_layers": {
        "seed": "what is drawn follows from the `seed` of the config, the epoch and the image",
        "data_format": "images have their channels last",
        "name": "a layer of `augment.layers` is called by its class and number",
    }
}
"""Arguments of a family that no config gives, and why."""


@cache
def keras_table() -> Mapping[str, Any]:
    """Everything that a config may name, by family; read once, when first asked for.

    To Keras's schedules come those of cnnrun.
    """
    table: dict[str, Any] = json.loads(_TABLE_FILE.read_bytes())
    return table | {"schedules": table["schedules"] | OWN_SCHEDULES}


def names_of(family: str) -> tuple[str, ...]:
    """The names in a family: classes first, then functions and aliases."""
    table = keras_table()
    if family == "activations":
        return tuple(table["activations"])
    return (*table[family], *table["aliases"].get(family, ()))


def class_of(family: str, name: str) -> str | None:
    """The class that a name or an alias stands for, or None."""
    table = keras_table()
    if family == "activations":
        return None
    return name if name in table[family] else table["aliases"].get(family, {}).get(name)


@cache
def argument_rows(family: str, owner: str) -> Mapping[str, Mapping[str, Any]]:
    """The arguments of a class that a config may give, as rows of the table, by name."""
    absent = LEFT_TO_THE_RUN.get(family, {})
    rows = keras_table()[family][owner]["arguments"]
    return {row["name"]: row for row in rows if row["name"] not in absent}


def is_own(family: str, name: str) -> bool:
    """Whether a name is cnnrun's and not Keras's."""
    return family == "schedules" and name in OWN_SCHEDULES


def module_of(family: str) -> str:
    """The public module of Keras that has a family's names, such as "keras.layers"."""
    others = {"schedules": "keras.optimizers.schedules", "image_layers": "keras.layers"}
    return others.get(family, f"keras.{family}")
