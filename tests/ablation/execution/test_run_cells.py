"""Cells in real worker processes. The oracle of a cell is `cnnrun train` of its config.

Workers take seconds to begin: most tests read what two executions have left.
"""

import json
import subprocess
import sysconfig
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from filelock import FileLock
from PIL import Image
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, log_loss
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.execution import run_cells as running
from cnnrun.ablation.execution.cell_records import CellOutcome
from cnnrun.ablation.execution.local_pool import LocalPool
from cnnrun.ablation.execution.run_cells import run_cells
from cnnrun.ablation.execution.schedule import CellBegins, CellDone, CellsBegin, StudyEvent
from cnnrun.ablation.execution.workers import Workers
from cnnrun.ablation.planning.plan import Cell
from cnnrun.ablation.studies.study import Target
from cnnrun.config.load import load_config
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import split_rows
from cnnrun.errors import StudyError
from cnnrun.runs.events import Note
from cnnrun.runs.listing import list_runs

COMMAND = Path(sysconfig.get_path("scripts")) / "cnnrun"
CONV = {"conv_block": {"filters": 4, "kernel_size": 3}}
NOISE = [{"Dropout": {"rate": 0.3}}, {"GaussianNoise": {"stddev": 0.1}}]
HEAD = ["GlobalAveragePooling2D", "classifier"]
NORMALIZED = {"batch_norm": {"position": "before_activation", "momentum": 0.9}}
TRAIN = {"epochs": 2, "batch_size": 8, "threads": 1}
ARMS: Mapping[str, Mapping[str, Any]] = {
    "plain": {"model": {"layers": [CONV, *HEAD]}},
    "random": {"model": {"blocks": NORMALIZED, "layers": [CONV, *NOISE, *HEAD]}},
    "diverging": {
        "model": {"layers": [CONV, *HEAD]},
        "train": TRAIN | {"optimizer": {"SGD": {"learning_rate": 1e30}}},
    },
    "broken": {
        "model": {"layers": [CONV, *HEAD]},
        "train": TRAIN | {"class_weight": {"absent": 2.0}},
    },
}


@dataclass
class Listener:
    """Puts down what it hears."""

    begun: list[tuple[int, int, int]] = field(default_factory=list)
    cells: list[tuple[str, int]] = field(default_factory=list)
    outcomes: list[CellOutcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __call__(self, event: StudyEvent) -> None:
        match event:
            case Note():
                self.notes.append(event.text)
            case CellsBegin():
                self.begun.append((sum(event.cells.values()), len(event.reused), event.jobs))
            case CellBegins():
                self.cells.append((event.cell.arm, event.cell.seed))
            case CellDone():
                self.outcomes.append(event.outcome)


@dataclass(frozen=True)
class Execution:
    """An execution: its folder, what was heard, and the outcomes by arm and seed."""

    folder: Path
    listener: Listener
    outcomes: Mapping[tuple[str, int], CellOutcome]

    def outcome(self, arm: str, seed: int) -> CellOutcome:
        return self.outcomes[arm, seed]


def here(jobs: int) -> Workers:
    return Workers(executor="local", jobs=jobs, address=None, with_git=True)


def execution(cells: Sequence[Cell], folder: Path, *, jobs: int) -> Execution:
    listener = Listener()
    outcomes = run_cells(cells, folder=folder, workers=here(jobs), listener=listener)
    by_name = {(cell.arm, cell.seed): each for cell, each in zip(cells, outcomes, strict=True)}
    return Execution(folder, listener, by_name)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cell, ...]:
    """Four arms of two seeds over 20, 20 and 30 images of three classes."""
    folder = tmp_path_factory.mktemp("project")
    generator = np.random.default_rng(0)
    for label, (name, count) in enumerate({"dark": 20, "grey": 20, "light": 30}.items()):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(count):
            pixels = generator.normal(60 + 60 * label, 40, size=(6, 6)).clip(0, 255)
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(folder / "images" / name / f"{number:02d}.png")
    data = {"directory": "images", "image_size": [6, 6], "color_mode": "grayscale"}
    made = []
    for seed in (0, 1):
        for arm, sections in ARMS.items():
            path = folder / f"{arm}-{seed}.yaml"
            whole = {"seed": seed, "data": data, "train": TRAIN} | dict(sections)
            path.write_text(yaml.safe_dump(whole))
            config = load_config(path)
            target = Target("val_loss", 100.0)
            made.append(Cell(arm, seed, config, diagnostics=arm == "random", target=target))
    return tuple(made)


@pytest.fixture(scope="module")
def together(cells: tuple[Cell, ...], tmp_path_factory: pytest.TempPathFactory) -> Execution:
    """All cells, by two workers."""
    return execution(cells, tmp_path_factory.mktemp("together"), jobs=2)


@pytest.fixture(scope="module")
def alone(cells: tuple[Cell, ...], tmp_path_factory: pytest.TempPathFactory) -> Execution:
    """All cells in another order, by one worker."""
    return execution(cells[::-1], tmp_path_factory.mktemp("alone"), jobs=1)


@pytest.fixture
def unstartable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets no worker be started."""
    monkeypatch.setattr(running, "LocalPool", None)


def weights(run: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(run / "model.keras") as archive:
        file = h5py.File(BytesIO(archive.read("model.weights.h5")))
    arrays: dict[str, np.ndarray] = {}
    file.visititems(
        lambda name, each: arrays.update({name: each[()]} if isinstance(each, h5py.Dataset) else {})
    )
    return arrays


def untimed(line: str) -> dict[str, Any]:
    return {name: value for name, value in json.loads(line).items() if name != "seconds"}


def assert_same_run(one: Path, other: Path) -> None:
    assert (one / "predictions.csv").read_bytes() == (other / "predictions.csv").read_bytes()
    curves = [(run / "metrics.jsonl").read_text().splitlines() for run in (one, other)]
    assert list(map(untimed, curves[0])) == list(map(untimed, curves[1]))
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        np.testing.assert_array_equal(values, theirs[name], err_msg=name)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("arm", ["plain", "random"])
def test_a_cell_depends_neither_on_where_nor_beside_what_it_ran(
    together: Execution, alone: Execution, arm: str, seed: int
) -> None:
    one, other = together.outcome(arm, seed), alone.outcome(arm, seed)
    assert one.key == other.key
    assert_same_run(one.folder, other.folder)
    timings = {"seconds_to_target"}
    assert {name: one.values[name] for name in one.values if name not in timings} == {
        name: other.values[name] for name in other.values if name not in timings
    }


def test_a_cell_is_what_training_makes_of_its_config(
    cells: tuple[Cell, ...], alone: Execution, tmp_path: Path
) -> None:
    # The worker trained this seed last, with the graph of the other one.
    (config,) = (cell.config for cell in cells if (cell.arm, cell.seed) == ("random", 0))
    command = [COMMAND, "train", config.source, "--into", tmp_path / "run", "--json"]
    trained = subprocess.run(command, capture_output=True, text=True, check=True)
    outcome = alone.outcome("random", 0)
    assert_same_run(outcome.folder, tmp_path / "run")
    test = json.loads(trained.stdout)["test"]
    assert outcome.values["test_loss"] == test["loss"]
    assert outcome.values["test_accuracy"] == test["accuracy"]
    resolved = [(run / "resolved.yaml").read_text() for run in (outcome.folder, tmp_path / "run")]
    sections = [{**yaml.safe_load(text), "data": None} for text in resolved]
    assert sections[0] == sections[1]


def test_measures_of_a_cell(together: Execution) -> None:
    values = together.outcome("random", 0).values
    assert values.keys() >= {
        *("test_loss", "test_accuracy", "test_balanced_accuracy", "test_macro_f1"),
        *("val_loss_area", "val_accuracy_area", "generalization_gap"),
        *("test_loss_recomputed", "test_accuracy_recomputed"),
    }
    assert values["epochs_to_target"] == 1
    assert "test_loss_recomputed" not in together.outcome("plain", 0).values


def test_diagnostics_of_a_cell_begin_before_its_first_epoch(together: Execution) -> None:
    lines = (together.outcome("random", 0).folder / "diagnostics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2]
    assert not (together.outcome("plain", 0).folder / "diagnostics.jsonl").exists()


def test_cells_are_runs_like_others(together: Execution) -> None:
    states = {summary.run.name: summary.state for summary in list_runs(together.folder)}
    for (arm, _), outcome in together.outcomes.items():
        expected = "finished" if arm in ("plain", "random") else "failed"
        assert states[outcome.folder.name] == expected
    assert not list(together.folder.rglob("checkpoints"))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_diverged_cell_counts_as_the_predictor_of_class_frequencies(
    cells: tuple[Cell, ...], together: Execution, seed: int, snapshot: SnapshotAssertion
) -> None:
    outcome = together.outcome("diverging", seed)
    assert outcome.state == "diverged"
    assert outcome.why == snapshot
    data = cells[0].config.data
    manifest = read_manifest(data)
    splits = split_rows(
        manifest, validation=data.split.validation, test=data.split.test, seed=data.split.seed
    )
    prior = DummyClassifier(strategy="prior").fit(
        np.zeros((len(splits.train), 1)), manifest.labels[splits.train]
    )

    def scores(rows: np.ndarray) -> tuple[float, float]:
        images, labels = np.zeros((len(rows), 1)), manifest.labels[rows]
        loss = log_loss(labels, prior.predict_proba(images), labels=[0, 1, 2])
        return loss, accuracy_score(labels, prior.predict(images))

    loss, accuracy = scores(splits.test)
    assert outcome.values["test_loss"] == pytest.approx(loss, rel=1e-6)
    assert outcome.values["test_accuracy"] == accuracy
    of_validation, validated = scores(splits.validation)
    assert outcome.values["val_loss_area"] == pytest.approx(of_validation, rel=1e-6)
    assert outcome.values["val_accuracy_area"] == validated
    gap = loss - scores(splits.train)[0]
    assert outcome.values["generalization_gap"] == pytest.approx(gap, rel=1e-5)
    assert "epochs_to_target" not in outcome.values


def test_a_failed_cell_stops_no_other_and_leaves_a_log(
    together: Execution, snapshot: SnapshotAssertion
) -> None:
    outcome = together.outcome("broken", 1)
    assert outcome.state == "failed"
    assert outcome.why == snapshot
    assert "Traceback" in (outcome.folder / "log.txt").read_text()
    assert together.listener.begun == [(8, 0, 2)]
    assert len(together.listener.outcomes) == 8


@pytest.mark.usefixtures("unstartable")
def test_nothing_is_done_twice(cells: tuple[Cell, ...], together: Execution) -> None:
    sound = [cell for cell in cells if cell.arm != "broken"]
    again = execution(sound, together.folder, jobs=2)
    assert again.listener.begun == [(6, 6, 0)]
    assert again.listener.cells == []
    for name, outcome in again.outcomes.items():
        before = together.outcomes[name]
        assert outcome.is_reused
        assert (outcome.state, outcome.values) == (before.state, before.values)


@pytest.mark.usefixtures("unstartable")
def test_only_one_process_runs_a_study(
    cells: tuple[Cell, ...], tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(StudyError) as error:
        execution(cells, tmp_path, jobs=1)
    assert str(error.value).replace(str(tmp_path), "study") == snapshot


def test_workers_stay_from_one_round_to_the_next(
    cells: tuple[Cell, ...], alone: Execution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the same cells in one round. A worker that dies in between is replaced."""
    pools: list[LocalPool] = []
    started: list[int] = []

    class Counted(LocalPool):
        def __init__(self, *, jobs: int) -> None:
            super().__init__(jobs=jobs)
            pools.append(self)

        def start(self) -> int:
            started.append(super().start())
            return started[-1]

    monkeypatch.setattr(running, "LocalPool", Counted)
    plain = [cell for cell in cells if cell.arm == "plain"]
    with running.cell_runner(folder=tmp_path, workers=here(1), listener=Listener()) as run:
        (first,) = run(plain[:1])
        assert started == [1]
        pools[0]._workers[1]._process.kill()
        (second,) = run(plain[1:])
        again = run(plain)
    assert started == [1, 2]
    assert len(pools) == 1
    assert [each.is_reused for each in again] == [True, True]
    for outcome in (first, second):
        assert_same_run(outcome.folder, alone.outcome("plain", outcome.seed).folder)
