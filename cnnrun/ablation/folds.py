"""Every image of a config tested once: a run for each fold, and what they say together.

For whoever has few images: an accuracy of 45 test images says little, one of 300 says more. The
folder is a study's, so that its cells are resumed, listed and left out of lists as others are.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import numpy as np

from cnnrun.ablation.analysis.conservative_intervals import conservative_test
from cnnrun.ablation.analysis.crossed_intervals import crossed_contrast
from cnnrun.ablation.analysis.evidence import CONFIDENCE
from cnnrun.ablation.analysis.image_values import image_values
from cnnrun.ablation.execution.cell_records import CellOutcome
from cnnrun.ablation.execution.run_cells import run_cells
from cnnrun.ablation.execution.schedule import StudyListener
from cnnrun.ablation.execution.workers import Workers
from cnnrun.ablation.planning.arms import config_digest
from cnnrun.ablation.planning.plan import Arm, Cell, Repetition, StudyPlan
from cnnrun.ablation.planning.plan_file import refuse_used_folder
from cnnrun.ablation.reporting.tables import cells_csv
from cnnrun.config.sections import Config
from cnnrun.errors import StudyError
from cnnrun.pages.study_page import write_study_page
from cnnrun.runs.files import read_json, storage_errors, write_json, write_text
from cnnrun.runs.tables import markdown_table

FEWEST_FOLDS: Final = 2
ESTIMATE_COLUMNS: Final = (
    "measure",
    "mean",
    "95 % over folds and images",
    "conservative 95 %",
    "lowest fold",
    "highest fold",
)
_OF_CLASSES: Final = ("accuracy", "loss")
_OF_LABELS: Final = ("mean_average_precision", "micro_f1", "exact_match", "loss")
"""What is told where images have several labels each."""
_COUNTED_BY: Final = {_OF_CLASSES: "test_accuracy", _OF_LABELS: "test_exact_match"}
"""The measure that every image has, whatever the loss."""
_SHARE: Final = (0.0, 1.0)
_LOSS: Final = (0.0, math.inf)
_PLAN: Final = "plan.json"
_THREADS_A_CELL: Final = 1  # as in a study: the number of threads changes results


@dataclass(frozen=True)
class Estimate:
    """A measure over all folds.

    Attributes:
        mean: of the folds' means.
        interval: of 95 %, over folds and images; None where it cannot be had image by image.
        conservative: the interval of Nadeau and Bengio, of 95 %.
        folds: the measure of each fold.
    """

    mean: float
    interval: tuple[float, float] | None
    conservative: tuple[float, float]
    folds: tuple[float, ...]


@dataclass(frozen=True)
class FoldResults:
    """What the folds of a config came to.

    Attributes:
        plan: the folds as the arms of a plan, and their cells.
        outcomes: of the cells, in the order of the folds.
        estimates: by measure; empty until at least two folds have finished.
        images: how many images the finished folds test.
    """

    plan: StudyPlan
    outcomes: tuple[CellOutcome, ...]
    estimates: Mapping[str, Estimate]
    images: int

    @property
    def measures(self) -> tuple[str, ...]:
        """What is told of each fold: the names of numbers of its test."""
        return _measures(self.plan)

    @property
    def finished(self) -> tuple[CellOutcome, ...]:
        """The folds that have finished."""
        return tuple(each for each in self.outcomes if each.state == "finished")

    def as_json(self) -> dict[str, Any]:
        """The content of results.json."""
        return {
            "folds": [
                {"fold": number, "state": each.state, "run": each.folder.name, **each.values}
                for number, each in enumerate(self.outcomes, start=1)
            ],
            "images": self.images,
            "estimates": {name: asdict(each) for name, each in self.estimates.items()},
        }


def plan_folds(config: Config, *, folds: int) -> StudyPlan:
    """The runs of all folds, one thread each.

    Args:
        config: a checked config; its seed is that of every fold.
        folds: how many folds there are.

    Raises:
        StudyError: there are fewer than two.
    """
    if folds < FEWEST_FOLDS:
        raise StudyError.at(
            "--folds",
            rule=f"must be at least {FEWEST_FOLDS}",
            received=str(folds),
            advice="5 or 10 are usual",
        )
    arms = tuple(_arm(config, number, folds) for number in range(1, folds + 1))
    return StudyPlan(
        name=f"{config.source.stem}-{folds}-folds",
        base=config.source,
        shared=(),
        arms=arms,
        contrasts=(),
        repetition=Repetition(
            draws_splits=True,
            tested_share=1 / folds,
            trained_share=1 - 1 / folds,
            looks=(),
            folds=folds,
        ),
        seeds=(config.seed,),
        added_seeds=(),
        cells=tuple(
            Cell(arm.name, config.seed, arm.config, config.train.diagnostics, None) for arm in arms
        ),
    )


def _arm(config: Config, number: int, folds: int) -> Arm:
    split = replace(config.data.split, fold=(number, folds))
    train = replace(config.train, threads=_THREADS_A_CELL)
    return Arm(
        name=f"fold {number}",
        levels={"fold": str(number)},
        overrides=(f"data.split.fold=[{number}, {folds}]",),
        config=replace(config, data=replace(config.data, split=split), train=train),
    )


def run_folds(
    plan: StudyPlan, *, folder: Path, jobs: int | None, with_git: bool, listener: StudyListener
) -> FoldResults:
    """What the folds came to, after training those that are not done.

    Args:
        plan: from `plan_folds`.
        folder: the folder of the folds, absent, empty or of the same plan.
        jobs: how many folds are trained at a time; None for one a core.
        with_git: whether the state of the code is kept.
        listener: who listens.

    Raises:
        StudyError: the folder holds something else, or the folds of another config.
        StorageError: the folder cannot be written to. And what `run_cells` raises.
    """
    _keep_plan(plan, folder)
    outcomes = run_cells(
        plan.cells,
        folder=folder,
        workers=Workers(executor="local", jobs=jobs, address=None, with_git=with_git),
        listener=listener,
    )
    results = fold_results(plan, outcomes)
    write_text(folder / "cells.csv", cells_csv(plan, outcomes))
    write_text(folder / "report.md", folds_markdown(results))
    write_json(folder / "results.json", results.as_json())
    write_study_page(folder)
    return results


def _keep_plan(plan: StudyPlan, folder: Path) -> None:
    content = {
        "folds": len(plan.arms),
        "base": plan.base.name,
        "configs": [config_digest(arm.config) for arm in plan.arms],
    }
    if not (folder / _PLAN).exists():
        refuse_used_folder(folder)
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / _PLAN, content)
    elif read_json(folder / _PLAN) != content:
        raise StudyError.at(
            folder,
            rule="folds keep to their plan",
            received="a folder with another study, or the folds of another config",
            advice="name another folder with `--into`, or move this one away",
        )


def fold_results(plan: StudyPlan, outcomes: Sequence[CellOutcome]) -> FoldResults:
    """What the folds say together, as far as they have finished."""
    finished = [each for each in outcomes if each.state == "finished"]
    estimates = {}
    if len(finished) >= FEWEST_FOLDS:
        estimates = {name: _estimate(plan, finished, name) for name in _measures(plan)}
    return FoldResults(plan, tuple(outcomes), estimates, _tested(plan, outcomes))


def _measures(plan: StudyPlan) -> tuple[str, ...]:
    return _OF_LABELS if plan.arms[0].config.data.is_multi_label else _OF_CLASSES


def _tested(plan: StudyPlan, outcomes: Sequence[CellOutcome]) -> int:
    """How many images some folds test."""
    return image_values(outcomes, _COUNTED_BY[_measures(plan)]).images


def _estimate(plan: StudyPlan, finished: Sequence[CellOutcome], name: str) -> Estimate:
    measure, bounds = f"test_{name}", _LOSS if name == "loss" else _SHARE
    of_folds = [each.values[measure] for each in finished]
    found = image_values(finished, measure)
    rows = [values for seeds in found.values.values() for values in seeds.values()]
    interval = crossed_contrast(np.array(rows)).interval(confidence=CONFIDENCE) if rows else None
    conservative = conservative_test(
        of_folds,
        tested=plan.repetition.tested_share,
        trained=plan.repetition.trained_share,
        confidence=CONFIDENCE,
    )
    return Estimate(
        mean=fmean(of_folds),
        interval=interval and _within(interval, bounds),
        conservative=_within((conservative.low, conservative.high), bounds),
        folds=tuple(of_folds),
    )


def _within(interval: tuple[float, float], bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = interval
    return max(low, bounds[0]), min(high, bounds[1])


def fold_columns(results: FoldResults) -> tuple[str, ...]:
    """The headings of `fold_rows`."""
    return ("fold", "state", "test images", *results.measures)


def fold_rows(results: FoldResults) -> list[tuple[str, ...]]:
    """The cells of `fold_columns`, a row a fold."""
    rows = []
    for number, each in enumerate(results.outcomes, start=1):
        images = _tested(results.plan, [each])
        measures = (each.values.get(f"test_{name}") for name in results.measures)
        rows.append(
            (
                str(number),
                each.state,
                str(images) if images else "",
                *("" if value is None else f"{value:.4f}" for value in measures),
            )
        )
    return rows


def estimate_rows(results: FoldResults) -> list[tuple[str, ...]]:
    """The cells of `ESTIMATE_COLUMNS`, a row a measure."""
    return [
        (
            name,
            f"{each.mean:.4f}",
            "" if each.interval is None else _interval(*each.interval),
            _interval(*each.conservative),
            f"{min(each.folds):.4f}",
            f"{max(each.folds):.4f}",
        )
        for name, each in results.estimates.items()
    ]


def reach(results: FoldResults) -> str:
    """What the estimates say something about."""
    folds = len(results.plan.arms)
    missing = folds - len(results.finished)
    partly = (
        f"{missing} of {folds} folds did not finish, and their images are not in these numbers. "
    )
    return (
        f"{partly if missing else ''}"
        f"Each of {results.images:,} images was tested once, by a network that had not seen it. The"
        f" means are those of networks trained like this on {1 - 1 / folds:.0%} of such images less"
        " the validation images; the first interval is over folds and images, the conservative one"
        " (Nadeau and Bengio 2003) supposes less. No single network is tested on all images: train"
        " the one to use without `--folds`."
    )


def folds_markdown(results: FoldResults) -> str:
    """report.md of folds: the estimates, each fold, how far they reach."""
    parts = [f"# {results.plan.name}\n"]
    if results.estimates:
        parts += [markdown_table(ESTIMATE_COLUMNS, estimate_rows(results)), f"{reach(results)}\n"]
    parts.append(markdown_table(fold_columns(results), fold_rows(results)))
    parts += [f"- {each.arm}: {each.why}" for each in results.outcomes if each.why]
    return "\n".join(parts) + "\n"


def _interval(low: float, high: float) -> str:
    return f"{low:.4f} to {high:.4f}"
