"""The epochs of a run come back, whatever happened to the file's end."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnrun.runs.files import append_line
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import EpochRow, append_epoch, read_epochs, write_epochs
from cnnrun.runs.unbegun import create_run_into


def row(epoch: int, loss: float = 0.5, stage: int = 1) -> EpochRow:
    return EpochRow(epoch, stage, {"loss": loss, "val_loss": 2 * loss}, 1e-3, 1.25)


def test_no_epoch_yet(run: RunFolder) -> None:
    assert read_epochs(run) == ()


def test_epochs_come_back(run: RunFolder) -> None:
    rows = (row(1), row(2, stage=2))
    for each in rows:
        append_epoch(run, each)
    assert read_epochs(run) == rows


def test_a_line_is_one_flat_map(run: RunFolder) -> None:
    append_epoch(run, row(1))
    assert run.metrics_jsonl.read_text() == (
        '{"epoch": 1, "stage": 1, "loss": 0.5, "val_loss": 1.0, '
        '"learning_rate": 0.001, "seconds": 1.25}\n'
    )


def test_what_is_not_finite_is_null_and_reads_as_nan(run: RunFolder) -> None:
    append_epoch(run, row(1, loss=math.inf))
    assert '"loss": null' in run.metrics_jsonl.read_text()
    assert math.isnan(read_epochs(run)[0].values["loss"])


def test_an_epoch_without_rate_or_time_reads_as_one_that_is_not_known(run: RunFolder) -> None:
    append_line(run.metrics_jsonl, '{"epoch": 1, "stage": 1, "loss": 0.5}')
    (epoch,) = read_epochs(run)
    assert epoch.values == {"loss": 0.5}
    assert math.isnan(epoch.learning_rate)
    assert math.isnan(epoch.seconds)


def test_of_a_repeated_epoch_the_last_counts(run: RunFolder) -> None:
    for each in (row(1), row(2), row(3), row(2, loss=0.25)):
        append_epoch(run, each)
    assert [(each.epoch, each.values["loss"]) for each in read_epochs(run)] == [
        (1, 0.5),
        (2, 0.25),
        (3, 0.5),
    ]


def test_a_resumed_run_begins_with_the_epochs_of_its_checkpoint(run: RunFolder) -> None:
    write_epochs(run, [row(1), row(2), row(3)])
    write_epochs(run, read_epochs(run)[:2])
    append_epoch(run, row(3, loss=0.25))
    assert read_epochs(run) == (row(1), row(2), row(3, loss=0.25))


@settings(max_examples=40)  # each writes to the disk
@given(st.integers(min_value=0, max_value=400))
def test_a_file_cut_anywhere_holds_its_first_epochs(
    tmp_path_factory: pytest.TempPathFactory, size: int
) -> None:
    run = create_run_into(tmp_path_factory.mktemp("run"))
    rows = tuple(row(epoch) for epoch in range(1, 4))
    write_epochs(run, rows)
    content = run.metrics_jsonl.read_bytes()[:size]
    run.metrics_jsonl.write_bytes(content)
    whole = content.count(b"\n")
    assert read_epochs(run) == rows[:whole]
    append_epoch(run, row(9))
    assert row(9) in read_epochs(run)


@pytest.mark.parametrize(
    "line", ["", "[]", "3", '{"epoch": 1}', '{"epoch": "x", "stage": 1}', "\x00"]
)
def test_a_line_that_is_no_epoch_is_left_out(line: str, run: RunFolder) -> None:
    append_line(run.metrics_jsonl, line)
    append_epoch(run, row(2))
    assert read_epochs(run) == (row(2),)
