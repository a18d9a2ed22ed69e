"""What a search is worth. The oracles: the formula of the scores, and counting over simulations."""

import math
from pathlib import Path

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.reporting.report import Plot
from cnnrun.ablation.studies.study import Study
from cnnrun.config.load import load_config
from cnnrun.runs.tables import read_csv_table
from cnnrun.search.confirmation import Confirmation, best_trials, confirm, unbiased_difference
from cnnrun.search.search_plan import SearchPlan
from cnnrun.search.search_report import search_plots, search_report, winner_sentences
from cnnrun.search.search_results import SearchResults, search_json, trials_csv
from cnnrun.search.trials import run_trials
from cnnrun.search.winner_file import changed_values, write_winner

from .conftest import CONFIG, FILTERS, RATE, Cells, Loss, PlanSearch, filters_of, valley

SEARCHES = 1_500
SEEDS = 7


def confirmed(plan: SearchPlan, loss: Loss, folder: Path) -> SearchResults:
    """A whole search by a formula."""
    run = Cells(folder, loss)
    trials = run_trials(plan, run=run)
    study = Study(question=plan.question, metric=plan.metric)
    return SearchResults(plan, trials, confirm(plan, study, trials, run=run))


def found(results: SearchResults) -> Confirmation:
    assert results.confirmation is not None
    return results.confirmation


def lucky(values, seed, epoch) -> float:
    """The base is as good as most, and trials owe some of their score to the seed of the search."""
    luck = 0.05 if seed > 1_000_000 else 0.0
    return valley(values, seed, epoch) - luck * (filters_of(values) % 3)


def test_the_best_are_trained_anew_with_other_seeds_and_tested(
    plan: PlanSearch, tmp_path: Path
) -> None:
    planned = plan(RATE, FILTERS, trials=16).plan
    run = Cells(tmp_path / "runs", lucky)
    trials = run_trials(planned, run=run)
    study = Study(question=planned.question, metric=planned.metric)
    got = confirm(planned, study, trials, run=run)
    assert got is not None
    cells = run.rounds[-1]
    assert {cell.seed for cell in cells} == set(range(3, 10))
    assert all(cell.is_tested for cell in cells)
    assert [cell.arm for cell in cells[:4]] == ["base", *(trial.name for trial in got.trials)]
    assert [each.contrast.weights["base"] for each in got.results.findings] == [-1, -1, -1]
    for each, trial in zip(got.optimism, got.trials, strict=True):
        fresh = [valley(_plain(trial.of.config), seed, 8) for seed in range(3, 10)]
        assert each.when_chosen == trial.score
        assert each.on_fresh_seeds == pytest.approx(sum(fresh) / 7)
        assert each.optimism == pytest.approx(sum(fresh) / 7 - trial.score)
    best = min(got.optimism, key=lambda each: each.on_fresh_seeds)
    assert got.winner == best.trial
    assert got.is_beaten


def _plain(config):
    from cnnrun.config.dump import plain_config

    return plain_config(config, relative_to=Path())


def test_the_base_may_win(plan: PlanSearch, tmp_path: Path) -> None:
    config = CONFIG.replace("filters: 4", "filters: 6")
    planned = plan("learning_rate=1e-1..9e-1", trials=5, config=config).plan
    results = confirmed(planned, valley, tmp_path / "runs")
    assert found(results).winner == "base"
    assert results.chosen is None
    assert found(results).unbiased == 0
    path = tmp_path / "winner.yaml"
    write_winner(path, planned, planned.config, (), comment=list(winner_sentences(results)))
    assert "the base was not beaten" in path.read_text().replace("\n# ", " ")
    assert load_config(path).model == load_config(Path("config.yaml")).model


def test_a_trial_that_is_the_base_is_not_compared_with_it(plan: PlanSearch, tmp_path: Path) -> None:
    planned = plan("model.layers[stem].conv_block.filters=4,6", trials=2).plan
    trials = run_trials(planned, run=Cells(tmp_path / "runs", valley))
    assert [str(trial.values[trial_axis(planned)]) for trial in best_trials(planned, trials)] == [
        "6"
    ]


def trial_axis(plan: SearchPlan) -> str:
    return plan.axes[0].name


def test_what_did_not_come_to_the_end_is_not_confirmed(plan: PlanSearch, tmp_path: Path) -> None:
    planned = plan(RATE, FILTERS, trials=16, halving=4, confirm=2).plan
    results = confirmed(planned, valley, tmp_path / "runs")
    assert {trial.epochs for trial in found(results).trials} == {8}


@pytest.mark.parametrize("metric", ["test_loss", "test_accuracy"])
def test_a_report_says_all(
    plan: PlanSearch, tmp_path: Path, snapshot: SnapshotAssertion, metric: str
) -> None:
    planned = plan(RATE, FILTERS, trials=12, metric=metric, overrides=["train.batch_size=4"]).plan
    results = confirmed(planned, lucky, tmp_path / "runs")
    plots: list[Plot] = list(search_plots(results))
    text = search_report(results, plots).replace(str(tmp_path), "<here>")
    assert text == snapshot
    assert [plot.file for plot in plots] == ["contrasts.png", "learning_curves.png", "trials.png"]
    assert plots[-1].draw().axes
    document = search_json(results)
    assert document["confirmation"]["winner"] == found(results).winner
    assert document["confirmation"]["optimism"][0]["optimism"] > 0
    header, *rows = read_csv_table(trials_csv(results))
    assert header[:2] == ["arm", "trial"]
    assert len(rows) == 12
    assert rows[0][0].startswith("trial 1: learning_rate ")


def test_a_search_alone_says_that_nothing_was_confirmed(
    plan: PlanSearch, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    planned = plan(RATE, "model.blocks.activation=relu,elu", trials=8, halving=2, confirm=0).plan
    trials = run_trials(planned, run=Cells(tmp_path / "runs", valley))
    results = SearchResults(planned, trials, None)
    assert search_report(results, list(search_plots(results))) == snapshot


@pytest.mark.parametrize(
    "over",
    [
        (RATE, FILTERS),
        ("train.batch_size=4..64", "model.blocks.activation=elu,{PReLU: {shared_axes: [1, 2]}}"),
        ("train.optimizer={SGD: {momentum: 0.9}},{Adam: {learning_rate: 0.1}}", RATE),
        ("train.optimizer={Adam: {beta_1: 0.8}},{Adam: {beta_1: 0.7}}",),
        ("model.layers[0].conv_block.kernel_size=1..5", "augment.rotation_range=5..30"),
    ],
    ids=["list", "call", "optimizers", "lost argument", "new section"],
)
def test_a_winner_extends_the_base_to_the_trials_config(
    plan: PlanSearch, tmp_path: Path, over: tuple[str, ...]
) -> None:
    """Oracle: the config that the trial was trained with."""
    planned = plan(*over, trials=2, overrides=["train.epochs=5"]).plan
    trials = run_trials(planned, run=Cells(tmp_path / "runs", lambda *_: 0.5))
    (tmp_path / "deep").mkdir()
    for trial in trials:
        path = tmp_path / "deep" / "winner.yaml"
        write_winner(path, planned, trial.of.config, trial.of.changes, comment=["A winner."])
        read = load_config(path)
        assert read.model == trial.of.config.model
        assert read.augment == trial.of.config.augment
        assert read.data.directory == load_config(Path("config.yaml")).data.directory
        assert read.seed == 3
        same_but = {"threads": None}
        assert {**vars(read.train), **same_but} == {**vars(trial.of.config.train), **same_but}


def test_a_winner_is_short(plan: PlanSearch, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    planned = plan(RATE, FILTERS, trials=8).plan
    results = confirmed(planned, valley, tmp_path / "runs")
    chosen = results.chosen
    assert chosen is not None
    path = Path("experiments/search/winner.yaml")
    path.parent.mkdir(parents=True)
    write_winner(
        path, planned, chosen.of.config, chosen.of.changes, comment=list(winner_sentences(results))
    )
    assert path.read_text() == snapshot
    assert set(changed_values(planned.base, chosen.of.changes)) == {"train", "model"}


def simulated(random: np.random.Generator, *, spread: float) -> tuple[float, float, float]:
    """A search of 50 configs, and 3 of them on fresh seeds; the errors of three estimates.

    A seed makes a network good on validation and on test images alike, so that what is chosen on
    fresh seeds by validation owes some of its test score to them.

    Returns:
        The mean difference to the base, less the true one, of the search's best trial; that of the
        winner; and the same of `unbiased_difference`, whose truth is the mean of what would be
        chosen without each seed.
    """
    truth = random.normal(0.0, spread, 51)  # the last one is the base
    chosen = np.argsort(truth[:50] + random.normal(0, 1, 50))[:3]
    arms = {"base": 50, **{f"trial {number}": int(number) for number in chosen}}
    of_seed = {arm: random.normal(0, 1, SEEDS) for arm in arms}
    scores = {
        arm: dict(enumerate(truth[n] + of_seed[arm] + random.normal(0, 0.3, SEEDS)))
        for arm, n in arms.items()
    }
    tested = {
        arm: dict(enumerate(truth[n] + of_seed[arm] + random.normal(0, 0.3, SEEDS)))
        for arm, n in arms.items()
    }

    def choice(left_out: int | None) -> str:
        return min(
            arms,
            key=lambda arm: np.mean([v for s, v in scores[arm].items() if s != left_out]),
        )

    winner = choice(None)
    own = np.mean([tested[winner][s] - tested["base"][s] for s in range(SEEDS)])
    without = [truth[arms[choice(seed)]] - truth[50] for seed in range(SEEDS)]
    unbiased = unbiased_difference(scores, tested, seeds=range(SEEDS), sign=1)
    first = f"trial {chosen[0]}"
    of_first = np.mean([tested[first][s] - tested["base"][s] for s in range(SEEDS)])
    return (
        float(of_first - (truth[chosen[0]] - truth[50])),
        float(own - (truth[arms[winner]] - truth[50])),
        float(unbiased - np.mean(without)),
    )


def test_the_estimate_of_a_confirmation_is_unbiased() -> None:
    """Within three of its standard errors; the winner's own difference is not."""
    errors = np.array(
        [simulated(np.random.default_rng([7, number]), spread=0.3) for number in range(SEARCHES)]
    )
    means, standard = errors.mean(axis=0), errors.std(axis=0) / math.sqrt(len(errors))
    assert abs(means[0]) < 3 * standard[0]  # each compared trial, since it was chosen before
    assert means[1] < -3 * standard[1]
    assert abs(means[2]) < 3 * standard[2]
