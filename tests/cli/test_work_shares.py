"""Shares of work as a user names them, and what is said of one that is done."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.execution.cell_records import failed_outcome
from cnnrun.ablation.execution.run_cells import ShareDone
from cnnrun.ablation.planning.plan import Cell
from cnnrun.cli.work_shares import tell_share
from cnnrun.config.data_section import DataSpec
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.sections import Config
from cnnrun.errors import WorkError
from cnnrun.runs.work_share import WorkShare

DONE = ShareDone(share=WorkShare(2, 3), trained=5, cells=12, done=10, failed=())


@pytest.mark.parametrize(
    "arguments",
    [
        ["ablate", "bn-order", "--cells", "0/3"],
        ["ablate", "bn-order", "--cells", "4/3"],
        ["ablate", "bn-order", "--cells", "a/b"],
        ["ablate", "bn-order", "--cells", "2"],
        ["ablate", "bn-order", "--cells", "1/0"],
        ["ablate", "bn-order", "--cells", "1/2", "--dry-run"],
        ["ablate", "--all", "--cells", "1/2"],
        ["tune", "config.yaml", "--cells", "3/2"],
        ["tune", "config.yaml", "--cells", "1/2", "--dry-run"],
        ["check-data", "config.yaml", "--out", "out", "--shard", "2/1"],
        ["check-data", "config.yaml", "--out", "out", "--shard", "1/2", "--deep"],
        ["check-data", "config.yaml", "--merge"],
        ["predict", "MobileNet", ".", "--shard", "1/9"],
        ["predict", "MobileNet", ".", "--merge"],
        ["predict", "MobileNet", ".", "--csv", "all.csv", "--shard", "1/9", "--merge"],
        ["predict", "MobileNet", ".", "--csv", "all.csv", "--shard", "10/9"],
        ["extract-features", "MobileNet", "--data", ".", "--shard", "0/9"],
        ["extract-features", "MobileNet", "--data", ".", "--shard", "1/9", "--merge"],
        ["extract-features", "MobileNet", "--data", ".", "--shard", "1/9", "--probe"],
        ["extract-features", "MobileNet", "--data", ".", "--shard", "1/9", "--executor", "ray"],
        ["extract-features", "MobileNet", "--data", ".", "--merge", "--executor", "ray"],
        ["extract-features", "MobileNet", "--data", ".", "--address", "head:6379"],
        ["extract-features", "MobileNet", "--data", ".", "--shard", "1/9", "--format", "h5"],
    ],
    ids=" ".join,
)
def test_what_is_refused(arguments: list[str], command, snapshot: SnapshotAssertion) -> None:
    ended = command(*arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_what_a_share_came_to(
    as_json: bool,
    capsys: pytest.CaptureFixture[str],
    snapshot: SnapshotAssertion,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    tell_share(DONE, Path("experiments/bn-order"), command="ablate", as_json=as_json)
    assert capsys.readouterr().out == snapshot


def test_failed_cells_of_a_share_fail_the_command(snapshot: SnapshotAssertion) -> None:
    config = Config(data=DataSpec(), model=ModelSpec(layers=()))
    cell = Cell("relu", 3, config, diagnostics=False, target=None)
    folder = Path("experiments/bn-order/runs/a0")
    failed = failed_outcome(cell, key="a0", folder=folder, why="no memory")
    done = ShareDone(share=WorkShare(1, 2), trained=1, cells=4, done=4, failed=(failed,))
    with pytest.raises(WorkError) as raised:
        tell_share(done, Path("experiments/bn-order"), command="ablate", as_json=False)
    assert str(raised.value) == snapshot
