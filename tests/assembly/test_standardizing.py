"""From `preprocess` to the model: what is fitted, to which images, and that it stays with a run."""

import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion
from threadpoolctl import threadpool_limits

from cnnrun.assembly.building import build_and_try, fitted_preprocessing
from cnnrun.assembly.image_stores import open_store, readable_splits
from cnnrun.assembly.preparing import prepare
from cnnrun.assembly.standardizing import (
    preprocessing_notes,
    resolve_preprocessing,
    unfitted_preprocessing,
)
from cnnrun.config.load import load_config
from cnnrun.config.preprocess_section import PreprocessSpec
from cnnrun.config.sections import Config
from cnnrun.data.sources import read_manifest
from cnnrun.errors import ConfigError, InterruptedRunError
from cnnrun.evaluation.finished_runs import evaluate_run
from cnnrun.evaluation.prediction import Prediction, predict, run_classifier
from cnnrun.runs.events import silent
from cnnrun.runs.folder import open_run
from cnnrun.runs.result import read_result
from cnnrun.training import callbacks
from cnnrun.training.train import resume, train

from ..listening import Heard

pytestmark = pytest.mark.usefixtures("without_pictures")

MakeConfig = Callable[..., Config]

SWITCHES = (
    "samplewise_center",
    "samplewise_std_normalization",
    "featurewise_center",
    "featurewise_std_normalization",
    "zca_whitening",
)
WHITENED = {"samplewise_std_normalization": True, "zca_whitening": True, "zca_epsilon": 0.1}


@pytest.mark.parametrize("switches", list(product([False, True], repeat=len(SWITCHES))))
def test_one_key_implies_another_as_in_keras(switches: tuple[bool, ...]) -> None:
    """Oracle: ImageDataGenerator's own attributes, once it is made; it warns of each change."""
    given = dict(zip(SWITCHES, switches, strict=True))
    resolved = resolve_preprocessing(PreprocessSpec(**given))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        generator = keras.src.legacy.preprocessing.image.ImageDataGenerator(**given)
    for switch in SWITCHES:
        assert getattr(resolved, switch) == getattr(generator, switch)
    changed = [switch for switch in SWITCHES if getattr(generator, switch) != given[switch]]
    assert bool(warned) == bool(changed)
    implied = [note for note in preprocessing_notes(PreprocessSpec(**given)) if "zca" in note]
    assert bool(implied) == any("zca_whitening" in str(one.message) for one in warned)


@pytest.mark.parametrize(
    ("given", "factor"),
    [
        ({}, 1 / 255),
        ({"rescale": 0.5}, 0.5),
        ({"rescale": 0.0}, 1.0),
        ({"preprocessing_function": "mobilenet"}, 1.0),
        ({"preprocessing_function": "mobilenet", "rescale": 2.0}, 2.0),
    ],
)
def test_the_factor_that_nobody_wrote(given: dict[str, Any], factor: float) -> None:
    assert resolve_preprocessing(PreprocessSpec(**given)).rescale == factor


def test_what_is_resolved_stays_as_it_is() -> None:
    resolved = resolve_preprocessing(PreprocessSpec(zca_whitening=True, rescale=0.0))
    assert resolve_preprocessing(resolved) == resolved


@pytest.mark.parametrize(
    "spec",
    [
        PreprocessSpec(samplewise_std_normalization=True),
        PreprocessSpec(featurewise_std_normalization=True),
        PreprocessSpec(zca_whitening=True, featurewise_std_normalization=True),
        PreprocessSpec(
            featurewise_center=True, samplewise_center=True, preprocessing_function="vgg16"
        ),
    ],
)
def test_what_follows_unsaid_is_noted(spec: PreprocessSpec, snapshot: SnapshotAssertion) -> None:
    assert preprocessing_notes(spec) == snapshot


def test_nothing_is_noted_where_nothing_follows() -> None:
    assert preprocessing_notes(PreprocessSpec(featurewise_center=True)) == ()


def test_statistics_are_those_of_the_training_images_alone(
    make_config: MakeConfig, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """Oracle: NumPy over the pixels of the training rows."""
    config = make_config(preprocess={"featurewise_std_normalization": True})
    listener = Heard()
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=listener)
    manifest = read_manifest(config.data)
    store = open_store(config.data, manifest, cache_folder=tmp_path)
    pixels = store.read(readable_splits(config.data, manifest, store).train) / 255
    layer = keras.models.load_model(run.model_keras).get_layer("preprocess_featurewise")
    np.testing.assert_allclose(layer.input_mean, [pixels.mean()], rtol=1e-6)
    np.testing.assert_allclose(layer.input_variance, [(pixels.std() + 1e-6) ** 2], rtol=1e-6)
    assert listener.notes == snapshot


def test_training_leaves_them_alone_and_counts_no_parameters(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    runs = {
        name: train(
            make_config(name, preprocess=preprocess),
            experiments=tmp_path,
            into=tmp_path / name,
            listener=silent,
        )
        for name, preprocess in {"plain": {}, "whitened": WHITENED}.items()
    }
    config = load_config(runs["whitened"].resolved_yaml)
    fitted = fitted_preprocessing(config)
    assert fitted is not None
    kernel = (
        keras.models.load_model(runs["whitened"].model_keras).get_layer("preprocess_zca").kernel
    )
    expected = np.asarray(fitted.zca_matrix, np.float32)
    np.testing.assert_array_equal(kernel.numpy().reshape(36, 36), expected)
    plain, whitened = (read_result(run) for run in runs.values())
    assert plain.parameters == whitened.parameters


def test_the_resolved_config_tells_all_of_it(
    make_config: MakeConfig, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    config = make_config(preprocess=WHITENED)
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    resolved = load_config(run.resolved_yaml)
    assert resolved.preprocess == resolve_preprocessing(config.preprocess)
    assert resolved.preprocess == snapshot


def test_a_resumed_run_equals_an_uninterrupted_one(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "CHECKPOINT_INTERVAL_S", 0.0)
    config = make_config(preprocess=WHITENED)
    whole = train(config, experiments=tmp_path, into=tmp_path / "whole", listener=silent)
    with pytest.raises(InterruptedRunError):
        train(config, experiments=tmp_path, into=tmp_path / "cut", listener=Heard(2))
    cut = resume(config, run=open_run(tmp_path / "cut"), listener=silent)
    first, second = (keras.models.load_model(run.model_keras).get_weights() for run in (whole, cut))
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_evaluation_and_prediction_need_nothing_but_the_model(
    make_config: MakeConfig, image_folder: Path, tmp_path: Path
) -> None:
    config = make_config(preprocess=WHITENED)
    run = train(config, experiments=tmp_path, into=tmp_path / "run", listener=silent)
    evaluation = evaluate_run(run, data=None).evaluation
    tested = read_result(run).test
    assert tested is not None
    for name, value in evaluation.scores.as_json().items():
        assert tested[name] == value
    row = evaluation.rows[0]
    image = image_folder / read_manifest(config.data).paths[row]
    (predicted,) = predict(run_classifier(run), [image], top=3, on_bad_image="error")
    assert isinstance(predicted, Prediction)
    expected = np.sort(evaluation.probabilities[0])[::-1]
    np.testing.assert_allclose(predicted.probabilities, expected, rtol=1e-5)


def test_a_network_is_built_without_its_images(make_config: MakeConfig) -> None:
    config = make_config(
        data={
            "directory": "nowhere",
            "image_size": [6, 6],
            "color_mode": "grayscale",
            "classes": 3,
        },
        preprocess={"zca_whitening": True},
    )
    built = build_and_try(
        config,
        input_shape=(6, 6, 1),
        classes=3,
        preprocessing=unfitted_preprocessing(config, (6, 6, 1)),
    )
    assert [step.statistics for step in built.network.steps] == [0, 1, 36 * 36]


def test_images_too_large_are_refused_before_a_matrix_is_made(
    make_config: MakeConfig, snapshot: SnapshotAssertion
) -> None:
    config = make_config(preprocess={"zca_whitening": True})
    with pytest.raises(ConfigError) as refusal:
        unfitted_preprocessing(config, (500, 500, 3))
    assert str(refusal.value) == snapshot


@pytest.mark.parametrize(
    "preprocess",
    [
        {"featurewise_center": True},
        {"featurewise_std_normalization": True, "rescale": 0.01},
        {"samplewise_std_normalization": True, "featurewise_std_normalization": True},
        {"zca_whitening": True, "zca_epsilon": 0.01},
        {"preprocessing_function": "mobilenet", "featurewise_center": True},
    ],
)
def test_the_network_sees_what_image_data_generator_gives(
    preprocess: dict[str, Any], make_config: MakeConfig, tmp_path: Path
) -> None:
    """Oracle: ImageDataGenerator with the same keys, fitted to the training images, in float64."""
    config = make_config(preprocess=preprocess)
    prepared = prepare(config, earlier=None, cache_folder=tmp_path, listener=silent)
    function = preprocess.get("preprocessing_function")
    rescale = {} if function else {"rescale": 1 / 255}
    functions = {"preprocessing_function": keras.applications.mobilenet.preprocess_input}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what one key implies of another
        generator = keras.src.legacy.preprocessing.image.ImageDataGenerator(
            **rescale | preprocess | (functions if function else {}), dtype="float64"
        )
    generator.fit(prepared.feed.store.read(prepared.splits.train))
    pixels = prepared.feed.store.read(prepared.splits.validation)
    expected = np.stack([generator.standardize(image.astype(np.float64)) for image in pixels])
    seen = prepared.built.network.preprocessing(pixels)
    np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=2e-6 * np.abs(expected).max())


def test_other_threads_of_the_process_change_no_bit(make_config: MakeConfig) -> None:
    config = make_config(preprocess=WHITENED)
    matrices = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads, user_api="blas"):
            fitted = fitted_preprocessing(config)
        assert fitted is not None
        matrices.append(fitted.zca_matrix)
    np.testing.assert_array_equal(*matrices)
