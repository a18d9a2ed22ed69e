"""Gives each arm of a study its own value of what the study tunes, on validation images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from cnnrun.ablation.analysis.guessing import guessing_score, has_learnt
from cnnrun.ablation.analysis.tuning import TunedArm, Tuning, tuned_arm
from cnnrun.ablation.execution.cell_records import CellOutcome, is_fitted, kept_values
from cnnrun.ablation.execution.schedule import RunCells
from cnnrun.ablation.planning.arms import make_arms
from cnnrun.ablation.planning.make_plan import cells_of
from cnnrun.ablation.planning.plan import Arm, StudyPlan, TuningPlan
from cnnrun.ablation.planning.tuning import (
    TuningTrial,
    no_validation_images,
    tuning_trials,
    validation_measure,
    widened,
)
from cnnrun.ablation.studies.study import Study
from cnnrun.config.sections import Config
from cnnrun.errors import ConfigError, WorkError
from cnnrun.runs.files import read_json
from cnnrun.runs.folder import RunFolder


def tune_arms(
    study: Study, plan: StudyPlan, tuning: TuningPlan, *, run: RunCells
) -> tuple[StudyPlan, Tuning]:
    """The plan with each arm at its own value, and what that was chosen by.

    Where an arm is best at an end of the range, more values are tried beyond it, once, by all arms.

    Args:
        study: the study.
        plan: its plan, with arms as the config has them.
        tuning: what is tried.
        run: runs cells, or finds that they are done.

    Raises:
        StudyError: the data have no validation images.
        WorkError: a trial failed, so that arms would be compared that were not tuned alike.
        RunError: the files of a trial are damaged. And what `run` raises.
    """
    found, trials = _tried(study, plan, tuning, run=run)
    below = any(arm.is_at_edge and arm.best == 0 for arm in found.values())
    above = any(arm.is_at_edge and arm.best > 0 for arm in found.values())
    wider = widened(tuning, below=below, above=above) if below or above else tuning
    if wider != tuning and _is_allowed(study, plan, wider):
        found, trials = _tried(study, plan, wider, run=run)
        tuning, was_widened = wider, True
    else:
        was_widened = False
    done = Tuning(tuning, found, was_widened, tuple(trials))
    arms = _arms_with(study, plan, done.chosen)
    cells = tuple(cells_of(study, arms, plan.seeds))
    return replace(plan, arms=arms, cells=cells), done


def _arms_with(study: Study, plan: StudyPlan, tuned: Mapping[str, float]) -> tuple[Arm, ...]:
    return make_arms(study, base=plan.base, overrides=plan.shared, with_settings=False, tuned=tuned)


def _is_allowed(study: Study, plan: StudyPlan, tuning: TuningPlan) -> bool:
    """Whether the config takes values beyond the range: a share of dropout has its limits."""
    try:
        for value in (tuning.values[0], tuning.values[-1]):
            _arms_with(study, plan, dict.fromkeys(tuning.arms, value))
    except ConfigError:
        return False
    return True


def _tried(
    study: Study, plan: StudyPlan, tuning: TuningPlan, *, run: RunCells
) -> tuple[dict[str, TunedArm], Sequence[CellOutcome]]:
    arms_at = {
        value: _arms_with(study, plan, dict.fromkeys(tuning.arms, value)) for value in tuning.values
    }
    trials = list(tuning_trials(study, tuning, arms_at))
    outcomes = run([trial.cell for trial in trials])
    _refuse_failures(outcomes)
    finished = [outcome for outcome in outcomes if outcome.state == "finished"]
    if finished and "val_loss" not in kept_values(finished[0]):
        raise no_validation_images()  # which the config alone could not tell
    found = {}
    for arm in tuning.arms:
        chosen = _chosen(arm, study, tuning, trials, outcomes)
        if chosen is not None:
            found[arm] = chosen
    return found, outcomes


def _refuse_failures(outcomes: Sequence[CellOutcome]) -> None:
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if failed:
        raise WorkError.at(
            failed[0].folder / "log.txt",
            rule="arms are compared when each is tuned, by all of its trials",
            received=f"{len(failed)} of {len(outcomes)} that failed, the first"
            f" ({failed[0].name}) since {failed[0].why}",
            advice="the same command tries these again, and nothing else",
        )


def _chosen(
    arm: str,
    study: Study,
    tuning: TuningPlan,
    trials: Sequence[TuningTrial],
    outcomes: Sequence[CellOutcome],
) -> TunedArm | None:
    shape = (len(tuning.values), len(tuning.seeds))
    losses, measured = np.full(shape, np.nan), np.full(shape, np.nan)
    no_choice: set[int] = set()
    measure = validation_measure(study.metric.name) or "val_loss"
    for trial, outcome in zip(trials, outcomes, strict=True):
        if trial.cell.arm == arm and outcome.state == "finished":
            place = tuning.values.index(trial.value), tuning.seeds.index(trial.cell.seed)
            best = kept_values(outcome)
            found = {**best, **outcome.values}
            losses[place] = found.get(tuning.judged_by, math.nan)
            measured[place] = found.get(measure, math.nan)
            if not _is_choice(trial.cell.config, outcome, best):
                no_choice.add(place[0])
    return tuned_arm(
        arm,
        tuning.values,
        losses,
        measured=measured,
        is_logarithmic=tuning.is_logarithmic,
        no_choice=no_choice,
    )


def _is_choice(config: Config, outcome: CellOutcome, kept: Mapping[str, float]) -> bool:
    """Whether a trial leaves its value a choice.

    Not where it was fitted less than asked for, and would be compared with others at an unequal
    training loss; nor where nothing was learnt, which new seeds may repeat: such a trial beside the
    best one would bend the parabola, and its noise would hide every difference.
    """
    classes = RunFolder(outcome.folder).classes_json
    number = len(read_json(classes)) if classes.is_file() else 0
    guessing = guessing_score("val_loss", config, classes=number)
    return is_fitted(kept, config) and has_learnt(kept.get("val_loss", math.inf), guessing)
