"""What `cnnrun tune` prints of a search before it runs. What it found: tests/search."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.analysis.power import power_of
from cnnrun.ablation.studies.study import Study
from cnnrun.cli.search_output import SearchDryRun, print_search, print_search_dry_run
from cnnrun.cli.tune import prepare_search
from cnnrun.errors import StudyError
from cnnrun.search.confirmation import confirm
from cnnrun.search.search_results import SearchResults
from cnnrun.search.trials import run_trials

from ..search.conftest import CONFIG, Cells, folder, images, plan, valley

__all__ = ["folder", "images", "plan"]  # fixtures

OVER = ("learning_rate=1e-3..1e-1", "model.blocks.activation=relu,elu")


@pytest.mark.parametrize(
    "how", [{}, {"halving": 2, "trials": 24}, {"confirm": 0}], ids=["plain", "halving", "alone"]
)
def test_a_dry_run(
    plan, how: dict[str, int], capsys, monkeypatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    planned = plan(*OVER, **how).plan
    power = power_of(pairs=7, contrasts=3) if planned.search.confirm else ()
    dry_run = SearchDryRun(planned, Path("experiments/search"), 2, 94.0, 123_456, power)
    print_search_dry_run(dry_run)
    assert capsys.readouterr().out == snapshot
    assert dry_run.as_json()["cells"] == planned.trials + len(planned.seeds) * (
        planned.search.confirm + 1
    )


@pytest.mark.parametrize("confirms", [True, False])
def test_an_answer(
    plan, tmp_path: Path, capsys, monkeypatch, snapshot: SnapshotAssertion, confirms: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    config = CONFIG.replace("filters: 4", "filters: 6").replace(": 1e-2", ": 5e-2")
    planned = plan(*OVER, config=config, trials=12, confirm=3 if confirms else 0).plan
    run = Cells(tmp_path / "runs", valley)
    trials = run_trials(planned, run=run)
    study = Study(question=planned.question)
    found = confirm(planned, study, trials, run=run) if confirms else None
    print_search(SearchResults(planned, trials, found), Path("experiments/search"))
    assert capsys.readouterr().out == snapshot


def test_options_say_more_than_the_file(images: Path) -> None:
    Path("config.yaml").write_text(CONFIG)
    Path("search.yaml").write_text(
        "question: Which rate?\nbase: config.yaml\nset: {train.epochs: 3}\nseeds: 8\n"
        "metric: test_accuracy\nsearch: {over: {rate: {low: 1e-3, high: 1e-1}}, trials: 5}\n"
    )
    given = {"over": [], "metric": None, "overrides": [], "into": None, "seeds": None}
    asked = prepare_search(Path("search.yaml"), options={}, experiments=Path("runs"), **given)
    assert (asked.plan.trials, len(asked.plan.seeds), asked.plan.epochs) == (5, 8, 3)
    assert asked.plan.measure == "val_accuracy"
    assert asked.folder == Path("runs/search")
    more = given | {"metric": "test_loss", "overrides": ["train.epochs=4"], "seeds": 9}
    options = {"trials": 6, "confirm": 1, "seed": 4, "sampler": "random"}
    asked = prepare_search(Path("search.yaml"), options=options, experiments=Path("runs"), **more)
    assert (asked.plan.trials, len(asked.plan.seeds), asked.plan.epochs) == (6, 9, 4)
    assert asked.plan.measure == "val_loss"
    assert asked.plan.seed == 4
    with pytest.raises(StudyError):
        prepare_search(
            Path("search.yaml"), options={"trials": 1}, experiments=Path("runs"), **given
        )
