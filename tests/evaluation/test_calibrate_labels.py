"""A run whose images have several labels is calibrated.

Oracles: what it evaluates to without and with the calibration, scikit-learn on that, and what it
recorded of its images.
"""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from syrupy.assertion import SnapshotAssertion

from cnnrun.calibration.calibration_file import (
    read_calibration,
    read_label_calibration,
    write_label_calibration,
)
from cnnrun.calibration.label_map import LabelMap
from cnnrun.calibration.probability_map import Method
from cnnrun.data.sources import read_manifest
from cnnrun.errors import CnnrunError, RunError
from cnnrun.evaluation.calibrate import Wanted, calibrate_run
from cnnrun.evaluation.calibrate_labels import calibrate_labels
from cnnrun.evaluation.evaluate import LabelEvaluation
from cnnrun.evaluation.finished_runs import evaluate_run
from cnnrun.evaluation.prediction import Prediction, predict, run_classifier
from cnnrun.evaluation.recorded_rows import recorded_rows
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.made_by import load_resolved


@pytest.fixture
def run(make_trained: Callable[..., RunFolder], label_sections: Mapping[str, Any]) -> RunFolder:
    return make_trained(**label_sections)


def rows_of(run: RunFolder, split: str) -> tuple[list[Path], np.ndarray]:
    """The files of a split, as the run recorded it, and their labels."""
    config = load_resolved(run)
    manifest = read_manifest(config.data)
    rows = getattr(recorded_rows(run, config, manifest).splits, split)
    return [manifest.file(row) for row in rows.tolist()], manifest.labels[rows]


def predicted(run: RunFolder, files: list[Path], *, calibrated: bool = False) -> np.ndarray:
    """What `cnnrun predict` says of files, `(images, labels)`."""
    names = json.loads(run.classes_json.read_text())
    found = predict(
        run_classifier(run, calibrated=calibrated), files, top=len(names), on_bad_image="error"
    )
    rows = []
    for each in found:
        assert isinstance(each, Prediction)
        named = zip(each.classes, each.probabilities, strict=True)
        by_name = {one.name: probability for one, probability in named}
        rows.append([by_name[name] for name in names])
    return np.array(rows)


def evaluated(run: RunFolder, *, calibrated: bool) -> LabelEvaluation:
    evaluation = evaluate_run(run, data=None, calibrated=calibrated).evaluation
    assert isinstance(evaluation, LabelEvaluation)
    return evaluation


def test_scales_and_biases_are_fitted_to_known_labels_of_validation_images(run: RunFolder) -> None:
    """Oracle: scikit-learn's logistic regression on what `predict` says of those images."""
    files, labels = rows_of(run, "validation")
    given = logit(predicted(run, files))
    fitted = calibrate_labels(run, "vector").fitted
    for label in range(3):
        known = labels[:, label] >= 0
        assert 0 < known.sum() < len(known)
        oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
        oracle.fit(given[known, label][:, None], labels[known, label])
        assert fitted.map.scale[label] == pytest.approx(oracle.coef_[0, 0], rel=1e-3)
        assert fitted.map.bias[label] == pytest.approx(oracle.intercept_[0], abs=1e-3)
    kept = read_label_calibration(run, labels=3)
    np.testing.assert_allclose(kept.scale, fitted.map.scale)


@pytest.mark.parametrize("method", ["temperature", "vector"])
def test_evaluations_and_predictions_take_it_and_say_the_same_labels(
    run: RunFolder, method: Any
) -> None:
    """Oracles: the sigmoid of the scaled log-odds; the decisions before."""
    before = evaluated(run, calibrated=False)
    calibrated = calibrate_labels(run, method)
    after = evaluated(run, calibrated=True)
    assert calibrated.tested is not None
    applied = calibrated.fitted.map
    expected = expit(logit(before.probabilities) * applied.scale + applied.bias)
    assert np.abs(expected - before.probabilities).max() > 0.01
    np.testing.assert_allclose(after.probabilities, expected, atol=1e-6)
    np.testing.assert_array_equal(after.said, before.said)
    np.testing.assert_allclose(after.scores.thresholds, calibrated.carried_over)
    assert after.scores.metrics["macro_f1"] == before.scores.metrics["macro_f1"]

    assert calibrated.tested.before.log_loss == pytest.approx(before.scores.loss, rel=1e-4)
    assert calibrated.tested.after.log_loss == pytest.approx(after.scores.loss, rel=1e-4)
    files, labels = rows_of(run, "test")
    np.testing.assert_allclose(predicted(run, files, calibrated=True), expected, atol=1e-6)
    for label, scores in enumerate(calibrated.tested.after.of_labels):
        assert scores is not None
        known = labels[:, label] >= 0
        assert scores.log_loss == pytest.approx(
            log_loss(labels[known, label], expected[known, label]), rel=1e-4
        )
    said = next(predict(run_classifier(run, calibrated=True), files, top=3, on_bad_image="error"))
    assert isinstance(said, Prediction)
    assert said.said is not None
    names = json.loads(run.classes_json.read_text())
    assert {each.name for each in said.said} == {
        name for name, is_said in zip(names, before.said[0], strict=True) if is_said
    }
    assert (run.plots / "reliability.png").exists()


def test_logits_are_calibrated_as_they_are(run: RunFolder) -> None:
    """Oracle: the same network with its sigmoid."""
    with_sigmoid = calibrate_labels(run, "vector").fitted.map
    model = keras.saving.load_model(run.model_keras, compile=False)
    model.layers[-1].activation = keras.activations.linear
    model.save(run.model_keras)
    resolved = yaml.safe_load(run.resolved_yaml.read_text())
    resolved["train"]["loss"] = {"BinaryCrossentropy": {"from_logits": True}}
    resolved["model"]["layers"][-1] = {"Dense": {"units": 3}}
    run.resolved_yaml.write_text(yaml.safe_dump(resolved, sort_keys=False))
    of_logits = calibrate_labels(run, "vector").fitted.map
    np.testing.assert_allclose(of_logits.scale, with_sigmoid.scale, rtol=1e-3)
    views = evaluate_run(run, data=None, calibrated=True, augment=("flip",)).evaluation
    assert isinstance(views, LabelEvaluation)
    assert 0 < views.probabilities.min() < views.probabilities.max() < 1


def test_labels_that_cannot_be_calibrated_are_named_and_left(
    run: RunFolder, snapshot: SnapshotAssertion
) -> None:
    """The validation images all have `top` now, and `left` is turned round."""
    config = load_resolved(run)
    assert config.data.csv is not None
    folder = Path(shutil.copytree(config.data.csv.file.parent, run.path.parent / "images"))
    validation = {file.name for file in rows_of(run, "validation")[0]}
    table = folder / "labels.csv"
    turned = {"0": "1", "1": "0", "": ""}
    header, *lines = table.read_text().splitlines()
    rows = [header]
    for line in lines:
        name, _, left, bright = line.split(",")
        rows.append(f"{name},1,{turned[left] if name in validation else left},{bright}")
    table.write_text("\n".join(rows))
    resolved = yaml.safe_load(run.resolved_yaml.read_text())
    resolved["data"]["csv"]["file"] = str(table)
    run.resolved_yaml.write_text(yaml.safe_dump(resolved, sort_keys=False))
    methods: tuple[Method, ...] = ("temperature", "vector")
    for method in methods:
        calibrated = calibrate_labels(run, method)
        assert set(calibrated.fitted.kept.values()) == {"one-sided", "not told"}
        assert list(calibrated.notes) == snapshot(name=method)


def test_a_file_of_another_kind_or_a_damaged_one(
    run: RunFolder, snapshot: SnapshotAssertion
) -> None:
    messages = {}
    with pytest.raises(RunError) as error:
        evaluate_run(run, data=None, calibrated=True)
    messages["none"] = str(error.value)
    applied = LabelMap("temperature", np.array([0.5, 2.0, 1.0]), np.zeros(3))
    write_label_calibration(run, applied, further={})
    np.testing.assert_allclose(read_label_calibration(run, labels=3).scale, applied.scale)
    written = json.loads(run.calibration_json.read_text())
    with pytest.raises(RunError):
        read_calibration(run, classes=3)
    for name, changed in {
        "negative": {"temperatures": [1.0, -1.0, 1.0]},
        "short": {"temperatures": [1.0, 1.0]},
        "of classes": {"temperatures": None, "temperature": 2.0},
        "scale of 0": {"method": "vector", "scale": [0.0, 1.0, 1.0], "bias": [0.0] * 3},
        "another model": {"model": "0" * 32},
    }.items():
        run.calibration_json.write_text(json.dumps(written | changed))
        with pytest.raises(RunError) as error:
            read_label_calibration(run, labels=3)
        messages[name] = str(error.value)
    shown = {name: text.replace(str(run.path), "RUN") for name, text in messages.items()}
    assert shown == snapshot


def test_the_calibration_of_classes_is_refused(run: RunFolder, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(CnnrunError) as error:
        calibrate_run(run, Wanted("temperature", None, None))
    assert str(error.value) == snapshot
