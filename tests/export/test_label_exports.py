"""Exports of runs whose images have several labels.

Oracles: stock Keras's model.keras, what `cnnrun predict` and `evaluate` say, scikit-learn.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from sklearn.metrics import accuracy_score, average_precision_score
from syrupy.assertion import SnapshotAssertion

from cnnrun.calibration.calibration_file import write_label_calibration
from cnnrun.calibration.label_map import LabelMap
from cnnrun.cli.export import agreement_lines, print_export, refuse_disagreement
from cnnrun.errors import DisagreementError, ExportError
from cnnrun.evaluation.evaluate import LabelEvaluation
from cnnrun.evaluation.finished_runs import evaluate_run
from cnnrun.evaluation.prediction import Prediction, predict, run_classifier
from cnnrun.export.export_run import Wanted
from cnnrun.export.exported_network import evaluate_exported, exported_classifier
from cnnrun.export.folder import open_export
from cnnrun.export.formats import FORMATS
from cnnrun.export.gate import label_agreement
from cnnrun.export.networks import open_network
from cnnrun.export.predict_script import predict_script
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.made_by import load_resolved

MakeExported = Callable[..., Any]

LABELS = ("top", "left", "bright")


@pytest.fixture
def run(make_trained: Callable[..., RunFolder], label_sections: Mapping[str, Any]) -> RunFolder:
    return make_trained(**label_sections)


def images_of(run: RunFolder) -> list[Path]:
    table = load_resolved(run).data.csv
    assert table is not None
    return sorted(table.file.parent.glob("*.png"))[:40]


def by_name(found: list[Any]) -> list[tuple[dict[str, float], set[str]]]:
    """The probabilities of each image, and the labels that are said."""
    rows = []
    for each in found:
        assert isinstance(each, Prediction)
        assert each.said is not None
        named = zip(each.classes, each.probabilities, strict=True)
        rows.append(({one.name: value for one, value in named}, {one.name for one in each.said}))
    return rows


@pytest.mark.parametrize(
    ("name", "calibrated"),
    [("onnx", False), ("onnx", True), ("litert", True), ("saved_model", True)],
)
def test_a_folder_says_what_the_run_says(
    run: RunFolder, exported: MakeExported, name: str, calibrated: bool
) -> None:
    if calibrated:
        applied = LabelMap("vector", np.array([0.4, 2.5, 1.2]), np.array([-1.0, 0.3, 0.5]))
        write_label_calibration(run, applied, further={})
    found = exported(run, name, calibrated=calibrated)
    assert found.report.passed
    assert found.report.agreement.largest_difference < 1e-5
    opened = open_export(found.folder)
    images = images_of(run)

    of_run = predict(
        run_classifier(run, calibrated=calibrated), images, top=3, on_bad_image="error"
    )
    of_folder = predict(exported_classifier(opened), images, top=3, on_bad_image="error")
    for (own, said), (theirs, they_say) in zip(
        by_name(list(of_run)), by_name(list(of_folder)), strict=True
    ):
        assert theirs == pytest.approx(own, abs=1e-5)
        assert they_say == said

    test = evaluate_run(run, data=None, calibrated=calibrated).evaluation
    there = evaluate_exported(opened, data=None).evaluation
    assert isinstance(test, LabelEvaluation)
    assert isinstance(there, LabelEvaluation)
    assert there.scores.metrics == pytest.approx(test.scores.metrics, abs=1e-5)
    np.testing.assert_allclose(there.scores.thresholds, test.scores.thresholds)


def test_the_sigmoid_of_logits_is_in_the_file(run: RunFolder, exported: MakeExported) -> None:
    """Oracle: the sigmoid of what Keras gives."""
    model = keras.saving.load_model(run.model_keras, compile=False)
    model.layers[-1].activation = keras.activations.linear
    model.save(run.model_keras)
    resolved = yaml.safe_load(run.resolved_yaml.read_text())
    resolved["train"]["loss"] = {"BinaryCrossentropy": {"from_logits": True}}
    resolved["model"]["layers"][-1] = {"Dense": {"units": 3}}
    run.resolved_yaml.write_text(yaml.safe_dump(resolved, sort_keys=False))
    opened = open_export(exported(run).folder)
    pixels = np.random.default_rng(0).uniform(0, 255, (5, 6, 6, 1)).astype(np.float32)
    expected = 1 / (1 + np.exp(-np.asarray(model(pixels, training=False), np.float64)))
    given = open_network(opened.form, opened.network, threads=None)(pixels)
    np.testing.assert_allclose(given, expected, atol=1e-6)


def test_16_and_8_bits_are_held_against_each_label(run: RunFolder, exported: MakeExported) -> None:
    for name in ("onnx", "litert"):
        for precision in ("float16", "int8"):
            agreement = exported(run, name, precision=precision, min_agreement=0.0).report.agreement
            assert set(agreement.labels) == {"top", "left", "bright"}
            assert agreement.lowest == min(agreement.labels.values())
            assert 0 < agreement.largest_difference < 0.3


def test_predict_py_tells_labels_without_cnnrun_and_tensorflow(
    run: RunFolder, exported: MakeExported
) -> None:
    """Oracle: `cnnrun predict`. Thresholds are high, so that half of the images get no label."""
    images = images_of(run)
    own = by_name(list(predict(run_classifier(run), images, top=3, on_bad_image="error")))
    high = np.median([max(probabilities.values()) for probabilities, _ in own])
    thresholds = dict.fromkeys(("top", "left", "bright"), float(high))
    run.thresholds_json.write_text(json.dumps({"thresholds": thresholds}))
    folder = exported(run).folder
    for module in ("tensorflow", "cnnrun", "keras"):
        (folder / f"{module}.py").write_text("raise SystemExit(99)")
    command = [sys.executable, folder / "predict.py", *images]
    ended = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    documents = [json.loads(line) for line in ended.stdout.splitlines()]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    expected = by_name(list(predict(run_classifier(run), images, top=3, on_bad_image="error")))
    assert len(documents) == len(expected)
    for image, document, (probabilities, said) in zip(images, documents, expected, strict=True):
        assert document["probabilities"] == pytest.approx(probabilities, abs=1e-5)
        assert set(document["labels"]) == said
        shown = {line.split("\t")[1] for line in lines if line.startswith(f"{image}\t")}
        assert shown == (said or {"(none of the labels)"})
    assert 0 < sum(bool(said) for _, said in expected) < len(images)
    opened = open_export(folder)
    of_classes = predict_script(opened.form, "model.onnx", opened.rule, is_multi_label=False)
    longer = len((folder / "predict.py").read_text().splitlines()) - len(of_classes.splitlines())
    assert longer <= 4


def test_a_folder_elsewhere_is_held_against_a_table_of_either_form(
    run: RunFolder, exported: MakeExported, tmp_path: Path
) -> None:
    """Oracle: what the folder says of the same images beside its run, label by label."""
    folder = Path(shutil.copytree(exported(run).folder, tmp_path / "elsewhere"))
    there = evaluate_run(run, data=None)
    assert isinstance(there.evaluation, LabelEvaluation)
    manifest, rows = there.manifest, there.evaluation.rows
    known = rows[(manifest.labels[rows] >= 0).all(axis=1)].tolist()
    of_columns, joined = ["path,top,left,bright"], ["path,label"]
    for row in known:
        numbers = manifest.labels[row, [manifest.classes.index(n) for n in LABELS]]
        of_columns.append(f"{manifest.file(row)},{','.join(map(str, numbers))}")
        joined.append(f"{manifest.file(row)},{manifest.label_text(row)}")
    (tmp_path / "columns.csv").write_text("\n".join(of_columns))
    (tmp_path / "joined.csv").write_text("\n".join(joined))
    found = {}
    for name in ("columns", "joined"):
        evaluated = evaluate_exported(open_export(folder), data=tmp_path / f"{name}.csv")
        assert isinstance(evaluated.evaluation, LabelEvaluation)
        found[name] = evaluated.evaluation.scores.metrics
    assert found["columns"] == found["joined"]
    said = there.evaluation.said[np.isin(rows, known)]
    assert found["columns"]["exact_match"] == pytest.approx(
        accuracy_score(manifest.labels[known], said)
    )


def test_the_card_names_labels_thresholds_and_limits(
    run: RunFolder, exported: MakeExported, snapshot: SnapshotAssertion
) -> None:
    """The words; numbers are of the machine. Oracle of the table: predictions.csv's truths."""
    folder = exported(run).folder
    card = (folder / "README.md").read_text()
    first = yaml.safe_load(card.split("---")[1])
    assert "multi-label" in first["tags"]
    thresholds = json.loads((folder / "thresholds.json").read_text())
    assert thresholds == json.loads(run.thresholds_json.read_text())["thresholds"]
    for name, threshold in thresholds.items():
        assert f"| {name} | {threshold:.3f} |" in re.sub(" +", " ", card)
    words = re.sub(r"[+-]?\d[\d.,]*(e-\d+)?", "#", card.split("---", 2)[2])
    assert re.sub(r" +", " ", re.sub("-{3,}", "-", words)) == snapshot


def test_what_is_printed_and_what_fails(
    run: RunFolder,
    exported: MakeExported,
    snapshot: SnapshotAssertion,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The words; numbers are of the machine. No file can agree for more images than there are."""
    monkeypatch.setenv("COLUMNS", "100")
    found = exported(run, min_agreement=1.1)
    capsys.readouterr()
    print_export(replace(found.report, trained_in="mixed_bfloat16", trained_top1=0.985))
    printed = re.sub(r"[+-]?\d[\d.,]*(e-\d+)?", "#", capsys.readouterr().out)
    assert re.sub(r" +", " ", re.sub("─+", "─", printed)) == snapshot(name="printed")
    wanted = Wanted(FORMATS["onnx"], "float32", None, False, 1.1)
    with pytest.raises(DisagreementError) as error:
        refuse_disagreement(Path("run"), found, wanted)
    assert str(error.value).replace(str(run.path), "RUN") == snapshot(name="refused")


def test_agreement_is_counted_label_by_label(snapshot: SnapshotAssertion) -> None:
    """Oracles: counting by hand; scikit-learn's exact match and average precision."""
    random = np.random.default_rng(0)
    keras_gives = random.random((200, 3))
    labels = (random.random((200, 3)) < keras_gives).astype(np.int32)
    given = keras_gives.copy()
    given[:10, 1] = 1 - given[:10, 1]
    thresholds = np.array([0.5, 0.4, 0.6])
    found = label_agreement(
        given, keras_gives, labels, thresholds=thresholds, names=("a", "b", "c"), split="test"
    )
    differs = (given[:, 1] >= 0.4) != (keras_gives[:, 1] >= 0.4)
    assert found.labels == {"a": 1, "b": pytest.approx(1 - differs.mean()), "c": 1}
    assert (found.lowest_label, found.decisive) == ("b", found.labels["b"])
    assert found.same_labels == found.lowest
    assert found.exact_match == pytest.approx(accuracy_score(labels, given >= thresholds))
    assert found.keras_exact_match == pytest.approx(
        accuracy_score(labels, keras_gives >= thresholds)
    )
    assert found.mean_average_precision == pytest.approx(average_precision_score(labels, given))
    low, high = found.difference_interval
    assert low <= found.difference <= high
    assert list(agreement_lines(found)) == snapshot
    broken = np.full_like(given, np.nan)
    nothing = label_agreement(
        broken, keras_gives, labels, thresholds=thresholds, names=("a", "b", "c"), split="test"
    )
    assert nothing.decisive == 0


def test_thresholds_that_were_changed_or_lost_are_refused(
    run: RunFolder, exported: MakeExported, snapshot: SnapshotAssertion
) -> None:
    folder = exported(run).folder
    said = {}
    thresholds = json.loads((folder / "thresholds.json").read_text())
    for name, content in {
        "changed": json.dumps(thresholds | {"top": 0.5}),
        "beyond": json.dumps(thresholds | {"top": 2}),
        "lost": None,
    }.items():
        if content is None:
            (folder / "thresholds.json").unlink()
        else:
            (folder / "thresholds.json").write_text(content)
        with pytest.raises(ExportError) as error:
            open_export(folder)
        said[name] = str(error.value).replace(str(folder), "FOLDER")
    assert said == snapshot
