"""What has no effect is said; the oracle is what one works out by hand, and weights that stay."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly.preparing import prepare
from cnnrun.assembly.stages import with_schedules_in_steps
from cnnrun.assembly.without_effect import endless_warmups
from cnnrun.config.sections import Config

from ..listening import Heard

OnEarlier = Callable[..., Config]
MakeConfig = Callable[..., Config]

WARMUP = {"warmup": {"warmup_steps": 12, "learning_rate": 0.1}}
COSINE = {
    "CosineDecay": {
        "initial_learning_rate": 0.1,
        "decay_steps": 100,
        "warmup_steps": 12,
        "warmup_target": 0.5,
    }
}


def heard_of(config: Config, tmp_path: Path) -> list[str]:
    heard = Heard()
    prepare(config, earlier=None, cache_folder=tmp_path, listener=heard)
    return heard.notes


@pytest.mark.parametrize("trainable", ["none", "all"])
def test_rates_of_layers_that_never_learn_are_said(
    trainable: str, on_earlier: OnEarlier, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    groups = {"learning_rates": {"last_conv*": 0.1, "new_classifier": 2}, "first_layer": 0.5}
    config = on_earlier({}, {"trainable": trainable}, parameter_groups=groups)
    notes = [note for note in heard_of(config, tmp_path) if "parameter_groups" in note]
    assert notes == (snapshot if trainable == "none" else [])


def test_a_rate_that_rises_to_the_end_is_said(
    make_config: MakeConfig, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """42 training images in batches of 8 are 6 steps an epoch."""
    optimizer = {"SGD": {"learning_rate": WARMUP}}
    config = make_config(train={"epochs": 2, "batch_size": 8, "optimizer": optimizer})
    assert heard_of(config, tmp_path) == snapshot


@pytest.mark.parametrize("schedule", [WARMUP, COSINE])
@pytest.mark.parametrize(
    ("epochs", "accumulated", "is_endless"), [(6, None, True), (7, None, False), (12, 2, True)]
)
def test_a_rise_is_held_against_how_often_weights_move(
    schedule: Any, epochs: int, accumulated: int | None, is_endless: bool, make_config: MakeConfig
) -> None:
    arguments = {"learning_rate": schedule, "gradient_accumulation_steps": accumulated}
    config = make_config(train={"epochs": epochs, "optimizer": {"SGD": arguments}})
    config = with_schedules_in_steps(config, steps_per_epoch=2)
    assert bool(list(endless_warmups(config, steps_per_epoch=2))) == is_endless


def test_a_stage_too_short_for_the_shared_rise_is_named(
    on_earlier: OnEarlier, snapshot: SnapshotAssertion
) -> None:
    config = on_earlier({"epochs": 1}, {"epochs": 9}, optimizer={"SGD": {"learning_rate": WARMUP}})
    config = with_schedules_in_steps(config, steps_per_epoch=4)
    assert list(endless_warmups(config, steps_per_epoch=4)) == snapshot
