"""What a search varies, as axes between 0 and 1."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from cnnrun.ablation.studies.factor_values import text_of
from cnnrun.ablation.studies.search import Dimension
from cnnrun.config.overrides import Change
from cnnrun.config.yaml_tree import Node, ScalarNode
from cnnrun.errors import Position

Value = int | float | str
"""A number of a range, or the name of a choice."""
Values = Mapping[str, Value]
"""Axis -> its value in a trial."""

_DIGITS = ".3g"
_STEPS = 1000.0
"""A range that is not logarithmic is cut into at least so many values."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A value of the config that is searched.

    Attributes:
        name: as the file or command line has it.
        address: where it stands in the config, or "learning_rate" for wherever that does.
        position: where the address is written.
        low: the least value of a range; 0 for choices.
        high: the largest.
        is_logarithmic: whether values are drawn evenly in their logarithm.
        is_integer: whether they are whole.
        choices: in place of a range, name -> value; empty for a range.
    """

    name: str
    address: str
    position: Position
    low: float = 0.0
    high: float = 0.0
    is_logarithmic: bool = False
    is_integer: bool = False
    choices: Mapping[str, Node] = field(default_factory=dict)

    @property
    def number_of_values(self) -> float:
        """How many there are, infinite for a range of numbers that need not be whole."""
        if self.choices:
            return len(self.choices)
        return self.high - self.low + 1 if self.is_integer else math.inf

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values that a config is tried with before anything is trained."""
        if self.choices:
            return tuple(self.choices)
        ends = (self.low, self.high)
        return tuple(int(each) for each in ends) if self.is_integer else ends

    def at(self, share: float) -> Value:
        """The value so far along the axis, from 0 to below 1."""
        if self.choices:
            return list(self.choices)[int(share * len(self.choices))]
        # Each whole number has a stretch of its own, the last one as well.
        first, last = self._place(self.low), self._place(self.high + self.is_integer)
        place = first + share * (last - first)
        value = math.exp(place) if self.is_logarithmic else place
        if self.is_integer:
            return int(min(max(math.floor(value), self.low), self.high))
        return self.rounded(value)

    def rounded(self, value: float) -> float:
        """A number of the range in the digits that trials have."""
        if self.is_logarithmic and self.high > 2 * self.low:
            short = float(f"{value:{_DIGITS}}")
        else:
            digits = math.ceil(-math.log10((self.high - self.low) / _STEPS))
            short = round(value, max(0, digits))
        return float(min(max(short, self.low), self.high))

    def change(self, value: Value, *, address: str) -> Change:
        """What puts a value into a config, at its address there."""
        if self.choices:
            return Change(address, self.position, self.choices[str(value)])
        return Change(address, self.position, ScalarNode(self.position, value, f"{value!r}"))

    def text(self, value: Value) -> str:
        """A value as it reads best."""
        if self.choices:
            return text_of(self.choices[str(value)])
        return str(value) if self.is_integer else f"{value:g}"

    def _place(self, value: float) -> float:
        return math.log(value) if self.is_logarithmic else value


def axis_of(name: str, dimension: Dimension, *, position: Position) -> Axis:
    """The axis of what a file or the command line names.

    Args:
        name: what it is called.
        dimension: what is written of it.
        position: where its address is written.
    """
    low, high = dimension.low, dimension.high
    if low is None or high is None:
        return Axis(
            name=name, address=dimension.address, position=position, choices=dimension.values
        )
    return Axis(
        name=name,
        address=dimension.address,
        position=position,
        low=low,
        high=high,
        is_logarithmic=dimension.is_logarithmic,
        is_integer=isinstance(low, int) and isinstance(high, int),
    )
