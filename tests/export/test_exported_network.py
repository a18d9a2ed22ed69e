"""Exported folders at work. Oracles: what the run itself predicts, and its result.json."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import DataError, ExportError
from cnnrun.evaluation.prediction import Prediction, predict, run_classifier
from cnnrun.export.exported_network import evaluate_exported, exported_classifier
from cnnrun.export.folder import ExportFolder, network_hash, open_export
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.result import read_result

MakeTrained = Callable[..., RunFolder]
MakeExported = Callable[..., Any]


def predicted(classifier: Any, images: list[Path]) -> list[Prediction]:
    found = list(predict(classifier, images, top=3, on_bad_image="error"))
    return [each for each in found if isinstance(each, Prediction)]


@pytest.mark.parametrize("name", ["onnx", "litert", "saved_model"])
def test_an_exported_folder_predicts_and_is_evaluated_as_its_run(
    in_all_formats: RunFolder, image_folder: Path, tmp_path: Path, name: str
) -> None:
    run = in_all_formats
    folder = run.path / "export" / name
    images = sorted(image_folder.rglob("*.png"))
    expected = predicted(run_classifier(run), images)
    for one, other in zip(
        predicted(exported_classifier(open_export(folder)), images), expected, strict=True
    ):
        assert [each.name for each in one.classes] == [each.name for each in other.classes]
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)
    own = evaluate_exported(open_export(folder), data=None).evaluation.scores
    test = read_result(run).test
    assert test is not None
    assert own.metrics == pytest.approx({key: test[key] for key in own.metrics}, abs=1e-5)
    elsewhere = shutil.copytree(folder, tmp_path / "elsewhere")
    there = evaluate_exported(open_export(elsewhere), data=image_folder)
    assert there.evaluation.scores.images == len(images)
    with pytest.raises(ExportError, match="no run that the folder stands beside"):
        evaluate_exported(open_export(elsewhere), data=None)


def test_a_run_on_arrays_is_exported_and_takes_arrays(
    make_trained: MakeTrained, exported: MakeExported, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    arrays = tmp_path / "arrays.npz"
    labels = np.arange(60) % 2
    # Two numbers a pixel, which are no colours that a file could have.
    pixels = random.random((60, 6, 6, 2)).astype(np.float32) * 0.5 + labels[:, None, None, None] / 2
    np.savez(arrays, x=pixels.astype(np.float32), y=labels)
    data = {"arrays": {"file": str(arrays), "value_range": [0, 1]}}
    run = make_trained(data=data)
    found = exported(run)
    assert found.report.agreement.largest_difference < 1e-5
    assert "np.load(file, allow_pickle=False)" in (found.folder / "predict.py").read_text()
    opened = open_export(found.folder)
    with pytest.raises(DataError, match="one for arrays"):
        exported_classifier(opened)
    assert (
        evaluate_exported(opened, data=None).evaluation.scores.images
        == found.report.agreement.images
    )


def rehash(folder: Path, network: Path) -> None:
    """What a person who changes a folder on purpose would do, too."""
    path = ExportFolder(folder).export_json
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hash": network_hash(network)}))


def test_a_network_that_is_none_is_refused(in_all_formats: RunFolder) -> None:
    for name in ("onnx", "litert", "saved_model"):
        folder = in_all_formats.path / "export" / name
        network = open_export(folder).network
        file = network / "saved_model.pb" if network.is_dir() else network
        file.write_bytes(b"no network" * 100)
        with pytest.raises(ExportError, match="another content"):
            open_export(folder)
        rehash(folder, network)
        with pytest.raises(ExportError, match="a damaged file"):
            exported_classifier(open_export(folder))


@pytest.mark.parametrize("name", ["classes.json", "preprocessing.json"])
def test_classes_or_a_rule_that_were_changed_are_refused(
    in_all_formats: RunFolder, name: str, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    folder = in_all_formats.path / "export" / "onnx"
    text = (folder / name).read_text()
    changed = text.replace("dark", "light", 1).replace("bilinear", "nearest")
    assert changed != text
    (folder / name).write_text(changed)
    with pytest.raises(ExportError) as refusal:
        open_export(folder)
    assert str(refusal.value).replace(str(tmp_path), "<folder>") == snapshot


def test_a_saved_model_that_could_do_more_than_compute_is_not_loaded(
    in_all_formats: RunFolder, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """Its graph writes a file when it is called."""
    import tensorflow as tf

    folder = in_all_formats.path / "export" / "saved_model"
    network = open_export(folder).network
    shutil.rmtree(network)
    written = str(tmp_path / "written")

    class Writing(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec((None, 6, 6, 1), tf.float32, name="pixels")])
        def __call__(self, pixels: Any) -> Any:
            with tf.control_dependencies([tf.io.write_file(written, "here")]):
                return {"probabilities": tf.identity(pixels[:, 0, :3, 0])}

    module = Writing()
    tf.saved_model.save(module, str(network), signatures=module.__call__)
    rehash(folder, network)
    with pytest.raises(ExportError) as refusal:
        exported_classifier(open_export(folder))
    assert str(refusal.value).replace(str(tmp_path), "<folder>") == snapshot
    assert not Path(written).exists()
