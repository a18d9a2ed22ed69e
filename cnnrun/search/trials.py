"""The trials of a search, round after round: each round is decided by those that have ended.

What comes next is a function of the seed and of the rounds before. So a search that was killed goes
on as itself, on however many workers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from cnnrun.ablation.execution.cell_records import CellOutcome, kept_values
from cnnrun.ablation.execution.schedule import RunCells
from cnnrun.errors import WorkError
from cnnrun.search.axes import Values
from cnnrun.search.sampling import first_trials
from cnnrun.search.search_plan import SearchPlan, TrialConfig, trial_cell, trial_config
from cnnrun.search.tree_parzen import suggested_trials

_MOST_AT_FIRST: Final = 10
"""Of at most so many trials, and at most half of all, `tpe` learns before it suggests any."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A trial and what became of it.

    Attributes:
        number: from 1.
        values: axis -> its value.
        of: the trial's config.
        state: "finished", "paused" (it did not go on), "diverged" or "failed".
        score: what trials are judged by, of the epoch that it keeps; NaN where there is none.
        epochs: up to how many epochs it was trained, unless it ended by itself.
        folder: its run.
        why: the reason why it diverged or failed.
        seconds: the wall time of its last sitting; None where it is not known.
    """

    number: int
    values: Values
    of: TrialConfig
    state: str
    score: float
    epochs: int
    folder: Path
    why: str
    seconds: float | None

    @property
    def name(self) -> str:
        """Such as "trial 3"."""
        return f"trial {self.number}"


@dataclass(frozen=True)
class _Asked:
    """A trial before it runs."""

    number: int
    values: Values
    of: TrialConfig


def run_trials(plan: SearchPlan, *, run: RunCells) -> tuple[Trial, ...]:
    """All trials of a search, in the order in which they were suggested.

    Args:
        plan: the search.
        run: runs cells, or finds that they are done.

    Raises:
        ConfigError: a trial's values do not go together.
        StudyError: a package is missing that suggests trials.
        WorkError: a trial failed for a reason that another try may not have, or all did.
        RunError: the files of a trial are damaged. And what `run` raises.
    """
    if plan.rungs:
        trials = _halved(plan, run=run)
    elif plan.search.sampler == "tpe":
        trials = _learning(plan, run=run)
    else:
        trials = _round(plan, _asked(plan, _spread(plan, plan.trials)), run=run)
    if not any(math.isfinite(trial.score) for trial in trials):
        raise _nothing_found(plan, trials)
    return trials


def ranked(plan: SearchPlan, trials: Sequence[Trial]) -> list[Trial]:
    """Trials with a score, those that were trained longest first, of these the best first."""
    there = [trial for trial in trials if math.isfinite(trial.score)]
    return sorted(there, key=lambda trial: (-trial.epochs, plan.sign * trial.score, trial.number))


def _spread(plan: SearchPlan, number: int) -> tuple[Values, ...]:
    is_random = plan.search.sampler == "random"
    return first_trials(plan.axes, number=number, is_random=is_random, seed=plan.seed)


def _asked(plan: SearchPlan, values: Sequence[Values], *, after: int = 0) -> list[_Asked]:
    return [
        _Asked(number, each, trial_config(plan, each))
        for number, each in enumerate(values, start=after + 1)
    ]


def _learning(plan: SearchPlan, *, run: RunCells) -> tuple[Trial, ...]:
    """Rounds of trials, each suggested by what those before have come to."""
    at_first = min(_MOST_AT_FIRST, math.ceil(plan.trials / 2))
    ended = _round(plan, _asked(plan, _spread(plan, at_first)), run=run)
    number_of_round = 0
    while len(ended) < plan.trials:
        number_of_round += 1
        values = suggested_trials(
            plan.axes,
            [(trial.values, _loss(plan, trial)) for trial in ended],
            number=min(plan.search.round, plan.trials - len(ended)),
            seed=_seed_of_round(plan, number_of_round),
        )
        ended += _round(plan, _asked(plan, values, after=len(ended)), run=run)
    return ended


def _loss(plan: SearchPlan, trial: Trial) -> float:
    return plan.sign * trial.score if math.isfinite(trial.score) else math.inf


def _seed_of_round(plan: SearchPlan, number: int) -> int:
    return int(np.random.SeedSequence([plan.seed, number]).generate_state(1)[0])


def _halved(plan: SearchPlan, *, run: RunCells) -> tuple[Trial, ...]:
    """All trials to the first rung, the best of them to the next one, and so on to the end.

    Jamieson and Talwalkar 2016, Non-stochastic Best Arm Identification.
    """
    asked = _asked(plan, _spread(plan, plan.trials))
    trials: dict[int, Trial] = {}
    going_on = asked
    for pause, number in zip((*plan.rungs, None), plan.rung_trials, strict=True):
        best = ranked(plan, list(trials.values()))[:number] if trials else []
        kept = {trial.number for trial in best}
        going_on = [each for each in going_on if not trials or each.number in kept]
        trials |= {
            trial.number: trial for trial in _round(plan, going_on, run=run, pause_after=pause)
        }
    return tuple(trials.values())


def _round(
    plan: SearchPlan, asked: Sequence[_Asked], *, run: RunCells, pause_after: int | None = None
) -> tuple[Trial, ...]:
    """Trials after they were trained, to the end or to a rung."""
    cells = [
        trial_cell(plan, each.number, each.of.config, pause_after=pause_after) for each in asked
    ]
    outcomes = run(cells)
    _refuse_failures(outcomes)
    return tuple(
        _trial(plan, each, outcome, epochs=pause_after or plan.epochs)
        for each, outcome in zip(asked, outcomes, strict=True)
    )


def _trial(plan: SearchPlan, asked: _Asked, outcome: CellOutcome, *, epochs: int) -> Trial:
    has_score = outcome.state in ("finished", "paused")
    score = kept_values(outcome).get(plan.measure, math.nan) if has_score else math.nan
    return Trial(
        number=asked.number,
        values=asked.values,
        of=asked.of,
        state=outcome.state,
        score=score,
        epochs=epochs,
        folder=outcome.folder,
        why=outcome.why,
        seconds=outcome.seconds.get("total"),
    )


def _refuse_failures(outcomes: Sequence[CellOutcome]) -> None:
    """Raise where trials failed that may not fail again: others would come after them then."""
    failed = [each for each in outcomes if each.state == "failed" and not each.is_lasting]
    if failed:
        raise WorkError.at(
            failed[0].folder / "log.txt",
            rule="a search goes on when all trials of a round have ended",
            received=f"{len(failed)} of {len(outcomes)} that failed, the first"
            f" ({failed[0].name}) since {failed[0].why}",
            advice="the same command tries these again, and nothing else; where they fail again,"
            " search a smaller range",
        )


def _nothing_found(plan: SearchPlan, trials: Sequence[Trial]) -> WorkError:
    first = trials[0]
    return WorkError.at(
        first.folder / "log.txt",
        rule=f"some trial must come to a {plan.measure}",
        received=f"{len(trials)} trials that did not, the first since"
        f" {first.why or f'it has no {plan.measure}'}",
        advice="search another range, and look at one trial with `cnnrun train`",
    )
