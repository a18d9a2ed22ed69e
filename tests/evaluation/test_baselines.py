"""What any network has to beat. Oracles: scikit-learn on decoded pixels, SciPy's interval."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.neighbors import KNeighborsClassifier
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.data.decode import decode_image
from cnnrun.data.decoding import decoding_of
from cnnrun.data.manifest import Manifest, image_ids
from cnnrun.errors import DataError, RunError
from cnnrun.evaluation import baselines as module
from cnnrun.evaluation.baselines import (
    Baselines,
    first_by_hash,
    neighbours_right,
    neighbours_shares,
)
from cnnrun.evaluation.finished_runs import evaluate_run
from cnnrun.runs.data_states import images_of
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder
from cnnrun.training.train import train

pytestmark = pytest.mark.usefixtures("without_pictures")

MakeConfig = Callable[..., Config]


@pytest.fixture
def images(image_folder: Path, tmp_path: Path) -> Path:
    """Images that a test may change."""
    return Path(shutil.copytree(image_folder, tmp_path / "images"))


@pytest.fixture
def run(make_config: MakeConfig, images: Path, tmp_path: Path) -> RunFolder:
    data = {"directory": str(images), "image_size": [6, 6]}
    config = make_config(data=data, train={"epochs": 1, "batch_size": 8})
    return train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)


def baselines_of(run: RunFolder, *, data: Path | None = None) -> Baselines:
    found = evaluate_run(run, data=data, baselines=True).baselines
    assert found is not None
    return found


def test_neighbours_are_those_of_scikit_learn_on_the_recorded_images(
    run: RunFolder, images: Path
) -> None:
    decoding = decoding_of(load_config(run.resolved_yaml).data)
    recorded = images_of(run)
    assert recorded is not None

    def of(split: str) -> tuple[np.ndarray, list[str]]:
        some = [each for each in recorded if each.split == split]
        pixels = [decode_image(images / each.path, decoding=decoding) for each in some]
        return np.stack(pixels).reshape(len(some), -1), [each.label for each in some]

    (known, labels), (asked, truth) = of("train"), of("test")
    nearest = KNeighborsClassifier().fit(known.astype(np.float64), labels)
    right = int((nearest.predict(asked.astype(np.float64)) == np.array(truth)).sum())
    found = baselines_of(run)
    one = found.each["nearest_neighbours"]
    interval = binomtest(right, len(truth)).proportion_ci(method="wilson")
    assert one.value == right / len(truth)
    assert one.interval == pytest.approx((interval.low, interval.high), abs=1e-9)
    assert (found.compared, found.training) == (len(labels), len(labels))
    written = json.loads(run.result_json.read_text())["baselines"]
    assert {name: found.each[name].value for name in written} == written


def test_many_test_images_in_parts_are_as_all_at_once() -> None:
    random = np.random.default_rng(5)
    pixels = random.integers(0, 256, (400, 4, 4, 1), dtype=np.uint8)
    asked = random.integers(0, 256, (600, 4, 4, 1), dtype=np.uint8)
    classes, labels = random.integers(0, 3, 400, np.int32), random.integers(0, 3, 600, np.int32)
    right = neighbours_right(pixels, classes, read_test=lambda rows: asked[rows], labels=labels)
    oracle = KNeighborsClassifier().fit(pixels.reshape(400, -1).astype(float), classes)
    assert right == (oracle.predict(asked.reshape(600, -1).astype(float)) == labels).sum()


def test_which_are_chosen_depends_on_their_paths_alone() -> None:
    def chosen(paths: list[str]) -> set[str]:
        labels = np.zeros(len(paths), np.int32)
        ids = image_ids(paths)
        manifest = Manifest(None, tuple(paths), labels, ("a",), None, None, ids, None, None, ())
        rows = first_by_hash(manifest, np.arange(len(paths)), at_most=len(paths) // 2)
        assert list(rows) == sorted(rows)
        return {paths[row] for row in rows}

    paths = [f"a/{number}.png" for number in range(40)]
    assert chosen(paths) == chosen(paths[::-1])
    assert len(chosen(paths)) == 20
    assert chosen(paths) != set(paths[:20])


def test_fewer_images_than_there_are(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setattr(module, "IMAGES_AT_MOST", 4)
    found = baselines_of(run)
    assert (found.neighbours, found.compared) == (4, 4)
    assert found.sentence == snapshot


def test_training_images_that_have_changed(
    run: RunFolder, images: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    recorded = images_of(run)
    assert recorded is not None
    trained = [images / each.path for each in recorded if each.split == "train"]
    others = tmp_path / "others"
    shutil.copytree(images, others)
    whole = baselines_of(run, data=others)
    trained[0].write_bytes(trained[1].read_bytes())
    changed = baselines_of(run, data=others)
    assert changed.notes == snapshot
    assert changed.training == whole.training - 1
    for each in trained[2:]:
        each.write_bytes(trained[1].read_bytes())
    trained[1].write_bytes((images / recorded[0].path).read_bytes() + b"\0")
    with pytest.raises(RunError) as refusal:
        baselines_of(run, data=others)
    assert str(refusal.value).replace(str(tmp_path), "<folder>") == snapshot
    shutil.rmtree(images)
    with pytest.raises(DataError, match="no such folder"):
        baselines_of(run, data=others)


def test_of_several_labels_the_neighbours_shares_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    pixels, tested = (random.integers(0, 255, (number, 3, 3, 1)) for number in (40, 9))
    labels = (random.random((40, 2)) < 0.4).astype(np.int32)
    truth = np.zeros((9, 2), np.int32)
    found = neighbours_shares(pixels, labels, read_test=lambda rows: tested[rows], labels=truth)
    for label in range(2):
        expected = KNeighborsClassifier(5, algorithm="brute")
        expected.fit(pixels.reshape(40, -1), labels[:, label])
        np.testing.assert_allclose(
            found[:, label], expected.predict_proba(tested.reshape(9, -1))[:, 1]
        )
