"""What `cnnrun calibrate` prints of a run whose images have several labels."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from cnnrun.cli.calibration_words import MEASURES, change_words, measured_cells

if TYPE_CHECKING:
    from cnnrun.calibration.label_probability_scores import OneLabelScores
    from cnnrun.evaluation.calibrate_labels import CalibratedLabels, TestedLabels


_MEASURED: "Final[Mapping[str, Callable[[OneLabelScores], float]]]" = {
    "NLL": lambda scores: scores.log_loss,
    "error": lambda scores: scores.error.value,
    "Brier": lambda scores: scores.brier,
}
"""The numbers of a label, before and after, by their headings."""


def print_calibrated_labels(run: Path, calibrated: "CalibratedLabels") -> None:
    """Prints what was fitted, the scores before and after, and each label's."""
    from cnnrun.cli.output import print_sentence, print_table, print_text

    print_sentence(_fitted_sentence(calibrated))
    tested = calibrated.tested
    print_text("")
    if tested is not None:
        cells = (measured_cells(tested.before), measured_cells(tested.after))
        print_table(
            ("mean of labels", "before", "after"),
            list(zip(MEASURES, *cells, strict=True)),
            numeric=frozenset({"before", "after"}),
        )
        print_text("")
    _print_labels(calibrated, tested)
    print_text("")
    if tested is None:
        print_sentence("no test images, so that nothing tells how good it is")
    else:
        print_sentence(change_words(tested.change, images=tested.images))
    print_sentence(
        "thresholds are carried over: what is said of each image stays as it is; `evaluate`,"
        " `predict` and `export` take them with --calibrated"
    )
    print_text(f"{run / 'calibration.json'}")


def _fitted_sentence(calibrated: "CalibratedLabels") -> str:
    names, method = calibrated.names, calibrated.fitted.map.method
    what = "a temperature" if method == "temperature" else "a scale and a bias"
    fitted = len(names) - len(calibrated.fitted.kept)
    whose = f"each of {fitted:,}" if fitted == len(names) else f"{fitted:,} of {len(names):,}"
    return f"{what} for {whose} labels, fitted to {calibrated.images:,} validation images"


def _print_labels(calibrated: "CalibratedLabels", tested: "TestedLabels | None") -> None:
    """Prints each label's numbers, of test images where there are some."""
    from cnnrun.cli.output import print_table

    is_temperature = calibrated.fitted.map.method == "temperature"
    fitted = ("temperature", "95 % interval") if is_temperature else ("scale", "bias")
    measures = () if tested is None else tuple(_MEASURED)
    headings = ("label", *fitted, *measures, "threshold")
    carried_over = calibrated.carried_over
    print_table(
        headings,
        [
            (
                name,
                *_fitted_cells(calibrated, label),
                *(_measured_cell(tested, label, measure) for measure in measures if tested),
                f"{calibrated.thresholds[label]:.3f} to {carried_over[label]:.3f}",
            )
            for label, name in enumerate(calibrated.names)
        ],
        numeric=frozenset(headings[1:]) - {"95 % interval"},
        expendable=("95 % interval", "Brier"),
    )


def _fitted_cells(calibrated: "CalibratedLabels", label: int) -> tuple[str, str]:
    if label in calibrated.fitted.kept:
        return "", ""
    applied = calibrated.fitted.map
    if applied.method == "vector":
        return f"{applied.scale[label]:.3f}", f"{applied.bias[label]:+z.3f}"
    low, high = calibrated.fitted.intervals[label]
    interval = "" if np.isnan(low) else f"{low:.2f} to {high:.2f}"
    return f"{applied.temperatures[label]:.3f}", interval


def _measured_cell(tested: "TestedLabels", label: int, measure: str) -> str:
    """A number of a label before and after; nothing where no test image tells it."""
    before, after = tested.before.of_labels[label], tested.after.of_labels[label]
    if before is None or after is None:
        return ""
    of = _MEASURED[measure]
    return f"{of(before):.3f} to {of(after):.3f}"
