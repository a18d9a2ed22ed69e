"""Exports of whole runs. Oracles: stock Keras's model.keras, and `cnnrun predict`."""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly.targets import class_probabilities, output_of
from cnnrun.calibration.calibration_file import Calibration, write_calibration
from cnnrun.calibration.probability_map import ProbabilityMap, temperature_map
from cnnrun.errors import ExportError, RunError
from cnnrun.export.folder import open_export
from cnnrun.export.formats import FORMATS
from cnnrun.export.networks import open_network
from cnnrun.runs.data_states import images_of
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.made_by import load_resolved

MakeTrained = Callable[..., RunFolder]
MakeExported = Callable[..., Any]

HEAD = ["GlobalAveragePooling2D", "classifier"]


def keras_probabilities(run: RunFolder, pixels: np.ndarray) -> np.ndarray:
    model = keras.saving.load_model(run.model_keras, compile=False)
    output = output_of(model, load_resolved(run).train.loss)
    return class_probabilities(np.asarray(model(pixels, training=False), np.float32), output)


def file_probabilities(folder: Path, pixels: np.ndarray) -> np.ndarray:
    found = open_export(folder)
    return open_network(found.form, found.network, threads=None)(pixels)


def noise(images: int = 5, channels: int = 1) -> np.ndarray:
    shape = (images, 6, 6, channels)
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_gives_keras_s_probabilities_for_any_number_of_images(
    in_all_formats: RunFolder, name: str
) -> None:
    folder = in_all_formats.path / "export" / name
    report = json.loads((folder / "export.json").read_text())
    assert report["passed"]
    assert report["agreement"]["top1"] == 1
    for images in (5, 1, 33):
        pixels = noise(images)
        np.testing.assert_allclose(
            file_probabilities(folder, pixels),
            keras_probabilities(in_all_formats, pixels),
            atol=1e-6,
        )


UNUSUAL = {
    "whitened, with slopes that are learnt": {
        "preprocess": {"zca_whitening": True, "featurewise_center": True},
        "model": {
            "layers": [
                {
                    "conv_block": {
                        "filters": 4,
                        "kernel_size": 3,
                        "batch_norm": "after_activation",
                        "activation": {"PReLU": {"shared_axes": [1, 2]}},
                    }
                },
                *HEAD,
            ]
        },
    },
    "of all statistics, in branches": {
        "preprocess": {
            "samplewise_center": True,
            "samplewise_std_normalization": True,
            "featurewise_center": True,
            "featurewise_std_normalization": True,
        },
        "model": {
            "layers": [
                {
                    "branches": {
                        "branches": [
                            [{"conv_block": {"filters": 3, "kernel_size": 1}}],
                            [
                                {
                                    "SeparableConv2D": {
                                        "filters": 2,
                                        "kernel_size": 3,
                                        "padding": "same",
                                    }
                                },
                                {"Activation": {"activation": "gelu"}},
                            ],
                        ]
                    }
                },
                {
                    "residual": {
                        "layers": [
                            {"conv_block": {"filters": 6, "kernel_size": 3, "dilation_rate": 2}}
                        ]
                    }
                },
                {"LayerNormalization": {}},
                *HEAD,
            ]
        },
    },
}
UNUSUAL["attention, channels split and shuffled"] = {
    "model": {
        "layers": [
            {"conv_block": {"filters": 8, "kernel_size": 3, "batch_norm": "before_activation"}},
            {"self_attention": {"num_heads": 2}},
            {
                "channel_split": {
                    "groups": 2,
                    "layers": [{"conv_block": {"filters": 4, "kernel_size": 3}}],
                }
            },
            {"channel_shuffle": {"groups": 4}},
            *HEAD,
        ]
    },
}
UNUSUAL["a stem that resizes, below a backbone"] = {
    "model": {
        "backbone": {
            "name": "MobileNet",
            "weights": "none",
            "alpha": 0.25,
            "output_layer": "conv_pw_1_relu",
            "trainable": "none",
        },
        "stem": [
            {"Conv2D": {"filters": 3, "kernel_size": 3, "padding": "same"}},
            "BatchNormalization",
            {"Resizing": {"height": 32, "width": 40}},
        ],
        "layers": HEAD,
    },
}
LAST_LAYERS = {
    "logits": {
        "model": {"layers": ["Flatten", {"Dense": {"units": 3}}]},
        "train": {
            "epochs": 1,
            "batch_size": 8,
            "loss": {"SparseCategoricalCrossentropy": {"from_logits": True}},
        },
    },
    "independent": {
        "model": {"layers": ["Flatten", {"Dense": {"units": 3, "activation": "sigmoid"}}]},
        "train": {"epochs": 1, "batch_size": 8, "loss": "BinaryCrossentropy"},
    },
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_networks_that_keras_s_own_export_breaks_or_that_are_unusual(
    make_trained: MakeTrained, exported: MakeExported, kind: str
) -> None:
    run = make_trained(**UNUSUAL[kind])
    pixels = noise()
    expected = keras_probabilities(run, pixels)
    for name in ("onnx", "litert"):
        folder = exported(run, name).folder
        np.testing.assert_allclose(file_probabilities(folder, pixels), expected, atol=1e-5)


@pytest.mark.parametrize("precision", ["mixed_bfloat16"])
def test_a_run_in_16_bits_is_exported_from_its_twin_in_float32(
    make_trained: MakeTrained, exported: MakeExported, precision: str
) -> None:
    run = make_trained(train={"epochs": 2, "batch_size": 8, "precision": precision})
    pixels = noise()
    for name in ("onnx", "litert"):
        found = exported(run, name)
        assert found.report.agreement.largest_difference < 1e-5
        assert found.report.trained_in == precision
        assert found.report.trained_top1 > 0.8
        np.testing.assert_allclose(
            file_probabilities(found.folder, pixels), keras_probabilities(run, pixels), atol=0.03
        )


def test_a_run_built_on_an_earlier_one(
    on_earlier: Callable[..., Any], tmp_path: Path, exported: MakeExported, without_pictures: None
) -> None:
    from cnnrun.runs.events import silent
    from cnnrun.training.train import train

    config = on_earlier({"epochs": 1}, {"epochs": 1, "trainable": "all"})
    run = train(config, experiments=tmp_path, into=tmp_path / "above", listener=silent)
    pixels = noise()
    folder = exported(run).folder
    np.testing.assert_allclose(
        file_probabilities(folder, pixels), keras_probabilities(run, pixels), atol=1e-6
    )


@pytest.mark.parametrize("name", ["onnx", "litert"])
def test_16_and_8_bits_are_smaller_and_stand_beside(
    make_trained: MakeTrained, exported: MakeExported, name: str
) -> None:
    layers = [
        {"conv_block": {"filters": 64, "kernel_size": 3}},
        {"conv_block": {"filters": 64, "kernel_size": 3}},
        *HEAD,
    ]
    run = make_trained(model={"layers": layers})
    for precision, largest_share, differs_at_most in (("float16", 0.6, 0.01), ("int8", 0.4, 0.25)):
        report = exported(run, name, precision=precision, min_agreement=0.0).report
        assert report.bytes < largest_share * 4 * report.parameters  # of what 32 bits would take
        assert 0 < report.agreement.largest_difference < differs_at_most
    folders = sorted(path.name for path in (run.path / "export").iterdir())
    assert folders == [f"{name}-float16", f"{name}-int8"]


def test_what_the_file_of_onnx_says_of_itself(
    make_trained: MakeTrained, exported: MakeExported
) -> None:
    """Oracle: the onnx package."""
    import onnx

    folder = exported(make_trained(), opset=15).folder
    model = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    said = {each.key: json.loads(each.value) for each in model.metadata_props}
    assert said["classes"] == ["dark", "grey", "light"]
    assert said["preprocessing"] == json.loads((folder / "preprocessing.json").read_text())
    assert said["preprocessing"]["image_size"] == [6, 6]
    assert [(each.domain, each.version) for each in model.opset_import if not each.domain] == [
        ("", 15)
    ]
    (given,), (found,) = model.graph.input, model.graph.output
    assert (given.name, found.name) == ("pixels", "probabilities")
    assert [each.dim_param or each.dim_value for each in given.type.tensor_type.shape.dim] == [
        "images",
        6,
        6,
        1,
    ]


@pytest.mark.parametrize(("kind", "method"), [("logits", "temperature"), ("independent", "vector")])
def test_calibration_becomes_the_last_layer(
    make_trained: MakeTrained, exported: MakeExported, method: str, kind: str
) -> None:
    """Oracle: the map itself, of the logarithms of Keras's probabilities."""
    run = make_trained(**LAST_LAYERS[kind])
    applied = (
        temperature_map(2.5, classes=3)
        if method == "temperature"
        else ProbabilityMap("vector", np.array([0.5, 1.0, 2.0]), np.array([0.2, -0.3, 0.1]))
    )
    write_calibration(run, Calibration(applied), further={})
    pixels = noise()
    expected = applied.probabilities(np.log(keras_probabilities(run, pixels)))
    found = exported(run, calibrated=True)
    assert found.report.calibrated
    assert found.report.agreement.largest_difference < 1e-5
    np.testing.assert_allclose(file_probabilities(found.folder, pixels), expected, atol=1e-5)


def test_a_run_that_was_not_calibrated(
    make_trained: MakeTrained,
    exported: MakeExported,
    tmp_path: Path,
    snapshot: SnapshotAssertion,
) -> None:
    with pytest.raises(RunError) as refusal:
        exported(make_trained(), calibrated=True)
    assert str(refusal.value).replace(str(tmp_path), "<folder>") == snapshot


def test_a_file_that_answers_otherwise_is_kept_under_a_name_that_says_so(
    make_trained: MakeTrained, exported: MakeExported
) -> None:
    found = exported(make_trained(), min_agreement=1.1)  # a share that no file can have
    assert not found.report.passed
    (network,) = found.folder.glob("*.onnx")
    assert network.name == "model.agrees-below-1.1.onnx"
    assert network.name in (found.folder / "predict.py").read_text()
    assert open_export(found.folder).network == network


def test_a_run_without_test_images_is_tried_on_those_for_validation(
    make_trained: MakeTrained, exported: MakeExported, image_folder: Path
) -> None:
    data = {
        "directory": str(image_folder),
        "image_size": [6, 6],
        "color_mode": "grayscale",
        "split": {"validation": 0.2, "test": 0},
    }
    found = exported(make_trained(data=data))
    assert found.report.agreement.split == "validation"
    assert "no test images" in (found.folder / "README.md").read_text()
    data["split"] = {"validation": 0, "test": 0}
    with pytest.raises(RunError, match="no test and no validation images"):
        exported(make_trained("alone", data=data, train={"epochs": 1, "best": "last"}))


def test_it_is_tried_on_the_run_s_own_test_images_however_the_folder_changes(
    make_trained: MakeTrained, exported: MakeExported, image_folder: Path, tmp_path: Path
) -> None:
    """Oracle: the list that the run wrote; cutting the changed folder anew gives others."""
    folder = Path(shutil.copytree(image_folder, tmp_path / "images"))
    data = {"directory": str(folder), "image_size": [6, 6], "color_mode": "grayscale"}
    run = make_trained(data=data)
    tested = [each.path for each in images_of(run) or () if each.split == "test"]
    for file in [*folder.glob("*/*")]:
        with Image.open(file) as image:
            image.transpose(Image.Transpose.ROTATE_90).save(file.with_stem(f"new-{file.stem}"))
    shutil.copy(folder / tested[1], folder / tested[0])
    found = exported(run)
    assert found.report.agreement.images == len(tested) - 1
    assert found.notes == ("changed or gone since the training: 1 test image",)


def test_a_second_export_replaces_the_first_and_nothing_else(
    in_all_formats: RunFolder, exported: MakeExported
) -> None:
    run = in_all_formats
    folder = run.path / "export" / "onnx"
    others = sorted(run.path.joinpath("export").iterdir())
    before = (folder / "model.onnx").read_bytes()
    exported(run, opset=13)
    assert (folder / "model.onnx").read_bytes() != before
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match=r"holds notes\.txt"):
        exported(run)
    assert (folder / "notes.txt").read_text() == "mine"
    assert sorted(run.path.joinpath("export").iterdir()) == others


def test_names_of_classes_are_text_and_nothing_else(
    make_trained: MakeTrained, exported: MakeExported, make_images: Callable[..., Path]
) -> None:
    import yaml

    names = {"<script>alert(1)</script>": 12, 'a "quoted", name': 12, "two | bars `and` $x$": 12}
    # A slash cannot stand in a folder's name; the second one has a line end.
    names = {
        name.replace("/", "-").replace("name", "na\nme"): count for name, count in names.items()
    }
    folder = make_images("odd", names, size=(6, 6))
    data = {"directory": str(folder), "image_size": [6, 6], "color_mode": "grayscale"}
    found = exported(make_trained(data=data))
    assert set(json.loads((found.folder / "classes.json").read_text())) == set(names)
    card = (found.folder / "README.md").read_text()
    assert "<script>" not in card
    assert yaml.safe_load(card.split("---")[1])["pipeline_tag"] == "image-classification"
    assert open_export(found.folder).classes == tuple(sorted(names))


def test_what_an_export_leaves_when_the_disk_is_full(
    make_trained: MakeTrained, exported: MakeExported, small_disk: Path
) -> None:
    from cnnrun.errors import FullDiskError

    layers = [
        "Flatten",
        {"Dense": {"units": 800}},
        {"Dense": {"units": 3, "activation": "softmax"}},
    ]
    run = make_trained(model={"layers": layers})
    for name in ("onnx", "litert", "saved_model"):
        with pytest.raises(FullDiskError):
            exported(run, name, out=small_disk / "handed" / name)
        assert list((small_disk / "handed").iterdir()) == []


def test_a_folder_can_be_zipped_and_unzipped(in_all_formats: RunFolder, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "handed.zip", "w") as archive:
        for file in (in_all_formats.path / "export" / "onnx").iterdir():
            archive.write(file, file.name)
    with zipfile.ZipFile(tmp_path / "handed.zip") as archive:
        archive.extractall(tmp_path / "elsewhere")
    assert open_export(tmp_path / "elsewhere").classes == ("dark", "grey", "light")
