"""What a study came to: its arms' numbers, what may be said of its contrasts, what to beware."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cnnrun.ablation.analysis.verdicts import Finding, findings
from cnnrun.ablation.execution.cell_records import CellOutcome, processors_of
from cnnrun.ablation.planning.plan import Arm, StudyPlan
from cnnrun.ablation.studies.study import Study
from cnnrun.errors import StudyError

# Batch norm's statistics lag where recomputing them changes an arm's loss by more than this share
# of it, and by more than half of what seeds change it by; or its accuracy by more than a point.
_LAG_SHARE: Final = 0.05
_LAG_DEVIATIONS: Final = 0.5
_LAG_ACCURACY: Final = 0.01
_RECOMPUTED: Final = "_recomputed"
_TIMINGS: Final = ("seconds_to_target",)


@dataclass(frozen=True)
class Spread:
    """A measure over seeds: mean, and sample standard deviation where there are two or more."""

    mean: float
    deviation: float | None


@dataclass(frozen=True)
class ArmResult:
    """What became of an arm.

    Attributes:
        arm: the arm.
        measures: measure -> seed -> number; a failed cell is in none.
        diverged: seed -> why; these cells are scored as the predictor of class frequencies.
        failed: seed -> why; these are missing.
        parameters: of the network; None where all cells failed.
        multiply_adds: to classify one image; None where all cells failed.
    """

    arm: Arm
    measures: Mapping[str, Mapping[int, float]]
    diverged: Mapping[int, str]
    failed: Mapping[int, str]
    parameters: int | None
    multiply_adds: int | None

    def spread(self, measure: str) -> Spread | None:
        """The measure over the seeds that have it; None where no seed has."""
        return spread_of(self.measures.get(measure, {}).values())


@dataclass(frozen=True)
class StudyResults:
    """What a study came to.

    Attributes:
        plan: what it set out to do.
        study: its question.
        arms: in the order of the plan.
        findings: one a contrast, in the order of the plan.
        best: the arm with the best mean of the tested metric; None where all cells failed.
        warnings: what stands in the way of believing it, in sentences.
    """

    plan: StudyPlan
    study: Study
    arms: tuple[ArmResult, ...]
    findings: tuple[Finding, ...]
    best: ArmResult | None
    warnings: tuple[str, ...]


def study_results(plan: StudyPlan, study: Study, outcomes: Sequence[CellOutcome]) -> StudyResults:
    """The results of a study, of its cells' outcomes in any order.

    Raises:
        StudyError: no cell has the metric that the study tests.
    """
    by_arm = {arm.name: [each for each in outcomes if each.arm == arm.name] for arm in plan.arms}
    arms = tuple(_arm_result(arm, by_arm[arm.name]) for arm in plan.arms)
    metric = study.metric.name
    _check_metric(arms, metric)
    return StudyResults(
        plan=plan,
        study=study,
        arms=arms,
        findings=findings(
            plan.contrasts,
            {each.arm.name: each.measures.get(metric, {}) for each in arms},
            seeds=plan.seeds,
            metric=study.metric,
            has_added_seeds=bool(plan.added_seeds),
        ),
        best=_best(arms, study),
        warnings=tuple(_warnings(plan, arms, outcomes)),
    )


def spread_of(numbers: Iterable[float]) -> Spread | None:
    """Mean and spread of the numbers that are finite; None where there are none."""
    finite = [number for number in numbers if math.isfinite(number)]
    if not finite:
        return None
    deviation = statistics.stdev(finite) if len(finite) > 1 else None
    return Spread(statistics.fmean(finite), deviation)


def results_json(results: StudyResults) -> dict[str, Any]:
    """The content of results.json: the same for the same cells, whenever and wherever they ran."""
    metric = results.study.metric
    return {
        "study": results.plan.name,
        "question": results.study.question,
        "metric": {"name": metric.name, "better": metric.direction, "margin": metric.margin},
        "planned_seeds": [
            seed for seed in results.plan.seeds if seed not in results.plan.added_seeds
        ],
        "added_seeds": results.plan.added_seeds,
        "arms": [_arm_json(each) for each in results.arms],
        "contrasts": [_finding_json(each) for each in results.findings],
        "selected": None
        if results.best is None
        else {"arm": results.best.arm.name, "of_arms": len(results.arms)},
    }


def _arm_result(arm: Arm, outcomes: Sequence[CellOutcome]) -> ArmResult:
    measures: dict[str, dict[int, float]] = {}
    ordered = sorted(outcomes, key=lambda outcome: outcome.seed)
    for outcome in ordered:
        for name, value in outcome.values.items():
            measures.setdefault(name, {})[outcome.seed] = value
    return ArmResult(
        arm=arm,
        measures={name: measures[name] for name in sorted(measures)},
        diverged={each.seed: each.why for each in ordered if each.state == "diverged"},
        failed={each.seed: each.why for each in ordered if each.state == "failed"},
        parameters=next((each.parameters for each in ordered if each.parameters), None),
        multiply_adds=next((each.multiply_adds for each in ordered if each.multiply_adds), None),
    )


def _check_metric(arms: Sequence[ArmResult], metric: str) -> None:
    known = sorted({name for each in arms for name in each.measures})
    if known and metric not in known:
        raise StudyError(
            f"the metric of a study must be measured in its cells, and none has `{metric}`; they"
            f" have {', '.join(known)}; are there test images?"
        )


def _best(arms: Sequence[ArmResult], study: Study) -> ArmResult | None:
    means = [(each.spread(study.metric.name), each) for each in arms]
    there = [(spread.mean, each) for spread, each in means if spread is not None]
    sign = 1 if study.metric.direction == "lower" else -1
    return min(there, key=lambda pair: sign * pair[0], default=(0.0, None))[1]


def _warnings(
    plan: StudyPlan, arms: Sequence[ArmResult], outcomes: Sequence[CellOutcome]
) -> Iterable[str]:
    for each in arms:
        for seed, why in each.failed.items():
            log = next(o.folder for o in outcomes if (o.arm, o.seed) == (each.arm.name, seed))
            yield (
                f"`{each.arm.name}` failed with seed {seed}, whose pairs are left out: {why}"
                f" ({log}/log.txt)"
            )
    for each in arms:
        if each.diverged:
            numbers = ", ".join(map(str, each.diverged))
            seeds = f"seeds {numbers}" if len(each.diverged) > 1 else f"seed {numbers}"
            yield (
                f"`{each.arm.name}` diverged with {seeds}: scored as predicting the classes'"
                " frequencies"
            )
    yield from (text for each in arms if (text := _lag(each)))
    processors = processors_of(outcomes)
    if len(processors) > 1:
        yield (
            f"the cells ran on {len(processors)} types of processors, which round differently:"
            f" {'; '.join(processors)}"
        )
    if plan.added_seeds:
        numbers = ", ".join(map(str, plan.added_seeds))
        seeds = f"seeds {numbers} were" if len(plan.added_seeds) > 1 else f"seed {numbers} was"
        yield (
            f"{seeds} added after the plan of {len(plan.seeds) - len(plan.added_seeds)}: nothing is"
            " claimed any more, since looking again after each seed finds too much"
        )


def _lag(result: ArmResult) -> str:
    """A warning where the moving statistics of batch norm have not caught up; else nothing."""
    loss = result.spread("test_loss")
    recomputed = result.spread("test_loss" + _RECOMPUTED)
    if loss is None or recomputed is None:
        return ""
    gap = abs(loss.mean - recomputed.mean)
    lags = gap > _LAG_SHARE * loss.mean and gap > _LAG_DEVIATIONS * (loss.deviation or 0.0)
    accuracy = result.spread("test_accuracy")
    right = result.spread("test_accuracy" + _RECOMPUTED)
    if accuracy is not None and right is not None:
        lags = lags or abs(accuracy.mean - right.mean) > _LAG_ACCURACY
    if not lags:
        return ""
    return (
        f"batch norm's moving statistics have not caught up in `{result.arm.name}`: with the"
        f" statistics of the training images its test_loss is {recomputed.mean:.4g} instead of"
        f" {loss.mean:.4g}; compare arms with a lower `momentum`, such as 0.9, or more epochs"
    )


def _arm_json(result: ArmResult) -> dict[str, Any]:
    measures = {
        name: {
            "mean": None if (spread := result.spread(name)) is None else spread.mean,
            "deviation": None if spread is None else spread.deviation,
            "seeds": values,
        }
        for name, values in result.measures.items()
        if name not in _TIMINGS
    }
    return {
        "name": result.arm.name,
        "levels": result.arm.levels,
        "overrides": result.arm.overrides,
        "parameters": result.parameters,
        "multiply_adds": result.multiply_adds,
        "diverged": list(result.diverged),
        "failed": list(result.failed),
        "measures": measures,
    }


def _finding_json(finding: Finding) -> dict[str, Any]:
    test = finding.test
    return {
        "name": finding.contrast.name,
        "weights": finding.contrast.weights,
        "is_declared": finding.contrast.is_declared,
        "differences": dict(zip(finding.seeds, finding.differences, strict=True)),
        "non_zero": None if test is None else test.non_zero,
        "mean": None if test is None else test.mean,
        "deviation": None if test is None else test.deviation,
        "effect": None if test is None else test.effect,
        "interval": None if test is None else [test.low, test.high],
        "p": None if test is None else test.p,
        "adjusted_p": finding.adjusted_p,
        "verdict": finding.verdict,
        "why": finding.why,
    }
