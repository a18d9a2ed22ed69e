"""The config language's argument checks, with the constructors of Keras as the oracle.

What a constructor refuses, `cnnrun validate` refuses too: argument by argument, for every class
that a config can name.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cnnrun.config.keras_calls import Arguments
from cnnrun.config.keras_table import argument_rows, keras_table
from cnnrun.config.own_schedules import OWN_SCHEDULES
from cnnrun.config.places import Place
from cnnrun.config.values import KerasCall
from cnnrun.config.yaml_tree import parse_tree
from cnnrun.models.keras_modules import MODULES

VALUES = [-1, 0, 2, 0.5, -0.5, True, "same", [1, 1], [0, 0], [2, 1], [0.5, -0.5], [1, 2, 3], None]
VALUES += [9, [1, 9], ["same"], {"rmax": 3.0, "rmin": 0.3, "dmax": 5.0}, {"rmax": 0.2, "rmin": 0.3}]
VALUES += [{"dmax": -1}, {"rmax": 3, "least": 1}]
EXAMPLES = {
    "integer": 2,
    "number": 0.5,
    "boolean": True,
    "text": "x",
    "any": 1,
    "initializer": "zeros",
    "activation": "relu",
    "optimizer": "Adam",
    "layer": {"Dense": {"units": 2}},
}
# Classes that need particular arguments together, and what settles them.
BASES: dict[str, dict[str, Any]] = {
    "BatchNormalization": {"renorm": True},
    "Bidirectional": {"layer": {"LSTM": {"units": 2}}},
    "CategoryEncoding": {"num_tokens": 3},
    "Discretization": {"num_bins": 3},
    "EinsumDense": {"equation": "ab,bc->ac", "output_shape": 2},
    "IoU": {"num_classes": 3, "target_class_ids": [0, 2]},
    "Normalization": {"mean": 0.5, "variance": 0.25},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [0, 2]},
    "Permute": {"dims": [2, 1]},
    "RandomColorJitter": {"hue_factor": 0.5},
    "PiecewiseConstantDecay": {"boundaries": [1, 2], "values": [0.1, 0.2, 0.3]},
}
# Left to the build: names of window functions, and what depends on another argument.
LEFT_TO_THE_BUILD = {
    "AUC.num_labels",
    "Normalization.axis",
    "Normalization.mean",
    "Normalization.variance",
    "STFT.window",
    "STFTInitializer.window",
    "STFTSpectrogram.fft_length",
    "STFTSpectrogram.window",
}


def classes() -> list[tuple[str, str]]:
    return [
        (family, owner)
        for family in MODULES
        for owner in keras_table()[family]
        if owner not in OWN_SCHEDULES
    ]


@pytest.mark.parametrize(("family", "owner"), classes())
def test_what_the_constructor_refuses_is_refused_in_a_config(family: str, owner: str) -> None:
    base = BASES.get(owner) or dict(required_examples(family, owner))
    assert made(family, owner, accepted(family, owner, base)) is not None
    for argument in argument_rows(family, owner):
        if argument in ("name", "dtype") or f"{owner}.{argument}" in LEFT_TO_THE_BUILD:
            continue
        for value in VALUES:
            arguments = accepted(family, owner, {**base, argument: value})
            if arguments is not None:
                assert made(family, owner, arguments) is not None, f"{owner}({argument}={value!r})"


def required_examples(family: str, owner: str) -> Iterator[tuple[str, Any]]:
    for name, row in argument_rows(family, owner).items():
        if row["required"]:
            yield name, example(row["kind"])


def example(kind: Any) -> Any:
    if isinstance(kind, str):
        return EXAMPLES[kind]
    if "choice" in kind:
        return kind["choice"][0]
    if "integers" in kind:
        return [2] * (kind["integers"] or 2)
    if "list" in kind:
        return [EXAMPLES[kind["list"]]] * kind.get("length", 2)
    return [0.1, 0.5]


def accepted(family: str, owner: str, arguments: dict[str, Any]) -> Any:
    """The arguments as the config language reads them, or None if it refuses them."""
    root = parse_tree(json.dumps(arguments), file="config.yaml").root
    place = Place(root, owner, [])
    values = Arguments(family, owner).read(place)
    return None if place.problems else values


def made(family: str, owner: str, arguments: Any) -> Any:
    """The object of Keras, or None if its constructor refuses the arguments."""
    try:
        return getattr(MODULES[family], owner)(
            **{name: keras_value(value) for name, value in arguments.items()}
        )
    except (ValueError, TypeError, AttributeError):
        return None


def keras_value(value: Any) -> Any:
    if isinstance(value, tuple):
        return [keras_value(item) for item in value]
    if isinstance(value, dict):
        return {key: keras_value(item) for key, item in value.items()}
    if not isinstance(value, KerasCall):
        return value
    if value.family == "activations" or (value.name.islower() and not value.arguments):
        return value.name
    return made(value.family, value.name, value.arguments)
