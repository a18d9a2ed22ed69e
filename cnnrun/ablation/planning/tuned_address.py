"""Where in a config stands what a study tunes."""

from dataclasses import replace
from typing import Final

from cnnrun.ablation.studies.tune import LEARNING_RATE, Tune
from cnnrun.config.keras_table import argument_rows, class_of
from cnnrun.config.overrides import Change, parsed_override
from cnnrun.config.sections import Config
from cnnrun.config.values import KerasCall
from cnnrun.config.yaml_tree import ListNode, Node
from cnnrun.errors import Position

_RATES_OF_SCHEDULES: Final = ("warmup_target", "initial_learning_rate")
"""The highest rate of a schedule stands in the first of these that it has."""
_SEVERAL: Final = "values"
"""Where all rates stand of a schedule that has none of these."""
_DIGITS: Final = ".6g"


def tuned_address(tune: Tune, config: Config) -> str:
    """The address of what is tuned, such as "train.optimizer.Adam.learning_rate"."""
    return rate_address(config) if tune.address == LEARNING_RATE else tune.address


def rate_address(config: Config) -> str:
    """Where the learning rate stands that a config trains with last."""
    return _learning_rate(config)[0]


def present_rate(config: Config) -> float:
    """The learning rate that a config trains with last, or the highest of its schedule."""
    return max(_learning_rate(config)[1])


def with_rate(config: Config, rate: float) -> str:
    """What makes a learning rate that of a config: "train.optimizer.SGD.learning_rate=0.1".

    Of a schedule of several, PiecewiseConstantDecay, it is the highest; the others keep their ratio
    to it.
    """
    address, rates = _learning_rate(config)
    if len(rates) == 1:
        return f"{address}={rate!r}"
    scaled = ", ".join(f"{rate * each / max(rates):{_DIGITS}}" for each in rates)
    return f"{address}=[{scaled}]"


def rate_change(config: Config, rate: float, *, position: Position, written: Node) -> Change:
    """What puts a learning rate into a config, so that problems of it point at where it is written.

    Args:
        config: the config.
        rate: the rate.
        position: where it is said what is changed.
        written: the rate as it is written.
    """
    change = parsed_override(with_rate(config, rate))
    return Change(change.address, position, _moved(change.value, written.position))


def _moved(value: Node, position: Position) -> Node:
    """A number, or a list of them, that stands elsewhere."""
    if isinstance(value, ListNode):
        return ListNode(position, tuple(_moved(item, position) for item in value.items))
    return replace(value, position=position)


def _learning_rate(config: Config) -> tuple[str, tuple[float, ...]]:
    """Where it stands, and what it is; all of them where a schedule has several."""
    where, optimizer = _last_optimizer(config)
    while isinstance(inner := optimizer.arguments.get("inner_optimizer"), KerasCall):
        where, optimizer = f"{where}.{optimizer.name}.inner_optimizer", inner
    address = f"{where}.{optimizer.name}.learning_rate"
    owner = class_of("optimizers", optimizer.name) or optimizer.name
    keras_rate = argument_rows("optimizers", owner)["learning_rate"]["default"]
    rate = optimizer.arguments.get("learning_rate", keras_rate)
    if not isinstance(rate, KerasCall):
        return address, (float(rate),)
    for argument in _RATES_OF_SCHEDULES:
        if isinstance(value := rate.arguments.get(argument), int | float):
            return f"{address}.{rate.name}.{argument}", (float(value),)
    values = rate.arguments[_SEVERAL]
    return f"{address}.{rate.name}.{_SEVERAL}", tuple(map(float, values))


def _last_optimizer(config: Config) -> tuple[str, KerasCall]:
    """The optimizer that trains last: of the last stage, where that has its own."""
    stages = config.train.stages
    if stages and stages[-1].optimizer is not None:
        return f"train.stages[{len(stages) - 1}].optimizer", stages[-1].optimizer
    return "train.optimizer", config.train.optimizer
