"""`cnnrun train --folds`. Oracles: the runs themselves, and Student's interval over folds."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.execution.cell_records import CellOutcome
from cnnrun.ablation.folds import (
    estimate_rows,
    fold_columns,
    fold_results,
    fold_rows,
    folds_markdown,
    plan_folds,
    run_folds,
)
from cnnrun.config.sections import Config
from cnnrun.errors import StudyError
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.listing import list_runs
from cnnrun.runs.predictions import read_label_predictions, read_predictions

from ..listening import Heard

MakeConfig = Callable[..., Config]


@pytest.fixture(scope="module")
def config(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    from cnnrun.config.load import load_config

    path = tmp_path_factory.mktemp("config") / "few.yaml"
    path.write_text(
        f"data: {{directory: {image_folder}, image_size: [6, 6], color_mode: grayscale}}\n"
        "model: {layers: [Flatten, classifier]}\n"
        "train: {epochs: 1, batch_size: 8}\n"
    )
    return load_config(path)


@pytest.fixture(scope="module")
def trained(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("experiments") / "few-3-folds"
    run_folds(plan_folds(config, folds=3), folder=folder, jobs=1, with_git=False, listener=Heard())
    return folder


def test_each_image_is_tested_once(trained: Path) -> None:
    cells = [each.run for each in list_runs(trained)]
    tested = [image.path for run in cells for image in read_predictions(RunFolder(run))]
    assert len(cells) == 3
    assert len(tested) == len(set(tested)) == 60
    written = json.loads((trained / "results.json").read_text())
    right = [image.is_right for run in cells for image in read_predictions(RunFolder(run))]
    assert written["images"] == 60
    assert written["estimates"]["accuracy"]["mean"] == pytest.approx(fmean(right), abs=0.01)
    assert {each.study for each in list_runs(trained)} == {"few-3-folds"}
    assert {each.arm for each in list_runs(trained)} == {"fold 1", "fold 2", "fold 3"}


def test_folds_that_are_done_are_kept(config: Config, trained: Path) -> None:
    before = (trained / "results.json").read_bytes()
    heard = Heard()
    run_folds(plan_folds(config, folds=3), folder=trained, jobs=1, with_git=False, listener=heard)
    assert (trained / "results.json").read_bytes() == before
    assert [len(event.reused) for event in heard.events if hasattr(event, "reused")] == [3]


def test_what_is_refused(
    config: Config, trained: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").touch()
    refusals = []
    for folds, folder in ((1, tmp_path / "new"), (4, trained), (3, tmp_path / "used")):
        with pytest.raises(StudyError) as refused:
            run_folds(
                plan_folds(config, folds=folds),
                folder=folder,
                jobs=1,
                with_git=False,
                listener=Heard(),
            )
        refusals.append(str(refused.value).replace(str(folder.parent), "PARENT"))
    assert refusals == snapshot


def test_folds_that_failed_are_named(config: Config, snapshot: SnapshotAssertion) -> None:
    plan = plan_folds(config, folds=3)
    outcomes = [
        CellOutcome(
            arm=arm.name,
            seed=0,
            state=state,
            why=why,
            key="",
            folder=Path("nowhere"),
            is_reused=False,
            seconds={},
            values={} if why else {"test_accuracy": 0.9 + number / 50, "test_loss": 0.1},
            parameters=None,
            multiply_adds=None,
            processor="",
        )
        for number, (arm, state, why) in enumerate(
            zip(plan.arms, ("finished", "failed", "finished"), ("", "no disk", ""), strict=True)
        )
    ]
    results = fold_results(plan, outcomes)
    accuracy = results.estimates["accuracy"]
    assert accuracy.interval is None
    assert accuracy.conservative[1] == 1.0
    # Nadeau and Bengio's factor of two folds of three: 1/2 + (1/3)/(2/3); t of one degree is 12.7.
    half = 12.7062 * math.sqrt((0.5 + 0.5) * 0.0008)
    assert accuracy.conservative[0] == pytest.approx(max(0.0, 0.92 - half), abs=1e-3)
    assert [*fold_rows(results), *estimate_rows(results), folds_markdown(results)] == snapshot


@pytest.fixture(scope="module")
def of_labels(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Config:
    """The images with two labels each, of which the second is rare and seldom known."""
    from cnnrun.config.load import load_config

    folder = tmp_path_factory.mktemp("labels")
    paths = sorted(path for path in image_folder.rglob("*.png"))
    rows = [
        f"{path},{int(path.parent.name == paths[0].parent.name)},{['1', '0', '', '0'][row % 4]}"
        for row, path in enumerate(paths)
    ]
    (folder / "labels.csv").write_text("\n".join(["path,first,rare", *rows]))
    path = folder / "pairs.yaml"
    path.write_text(
        "data:\n  csv: {file: labels.csv, label: [first, rare]}\n  task: multi_label\n"
        "  image_size: [6, 6]\n  color_mode: grayscale\n"
        "model: {layers: [Flatten, classifier]}\n"
        "train: {epochs: 1, batch_size: 8}\n"
    )
    return load_config(path)


def test_folds_of_several_labels_share_them_out(
    of_labels: Config, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    plan = plan_folds(of_labels, folds=3)
    results = run_folds(plan, folder=tmp_path / "folds", jobs=1, with_git=False, listener=Heard())
    told = [read_label_predictions(RunFolder(each.folder)) for each in results.outcomes]
    tested = [path for each in told for path in each.paths]
    assert len(tested) == len(set(tested)) == results.images == 60
    having = np.array([(each.labels == 1).sum(axis=0) for each in told])
    assert np.ptp(having, axis=0).max() <= 1
    of_folds = [
        fmean(
            average_precision_score(each.labels[known, label], each.probabilities[known, label])
            for label in (0, 1)
            for known in [each.labels[:, label] >= 0]
        )
        for each in told
    ]
    found = results.estimates["mean_average_precision"]
    assert found.folds == pytest.approx(of_folds, abs=1e-5)
    assert found.mean == pytest.approx(fmean(of_folds), abs=1e-5)
    assert found.interval[0] < found.mean < found.interval[1]
    assert fold_columns(results) == snapshot
    assert [row[0] for row in estimate_rows(results)] == list(results.measures)
    assert all(row[2] for row in estimate_rows(results))
