"""What the best trials of a search are worth: against the base, on seeds that did not choose them.

A trial that was the best of many looks better than it is. So the best few are trained anew, with
fresh seeds, and tested on images that nothing was chosen by, against the base config, in pairs of a
seed. Which of them is taken is decided by validation images alone.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from cnnrun.ablation.analysis.results import StudyResults, study_results
from cnnrun.ablation.analysis.verdicts import Finding
from cnnrun.ablation.execution.cell_records import CellOutcome, kept_values
from cnnrun.ablation.execution.schedule import RunCells
from cnnrun.ablation.planning.arms import config_digest
from cnnrun.ablation.planning.make_plan import repetition_of
from cnnrun.ablation.planning.plan import Arm, Cell, Contrast, StudyPlan
from cnnrun.ablation.studies.study import Study
from cnnrun.config.sections import Config
from cnnrun.search.search_plan import SearchPlan
from cnnrun.search.trials import Trial, ranked

BASE = "base"
"""The name of the arm of the base config."""


@dataclass(frozen=True, kw_only=True)
class Optimism:
    """How much better a trial looked when it was chosen than it is on fresh seeds.

    Attributes:
        trial: its name.
        when_chosen: its score in the search.
        on_fresh_seeds: the same measure, a mean over the seeds of the confirmation; infinitely bad
            where one diverged.
        optimism: by how much the first is better than the second.
    """

    trial: str
    when_chosen: float
    on_fresh_seeds: float
    optimism: float


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """The best trials against the base, on fresh seeds.

    Attributes:
        results: of the study whose arms are the base and the trials.
        outcomes: of its cells.
        trials: those that were compared, the best of the search first.
        optimism: of each of them.
        winner: of base and trials, the one whose mean score on validation images is best over the
            fresh seeds; "base" or a trial's name.
        unbiased: the mean difference to the base in what is tested, at each seed of what would be
            chosen without it: unlike the winner's own difference it owes nothing to the choice of
            the winner. NaN where some cell has no result.
    """

    results: StudyResults
    outcomes: tuple[CellOutcome, ...]
    trials: tuple[Trial, ...]
    optimism: tuple[Optimism, ...]
    winner: str
    unbiased: float

    @property
    def winning_trial(self) -> Trial | None:
        """The trial that won; None for the base."""
        return next((trial for trial in self.trials if trial.name == self.winner), None)

    @property
    def winners_finding(self) -> Finding | None:
        """What may be said of the winner against the base; None where that is the base."""
        weights = {self.winner: 1.0, BASE: -1.0}
        return next(
            (each for each in self.results.findings if dict(each.contrast.weights) == weights), None
        )

    @property
    def is_beaten(self) -> bool:
        """Whether the winner was shown to be better than the base, for such images."""
        finding = self.winners_finding
        return finding is not None and finding.verdict == "better"


def confirm(
    plan: SearchPlan, study: Study, trials: Sequence[Trial], *, run: RunCells
) -> Confirmation | None:
    """The best trials against the base; None where all that have a score are the base itself.

    Args:
        plan: the search.
        study: its study, for the metric.
        trials: all of the search.
        run: runs cells, or finds that they are done.

    Raises:
        StudyError: the data have no test images. And what `run` raises.
    """
    best = best_trials(plan, trials)
    if not best:
        return None
    compared = confirmation_plan(plan, study, best)
    outcomes = run(compared.cells)
    results = study_results(compared, study, outcomes)
    scores = _fresh_scores(plan, compared, outcomes)
    winner = min(scores, key=lambda name: plan.sign * _mean(plan, list(scores[name].values())))
    return Confirmation(
        results=results,
        outcomes=tuple(outcomes),
        trials=best,
        optimism=tuple(_optimism(plan, trial, scores[trial.name]) for trial in best),
        winner=winner,
        unbiased=unbiased_difference(
            scores,
            {each.arm.name: each.measures.get(plan.metric.name, {}) for each in results.arms},
            seeds=plan.seeds,
            sign=plan.sign,
        ),
    )


def best_trials(plan: SearchPlan, trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """The best trials that were trained to the end, and are not the base itself."""
    base = _digest(plan, plan.config)
    there = [
        trial
        for trial in ranked(plan, trials)
        if trial.epochs == plan.epochs and _digest(plan, trial.of.config) != base
    ]
    return tuple(there[: plan.search.confirm])


def confirmation_plan(plan: SearchPlan, study: Study, trials: Sequence[Trial]) -> StudyPlan:
    """The study whose arms are the base and the best trials, each against the base."""
    arms = (
        Arm(BASE, {"config": BASE}, (), plan.config),
        *(
            Arm(
                trial.name,
                {"config": trial.name},
                trial.of.overrides,
                trial.of.config,
                trial.of.changes,
            )
            for trial in trials
        ),
    )
    return StudyPlan(
        name=plan.name,
        base=plan.base,
        shared=plan.shared_texts,
        arms=arms,
        contrasts=tuple(
            Contrast(f"{trial.name} against the base", {trial.name: 1.0, BASE: -1.0})
            for trial in trials
        ),
        repetition=replace(repetition_of(study, plan.config), may_draw_splits=False),
        seeds=plan.seeds,
        added_seeds=(),
        cells=tuple(_cells(arms, plan.seeds)),
    )


def unbiased_difference(
    scores: Mapping[str, Mapping[int, float]],
    tested: Mapping[str, Mapping[int, float]],
    *,
    seeds: Sequence[int],
    sign: int,
) -> float:
    """The mean difference to the base of what is chosen without each seed, at that seed.

    Args:
        scores: arm -> seed -> what is chosen by; the base is an arm.
        tested: arm -> seed -> what is tested.
        seeds: the fresh seeds, at least two.
        sign: 1 where less is better, else -1.
    """
    differences = []
    for seed in seeds:
        others = {
            arm: [value for other, value in of_seeds.items() if other != seed]
            for arm, of_seeds in scores.items()
        }
        chosen = min(others, key=lambda arm: sign * fmean(others[arm]) if others[arm] else math.inf)
        at_seed = tested[chosen].get(seed, math.nan) - tested[BASE].get(seed, math.nan)
        differences.append(at_seed)
    return fmean(differences)


def _cells(arms: Sequence[Arm], seeds: Sequence[int]) -> Iterator[Cell]:
    for seed in seeds:
        for arm in arms:
            config = replace(arm.config, seed=seed)
            yield Cell(arm.name, seed, config, diagnostics=False, target=None)


def _digest(plan: SearchPlan, config: Config) -> str:
    return config_digest(replace(config, seed=plan.trial_seed))


def _fresh_scores(
    plan: SearchPlan, compared: StudyPlan, outcomes: Sequence[CellOutcome]
) -> dict[str, dict[int, float]]:
    """Arm -> seed -> what trials are judged by; infinitely bad where it diverged."""
    scores: dict[str, dict[int, float]] = {arm.name: {} for arm in compared.arms}
    for outcome in outcomes:
        if outcome.state == "finished":
            score = kept_values(outcome).get(plan.measure, math.nan)
            scores[outcome.arm][outcome.seed] = score
        elif outcome.state == "diverged":
            scores[outcome.arm][outcome.seed] = plan.sign * math.inf
    return scores


def _mean(plan: SearchPlan, scores: Sequence[float]) -> float:
    return fmean(scores) if scores else plan.sign * math.inf


def _optimism(plan: SearchPlan, trial: Trial, fresh: Mapping[int, float]) -> Optimism:
    mean = _mean(plan, list(fresh.values()))
    return Optimism(
        trial=trial.name,
        when_chosen=trial.score,
        on_fresh_seeds=mean,
        optimism=plan.sign * (mean - trial.score),
    )
