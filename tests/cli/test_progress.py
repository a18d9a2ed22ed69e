"""What a person and what a log file see of a training; the output is real, the epochs are not."""

import io

import pytest
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from cnnrun.cli.progress import LiveProgress, QuietLines, as_many_as_fit
from cnnrun.runs.events import (
    EpochDone,
    FeaturesComputed,
    Note,
    RunDone,
    RunListener,
    StepsDone,
    TrainingBegins,
)
from cnnrun.runs.metrics import EpochRow
from cnnrun.runs.result import RunResult

PLAN = TrainingBegins(
    run="experiments/digits/1",
    training_images=1257,
    validation_images=270,
    test_images=270,
    classes=10,
    parameters=57034,
    epochs=3,
    first_epoch=2,
    batch_size=32,
    steps_per_epoch=40,
    monitor="val_loss",
)
RESULT = RunResult(
    best_epoch=2,
    epochs=3,
    test=None,
    parameters=57034,
    trainable_parameters=56714,
    multiply_adds=1788544,
    seconds={"total": 9.5, "fit": 3.0},
    images_per_second=5000.0,
    peak_memory_bytes=10**9,
)


def report_to(listener: RunListener) -> None:
    listener(Note("skipped dark/7.png: truncated [file]"))
    listener(PLAN)
    listener(FeaturesComputed(done=32, images=1527))
    for epoch, loss in ((2, 0.25), (3, float("nan"))):
        for step in (20, 40):
            metrics = {"loss": loss, "accuracy": 0.9}
            listener(StepsDone(epoch=epoch, step=step, metrics=metrics))
        values = {"loss": loss, "accuracy": 0.9, "val_loss": loss, "val_accuracy": 0.875}
        row = EpochRow(epoch=epoch, stage=1, values=values, learning_rate=1e-3, seconds=0.42)
        listener(EpochDone(row, is_best=epoch == 2))
    listener(RunDone(RESULT))


def test_lines_for_a_file(snapshot: SnapshotAssertion) -> None:
    output = io.StringIO()
    report_to(QuietLines(Console(file=output, highlight=False, width=40)))
    assert output.getvalue() == snapshot
    assert all(line == line.rstrip() for line in output.getvalue().splitlines())


def test_a_person_sees_bars_and_the_best_epoch() -> None:
    output = io.StringIO()
    console = Console(
        file=output, force_terminal=True, highlight=False, width=120, color_system="standard"
    )
    live = LiveProgress(console)
    with live.bars:
        live(PLAN)
        live._drawn = 0.0  # as if the last drawing were long ago
        live(StepsDone(epoch=2, step=20, metrics={"loss": 0.25}))
        live.bars.refresh()
        shown = output.getvalue()
        live(FeaturesComputed(done=10, images=60))
        live.bars.refresh()
        computing = output.getvalue()
        live(FeaturesComputed(done=60, images=60))
        report_to(live)
    assert "20/40" in shown
    assert "10/60" in computing
    assert "through the backbone" in computing
    assert "images/s  loss 0.2500" in shown
    assert "1/3" in shown
    lines = [line for line in output.getvalue().splitlines() if "best so far" in line]
    assert lines
    assert all("\x1b[1;32m" in line for line in lines)


@pytest.mark.parametrize(("width", "has_table"), [(80, True), (120, True), (60, False)])
def test_epochs_fit_the_terminal(width: int, has_table: bool, snapshot: SnapshotAssertion) -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=width, color_system=None)
    report_to(LiveProgress(console))
    lines = output.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    assert any(line.split()[:2] == ["epoch", "loss"] for line in lines) == has_table
    assert output.getvalue() == snapshot


def test_metrics_without_room_are_left_out_whole() -> None:
    parts = ["1,234 images/s", "loss 0.2500", "accuracy 0.9000"]
    assert as_many_as_fit(parts, 40) == "1,234 images/s  loss 0.2500"
    assert as_many_as_fit(parts, 5) == ""
