"""Which trials come when. The oracle: scores that are chosen here, in closed form."""

import math
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.planning.tuned_address import present_rate
from cnnrun.search.trials import Trial, ranked, run_trials

from .conftest import FILTERS, RATE, Cells, PlanSearch, complaint, filters_of, valley


def identity(trial: Trial) -> tuple[object, ...]:
    return trial.number, tuple(trial.values.items()), trial.state, trial.score, trial.epochs


def test_trials_are_cells_of_validation_with_a_seed_of_their_own(
    plan: PlanSearch, tmp_path: Path
) -> None:
    planned = plan(RATE, FILTERS, trials=12).plan
    run = Cells(tmp_path / "runs", valley)
    trials = run_trials(planned, run=run)
    (cells,) = run.rounds
    assert len(cells) == 12
    for trial, cell in zip(trials, cells, strict=True):
        assert not cell.is_tested
        assert cell.seed == cell.config.seed == 3 + 1_000_000
        assert cell.config.train.threads == 1
        assert present_rate(cell.config) == trial.values["learning_rate"]
    assert not {cell.seed for cell in cells} & set(planned.seeds)
    best = ranked(planned, trials)[0]
    assert best.score == min(trial.score for trial in trials)
    # The epoch that is kept is the best one, here the last.
    assert best.score == pytest.approx(valley(_plain(best), 3 + 1_000_000, 8))


def _plain(trial: Trial) -> dict[str, object]:
    from cnnrun.config.dump import plain_config

    return plain_config(trial.of.config, relative_to=Path())


def test_where_more_is_better_the_largest_score_is_best(plan: PlanSearch, tmp_path: Path) -> None:
    planned = plan(RATE, FILTERS, trials=6, metric="test_accuracy").plan
    trials = run_trials(planned, run=Cells(tmp_path / "runs", valley))
    assert planned.measure == "val_accuracy"
    assert ranked(planned, trials)[0].score == max(trial.score for trial in trials)


def test_halving_lets_the_best_of_each_rung_go_on(plan: PlanSearch, tmp_path: Path) -> None:
    planned = plan(RATE, FILTERS, trials=16, halving=2, confirm=2).plan
    assert planned.rungs == (1, 2, 4)
    assert planned.rung_trials == (16, 8, 4, 2)
    run = Cells(tmp_path / "runs", valley)
    trials = run_trials(planned, run=run)
    assert [len(cells) for cells in run.rounds] == [16, 8, 4, 2]
    assert [cells[0].pause_after for cells in run.rounds] == [1, 2, 4, None]
    by_number = {trial.number: trial for trial in trials}
    for below, above in zip(run.rounds, run.rounds[1:], strict=False):
        gone_on = {cell.trial for cell in above}
        scores = {cell.trial: by_number[int(cell.trial.removeprefix("trial "))] for cell in below}
        # All of one rung have the same distance to the end, so that the order stays.
        kept = [valley(_plain(scores[name]), 3, 1) for name in gone_on]
        lost = [valley(_plain(each), 3, 1) for name, each in scores.items() if name not in gone_on]
        assert max(kept) <= min(lost)
    whole = [trial for trial in trials if trial.state == "finished"]
    assert [trial.epochs for trial in whole] == [8, 8]
    assert {trial.number for trial in ranked(planned, trials)[:2]} == {
        trial.number for trial in whole
    }
    # A trial that goes on is the same cell: nothing but its length differs.
    first, last = run.rounds[0], run.rounds[-1]
    configs = {cell.trial: cell.config for cell in first}
    assert all(configs[cell.trial] == cell.config for cell in last)


def test_tpe_learns_in_rounds_and_the_same_again(plan: PlanSearch, tmp_path: Path) -> None:
    """Oracle: what comes out if the search begins anew with all that has ended found done."""
    planned = plan(RATE, FILTERS, trials=20, sampler="tpe", round=3).plan
    run = Cells(tmp_path / "first", valley)
    trials = run_trials(planned, run=run)
    assert [len(cells) for cells in run.rounds] == [10, 3, 3, 3, 1]
    again = run_trials(planned, run=Cells(tmp_path / "again", valley))
    assert list(map(identity, again)) == list(map(identity, trials))
    assert len({tuple(trial.values.values()) for trial in trials}) == 20
    at_first = min(trial.score for trial in trials[:10])
    assert min(trial.score for trial in trials) < at_first
    later = [abs(int(str(trial.values[FILTERS.partition("=")[0]])) - 6) for trial in trials[10:]]
    assert sum(later) / len(later) < 2  # where trials spread evenly are 2.1 away on average
    other = run_trials(
        plan(RATE, FILTERS, trials=20, sampler="tpe", round=3, seed=9).plan,
        run=Cells(tmp_path / "other", valley),
    )
    assert [trial.values for trial in other] != [trial.values for trial in trials]


def test_tpe_tries_each_of_few_configs_once(plan: PlanSearch, tmp_path: Path) -> None:
    planned = plan(
        "model.blocks.activation=relu,elu,tanh", "train.batch_size=4,8", trials=6, sampler="tpe"
    ).plan
    run = Cells(tmp_path / "runs", lambda values, seed, epoch: 0.5)
    trials = run_trials(planned, run=run)
    assert len({tuple(trial.values.values()) for trial in trials}) == 6


@pytest.mark.parametrize("sampler", ["quasi-random", "tpe"])
def test_what_diverges_or_cannot_be_built_has_no_score(
    plan: PlanSearch, tmp_path: Path, sampler: str
) -> None:
    def loss(values, seed, epoch):
        if filters_of(values) > 7:
            return math.inf
        return math.nan if filters_of(values) < 4 else valley(values, seed, epoch)

    planned = plan(RATE, FILTERS, trials=16, sampler=sampler).plan
    trials = run_trials(planned, run=Cells(tmp_path / "runs", loss, is_lasting=True))
    assert {trial.state for trial in trials} == {"finished", "diverged", "failed"}
    assert all(math.isfinite(each.score) == (each.state == "finished") for each in trials)
    assert len(ranked(planned, trials)) == sum(each.state == "finished" for each in trials)


def test_a_crash_ends_the_search_until_it_is_tried_again(
    plan: PlanSearch, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    planned = plan(RATE, FILTERS, trials=4).plan
    run = Cells(tmp_path / "runs", lambda *_: math.inf)
    refused = complaint(lambda: run_trials(planned, run=run))
    assert refused.replace(str(tmp_path), "search") == snapshot


def test_a_search_in_which_nothing_learns_says_so(
    plan: PlanSearch, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    planned = plan(RATE, FILTERS, trials=4).plan
    run = Cells(tmp_path / "runs", lambda *_: math.inf, is_lasting=True)
    refused = complaint(lambda: run_trials(planned, run=run))
    assert refused.replace(str(tmp_path), "search") == snapshot


def test_the_learning_rate_is_found_whatever_optimizer_is_chosen(
    plan: PlanSearch, tmp_path: Path
) -> None:
    planned = plan(RATE, "train.optimizer={SGD: {momentum: 0.9}},{RMSprop: {}}", trials=4).plan
    trials = run_trials(planned, run=Cells(tmp_path / "runs", lambda *_: 0.5))
    assert {trial.of.config.train.optimizer.name for trial in trials} == {"SGD", "RMSprop"}
    for trial in trials:
        assert present_rate(trial.of.config) == trial.values["learning_rate"]
