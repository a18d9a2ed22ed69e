"""Lengths in epochs; the oracle is what one works out by hand."""

from collections.abc import Callable
from typing import Any

import pytest

from cnnrun.config.epoch_counts import in_steps
from cnnrun.config.learning_rates import learning_rates_of
from cnnrun.config.sections import Config

from .conftest import with_train

Load = Callable[..., Config]


def schedule_in_steps(load: Load, optimizer: str, *, steps: int = 10, epochs: int = 30) -> Any:
    config = load(with_train(f"epochs: {epochs}\noptimizer: {optimizer}"))
    made = in_steps(config.train.optimizer, steps_per_epoch=steps, epochs=epochs)
    while "inner_optimizer" in made.arguments:
        made = made.arguments["inner_optimizer"]
    return made.arguments["learning_rate"].arguments


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("CosineDecay: {initial_learning_rate: 1, decay_steps: 20 epochs}", {"decay_steps": 200}),
        (
            "CosineDecay: {initial_learning_rate: 0, decay_steps: 7, warmup_target: 1,"
            " warmup_steps: 1 epoch}",
            {"decay_steps": 7, "warmup_steps": 10},
        ),
        (
            "CosineDecayRestarts: {initial_learning_rate: 1, first_decay_steps: 0.25 epochs}",
            {"first_decay_steps": 2},
        ),
        (
            "ExponentialDecay: {initial_learning_rate: 1, decay_steps: 0.01 epochs, decay_rate: 2}",
            {"decay_steps": 1},
        ),
        (
            "PiecewiseConstantDecay: {boundaries: [5, 10 epochs, 22.5 epochs],"
            " values: [4, 3, 2, 1]}",
            {"boundaries": (5, 100, 225)},
        ),
        ("one_cycle: {maximum_learning_rate: 1}", {"total_steps": 300}),
        ("one_cycle: {maximum_learning_rate: 1, total_steps: 12 epochs}", {"total_steps": 120}),
    ],
)
def test_epochs_become_steps(load: Load, schedule: str, expected: dict[str, Any]) -> None:
    made = schedule_in_steps(load, f"{{SGD: {{learning_rate: {{{schedule}}}}}}}")
    assert {key: made[key] for key in expected} == expected


def test_a_cycle_after_a_warm_up_has_what_is_left(load: Load) -> None:
    made = schedule_in_steps(
        load,
        "{SGD: {learning_rate: {warmup: {warmup_steps: 2 epochs,"
        " learning_rate: {one_cycle: {maximum_learning_rate: 1}}}}}}",
    )
    assert made["warmup_steps"] == 20
    assert made["learning_rate"].arguments["total_steps"] == 280


def test_where_gradients_accumulate_an_epoch_moves_the_weights_less_often(load: Load) -> None:
    """Oracle: `iterations` of Keras's optimizers, which is what its schedules see."""
    cycle = "learning_rate: {one_cycle: {maximum_learning_rate: 1}}"
    made = schedule_in_steps(load, f"{{SGD: {{{cycle}, gradient_accumulation_steps: 4}}}}")
    assert made["total_steps"] == 75
    wrapped = f"{{LossScaleOptimizer: {{inner_optimizer: {{SGD: {{{cycle}}}}}}}}}"
    assert schedule_in_steps(load, wrapped)["total_steps"] == 300


@pytest.mark.parametrize(
    ("rate", "address", "value"),
    [
        ("{one_cycle: {maximum_learning_rate: 0.5}}", ".one_cycle.maximum_learning_rate", 0.5),
        ("{warmup: {warmup_steps: 1, learning_rate: 0.25}}", ".warmup.learning_rate", 0.25),
        (
            "{warmup: {warmup_steps: 1 epoch, initial_learning_rate: 1e-5, learning_rate:"
            " {CosineDecay: {initial_learning_rate: 0.125, decay_steps: 9 epochs}}}}",
            ".warmup.learning_rate.CosineDecay.initial_learning_rate",
            0.125,
        ),
    ],
)
def test_the_highest_rate_is_found_in_schedules_of_schedules(
    load: Load, rate: str, address: str, value: float
) -> None:
    config = load(with_train(f"optimizer: {{SGD: {{learning_rate: {rate}}}}}"))
    assert learning_rates_of(config) == (f"train.optimizer.SGD.learning_rate{address}", (value,))
