"""What a search came to, as numbers: for results.json, trials.csv and whoever reports it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cnnrun.ablation.analysis.results import results_json
from cnnrun.ablation.analysis.tuning import expected_best
from cnnrun.runs.tables import csv_table
from cnnrun.search.confirmation import Confirmation
from cnnrun.search.search_plan import SearchPlan
from cnnrun.search.trials import Trial, ranked


@dataclass(frozen=True)
class SearchResults:
    """What a search came to.

    Attributes:
        plan: what it set out to do.
        trials: all of them, in their order.
        confirmation: the best against the base; None where that was not asked for, or nothing but
            the base was tried.
    """

    plan: SearchPlan
    trials: tuple[Trial, ...]
    confirmation: Confirmation | None

    @property
    def best(self) -> Trial:
        """The trial with the best score of the search."""
        return ranked(self.plan, self.trials)[0]

    @property
    def chosen(self) -> Trial | None:
        """The trial that is written down; None where it is the base."""
        if self.confirmation is not None:
            return self.confirmation.winning_trial
        return None if self.plan.search.confirm else self.best

    @property
    def expected(self) -> tuple[float, ...]:
        """The best score to be expected of 1, 2, ... trials, of those that were trained to the end.

        Dodge et al. 2019, Show Your Work; see `expected_best`.
        """
        sign = self.plan.sign
        whole = [trial for trial in self.trials if trial.epochs == self.plan.epochs]
        losses = [sign * each.score if math.isfinite(each.score) else math.inf for each in whole]
        return tuple(sign * each for each in expected_best(losses))


def search_json(results: SearchResults) -> dict[str, Any]:
    """The content of results.json: the same for the same cells, whenever and wherever they ran."""
    found = results.confirmation
    return {
        **results.plan.as_json(),
        "question": results.plan.question,
        "judged_by": results.plan.measure,
        "trial_seed": results.plan.trial_seed,
        "trials": [_trial_json(trial) for trial in results.trials],
        "expected_best_of": results.expected,
        "best_trial": results.best.number,
        "confirmation": None
        if found is None
        else {
            **{
                name: value
                for name, value in results_json(found.results).items()
                if name not in ("study", "question", "selected", "tuning")
            },
            "optimism": [asdict(each) for each in found.optimism],
            "winner": found.winner,
            "unbiased_difference": found.unbiased,
            "base_is_beaten": found.is_beaten,
        },
    }


def trials_csv(results: SearchResults) -> str:
    """trials.csv: a row a trial."""
    names = [axis.name for axis in results.plan.axes]
    measure = results.plan.measure
    header = ["arm", "trial", *names, "state", measure, "epochs", "run", "seconds_total", "why"]
    rows = [
        [
            f"{trial.name}: {values_text(results.plan, trial.values)}",
            trial.number,
            *(trial.values[name] for name in names),
            trial.state,
            trial.score if math.isfinite(trial.score) else None,
            trial.epochs,
            trial.folder.name,
            trial.seconds,
            trial.why,
        ]
        for trial in results.trials
    ]
    return csv_table(header, rows)


def values_text(plan: SearchPlan, values: Mapping[str, Any]) -> str:
    """The values of a trial in a line: "rate 0.003, filters 32"."""
    return ", ".join(f"{axis.name} {axis.text(values[axis.name])}" for axis in plan.axes)


def _trial_json(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "values": dict(trial.values),
        "overrides": list(trial.of.overrides),
        "state": trial.state,
        "score": trial.score if math.isfinite(trial.score) else None,
        "epochs": trial.epochs,
        "run": trial.folder.name,
        "why": trial.why,
    }


def scores_of(trials: Sequence[Trial]) -> list[float]:
    """The scores of trials, NaN where one has none."""
    return [trial.score for trial in trials]
