"""What diagnostics show layer by layer, as figures of a page: of a study's arms, or of one run."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from matplotlib.figure import Figure

from cnnrun.errors import RunError
from cnnrun.pages.page_files import DISTRIBUTIONS, LAYERS
from cnnrun.pages.study_folder import StudyFolder
from cnnrun.plots.diagnostics import (
    Runs,
    input_distributions,
    layer_saturation,
    layer_signals,
    run_layers,
)
from cnnrun.runs.diagnostics import DiagnosticsRow, read_diagnostics

# A thousand runs' histograms would take longer to read than all the rest.
SEEDS_PROBED: Final = 8

Looks = Mapping[str, Runs]
"""Arm -> the looks at each of its runs."""


def looks_at_arms(
    study: StudyFolder, arms: Sequence[str], cells: Sequence[Mapping[str, str]]
) -> Looks:
    """The looks at the networks of a study, of its first seeds.

    Args:
        study: its folder.
        arms: the names of its arms.
        cells: the rows of its cells.csv.
    """
    seeds = list(dict.fromkeys(cell.get("seed") for cell in cells))[:SEEDS_PROBED]
    looks: dict[str, list[tuple[DiagnosticsRow, ...]]] = {arm: [] for arm in arms}
    for cell in cells:
        arm = cell.get("arm", "")
        if cell.get("seed") not in seeds or cell.get("state") == "failed" or arm not in looks:
            continue
        with suppress(RunError, KeyError):  # what cannot be read is missing in the picture alone
            looks[arm].append(read_diagnostics(study.run(cell["run"])))
    return looks


def signals_figure(looks: Looks) -> Figure | None:
    """What signal the arms carry; None where nothing was recorded."""
    return layer_signals(looks) if _has_looks(looks) else None


def saturation_figure(looks: Looks) -> Figure | None:
    """How much of the arms passes no gradient on; None where nothing was recorded."""
    return layer_saturation(looks) if _has_looks(looks) else None


def distributions_figure(looks: Looks) -> Figure | None:
    """What reaches the arms' activations over the epochs; None where nothing was recorded."""
    return input_distributions(looks) if _has_looks(looks) else None


def figures_of_run(looks: Sequence[DiagnosticsRow]) -> dict[str, Figure]:
    """What diagnostics show of a single run, by the names of page_files.py.

    Args:
        looks: at the run, in their order; at least one.
    """
    figures = {LAYERS: run_layers(looks)}
    if any(row.activations for row in looks):
        figures[DISTRIBUTIONS] = input_distributions({"": [looks]})
    return figures


def _has_looks(looks: Looks) -> bool:
    return any(rows for runs in looks.values() for rows in runs)
