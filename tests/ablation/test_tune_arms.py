"""What becomes of trials: each arm's value, and a range that is widened once.

The oracle: the losses of the trials are chosen here, in closed form.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.analysis.tuning import Tuning
from cnnrun.ablation.execution.cell_records import CellOutcome, failed_outcome
from cnnrun.ablation.planning.plan import Cell, StudyPlan
from cnnrun.ablation.planning.tuned_address import present_rate
from cnnrun.ablation.reporting.tuning_report import (
    tuned_sentence,
    tuning_columns,
    tuning_csv,
    tuning_method,
    tuning_rows,
)
from cnnrun.ablation.tune_arms import tune_arms
from cnnrun.runs.files import write_json
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.listing import list_runs
from cnnrun.runs.metrics import EpochRow, append_epoch
from cnnrun.runs.result import RunResult, write_result
from cnnrun.runs.tables import markdown_table, read_csv_table

from .conftest import STUDY, PlanStudy, WriteStudy, complaint

TUNED = STUDY + "tune: {low: 1e-4, high: 1e-2}\n"
Loss = Callable[[str, float], float]
TuneWith = Callable[..., tuple[StudyPlan, Tuning, "Trials"]]


class Trials:
    """Runs cells by a formula, and remembers them."""

    def __init__(
        self, folder: Path, loss: Loss, *, fitted_from: float, is_of_classes: bool
    ) -> None:
        self.folder, self.loss = folder, loss
        self.fitted_from, self.is_of_classes = fitted_from, is_of_classes
        self.rounds: list[list[Cell]] = []

    @property
    def values(self) -> set[float]:
        """The rates of all trials."""
        return {present_rate(cell.config) for cells in self.rounds for cell in cells}

    def of_validation(self, loss: float) -> dict[str, float]:
        """What the line of an epoch says of validation; nothing where the loss is below 0."""
        return {"val_loss": loss, "val_accuracy": 0.5} if loss >= 0 else {}

    def __call__(self, cells: Sequence[Cell]) -> tuple[CellOutcome, ...]:
        self.rounds.append(list(cells))
        return tuple(self._outcome(number, cell) for number, cell in enumerate(cells))

    def _outcome(self, number: int, cell: Cell) -> CellOutcome:
        rate = present_rate(cell.config)
        loss = self.loss(cell.arm, rate)
        folder = self.folder / f"{len(self.rounds)}-{number}"
        if math.isinf(loss):
            return failed_outcome(cell, key="", folder=Path("runs/one"), why="out of memory")
        folder.mkdir(parents=True)
        for epoch, excess in ((1, 0.5), (2, 0.0), (3, 0.2)):
            is_fitted = cell.arm != "none" or rate >= self.fitted_from
            fitted = 0.1 if is_fitted else 0.3
            values = {"loss": 0.1, "training_loss": fitted} | self.of_validation(loss + excess)
            append_epoch(RunFolder(folder), EpochRow(epoch, 1, values, rate, 1.0))
        if self.is_of_classes:
            write_json(RunFolder(folder).classes_json, ["cat", "dog"])
        result = RunResult(2, 3, None, 1, 1, 1, {"total": 1.0, "fit": 1.0}, 1.0, None)
        write_result(RunFolder(folder), result)
        return CellOutcome(
            arm=cell.arm,
            seed=cell.seed,
            key="",
            state="diverged" if math.isnan(loss) else "finished",
            is_reused=False,
            folder=folder,
            why="",
            seconds={"total": 1.0, "fit": 1.0},
            values={},
            parameters=1,
            multiply_adds=1,
            processor="EPYC",
            trial=cell.trial,
        )


def valley(best: dict[str, float]) -> Loss:
    """A parabola in the logarithm of the rate for each arm."""
    return lambda arm, rate: 0.1 + 0.02 * math.log(rate / best[arm]) ** 2


@pytest.fixture
def tune(plan: PlanStudy, write_study: WriteStudy, tmp_path: Path) -> TuneWith:
    """Tunes a study's text with a formula for the loss."""

    def tuned(
        loss: Loss,
        text: str = TUNED,
        *,
        fitted_from: float = 0.0,
        is_of_classes: bool = False,
    ) -> tuple[StudyPlan, Tuning, Trials]:
        planned = plan(text).plan
        assert planned.tuning is not None
        run = Trials(
            tmp_path / "trials", loss, fitted_from=fitted_from, is_of_classes=is_of_classes
        )
        return *tune_arms(write_study(text), planned, planned.tuning, run=run), run

    return tuned


def test_each_arm_trains_at_its_own_minimum(tune: TuneWith) -> None:
    """The loss is that of the kept epoch, the second: a wrong one would add half to all alike."""
    plan, tuning, run = tune(valley({"none": 6e-4, "before_activation": 2e-3}))
    assert tuning.chosen == pytest.approx({"none": 6e-4, "before_activation": 2e-3}, rel=0.01)
    assert {arm.name: present_rate(arm.config) for arm in plan.arms} == tuning.chosen
    assert {cell.arm: present_rate(cell.config) for cell in plan.cells} == tuning.chosen
    assert min(tuning.arms["none"].losses) == pytest.approx(0.1, abs=0.02)
    assert len(run.rounds) == 1
    assert not tuning.was_widened


def test_where_an_arm_is_best_at_an_end_all_arms_try_beyond_it_once(tune: TuneWith) -> None:
    plan, tuning, run = tune(valley({"none": 2e-2, "before_activation": 1e-3}))
    assert tuning.was_widened
    assert len(run.rounds) == 2
    assert max(tuning.plan.values) > 1e-2
    assert tuning.plan.values[:5] == plan.tuning.values
    assert len({arm.values for arm in tuning.arms.values()}) == 1
    assert tuning.chosen["none"] == pytest.approx(2e-2, rel=0.01)
    # What was tried before is the same cell, which is found done.
    first, second = run.rounds
    assert [each for each in second if each in first] == first


def test_an_end_is_widened_once(tune: TuneWith) -> None:
    _, tuning, run = tune(valley({"none": 5.0, "before_activation": 1e-3}))
    assert len(run.rounds) == 2
    assert tuning.arms["none"].is_at_edge


def test_a_range_is_not_widened_beyond_what_the_config_takes(tune: TuneWith) -> None:
    text = STUDY + "tune: {path: model.blocks.dropout, low: 0.5, high: 0.99, scale: linear}\n"
    falling = {"none": 1.0, "before_activation": 1.0}
    calls: list[float] = []

    def loss(arm: str, rate: float) -> float:
        calls.append(rate)
        return falling[arm] - len(calls) * 0.01

    _, tuning, run = tune(loss, text)
    assert len(run.rounds) == 1
    assert not tuning.was_widened


def test_an_arm_without_a_trial_trains_as_the_config_says(tune: TuneWith) -> None:
    plan, tuning, _ = tune(
        lambda arm, rate: math.nan if arm == "none" else valley({arm: 1e-3})(arm, rate)
    )
    assert set(tuning.chosen) == {"before_activation"}
    assert {arm.name: present_rate(arm.config) for arm in plan.arms}["none"] == 1e-3


def test_a_value_at_which_an_arm_is_not_fitted_as_far_as_asked_is_not_taken(tune: TuneWith) -> None:
    """However low its validation loss: it would be compared at an unequal training loss."""
    text = f"{TUNED}set: {{train.until_training_loss: 0.2}}\n"
    _, tuning, run = tune(valley({"none": 6e-4, "before_activation": 2e-3}), text, fitted_from=1e-3)
    lowest = min(value for value in run.values if value >= 1e-3)
    assert tuning.arms["none"].losses[tuning.arms["none"].best] > min(tuning.arms["none"].losses)
    assert tuning.chosen["none"] == pytest.approx(lowest)
    assert tuning.chosen["before_activation"] == pytest.approx(2e-3, rel=0.01)


def test_a_value_at_which_a_seed_learns_nothing_is_not_taken(
    tune: TuneWith,
) -> None:
    """Beside the best, it would bend the parabola; its noise would be that of the choice."""

    def loss(arm: str, rate: float, *, cliff: float = 3e-3) -> float:
        return math.log(2) if rate > cliff else valley({arm: 2.5e-3})(arm, rate)

    _, tuning, _ = tune(loss, is_of_classes=True)
    arm = tuning.arms["none"]
    assert arm.chosen <= 3e-3
    assert arm.values[arm.best] == max(value for value in arm.values if value <= 3e-3)
    assert max(arm.losses) == pytest.approx(math.log(2))
    assert arm.variance < 1e-6


def test_what_is_said_where_no_trial_came_to_a_loss(tune: TuneWith) -> None:
    plan, tuning, _ = tune(lambda arm, rate: math.nan)
    assert {present_rate(arm.config) for arm in plan.arms} == {1e-3}
    assert tuned_sentence(tuning) == (
        "no trial came to a loss: all arms train at the config's own learning rate"
    )


def test_data_without_validation_images_are_refused_once_it_shows(
    tune: TuneWith, snapshot: SnapshotAssertion
) -> None:
    assert complaint(lambda: tune(lambda arm, rate: -9.0)) == snapshot


def test_arms_are_not_compared_after_a_trial_failed(
    tune: TuneWith, snapshot: SnapshotAssertion
) -> None:
    """Not even where another value has a loss: the arms would not have been tuned alike."""
    curve = valley({"none": 1e-3, "before_activation": 1e-3})

    def loss(arm: str, rate: float) -> float:
        return math.inf if (arm, rate > 3e-3) == ("none", True) else curve(arm, rate)

    assert complaint(lambda: tune(loss)) == snapshot


def test_what_is_said_of_a_tuning(tune: TuneWith, snapshot: SnapshotAssertion) -> None:
    def loss(arm: str, rate: float) -> float:
        return math.nan if (arm, rate > 3e-3) == ("none", True) else curve(arm, rate)

    curve = valley({"none": 3e-5, "before_activation": 1.5e-3})
    _, tuning, _ = tune(loss)
    table = markdown_table(tuning_columns(tuning), tuning_rows(tuning))
    assert "\n".join([tuned_sentence(tuning), tuning_method(tuning), table]) == snapshot


def test_trials_are_listed_with_their_arms(tune: TuneWith, tmp_path: Path) -> None:
    """Oracle: the folders that the trials were given."""
    _, tuning, run = tune(valley({"none": 6e-4, "before_activation": 2e-3}))
    header, *rows = read_csv_table(tuning_csv(tuning))
    named = [dict(zip(header, row, strict=True)) for row in rows]
    assert len(named) == len(run.rounds[0]) == 20
    for row, cell in zip(named, run.rounds[0], strict=True):
        assert row["arm"] == f"{cell.arm}, learning rate {present_rate(cell.config):g}"
        assert float(row["val_loss"]) == pytest.approx(
            run.loss(cell.arm, present_rate(cell.config))
        )
    # As `cnnrun runs --cells` has them, beside a study's folder of runs.
    study = tmp_path / "study"
    (study / "runs").mkdir(parents=True)
    (study / "plan.json").write_text("{}")
    (study / "trials.csv").write_text(tuning_csv(tuning))
    one = study / "runs" / named[3]["run"]
    one.mkdir()
    (one / "state.json").write_text("{}")
    (summary,) = list_runs(study)
    assert summary.arm == named[3]["arm"]
