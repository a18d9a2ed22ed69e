"""Where in a config stands what a study tunes."""

from typing import Final

from cnnrun.ablation.studies.tune import LEARNING_RATE, Tune
from cnnrun.config.keras_table import argument_rows, class_of
from cnnrun.config.sections import Config
from cnnrun.config.values import KerasCall
from cnnrun.errors import StudyError

_RATES_OF_SCHEDULES: Final = ("warmup_target", "initial_learning_rate")
"""The highest rate of a schedule stands in the first of these that it has."""


def tuned_address(tune: Tune, config: Config) -> str:
    """The address of what is tuned, such as "train.optimizer.Adam.learning_rate".

    Raises:
        StudyError: as `tuned_rate`, where it is the learning rate.
    """
    return tuned_rate(config)[0] if tune.address == LEARNING_RATE else tune.address


def tuned_rate(config: Config) -> tuple[str, float]:
    """Where the learning rate stands that is tuned, and what it is.

    Raises:
        StudyError: a schedule of this config has no single one.
    """
    address, rate = _learning_rate(config)
    if rate is None:
        raise StudyError.at(
            address,
            rule="must have one rate that can be tuned",
            received="a schedule with several",
            advice="name another number, `tune: {path: ..., low: ..., high: ...}`, or leave `tune`"
            " out (`--no-tune-each-arm`)",
        )
    return address, rate


def present_rate(config: Config) -> float | None:
    """The learning rate that a config trains with last, or its schedule's highest; None for none.

    Schedules such as PiecewiseConstantDecay have no single one.
    """
    return _learning_rate(config)[1]


def _learning_rate(config: Config) -> tuple[str, float | None]:
    """Where it stands, and what it is."""
    where, optimizer = _last_optimizer(config)
    while isinstance(inner := optimizer.arguments.get("inner_optimizer"), KerasCall):
        where, optimizer = f"{where}.{optimizer.name}.inner_optimizer", inner
    address = f"{where}.{optimizer.name}.learning_rate"
    owner = class_of("optimizers", optimizer.name) or optimizer.name
    keras_rate = argument_rows("optimizers", owner)["learning_rate"]["default"]
    rate = optimizer.arguments.get("learning_rate", keras_rate)
    if not isinstance(rate, KerasCall):
        return address, float(rate)
    for argument in _RATES_OF_SCHEDULES:
        if isinstance(value := rate.arguments.get(argument), int | float):
            return f"{address}.{rate.name}.{argument}", float(value)
    return address, None


def _last_optimizer(config: Config) -> tuple[str, KerasCall]:
    """The optimizer that trains last: of the last stage, where that has its own."""
    stages = config.train.stages
    if stages and stages[-1].optimizer is not None:
        return f"train.stages[{len(stages) - 1}].optimizer", stages[-1].optimizer
    return "train.optimizer", config.train.optimizer
