"""Lengths of a learning rate schedule in epochs: `20 epochs` in place of a number of steps."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

from typing_extensions import override

from cnnrun.config.keras_table import argument_rows, class_of
from cnnrun.config.kinds import Either, Kind, ListOf, Schema
from cnnrun.config.places import Invalid, Place, is_text
from cnnrun.config.scalar_kinds import Integer, Number
from cnnrun.config.values import Epochs, KerasCall
from cnnrun.config.yaml_tree import Node, ScalarNode

STEPS_OF_SCHEDULES: Final = (
    "decay_steps",
    "first_decay_steps",
    "warmup_steps",
    "total_steps",
    "boundaries",
)
"""The arguments of schedules that are numbers of training steps."""

_WRITTEN: Final = r"[0-9]{1,9}(?:\.[0-9]{1,9})? epochs?"
_MEANT: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)[\s_-]*epochs?\.?", re.IGNORECASE)


@final
@dataclass(frozen=True)
class EpochCount(Kind):
    """A number of epochs with its unit, such as `20 epochs`, `1 epoch` or `0.5 epochs`."""

    may_be_none: bool

    @property
    @override
    def phrase(self) -> str:
        return "a number of epochs, such as `20 epochs`"

    @override
    def accepts(self, node: Node) -> bool:
        return is_text(node) and re.fullmatch(_WRITTEN, _text(node)) is not None

    @override
    def read(self, place: Place) -> Epochs | Invalid:
        if not self.accepts(place.node):
            return self.refuse_form(place)
        number = float(_text(place.node).split()[0])
        if number == 0 and not self.may_be_none:
            return place.refuse("must be more than 0 epochs")
        return Epochs(number)

    @override
    def holds(self, value: Any) -> bool:
        return isinstance(value, Epochs)

    @override
    def write(self, value: Any, *, relative_to: Path) -> str:
        return str(value)

    @override
    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": f"^{_WRITTEN}$"}

    @override
    def advice(self, node: Node) -> str:
        meant = _MEANT.fullmatch(_text(node))
        return f"write `{Epochs(float(meant[1]))}`" if meant else ""


def steps_or_epochs(argument: str, *, minimum: int) -> Kind:
    """What an argument takes that counts training steps.

    Args:
        argument: one of STEPS_OF_SCHEDULES.
        minimum: the least number of steps, where it is a single one.
    """
    epochs = EpochCount(may_be_none=minimum == 0)
    if argument != "boundaries":
        steps = Integer(minimum)
        return Either((epochs, steps), f"{steps.phrase} or {epochs.phrase}")
    boundary = Either((Number(), epochs), f"a number of steps or {epochs.phrase}")
    what = "boundary in steps or epochs, such as [10 epochs, 20 epochs]"
    return ListOf(boundary, what, minimum=1)


def stretched_length(written: str, times: float) -> str:
    """A length such as `20 epochs` so many times as long; any other text as it is."""
    if not re.fullmatch(_WRITTEN, written):
        return written
    return str(Epochs(float(written.split()[0]) * times))


def in_steps(optimizer: KerasCall, *, steps_per_epoch: int, epochs: int) -> KerasCall:
    """An optimizer whose schedules count steps alone; a length that is left open is the training's.

    Args:
        optimizer: the optimizer.
        steps_per_epoch: training steps that an epoch has.
        epochs: how many epochs it trains.
    """
    return _counted(optimizer, _Clock(an_epoch=steps_per_epoch, left=steps_per_epoch * epochs))


def endless_warmup(optimizer: KerasCall, *, steps: int) -> tuple[int, int] | None:
    """How long a rate rises, and how often the weights move, where the rise takes no less.

    Args:
        optimizer: an optimizer whose schedules count steps alone.
        steps: training steps that it makes.
    """
    moves = steps // (optimizer.arguments.get("gradient_accumulation_steps") or 1)
    rising: int = optimizer.arguments.get("warmup_steps", 0)
    if rising and rising >= moves:
        return rising, moves
    within = (each for each in optimizer.arguments.values() if isinstance(each, KerasCall))
    found = (endless_warmup(each, steps=moves - rising) for each in within)
    return next((each for each in found if each is not None), None)


@dataclass(frozen=True)
class _Clock:
    """How often the weights move, by which a schedule goes.

    Attributes:
        an_epoch: in an epoch; no whole number where gradients are accumulated over its end.
        left: from the schedule's beginning to the training's end.
    """

    an_epoch: float
    left: float

    def moves(self, length: Any, *, minimum: int) -> Any:
        """A length, or each of several, in steps; anything else as it is."""
        if isinstance(length, tuple):
            return tuple(self.moves(each, minimum=minimum) for each in length)
        if isinstance(length, Epochs):
            return max(minimum, round(length.number * self.an_epoch))
        return length


def _counted(call: KerasCall, clock: _Clock) -> KerasCall:
    """An optimizer or a schedule, and those that stand in its arguments, in steps."""
    owner = class_of(call.family, call.name) or call.name
    rows = argument_rows(call.family, owner)
    arguments = {
        name: clock.moves(value, minimum=rows[name].get("minimum", 0))
        for name, value in call.arguments.items()
    }
    if "total_steps" in rows and arguments.get("total_steps") is None:
        arguments["total_steps"] = max(1, round(clock.left))
    # Keras moves the weights, and its schedules, once for so many steps.
    accumulated = arguments.get("gradient_accumulation_steps") or 1
    before = arguments.get("warmup_steps", 0)
    inner = _Clock(clock.an_epoch / accumulated, clock.left / accumulated - before)
    arguments = {
        name: _counted(value, inner) if isinstance(value, KerasCall) else value
        for name, value in arguments.items()
    }
    return replace(call, arguments=arguments)


def _text(node: Node) -> str:
    return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else ""
