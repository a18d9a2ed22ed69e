"""What stands in the way of believing a study, in sentences, each thing once."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Final

from cnnrun.ablation.analysis.arm_results import ArmResult
from cnnrun.ablation.analysis.guessing import guessing_score, has_learnt
from cnnrun.ablation.analysis.image_values import ImageValues
from cnnrun.ablation.analysis.tuning import Tuning
from cnnrun.ablation.execution.cell_records import CellOutcome, processors_of
from cnnrun.ablation.planning.plan import Arm, StudyPlan
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import TRAINING_LOSS, EpochRow, read_epochs

SMALL_TEST: Final = 200
"""Of fewer test images, the chance of a false claim about such images may reach 10 %."""
# Batch norm's statistics lag where recomputing them lowers an arm's loss by more than this share of
# it, and by more than half of what seeds change it by; or raises its accuracy by more than a point.
_LAG_SHARE: Final = 0.05
_LAG_DEVIATIONS: Final = 0.5
_LAG_ACCURACY: Final = 0.01
_RECOMPUTED: Final = "_recomputed"
# Far from fitted: the training loss is above this share of that of guessing, or fell by more than
# this share of itself over the last fifth of the epochs.
_UNFITTED_SHARE: Final = 0.5
_LATE_FALL: Final = 0.3
_EPOCHS_TO_JUDGE: Final = 5
_QUICK_MOMENTUM: Final = 0.9


def study_warnings(
    plan: StudyPlan,
    arms: Sequence[ArmResult],
    outcomes: Sequence[CellOutcome],
    images: ImageValues,
    tuning: Tuning | None,
) -> Iterator[str]:
    """What to beware of."""
    yield from _failures(arms, outcomes)
    yield from _tuning(tuning) if tuning else ()
    yield from _divergences(arms)
    yield from _lags(arms)
    yield from _unequally_fitted(arms)
    yield from _far_from_fitted(arms, outcomes, classes=images.classes)
    processors = processors_of(outcomes)
    if len(processors) > 1:
        yield (
            f"the cells ran on {len(processors)} types of processors, which round differently:"
            f" {'; '.join(processors)}"
        )
    if plan.repetition.draws_splits and images.is_one_test:
        yield (
            "the data name their test images, so every seed tests the same ones: what is said"
            " is said with these training images"
        )
    if not images.why_not and images.images < SMALL_TEST:
        yield (
            f"{images.images} test images are few: with fewer than {SMALL_TEST} the chance of a"
            " false claim about such images may reach 10 %"
        )
    yield from _added_seeds(plan)


def _failures(arms: Sequence[ArmResult], outcomes: Sequence[CellOutcome]) -> Iterator[str]:
    """A sentence for each reason why cells failed."""
    cells: dict[str, list[str]] = {}
    logs: dict[str, str] = {}
    for each in arms:
        for seed, why in each.failed.items():
            log = next(o.folder for o in outcomes if (o.arm, o.seed) == (each.arm.name, seed))
            cells.setdefault(why, []).append(f"`{each.arm.name}` with seed {seed}")
            logs.setdefault(why, f"{log}/log.txt")
    for why, those in cells.items():
        yield (
            f"{_and(those)} failed, and {'their pairs are' if len(those) > 1 else 'its pair is'}"
            f" left out: {why} ({logs[why]})"
        )


def _tuning(tuning: Tuning) -> Iterator[str]:
    """What stands in the way of believing that each arm has its best value."""
    at_edge = [f"`{name}` ({arm.chosen:g})" for name, arm in tuning.arms.items() if arm.is_at_edge]
    if at_edge:
        yield (
            f"{_and(at_edge)} {'are' if len(at_edge) > 1 else 'is'} best at an end of"
            f" the values of the {tuning.plan.what} that were tried, and may be better beyond"
            " it; give `tune` a wider range"
        )
    lost = [f"`{name}`" for name in tuning.plan.arms if name not in tuning.arms]
    if lost:
        yield (
            f"{_and(lost)} came to a loss in no trial with every seed, so that nothing was chosen:"
            f" {'they train' if len(lost) > 1 else 'it trains'} with the config's own value"
        )


def _divergences(arms: Sequence[ArmResult]) -> Iterator[str]:
    those = [
        f"`{each.arm.name}` with {_seeds(list(each.diverged))}" for each in arms if each.diverged
    ]
    if those:
        yield (
            f"{_and(those)} diverged: what is said of means is of the runs that converged, and in"
            " the table of every seed these score as predicting the classes' frequencies"
        )


def _lags(arms: Sequence[ArmResult]) -> Iterator[str]:
    """One sentence for all arms whose moving statistics have not caught up, with what helps."""
    lagging = [each for each in arms if _lags_behind(each)]
    if not lagging:
        return
    losses = ", ".join(
        f"`{each.arm.name}` {_mean(each, 'test_loss' + _RECOMPUTED):.4g} instead of"
        f" {_mean(each, 'test_loss'):.4g}"
        for each in lagging
    )
    is_quick = all(_momentum(each.arm) <= _QUICK_MOMENTUM for each in lagging)
    advice = (
        "compare arms after more epochs, or with smaller batches, which make more steps"
        if is_quick
        else "compare arms with a lower `momentum`, such as 0.9, or after more epochs"
    )
    yield (
        "batch norm's moving statistics have not caught up; with those of the training images,"
        f" test_loss is: {losses}; {advice}"
    )


def _unequally_fitted(arms: Sequence[ArmResult]) -> Iterator[str]:
    """Arms whose training ended before the training loss that it was to go on to."""
    for each in arms:
        asked = each.arm.config.train.until_training_loss
        missed = [
            seed
            for seed, loss in each.measures.get(TRAINING_LOSS, {}).items()
            if asked is not None and loss > asked and seed not in each.diverged
        ]
        if missed:
            yield (
                f"`{each.arm.name}` did not come to a training loss of {asked:g} with"
                f" {_seeds(missed)}, so that it is not compared at an equal one; give it more"
                " `train.epochs`"
            )


def _far_from_fitted(
    arms: Sequence[ArmResult], outcomes: Sequence[CellOutcome], *, classes: int
) -> Iterator[str]:
    """Arms whose training loss is closer to guessing than to 0, or still falls at the end."""
    for each in arms:
        if each.arm.config.train.until_training_loss is not None:
            continue  # which says how far it is to be fitted
        loss = each.spread(TRAINING_LOSS)
        guessing = guessing_score(TRAINING_LOSS, each.arm.config, classes=classes)
        if loss is not None and guessing is not None and loss.mean > _UNFITTED_SHARE * guessing:
            numbers = f"its training loss is {loss.mean:.3g}, and that of guessing {guessing:.3g}"
            yield (
                f"`{each.arm.name}` has not learnt: {numbers}"
                if not has_learnt(loss.mean, guessing)
                else f"`{each.arm.name}` is far from fitted: {numbers}; it is compared before it"
                " has learnt"
            )
            continue
        falls = [
            _late_fall(read_epochs(RunFolder(outcome.folder)))
            for outcome in outcomes
            if outcome.arm == each.arm.name and outcome.state == "finished"
        ]
        if falls and median(falls) > _LATE_FALL:
            yield (
                f"`{each.arm.name}` is far from fitted: its training loss still fell by"
                f" {100 * median(falls):.0f} % over the last fifth of its epochs; compare arms"
                " after more of them"
            )


def _late_fall(rows: Sequence[EpochRow]) -> float:
    """By which share of itself the training loss fell over the last fifth of the epochs."""
    if len(rows) < _EPOCHS_TO_JUDGE:
        return 0.0
    before = rows[-1 - len(rows) // 5].values.get("loss", math.nan)
    fall = 1 - rows[-1].values.get("loss", math.nan) / before if before else 0.0
    return fall if math.isfinite(fall) else 0.0


def _lags_behind(result: ArmResult) -> bool:
    """Whether recomputing the statistics helps, by more than seeds would."""
    loss, recomputed = result.spread("test_loss"), result.spread("test_loss" + _RECOMPUTED)
    if loss is None or recomputed is None:
        return False
    gain = loss.mean - recomputed.mean
    if gain > _LAG_SHARE * loss.mean and gain > _LAG_DEVIATIONS * (loss.deviation or 0.0):
        return True
    accuracy, right = result.spread("test_accuracy"), result.spread("test_accuracy" + _RECOMPUTED)
    if accuracy is None or right is None:
        return False
    return gain >= 0 and right.mean - accuracy.mean > _LAG_ACCURACY


def _momentum(arm: Arm) -> float:
    """The momentum of an arm's batch norm, where its blocks say one; else Keras's."""
    arguments: Mapping[str, object] = arm.config.model.blocks.batch_norm.arguments
    momentum = arguments.get("momentum", 0.99)
    return float(momentum) if isinstance(momentum, int | float) else 0.99


def _mean(result: ArmResult, measure: str) -> float:
    spread = result.spread(measure)
    return float("nan") if spread is None else spread.mean


def _added_seeds(plan: StudyPlan) -> Iterator[str]:
    if plan.added_seeds:
        were = "were" if len(plan.added_seeds) > 1 else "was"
        yield (
            f"{_seeds(plan.added_seeds)} {were} added after the plan of"
            f" {len(plan.seeds) - len(plan.added_seeds)}: nothing is claimed any more, since"
            " looking again after each seed finds too much; `looks: [10, 14]` in a study file plans"
            " to look again"
        )


def _seeds(numbers: Sequence[int]) -> str:
    listed = ", ".join(map(str, numbers))
    return f"seeds {listed}" if len(numbers) > 1 else f"seed {listed}"


def _and(those: Sequence[str]) -> str:
    return " and ".join([", ".join(those[:-1]), those[-1]] if len(those) > 1 else those)
