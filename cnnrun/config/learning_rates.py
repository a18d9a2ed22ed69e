"""Where in a config the learning rate stands: in an optimizer, or in a schedule of one."""

from typing import Final

from cnnrun.config.keras_table import argument_rows, class_of
from cnnrun.config.sections import Config
from cnnrun.config.values import KerasCall

_RATES_OF_SCHEDULES: Final = ("maximum_learning_rate", "warmup_target", "initial_learning_rate")
"""The highest rate of a schedule stands in the first of these that it has."""
_SEVERAL: Final = "values"
"""Where all rates stand of a schedule that has none of these."""


def learning_rates_of(config: Config, *, stage: int = -1) -> tuple[str, tuple[float, ...]]:
    """Where the learning rate stands that a config trains with, and what it is.

    Of a schedule it is the highest rate, of a warm-up that of what follows.

    Args:
        config: a checked config.
        stage: which stage's, from 0; the last one's by default.

    Returns:
        The address, such as "train.optimizer.Adam.learning_rate"; and the rate, or all of them
        where a schedule has several.
    """
    where, optimizer = _optimizer(config, stage)
    while isinstance(inner := optimizer.arguments.get("inner_optimizer"), KerasCall):
        where, optimizer = f"{where}.{optimizer.name}.inner_optimizer", inner
    address = f"{where}.{optimizer.name}.learning_rate"
    owner = class_of("optimizers", optimizer.name) or optimizer.name
    keras_rate = argument_rows("optimizers", owner)["learning_rate"]["default"]
    rate = optimizer.arguments.get("learning_rate", keras_rate)
    while isinstance(rate, KerasCall) and "learning_rate" in rate.arguments:
        address, rate = f"{address}.{rate.name}.learning_rate", rate.arguments["learning_rate"]
    if not isinstance(rate, KerasCall):
        return address, (float(rate),)
    for argument in _RATES_OF_SCHEDULES:
        if isinstance(value := rate.arguments.get(argument), int | float):
            return f"{address}.{rate.name}.{argument}", (float(value),)
    values = rate.arguments[_SEVERAL]
    return f"{address}.{rate.name}.{_SEVERAL}", tuple(map(float, values))


def _optimizer(config: Config, stage: int) -> tuple[str, KerasCall]:
    """The optimizer of a stage: its own, or the training's."""
    stages = config.train.stages
    if stages and (own := stages[stage].optimizer) is not None:
        return f"train.stages[{stage % len(stages)}].optimizer", own
    return "train.optimizer", config.train.optimizer
