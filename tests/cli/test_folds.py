"""`cnnrun train --folds`: what is printed, and what does not go with it."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.execution.cell_records import failed_outcome
from cnnrun.ablation.folds import Estimate, FoldResults, plan_folds
from cnnrun.cli.folds import print_folds, refuse_failed_folds
from cnnrun.config.load import load_config
from cnnrun.errors import WorkError

CONFIG = "data: {directory: photos, image_size: [8, 8]}\nmodel: {layers: [Flatten, classifier]}\n"


@pytest.mark.parametrize(
    "options", [["--folds", "3", "--resume"], ["--folds", "3", "--profile"], ["--jobs", "2"]]
)
def test_options_that_do_not_go_together(
    options: list[str], command, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "few.yaml").write_text(CONFIG)
    ended = command("train", "few.yaml", *options)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


def test_what_is_printed(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    (tmp_path / "few.yaml").write_text(CONFIG)
    plan = plan_folds(load_config(tmp_path / "few.yaml"), folds=4)
    estimates = {"accuracy": Estimate(0.9, (0.85, 0.94), (0.8, 1.0), (0.88, 0.92, 0.9, 0.9))}
    print_folds(FoldResults(plan, (), estimates, 300), Path("experiments/few-4-folds"))
    assert capsys.readouterr().out == snapshot


def test_failed_folds_end_the_command_as_failed_work(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "few.yaml").write_text(CONFIG)
    plan = plan_folds(load_config(tmp_path / "few.yaml"), folds=4)
    folder = Path("experiments/few-4-folds")
    outcome = failed_outcome(plan.cells[0], key="", folder=folder, why="its worker died twice")
    with pytest.raises(WorkError) as failure:
        refuse_failed_folds(FoldResults(plan, (outcome,), {}, 300), folder)
    assert str(failure.value) == snapshot
