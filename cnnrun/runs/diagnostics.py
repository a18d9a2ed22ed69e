"""What a probe batch showed of a network in training: diagnostics.jsonl, a line an epoch."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cnnrun.runs.files import read_lines

DIAGNOSTICS_FILE: Final = "diagnostics.jsonl"


@dataclass(frozen=True)
class ActivationInput:
    """What reaches an activation, over all numbers of a probe batch.

    Attributes:
        mean: of them.
        std: their standard deviation.
        saturated: the share of them at which the activation is flat, or nearly so.
        dead: the share of channels all of whose numbers are such.
        gradient_std: the standard deviation of the loss's gradient with respect to the numbers; NaN
            where it was not recorded, as in early studies.
        low: where the histogram begins.
        high: where it ends.
        counts: how many of the numbers lie in each of its equally wide bins.
    """

    mean: float
    std: float
    saturated: float
    dead: float
    gradient_std: float
    low: float
    high: float
    counts: tuple[int, ...]

    def quantile(self, share: float) -> float:
        """Where this share of the numbers lies below, by the histogram; NaN without numbers."""
        total = sum(self.counts)
        if not total or not math.isfinite(self.high - self.low):
            return math.nan
        width = (self.high - self.low) / len(self.counts)
        below = 0
        for number, count in enumerate(self.counts):
            if count and below + count >= share * total:
                return self.low + width * (number + (share * total - below) / count)
            below += count
        return self.high


@dataclass(frozen=True)
class DiagnosticsRow:
    """One look at the network.

    Attributes:
        epoch: after which epoch; 0 for the start.
        activations: layer -> what reaches it, in the order of the network.
        gradient_norms: layer -> the norm of the gradient of its weights.
    """

    epoch: int
    activations: Mapping[str, ActivationInput]
    gradient_norms: Mapping[str, float]


def read_diagnostics(run: Path) -> tuple[DiagnosticsRow, ...]:
    """The looks at a run's network, in their order; none where none were taken.

    Lines that are torn or damaged are left out.

    Raises:
        RunError: the file cannot be read.
    """
    rows = (_row(line) for line in read_lines(run / DIAGNOSTICS_FILE))
    return tuple(row for row in rows if row is not None)


def _row(line: str) -> DiagnosticsRow | None:
    try:
        fields = json.loads(line)
        return DiagnosticsRow(
            epoch=int(fields["epoch"]),
            activations={name: _input(each) for name, each in fields["activations"].items()},
            gradient_norms={name: _number(norm) for name, norm in fields["gradient_norms"].items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _input(fields: Mapping[str, Any]) -> ActivationInput:
    names = ("mean", "std", "saturated", "dead", "low", "high")
    numbers = {name: _number(fields[name]) for name in names}
    gradient_std = _number(fields.get("gradient_std"))
    return ActivationInput(
        **numbers, gradient_std=gradient_std, counts=tuple(map(int, fields["counts"]))
    )


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
