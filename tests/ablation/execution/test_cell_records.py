"""What is read off a cell's folder; the oracles are curves that can be summed by hand."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.execution.cell_records import (
    CellRecord,
    curve_areas,
    done_outcome,
    reaching,
    read_record,
    write_record,
)
from cnnrun.ablation.planning.plan import Cell
from cnnrun.ablation.studies.study import Target
from cnnrun.config.data_section import DataSpec
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.sections import Config
from cnnrun.errors import RunError
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import EpochRow

RECORD = CellRecord(
    key="0123",
    ending="finished",
    why="",
    seconds={"total": 3.0, "fit": 2.0},
    values={"test_loss": 0.25},
    parameters=10,
    multiply_adds=20,
    processor="a processor",
)


def rows(accuracies: list[float], *, seconds: list[float]) -> list[EpochRow]:
    return [
        EpochRow(
            epoch=number,
            stage=1,
            values={"loss": 9.0, "val_loss": 1 - accuracy, "val_accuracy": accuracy},
            learning_rate=0.1,
            seconds=taken,
        )
        for number, (accuracy, taken) in enumerate(zip(accuracies, seconds, strict=True), 1)
    ]


CURVE = rows([0.5, 0.75, 1.0], seconds=[9.0, 1.0, 3.0])


def test_an_area_is_the_mean_of_a_validation_curve() -> None:
    assert curve_areas(CURVE) == {"val_loss_area": 0.25, "val_accuracy_area": 0.75}
    assert curve_areas([]) == {}


@pytest.mark.parametrize(
    ("target", "epochs", "seconds"),
    [
        (Target("val_accuracy", 0.75), 2, 3.0),
        (Target("val_accuracy", 0.8), 3, 6.0),
        (Target("val_loss", 0.5), 1, 2.0),
    ],
)
def test_a_target_is_reached_from_above_by_losses_and_from_below_by_others(
    target: Target, epochs: int, seconds: float
) -> None:
    # The first epoch's 9 s hold the tracing; the median of the others is 2 s.
    assert reaching(CURVE, target) == {"epochs_to_target": epochs, "seconds_to_target": seconds}


@pytest.mark.parametrize("metric", ["val_accuracy", "no_such_metric"])
def test_what_was_not_reached_has_no_number(metric: str) -> None:
    assert reaching(CURVE, Target(metric, 1.5)) == {}


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_record(RunFolder(tmp_path), RECORD)
    assert read_record(RunFolder(tmp_path)) == RECORD


@pytest.mark.parametrize("content", [None, "", "[]", '{"key": "0123"}', '{"key": "0123", "va'])
def test_a_cell_without_a_whole_record_is_not_done(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "cell.json").write_text(content)
    assert read_record(RunFolder(tmp_path)) is None


def test_a_cell_without_its_epochs_is_to_be_trained_again(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    config = Config(data=DataSpec(), model=ModelSpec(layers=()))
    cell = Cell("arm", 0, config, diagnostics=False, target=Target("val_accuracy", 0.75))
    with pytest.raises(RunError) as error:
        done_outcome(cell, RECORD, tmp_path, is_reused=True)
    assert str(error.value).replace(str(tmp_path), "CELL") == snapshot
