"""Keras objects from the calls of a config; oracle: the same call in Python."""

import json

import keras
import pytest

from cnnrun.config.values import KerasCall
from cnnrun.errors import ConfigError, Position
from cnnrun.models.keras_modules import MODULES
from cnnrun.models.keras_objects import keras_object
from cnnrun.models.keras_table import TABLE_FILE

TABLE = json.loads(TABLE_FILE.read_text())
VALUES = {
    "boundaries": (10, 20),
    "decay_rate": 0.5,
    "decay_steps": 10,
    "factor": 1,
    "first_decay_steps": 10,
    "height": 4,
    "height_factor": 0.5,
    "initial_learning_rate": 0.1,
    "inner_optimizer": KerasCall("optimizers", "SGD"),
    "num_classes": 3,
    "precision": 0.5,
    "recall": 0.5,
    "sensitivity": 0.5,
    "specificity": 0.5,
    "target_class_ids": (0, 1),
    "width": 4,
    "width_factor": 0.5,
    "values": (0.1, 0.01, 0.001),
}
CALLS = [
    KerasCall(
        family,
        name,
        {one["name"]: VALUES[one["name"]] for one in entry["arguments"] if one["required"]},
    )
    for family in MODULES
    if family != "layers"
    for name, entry in TABLE[family].items()
]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.family}.{call.name}")
def test_every_class_can_be_made(call):
    made = keras_object(call, address="train")
    assert type(made) is getattr(MODULES[call.family], call.name)


def test_arguments_are_made_too():
    schedule = KerasCall(
        "schedules", "CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 5}
    )
    call = KerasCall("optimizers", "Adam", {"learning_rate": schedule, "use_ema": True})
    made = keras_object(call, address="train.optimizer")
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 5)
    oracle = keras.optimizers.Adam(schedule, use_ema=True, name=made.name)
    assert made.get_config() == oracle.get_config()


@pytest.mark.parametrize("family", ["activations", "initializers", "losses", "metrics"])
def test_names_that_keras_resolves_stay_text(family):
    assert keras_object(KerasCall(family, "relu_like"), address="") == "relu_like"


def test_plain_values_stay_as_they_are():
    for value in (None, True, 1, 0.5, "text", (1, "a")):
        assert keras_object(value, address="") == value


def test_several_calls_are_made_in_their_order():
    calls = (KerasCall("metrics", "AUC"), KerasCall("metrics", "accuracy"))
    first, second = keras_object(calls, address="train.metrics")
    assert isinstance(first, keras.metrics.AUC)
    assert second == "accuracy"


@pytest.mark.parametrize(
    "call",
    [
        KerasCall("optimizers", "Adam", {"clipnorm": 1.0, "clipvalue": 1.0}),
        KerasCall("schedules", "PiecewiseConstantDecay", {"boundaries": (1,), "values": (1.0,)}),
        KerasCall("metrics", "AUC", {"curve": "none"}),
        KerasCall("callbacks", "ReduceLROnPlateau", {"factor": 2.0}),
    ],
    ids=lambda call: call.name,
)
def test_what_the_constructor_refuses_is_told_where_it_stands(call, snapshot):
    place = Position("train.yaml", 3, 5, f"    {call.name}:")
    with pytest.raises(ConfigError) as raised:
        keras_object(call, address="train", position=place)
    assert str(raised.value) == snapshot
