"""A run is calibrated. Oracles: its own predictions, SciPy on them, and what it recorded."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from PIL import Image
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.metrics import log_loss
from syrupy.assertion import SnapshotAssertion

from cnnrun.calibration.calibration_file import read_calibration
from cnnrun.config.load import load_config
from cnnrun.data.sources import read_manifest
from cnnrun.errors import InputError, RunError
from cnnrun.evaluation.calibrate import Wanted, calibrate_run
from cnnrun.evaluation.finished_runs import evaluate_run
from cnnrun.evaluation.prediction import Prediction, predict, run_classifier
from cnnrun.evaluation.recorded_rows import recorded_rows
from cnnrun.evaluation.views import views_of
from cnnrun.runs.data_states import images_of
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.made_by import load_resolved
from cnnrun.training.train import train

TEMPERATURE = Wanted("temperature", None, None)
IMAGES_A_CLASS = 120
LAYERS = [{"Dense": {"units": 8, "activation": "relu"}}]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes that overlap: no network tells all of them apart."""
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for label, name in enumerate(("dark", "grey", "light")):
        (folder / name).mkdir()
        for number in range(IMAGES_A_CLASS):
            centre = random.normal(70 + 55 * label, 25)
            pixels = random.normal(centre, 10, size=(4, 4)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:03}.png")
    return folder


@pytest.fixture(scope="module")
def trained(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run that is not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    data = {"directory": str(photographs), "image_size": [4, 4], "color_mode": "grayscale"}
    config = {
        "data": data | {"split": {"validation": 0.35, "test": 0.35}},
        "model": {"layers": ["GlobalAveragePooling2D", *LAYERS, "classifier"]},
        "train": {"epochs": 12, "batch_size": 8, "optimizer": {"Adam": {"learning_rate": 0.03}}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    checked = load_config(folder / "config.yaml")
    return train(checked, experiments=folder, into=folder / "run", listener=silent)


@pytest.fixture
def run(trained: RunFolder, tmp_path: Path) -> RunFolder:
    return RunFolder(shutil.copytree(trained.path, tmp_path / "run"))


def probabilities_of(run: RunFolder, split: str) -> tuple[np.ndarray, np.ndarray]:
    """What the run predicts for the images that it recorded of a split, and their labels."""
    recorded = [each for each in images_of(run) or () if each.split == split]
    root = load_resolved(run).data.directory
    assert root is not None
    files = [root / each.path for each in recorded]
    classes = json.loads(run.classes_json.read_text())
    found = predict(run_classifier(run), files, top=len(classes), on_bad_image="error")
    rows = []
    for each in found:
        assert isinstance(each, Prediction)
        named = zip(each.classes, each.probabilities, strict=True)
        by_name = {one.name: probability for one, probability in named}
        rows.append([by_name[name] for name in classes])
    return np.array(rows), np.array([classes.index(each.label) for each in recorded])


def test_the_temperature_is_fitted_to_the_validation_images_and_to_no_others(
    run: RunFolder,
) -> None:
    """Oracle: SciPy's minimum over what `predict` says of the images that were recorded."""
    probabilities, labels = probabilities_of(run, "validation")

    def loss(temperature: float) -> float:
        scaled = log_softmax(np.log(probabilities) / temperature, axis=1)
        return -scaled[np.arange(len(labels)), labels].mean()

    oracle = minimize_scalar(loss, bounds=(0.05, 20)).x
    calibrated = calibrate_run(run, TEMPERATURE)
    assert calibrated.images == len(labels)
    assert calibrated.calibration.map.temperature == pytest.approx(oracle, rel=1e-4)
    assert read_calibration(run, classes=3).map.temperature == pytest.approx(oracle, rel=1e-4)


def test_before_and_after_are_of_the_test_images(run: RunFolder) -> None:
    """Oracles: scikit-learn's log_loss on predictions.csv, and on what `--calibrated` predicts."""
    tested = calibrate_run(run, TEMPERATURE).tested
    assert tested is not None
    with run.predictions_csv.open() as file:
        rows = list(csv.DictReader(file))
    classes = json.loads(run.classes_json.read_text())
    own = np.array([[float(row[f"probability of {name}"]) for name in classes] for row in rows])
    labels = [classes.index(row["label"]) for row in rows]
    assert tested.before.images == len(rows)
    assert tested.before.log_loss == pytest.approx(
        log_loss(labels, own / own.sum(axis=1, keepdims=True)), rel=1e-4
    )
    calibrated = evaluate_run(run, data=None, calibrated=True).evaluation
    assert tested.after.log_loss == pytest.approx(
        log_loss(labels, calibrated.probabilities), rel=1e-5
    )
    assert calibrated.scores.loss == pytest.approx(tested.after.log_loss, rel=1e-4)
    assert calibrated.scores.accuracy == tested.after.accuracy == tested.before.accuracy
    assert (run.plots / "reliability.png").exists()


def end_with(run: RunFolder, *, units: int, activation: str | None, loss: Any) -> None:
    """Gives the run another network, whose weights tell brightness, and another loss."""
    layers = [
        keras.Input((4, 4, 1)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(units, activation=activation),
    ]
    model = keras.Sequential(layers)
    slopes = np.linspace(-9, 9, units) if units > 1 else np.array([20.0])
    model.layers[-1].set_weights([slopes[None], -slopes * (0.5 if units > 1 else 0.4)])
    model.save(run.model_keras)
    resolved = yaml.safe_load(run.resolved_yaml.read_text())
    resolved["model"]["layers"][-1] = {"Dense": {"units": units, "activation": activation}}
    resolved["train"]["loss"] = loss
    run.resolved_yaml.write_text(yaml.safe_dump(resolved, sort_keys=False))


@pytest.mark.parametrize("method", ["temperature", "vector"])
@pytest.mark.parametrize("activation", [None, "sigmoid"], ids=["logits", "independent sigmoids"])
def test_whatever_the_last_layer_gives(activation: str | None, method: Any, run: RunFolder) -> None:
    """Oracle: the loss is the one of the calibrated probabilities, written out."""
    from_logits = {"SparseCategoricalCrossentropy": {"from_logits": True}}
    loss = "BinaryCrossentropy" if activation else from_logits
    end_with(run, units=3, activation=activation, loss=loss)
    tested = calibrate_run(run, Wanted(method, None, None)).tested
    assert tested is not None
    probabilities, labels = probabilities_of(run, "test")
    applied = read_calibration(run, classes=3).map
    scaled = log_softmax(np.log(probabilities) * applied.scale + applied.bias, axis=1)
    expected = -scaled[np.arange(len(labels)), labels].mean()
    assert tested.after.log_loss == pytest.approx(expected, rel=1e-4)


def test_one_unit_for_two_classes(run: RunFolder, photographs: Path, tmp_path: Path) -> None:
    """Oracle: the log-odds divided by the temperature."""
    shutil.copytree(photographs, tmp_path / "two", ignore=lambda _, names: {"light"} & set(names))
    use_images(run, tmp_path / "two", classes=["dark", "grey"])
    end_with(run, units=1, activation="sigmoid", loss="BinaryCrossentropy")
    temperature = calibrate_run(run, TEMPERATURE).calibration.map.temperature
    assert temperature != 1
    evaluations = [
        evaluate_run(run, data=None, calibrated=calibrated).evaluation.probabilities
        for calibrated in (False, True)
    ]
    odds = np.log(evaluations[0][:, 1] / evaluations[0][:, 0]) / temperature
    np.testing.assert_allclose(evaluations[1][:, 1], 1 / (1 + np.exp(-odds)), rtol=1e-4)


@pytest.mark.parametrize(
    ("units", "activation"), [(3, "sparsemax"), (3, "hard_sigmoid"), (1, "linear")]
)
def test_what_has_no_log_odds_is_refused(
    units: int, activation: str, run: RunFolder, snapshot: SnapshotAssertion
) -> None:
    end_with(run, units=units, activation=activation, loss="MeanSquaredError")
    assert refusal(run, TEMPERATURE) == snapshot


def refusal(run: RunFolder, wanted: Wanted) -> str:
    with pytest.raises((RunError, InputError)) as caught:
        calibrate_run(run, wanted)
    return str(caught.value).replace(str(run.path), "RUN")


def test_a_run_without_validation_images(
    run: RunFolder, photographs: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    use_images(run, without(run, photographs, tmp_path / "fewer", split="validation"))
    assert refusal(run, TEMPERATURE) == snapshot


def test_a_run_without_test_images_is_calibrated_and_not_judged(
    run: RunFolder, photographs: Path, tmp_path: Path
) -> None:
    use_images(run, without(run, photographs, tmp_path / "fewer", split="test"))
    calibrated = calibrate_run(run, TEMPERATURE)
    assert calibrated.tested is None
    assert calibrated.calibration.map.temperature > 0
    assert not (run.plots / "reliability.png").exists()


@pytest.mark.parametrize(
    "wanted", [Wanted("temperature", 0.99, None), Wanted("temperature", None, 0.999)]
)
def test_too_few_images_for_a_promise(
    wanted: Wanted, run: RunFolder, snapshot: SnapshotAssertion
) -> None:
    assert refusal(run, wanted) == snapshot
    assert not run.calibration_json.exists()


def test_a_network_that_is_always_right_keeps_its_probabilities(
    run: RunFolder, photographs: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """The validation images that it gets wrong were removed."""
    probabilities, labels = probabilities_of(run, "validation")
    folder = shutil.copytree(photographs, tmp_path / "right")
    recorded = [each for each in images_of(run) or () if each.split == "validation"]
    for image, is_right in zip(recorded, probabilities.argmax(axis=1) == labels, strict=True):
        if not is_right:
            (folder / image.path).unlink()
    use_images(run, folder)
    calibrated = calibrate_run(run, TEMPERATURE)
    assert calibrated.calibration.map.temperature == 1
    assert list(calibrated.notes) == snapshot


def test_vector_scaling_needs_every_class(
    run: RunFolder, photographs: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """The validation images of a class were removed since; the others are still the run's."""
    fewer = without(run, photographs, tmp_path / "fewer", split="validation", label="grey")
    use_images(run, fewer)
    assert refusal(run, Wanted("vector", None, None)) == snapshot
    assert list(calibrate_run(run, TEMPERATURE).notes) == snapshot


def without(
    run: RunFolder, photographs: Path, folder: Path, *, split: str, label: str = ""
) -> Path:
    """A copy of the photographs without those of a split (and of a class)."""
    shutil.copytree(photographs, folder)
    for each in images_of(run) or ():
        if each.split == split and label in ("", each.label):
            (folder / each.path).unlink()
    return folder


def use_images(run: RunFolder, folder: Path, *, classes: list[str] | None = None) -> None:
    """Has the run look for its images elsewhere, as though they had changed there."""
    resolved = yaml.safe_load(run.resolved_yaml.read_text())
    resolved["data"]["directory"] = str(folder)
    if classes is not None:
        resolved["data"]["classes"] = classes
        run.classes_json.write_text(json.dumps(classes))
    run.resolved_yaml.write_text(yaml.safe_dump(resolved, sort_keys=False))


def test_images_that_trained_it_are_never_taken_however_the_folder_grows(
    run: RunFolder, photographs: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """Oracle: the list that the run wrote; cutting the grown folder anew gives others."""
    shutil.copytree(photographs, tmp_path / "grown")
    random = np.random.default_rng(1)
    for name in ("dark", "light"):
        for number in range(200):
            pixels = random.integers(0, 255, (4, 4), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "grown" / name / f"new{number:03}.png")
    changed = next(each for each in images_of(run) or () if each.split == "validation")
    Image.new("L", (4, 4)).save(tmp_path / "grown" / changed.path)
    use_images(run, tmp_path / "grown")
    config = load_resolved(run)
    manifest = read_manifest(config.data)
    found = recorded_rows(run, config, manifest).splits
    split_of = {each.path: each.split for each in images_of(run) or ()}
    for split, rows in (("validation", found.validation), ("test", found.test)):
        assert {split_of[manifest.paths[row]] for row in rows} == {split}
    assert len(found.validation) == sum(each == "validation" for each in split_of.values()) - 1
    assert list(calibrate_run(run, TEMPERATURE).notes) == snapshot


def test_answers_and_sets_are_those_that_were_promised(run: RunFolder) -> None:
    """Oracle: what `predict --calibrated` says of the test images, counted."""
    tested = calibrate_run(run, Wanted("temperature", 0.8, 0.9)).tested
    assert tested is not None
    assert tested.answered is not None
    assert tested.right is not None
    assert tested.covered is not None
    recorded = [each for each in images_of(run) or () if each.split == "test"]
    root = load_resolved(run).data.directory
    assert root is not None
    classifier = run_classifier(run, calibrated=True)
    found = predict(
        classifier, [root / each.path for each in recorded], top=1, on_bad_image="error"
    )
    predictions = [each for each in found if isinstance(each, Prediction)]
    pairs = list(zip(predictions, recorded, strict=True))
    assert sum(bool(each.answered) for each in predictions) == tested.answered.count
    assert (
        sum(bool(each.answered) and each.classes[0].name == image.label for each, image in pairs)
        == tested.right.count
    )
    members = [[one.name for one in each.members or ()] for each in predictions]
    held = sum(image.label in names for names, (_, image) in zip(members, pairs, strict=True))
    assert held == tested.covered.count
    assert np.mean([len(names) for names in members]) == pytest.approx(tested.set_size)
    assert 0 < tested.answered.count < len(recorded)


def test_views_are_calibrated_one_by_one_before_they_are_averaged(run: RunFolder) -> None:
    """Oracle: Keras's probabilities of each view to the power of 1 / temperature, by NumPy."""
    temperature = calibrate_run(run, TEMPERATURE).calibration.map.temperature
    evaluated = evaluate_run(run, data=None, calibrated=True, augment=("shift",))
    files = [evaluated.manifest.file(row) for row in evaluated.evaluation.rows.tolist()]
    images = np.stack([np.asarray(Image.open(file)) for file in files])[..., None]
    model = keras.models.load_model(run.model_keras)
    views = []
    for look in views_of(("shift",), image_size=(4, 4)).looks:
        powers = np.asarray(model(look(images).astype(np.float32)), float) ** (1 / temperature)
        views.append(powers / powers.sum(axis=1, keepdims=True))
    found = evaluated.evaluation.probabilities
    np.testing.assert_allclose(found, np.mean(views, axis=0), atol=1e-5)
    plain = evaluate_run(run, data=None, augment=("shift",)).evaluation.probabilities
    assert np.abs(found - plain).max() > 1e-3
