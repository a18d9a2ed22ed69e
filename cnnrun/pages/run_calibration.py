"""A run's calibration as a page shows it, once `cnnrun calibrate` has left one."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from cnnrun.errors import RunError
from cnnrun.pages.shown_figure import ShownFigure, shown_png
from cnnrun.runs.files import read_json
from cnnrun.runs.folder import RunFolder

_CAPTION: Final = (
    "How often the network is right, over the probability that it gives; on the diagonal the two"
    " agree"
)
_LABELS_CAPTION: Final = (
    "How many of the test images have a label, over the probability that the network gives to it;"
    " on the diagonal the two agree"
)
_MEASURES: Final = {
    "ece": "calibration error",
    "negative_log_likelihood": "negative log-likelihood",
    "brier": "Brier score",
}


@dataclass(frozen=True)
class CalibrationView:
    """A calibration.

    Attributes:
        what: how it was made.
        rows: a measure on the test images, before and after.
        notes: what a person should know.
        figure: the reliability diagram; None where it is not there.
    """

    what: str
    rows: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]
    figure: ShownFigure | None


def calibration_view(run: RunFolder) -> CalibrationView | None:
    """A run's calibration; None where it has none, or a damaged one."""
    if not run.calibration_json.exists():
        return None
    with suppress(RunError, KeyError, TypeError, ValueError):
        written = read_json(run.calibration_json)
        temperature = written.get("temperature")
        by = "" if temperature is None else f", {float(temperature):.3g}"
        fitted = written["fitted_on"]
        test = written.get("test")
        on = f"{fitted['images']:,} {fitted['split']} images"
        of_labels = "labels" in written
        kind = f"a {written['method']} for each label" if of_labels else f"{written['method']}{by}"
        return CalibrationView(
            what=f"{kind}, fitted to {on}",
            rows=() if test is None else tuple(_rows(test["before"], test["after"], of_labels)),
            notes=tuple(map(str, written.get("notes", ()))),
            figure=shown_png(
                run.reliability_png, caption=_LABELS_CAPTION if of_labels else _CAPTION
            ),
        )
    return None


def _rows(
    before: Mapping[str, Any], after: Mapping[str, Any], of_labels: bool
) -> Iterator[tuple[str, str, str]]:
    for key, name in _MEASURES.items():
        whole = f"{name}, mean of labels" if of_labels else name
        yield whole, _number(before[key]), _number(after[key])


def _number(value: Any) -> str:
    """A number; of a calibration error, which has an interval beside it, the value alone."""
    return f"{float(value['value'] if isinstance(value, dict) else value):.4f}"
