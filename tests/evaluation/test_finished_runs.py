"""A finished run at work; the oracle is what the run itself wrote down."""

import csv
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import split_rows
from cnnrun.errors import DataError, RunError
from cnnrun.evaluation.finished_runs import evaluate_run
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.result import read_result
from cnnrun.training.train import train

pytestmark = pytest.mark.usefixtures("without_pictures")

MakeConfig = Callable[..., Config]


def test_a_resolved_config_that_lost_its_loss_is_damaged(
    run: RunFolder, snapshot: SnapshotAssertion
) -> None:
    resolved = run.resolved_yaml.read_text()
    kept = [line for line in resolved.splitlines() if not line.startswith("  loss:")]
    assert len(kept) == len(resolved.splitlines()) - 1
    run.resolved_yaml.write_text("\n".join(kept) + "\n")
    with pytest.raises(RunError) as error:
        evaluate_run(run, data=None)
    assert str(error.value).replace(str(run.path.parent), "FOLDER") == snapshot


@pytest.fixture
def run(make_trained: Callable[..., RunFolder]) -> RunFolder:
    return make_trained(
        train={
            "epochs": 1,
            "batch_size": 8,
            "loss": "CategoricalCrossentropy",
            "metrics": ["accuracy", "AUC"],
        }
    )


def test_evaluating_again_gives_the_run_s_own_result(run: RunFolder) -> None:
    evaluated = evaluate_run(run, data=None)
    scores, metrics = evaluated.evaluation.scores.as_json(), evaluated.evaluation.metrics
    test = read_result(run).test
    assert test is not None
    assert set(test) == set(scores) | set(metrics)
    for name in ("loss", "accuracy", "macro_f1", "auc"):
        assert (metrics | scores)[name] == pytest.approx(test[name], rel=1e-6)


def test_a_folder_with_some_of_the_classes_is_evaluated_whole(
    run: RunFolder, image_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(image_folder / "light", tmp_path / "others" / "light")
    evaluation = evaluate_run(run, data=tmp_path / "others").evaluation
    assert evaluation.scores.images == len(list((image_folder / "light").iterdir()))
    assert np.flatnonzero(evaluation.scores.support).tolist() == [2]


def test_a_folder_of_other_classes_is_refused(
    run: RunFolder, image_folder: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    shutil.copytree(image_folder / "light", tmp_path / "others" / "lihgt")
    with pytest.raises(DataError) as raised:
        evaluate_run(run, data=tmp_path / "others")
    assert str(raised.value).replace(str(tmp_path), "FOLDER") == snapshot


def test_a_run_without_test_images_needs_others(
    make_config: MakeConfig, image_folder: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    data = {"directory": str(image_folder), "image_size": [6, 6], "split": {"test": 0}}
    config = make_config(data=data, train={"epochs": 1, "batch_size": 8})
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    with pytest.raises(RunError) as raised:
        evaluate_run(run, data=None)
    assert str(raised.value).replace(str(tmp_path), "FOLDER") == snapshot


def test_a_table_and_arrays_are_evaluated(
    run: RunFolder, image_folder: Path, tmp_path: Path
) -> None:
    files = sorted((image_folder / "light").iterdir())
    table = tmp_path / "new.csv"
    table.write_text("\n".join(["path,label", *(f"{file},light" for file in files)]))
    pixels = np.stack([np.asarray(Image.open(file)) for file in files])
    np.savez(tmp_path / "new.npz", x_test=pixels, y_test=np.array(["light"] * len(files)))

    from_table = evaluate_run(run, data=table).evaluation.scores
    from_arrays = evaluate_run(run, data=tmp_path / "new.npz").evaluation.scores

    assert from_table.images == from_arrays.images == len(files)
    assert from_table.as_json()["loss"] == pytest.approx(from_arrays.as_json()["loss"], rel=1e-5)


def test_images_that_the_run_was_trained_on_are_counted_by_content(
    run: RunFolder, image_folder: Path, tmp_path: Path
) -> None:
    """Oracle: what the run's own predictions.csv names as test images, and the rest."""
    for number, file in enumerate(sorted((image_folder / "light").iterdir())):
        (tmp_path / "copies/light").mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / f"copies/light/renamed_{number}.png")
    own = load_config(run.resolved_yaml).data
    manifest = read_manifest(own)
    trained = split_rows(manifest, validation=own.split.shares[0], test=own.split.shares[1], seed=0)
    light = [row for row in trained.train if manifest.paths[row].startswith("light/")]

    assert evaluate_run(run, data=tmp_path / "copies").seen == len(light)
    assert evaluate_run(run, data=None).seen is None


def test_a_folder_with_splits_is_measured_on_its_test_images(
    run: RunFolder, image_folder: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    shutil.copytree(image_folder, tmp_path / "whole/train")
    with pytest.raises(DataError) as raised:
        evaluate_run(run, data=tmp_path / "whole")
    assert str(raised.value).replace(str(tmp_path), "FOLDER") == snapshot
    shutil.copytree(image_folder / "light", tmp_path / "whole/test/light")

    evaluated = evaluate_run(run, data=tmp_path / "whole")

    assert evaluated.evaluation.scores.images == len(list((image_folder / "light").iterdir()))
    assert [note.replace(str(tmp_path), "FOLDER") for note in evaluated.notes] == snapshot


def test_they_are_counted_as_the_run_found_them_though_its_folder_has_changed(
    run: RunFolder, image_folder: Path, tmp_path: Path
) -> None:
    """Oracle: the list of images that the run left, read here by hand."""
    shutil.copytree(image_folder, tmp_path / "then")
    listed = run.path / json.loads(run.environment_json.read_bytes())["data"]["listed_in"]
    lines = csv.DictReader(gzip.decompress(listed.read_bytes()).decode().splitlines())
    trained = sum(line["split"] == "train" for line in lines)
    kept = image_folder / "light/00.png"
    content = kept.read_bytes()
    try:
        kept.write_bytes(content[:-1])
        assert evaluate_run(run, data=tmp_path / "then").seen == trained
    finally:
        kept.write_bytes(content)
