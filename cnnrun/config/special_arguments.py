"""Arguments of Keras whose values the words of keras_table.json cannot describe.

These take a value of one form or of quite another; all others are described where the table is
made, in cnnrun/models/argument_kinds.py.
"""

from collections.abc import Mapping
from typing import Any, Final

from cnnrun.config.epoch_counts import STEPS_OF_SCHEDULES, steps_or_epochs
from cnnrun.config.kinds import Either, Kind, ListOf, Nullable
from cnnrun.config.scalar_kinds import Boolean, Choice, Integer, Number


def special_kind(family: str, owner: str, argument: str, row: Mapping[str, Any]) -> Kind | None:
    """What an argument takes, where its row of the table cannot say it; else None."""
    if family == "schedules" and argument in STEPS_OF_SCHEDULES:
        length = steps_or_epochs(argument, minimum=row.get("minimum", 0))
        return Nullable(length) if row.get("nullable") else length
    return _OF_ONE_CLASS.get(f"{owner}.{argument}") or _OF_ANY_CLASS.get(argument)


def _margins(dimensions: int) -> Kind:
    """What is cut off or added at each side: for all, for each dimension, or for each end."""
    size = Integer(0)
    ends = ListOf(size, "integers", length=2)
    if dimensions == 1:
        return Either((size, ends))
    each = Either((size, ends), "an integer of at least 0 or a list of 2")
    what = f"an integer of at least 0 or a list of {dimensions} integers or pairs of integers"
    return Either((size, ListOf(each, "integers or pairs", length=dimensions)), what)


_SHAPE: Final = ListOf(Nullable(Integer(1)), "sizes, of which null stands for any")

_OF_ANY_CLASS: Final[Mapping[str, Kind]] = {
    "noise_shape": Nullable(_SHAPE),
    "use_cudnn": Either((Choice(("auto",)), Boolean())),
}

_OF_ONE_CLASS: Final[Mapping[str, Kind]] = {
    "Cropping1D.cropping": _margins(1),
    "Cropping2D.cropping": _margins(2),
    "Cropping3D.cropping": _margins(3),
    "PiecewiseConstantDecay.values": ListOf(Number(0), "learning rates"),
    "EinsumDense.output_shape": Either((Integer(1), _SHAPE)),
    "RandomErasing.fill_value": Nullable(
        Either(
            (Number(), ListOf(Number(), "numbers", length=3)),
            "a number or a list of 3 numbers, one a channel",
        )
    ),
    "ZeroPadding1D.padding": _margins(1),
    "ZeroPadding2D.padding": _margins(2),
    "ZeroPadding3D.padding": _margins(3),
}
