"""Where in a config stands what a study tunes."""

from dataclasses import replace
from typing import Final

from cnnrun.ablation.studies.tune import LEARNING_RATE, Tune
from cnnrun.config.learning_rates import learning_rates_of
from cnnrun.config.overrides import Change, parsed_override
from cnnrun.config.sections import Config
from cnnrun.config.yaml_tree import ListNode, Node
from cnnrun.errors import Position

_DIGITS: Final = ".6g"


def tuned_address(tune: Tune, config: Config) -> str:
    """The address of what is tuned, such as "train.optimizer.Adam.learning_rate"."""
    return rate_address(config) if tune.address == LEARNING_RATE else tune.address


def rate_address(config: Config) -> str:
    """Where the learning rate stands that a config trains with last."""
    return learning_rates_of(config)[0]


def present_rate(config: Config) -> float:
    """The learning rate that a config trains with last, or the highest of its schedule."""
    return max(learning_rates_of(config)[1])


def with_rate(config: Config, rate: float) -> str:
    """What makes a learning rate that of a config: "train.optimizer.SGD.learning_rate=0.1".

    Of a schedule of several, PiecewiseConstantDecay, it is the highest; the others keep their ratio
    to it.
    """
    address, rates = learning_rates_of(config)
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
