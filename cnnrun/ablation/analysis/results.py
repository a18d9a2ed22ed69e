"""What a study came to: its arms' numbers, what may be said of its contrasts, what to beware."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cnnrun.ablation.analysis.arm_results import ArmResult, arm_result
from cnnrun.ablation.analysis.claims import ClaimAnswer, claim_answer, claim_json
from cnnrun.ablation.analysis.crossed_intervals import CrossedContrast
from cnnrun.ablation.analysis.evidence import CONFIDENCE, Evidence, Measured
from cnnrun.ablation.analysis.guessing import guessing_score
from cnnrun.ablation.analysis.image_values import ImageValues, image_values
from cnnrun.ablation.analysis.study_warnings import study_warnings
from cnnrun.ablation.analysis.training_sizes import SizeCurve, size_curve, size_curve_json
from cnnrun.ablation.analysis.tuning import Tuning
from cnnrun.ablation.analysis.verdicts import Finding, findings
from cnnrun.ablation.execution.cell_records import CellOutcome
from cnnrun.ablation.planning.plan import StudyPlan
from cnnrun.ablation.studies.study import Study
from cnnrun.errors import StudyError

_TIMINGS: Final = ("seconds_to_target",)


@dataclass(frozen=True)
class StudyResults:
    """What a study came to.

    Attributes:
        plan: what it set out to do.
        study: its question.
        arms: in the order of the plan.
        findings: one a contrast, in the order of the plan.
        images: the tested metric of every test image, where it can be had.
        best: of the arms that diverged least often, the one with the best mean of the tested
            metric; None where all cells failed.
        warnings: what stands in the way of believing it, in sentences.
        tuning: how each arm came to its own value; None where nothing was tuned.
        claim: what the study answers to its claim; None where it has none that can be answered.
        sizes: accuracy over the number of training images; None where arms do not differ in it.
    """

    plan: StudyPlan
    study: Study
    arms: tuple[ArmResult, ...]
    findings: tuple[Finding, ...]
    images: ImageValues
    best: ArmResult | None
    warnings: tuple[str, ...]
    tuning: Tuning | None = None
    claim: ClaimAnswer | None = None
    sizes: SizeCurve | None = None

    @property
    def draws_splits(self) -> bool:
        """Whether seeds or folds test images of their own."""
        return self.plan.repetition.draws_splits and not self.images.is_one_test


def study_results(
    plan: StudyPlan,
    study: Study,
    outcomes: Sequence[CellOutcome],
    *,
    tuning: Tuning | None = None,
) -> StudyResults:
    """The results of a study.

    Args:
        plan: its plan, with arms as they were trained.
        study: the study.
        outcomes: those of its cells, in any order.
        tuning: how each arm came to its own value, if it did.

    Raises:
        StudyError: no cell has the metric that the study tests.
    """
    by_arm = {arm.name: [each for each in outcomes if each.arm == arm.name] for arm in plan.arms}
    arms = tuple(arm_result(arm, by_arm[arm.name]) for arm in plan.arms)
    metric = study.metric.name
    _check_metric(arms, metric)
    images = image_values(outcomes, metric)
    measured = Measured(
        values={each.arm.name: each.measures.get(metric, {}) for each in arms},
        images=images,
        diverged={each.arm.name: frozenset(each.diverged) for each in arms},
        seeds=plan.seeds,
        fewer_is_better=study.metric.direction == "lower",
        repetition=plan.repetition,
        tuning_variances=tuning.variances if tuning else {},
        tuning_freedom=tuning.freedom if tuning else 1,
        guessing=guessing_score(metric, plan.arms[0].config, classes=images.classes),
    )
    found = findings(
        plan.contrasts, measured, margin=study.metric.margin, has_added_seeds=bool(plan.added_seeds)
    )
    return StudyResults(
        plan=plan,
        study=study,
        arms=arms,
        findings=found,
        images=images,
        best=_best(arms, study),
        warnings=tuple(study_warnings(plan, arms, outcomes, images, tuning)),
        tuning=tuning,
        claim=claim_answer(study, found),
        sizes=size_curve(arms),
    )


def results_json(results: StudyResults) -> dict[str, Any]:
    """The content of results.json: the same for the same cells, whenever and wherever they ran."""
    metric = results.study.metric
    return {
        "study": results.plan.name,
        "question": results.study.question,
        "claim": None if results.claim is None else claim_json(results.claim),
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
        "tuning": None if results.tuning is None else _tuning_json(results.tuning),
        **({} if results.sizes is None else {"training_sizes": size_curve_json(results.sizes)}),
    }


def _tuning_json(tuning: Tuning) -> dict[str, Any]:
    return {
        "of": tuning.plan.address,
        "values": tuning.plan.values,
        "seeds": tuning.plan.seeds,
        "was_widened": tuning.was_widened,
        "arms": [
            {
                "name": arm.arm,
                "chosen": arm.chosen,
                "is_at_edge": arm.is_at_edge,
                "validation_losses": arm.losses,
                "variance_of_choice": arm.variance,
                "expected_best_of": arm.expected,
            }
            for arm in tuning.arms.values()
        ],
    }


def _check_metric(arms: Sequence[ArmResult], metric: str) -> None:
    known = sorted({name for each in arms for name in each.measures})
    if known and metric not in known:
        raise StudyError.at(
            "metric.name",
            rule="must be a number that the study's cells have",
            received=f"`{metric}`",
            advice=f"they have {', '.join(known)}; a `test_` metric needs test images",
        )


def _best(arms: Sequence[ArmResult], study: Study) -> ArmResult | None:
    means = [(each.spread(study.metric.name), each) for each in arms]
    there = [(spread.mean, each) for spread, each in means if spread is not None]
    sign = 1 if study.metric.direction == "lower" else -1
    return min(
        there, key=lambda pair: (len(pair[1].diverged), sign * pair[0]), default=(0.0, None)
    )[1]


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
    evidence = finding.evidence
    test, wins = evidence.test, evidence.wins
    return {
        "name": finding.contrast.name,
        "weights": finding.contrast.weights,
        "is_declared": finding.contrast.is_declared,
        "beside": finding.contrast.beside or None,
        "differences": dict(zip(evidence.seeds, evidence.differences, strict=True)),
        "non_zero": None if test is None else test.non_zero,
        "mean": None if test is None else test.mean,
        "deviation": None if test is None else test.deviation,
        "effect": None if test is None else test.effect,
        "interval": None if test is None else [test.low, test.high],
        "p": None if test is None else test.p,
        "seeds_and_images": _crossed_json(evidence.crossed),
        "conservative": _conservative_json(evidence),
        "wins": None
        if wins is None
        else {"won": wins.won, "equal": wins.equal, "of": wins.pairs}
        | {"interval": [wins.low, wins.high]},
        "diverged": evidence.diverged,
        "could_find": evidence.could_find,
        "claim_p": evidence.p if test is not None else None,
        "adjusted_p": finding.adjusted_p,
        "adjusted_seeds_p": finding.adjusted_seeds_p,
        "adjusted_equivalence_p": finding.adjusted_equivalence_p,
        "verdict": finding.verdict,
        "why": finding.why,
    }


def _crossed_json(crossed: CrossedContrast | None) -> dict[str, Any] | None:
    if crossed is None:
        return None
    return {
        "interval": list(crossed.interval(confidence=CONFIDENCE)),
        "p": crossed.p(),
        "images": crossed.images,
        "effective_images": crossed.effective_images,
        "share_of_three_images": crossed.influential_share,
    }


def _conservative_json(evidence: Evidence) -> dict[str, Any] | None:
    found = evidence.conservative
    return None if found is None else {"interval": [found.low, found.high], "p": found.p}
