"""Runs whose images have several labels: trained, tested, looked at again.

Oracles: stock Keras's `evaluate` for the loss, scikit-learn for the numbers, the run itself.
"""

import csv
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from cnnrun.ablation.analysis.compared_runs import compare_groups
from cnnrun.cli.predict import document_of
from cnnrun.config.load import load_config
from cnnrun.errors import ConfigError
from cnnrun.evaluation.evaluate import LabelEvaluation
from cnnrun.evaluation.finished_runs import evaluate_run
from cnnrun.evaluation.prediction import Prediction, predict, run_classifier, with_arrays
from cnnrun.evaluation.views import views_of
from cnnrun.pages.run_page import run_page
from cnnrun.runs.comparing import compare_runs
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.result import read_result
from cnnrun.training.train import train

from ..listening import Heard

LABELS = ("top", "left", "bright")
CONFIG = """\
data:
  arrays: %s
  task: multi_label
  classes: [top, left, bright]
  split: {validation: 0.3, test: 0.3}
model: {layers: [Flatten, {Dense: {units: 12, activation: relu}}, classifier]}
train:
  epochs: 4
  batch_size: 128
  optimizer: {Adam: {learning_rate: 0.03}}
  metrics: [accuracy, {AUC: {curve: PR, multi_label: true}}]
"""


def write_images(file: Path, *, unknown: float = 0.0, images: int = 160) -> None:
    """Images with a bright top half, a bright left half, or neither; and brighter ones."""
    generator = np.random.default_rng(0)
    labels = (generator.random((images, 3)) < [0.5, 0.4, 0.3]).astype(np.int8)
    pixels = generator.integers(0, 60, (images, 6, 6))
    pixels[:, :3] += 80 * labels[:, 0, None, None]
    pixels[:, :, :3] += 70 * labels[:, 1, None, None]
    pixels += 30 * labels[:, 2, None, None]
    labels[generator.random(labels.shape) < unknown] = -1
    np.savez(file, images=pixels.astype(np.uint8), labels=labels)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    """One run with labels all known; one with unknown ones, weighed, with one threshold for all."""
    folder = tmp_path_factory.mktemp("labels")
    made = {}
    for name, unknown, more in (
        ("known", 0.0, ""),
        ("unknown", 0.2, "  class_weight: balanced\n  thresholds: {each: false}\n"),
    ):
        write_images(folder / f"{name}.npz", unknown=unknown)
        (folder / f"{name}.yaml").write_text(CONFIG % f"{name}.npz" + more)
        config = load_config(folder / f"{name}.yaml")
        made[name] = train(config, experiments=folder, into=folder / name, listener=Heard())
    return made


def predictions_of(run: RunFolder) -> tuple[np.ndarray, np.ndarray]:
    """The truths and probabilities of predictions.csv."""
    with run.predictions_csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    truths = [[float(row[f"truth of {name}"] or -1) for name in LABELS] for row in rows]
    given = [[float(row[f"probability of {name}"]) for name in LABELS] for row in rows]
    return np.array(truths), np.array(given)


def test_numbers_are_those_of_keras_and_scikit_learn(runs: dict[str, RunFolder]) -> None:
    run = runs["known"]
    result = read_result(run)
    assert result.test is not None
    truths, given = predictions_of(run)
    thresholds = json.loads(run.thresholds_json.read_text())["thresholds"]
    said = given >= [thresholds[name] for name in LABELS]

    assert result.test["mean_average_precision"] == pytest.approx(
        average_precision_score(truths, given), abs=1e-4
    )
    assert result.test["macro_f1"] == pytest.approx(f1_score(truths, said, average="macro"))
    low, high = result.test["intervals"]["mean_average_precision"]
    assert low <= result.test["mean_average_precision"] <= high
    model = keras.models.load_model(run.model_keras)
    model.compile(loss="binary_crossentropy")
    pixels = np.load(run.path.parent / "known.npz")["images"][..., None]
    with run.predictions_csv.open(newline="") as file:
        rows = [int(row["path"].split("[")[1][:-1]) for row in csv.DictReader(file)]
    of_keras = model.evaluate(pixels[rows], truths, verbose=0)
    assert result.test["loss"] == pytest.approx(of_keras, rel=1e-5)


def test_it_learns_and_unknown_labels_are_left_out(runs: dict[str, RunFolder]) -> None:
    for run in runs.values():
        truths, given = predictions_of(run)
        known = truths >= 0
        result = read_result(run)
        assert result.test is not None
        wanted = [
            average_precision_score(truths[known[:, label], label], given[known[:, label], label])
            for label in range(3)
        ]
        assert result.test["mean_average_precision"] == pytest.approx(np.mean(wanted), abs=1e-4)
        assert result.test["mean_average_precision"] > result.baselines["prevalence"]
    assert (
        len(set(json.loads(runs["unknown"].thresholds_json.read_text())["thresholds"].values()))
        == 1
    )


@pytest.mark.parametrize("name", ["known", "unknown"])
def test_a_run_evaluates_to_what_it_recorded(name: str, runs: dict[str, RunFolder]) -> None:
    evaluated = evaluate_run(runs[name], data=None)

    recorded = read_result(runs[name]).test
    assert recorded is not None
    assert isinstance(evaluated.evaluation, LabelEvaluation)
    scores = evaluated.evaluation.scores.as_json()
    assert {key: recorded[key] for key in scores} == scores


def test_labels_are_measured_by_the_mean_over_views(runs: dict[str, RunFolder]) -> None:
    """Oracle: Keras's predictions of each view, averaged."""
    run = runs["known"]
    evaluated = evaluate_run(run, data=None, augment=("flip", "shift"))
    pixels = np.load(run.path.parent / "known.npz")["images"][evaluated.evaluation.rows, ..., None]
    model = keras.models.load_model(run.model_keras)
    looks = views_of(("flip", "shift"), image_size=(6, 6)).looks
    by_hand = np.mean([model(look(pixels).astype(np.float32)) for look in looks], axis=0)
    np.testing.assert_allclose(evaluated.evaluation.probabilities, by_hand, atol=2e-6)
    assert evaluated.averaged.startswith("probabilities are means over 10 views")


def test_it_predicts_every_label_whose_probability_reaches_its_threshold(
    runs: dict[str, RunFolder],
) -> None:
    """Oracle: what predictions.csv says of the same images."""
    run = runs["known"]
    with run.predictions_csv.open(newline="") as file:
        rows = list(csv.DictReader(file))
    pixels = np.load(run.path.parent / "known.npz")["images"][..., None]
    images = [Path(row["path"]) for row in rows]
    arrays = {image: pixels[int(image.name.split("[")[1][:-1])] for image in images}

    classifier = with_arrays(run_classifier(run), arrays, value_range=None)
    predicted = list(predict(classifier, images, top=1, on_bad_image="error"))

    for row, each in zip(rows, predicted, strict=True):
        assert isinstance(each, Prediction)
        assert each.said is not None
        assert {label.name for label in each.said} == set(filter(None, row["said"].split("|")))
        assert {label.name for label in each.classes} >= {label.name for label in each.said}
        assert document_of(each)["labels"] == [label.name for label in each.said]


def test_the_page_shows_each_label_and_what_stands_together(runs: dict[str, RunFolder]) -> None:
    page = run_page(runs["known"])

    assert "which of 3 labels an image has" in page
    assert all(f'<th scope="row">{name}</th>' in page for name in LABELS)
    plots = {path.name for path in runs["known"].plots.iterdir()}
    assert plots == {
        "co_occurrence.png",
        "label_confusion.png",
        "learning_curves.png",
        "mistakes.png",
    }


def test_two_runs_are_compared_image_by_image(runs: dict[str, RunFolder]) -> None:
    comparison = compare_runs([runs["known"].path, runs["known"].path.parent / "unknown"])

    compared, _ = compare_groups(comparison.groups)

    assert {each.matched_by for each in compared} <= {"content", "path"}


def test_nearest_neighbours_are_a_baseline(runs: dict[str, RunFolder], snapshot: object) -> None:
    found = evaluate_run(runs["unknown"], data=None, baselines=True).baselines
    assert found is not None
    truths, _ = predictions_of(runs["unknown"])
    common = [np.mean(truths[truths[:, label] >= 0, label]) for label in range(3)]
    neighbours, any_order = found.each["nearest_neighbours"], found.each["any_order"]
    assert any_order.value == pytest.approx(np.mean(common))
    low, high = neighbours.interval
    assert any_order.value < neighbours.value
    assert low <= neighbours.value <= high
    assert set(found.as_json()["intervals"]) == {"nearest_neighbours"}
    assert (found.measure, found.sentence) == snapshot


BAD = {
    "softmax": ("{layers: [Flatten, {Dense: {units: 3, activation: softmax}}]}", "{}"),
    "loss of classes": ("{layers: [Flatten, classifier]}", "{loss: CategoricalCrossentropy}"),
    "sum": ("{layers: [Flatten, classifier]}", "{loss: {BinaryCrossentropy: {reduction: sum}}}"),
    "metric of classes": (
        "{layers: [Flatten, classifier]}",
        "{metrics: [TopKCategoricalAccuracy]}",
    ),
    "weights by name": ("{layers: [Flatten, classifier]}", "{class_weight: {top: 2}}"),
}
BAD_DATA = {
    "folder": "{directory: images, image_size: [6, 6], task: multi_label}",
    "share": "{arrays: a.npz, task: multi_label, train_share: 0.5}",
    "separator": '{csv: {file: a.csv, separator: "|"}, image_size: [6, 6]}',
    "label_map": "{arrays: a.npz, label_map: {a: b}}",
    "pixels": "{csv: {file: a.csv, pixels: p}, task: multi_label}",
}


@pytest.mark.parametrize("case", [*BAD, *BAD_DATA, "thresholds"])
def test_configs_that_contradict_themselves(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: object
) -> None:
    monkeypatch.chdir(tmp_path)
    data = BAD_DATA.get(case, "{arrays: a.npz, task: multi_label}")
    model, section = BAD.get(case, ("{layers: [Flatten, classifier]}", "{}"))
    if case == "thresholds":
        data, section = "{arrays: a.npz}", "{thresholds: {each: false}}"
    Path("config.yaml").write_text(f"data: {data}\nmodel: {model}\ntrain: {section}\n")

    with pytest.raises(ConfigError) as error:
        load_config(Path("config.yaml"))

    assert str(error.value) == snapshot
