"""An earlier run as a backbone: its weights, its preprocessing, cut where it is said."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly.building import build_and_try
from cnnrun.assembly.standardizing import preprocess_of, unfitted_preprocessing
from cnnrun.config.load import load_config
from cnnrun.config.preprocess_section import PreprocessSpec
from cnnrun.config.sections import Config
from cnnrun.errors import InputError
from cnnrun.models.network import Network
from cnnrun.models.script import keras_script
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder
from cnnrun.training.train import train

from ..conftest import tiny

pytestmark = pytest.mark.usefixtures("without_pictures")

MakeConfig = Callable[..., Config]

LAYERS = [
    {"conv_block": {"filters": 4, "kernel_size": 3, "batch_norm": "before_activation"}},
    {"conv_block": {"filters": 6, "kernel_size": 3, "name": "second", "dropout": 0.1}},
    "GlobalAveragePooling2D",
    {"dense_block": {"units": 5}},
    "classifier",
]
HEAD: list[Any] = [{"Flatten": {"name": "flat"}}, {"classifier": {"name": "top"}}]
FITTED = {"featurewise_std_normalization": True}


@pytest.fixture(scope="module")
def earlier(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of grey 6x6 images, with statistics of its own."""
    folder = tmp_path_factory.mktemp("earlier")
    sections = {**tiny(image_folder), "model": {"layers": LAYERS}, "preprocess": FITTED}
    (folder / "earlier.yaml").write_text(yaml.safe_dump({**sections, "train": {"epochs": 1}}))
    config = load_config(folder / "earlier.yaml")
    return train(config, experiments=folder, into=folder / "run", listener=silent)


def built_on(
    config: Config, shape: tuple[int, int, int] = (6, 6, 1)
) -> tuple[Network, np.ndarray[Any, Any]]:
    """The network, and what comes out at the end of its backbone for some pixels."""
    network = build_and_try(
        config,
        input_shape=shape,
        classes=3,
        preprocessing=unfitted_preprocessing(config, shape),
    ).network
    assert network.backbone
    part = keras.Model(network.model.input, network.backbone.output)
    return network, np.asarray(part(pixels(shape)))


def pixels(shape: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).uniform(0, 255, (4, *shape)).astype(np.float32)


def on(run: RunFolder, **given: Any) -> dict[str, Any]:
    return {"backbone": {"weights": str(run.path), **given}, "layers": HEAD}


@pytest.mark.parametrize(
    ("output_layer", "ends_at"),
    [(None, "dense_block_1_activation"), ("second_activation", "second_activation")],
)
def test_it_computes_what_the_run_did(
    output_layer: str | None, ends_at: str, earlier: RunFolder, make_config: MakeConfig
) -> None:
    """Oracle: the run's model, cut by Keras."""
    network, found = built_on(make_config(model=on(earlier, output_layer=output_layer)))
    model = keras.saving.load_model(earlier.model_keras)
    part = keras.Model(model.input, model.get_layer(ends_at).output)
    np.testing.assert_allclose(found, part(pixels((6, 6, 1))), rtol=1e-5, atol=1e-6)
    assert network.backbone is not None
    assert network.backbone.names[-1] == ends_at


def test_a_part_takes_images_of_another_size(earlier: RunFolder, make_config: MakeConfig) -> None:
    config = make_config(model=on(earlier, output_layer="second_activation"))
    _, found = built_on(config, (9, 8, 1))
    assert found.shape == (4, 9, 8, 6)


def test_its_preprocessing_comes_with_it_unless_the_config_has_one(
    earlier: RunFolder, make_config: MakeConfig
) -> None:
    inherited = make_config(model=on(earlier))
    assert preprocess_of(inherited).featurewise_std_normalization
    own = make_config(model=on(earlier), preprocess={"rescale": 0.5})
    assert preprocess_of(own) == own.preprocess


def test_its_statistics_are_not_fitted_again(
    earlier: RunFolder, make_config: MakeConfig, tmp_path: Path
) -> None:
    """resolved.yaml is silent about them, and training it again takes the earlier run's."""
    config = make_config(model=on(earlier), train={"epochs": 1})
    run = train(config, experiments=tmp_path, into=tmp_path / "later", listener=silent)
    models = [keras.saving.load_model(one.model_keras) for one in (earlier, run)]
    first, second = (model.get_layer("preprocess_featurewise") for model in models)
    np.testing.assert_allclose(first.input_mean, second.input_mean, rtol=1e-6)
    np.testing.assert_allclose(first.input_variance, second.input_variance, rtol=1e-5)
    assert load_config(run.resolved_yaml).preprocess == PreprocessSpec()


def test_what_needs_no_statistics_is_written_out(make_config: MakeConfig, tmp_path: Path) -> None:
    rescaled = make_config("plain", preprocess={"rescale": 0.01}, train={"epochs": 1})
    plain = train(rescaled, experiments=tmp_path, into=tmp_path / "plain", listener=silent)
    model = on(plain)
    run = train(
        make_config(model=model, train={"epochs": 1}),
        experiments=tmp_path,
        into=tmp_path / "later",
        listener=silent,
    )
    assert load_config(run.resolved_yaml).preprocess.rescale == 0.01


def test_a_run_on_a_run_inherits_through_both(
    earlier: RunFolder, make_config: MakeConfig, tmp_path: Path
) -> None:
    model = on(earlier, output_layer="second_activation")
    between = make_config("between", model=model, train={"epochs": 1})
    run = train(between, experiments=tmp_path, into=tmp_path / "between_run", listener=silent)
    network, found = built_on(make_config(model=on(run, output_layer="second_activation")))
    first = keras.saving.load_model(earlier.model_keras)
    part = keras.Model(first.input, first.get_layer("second_activation").output)
    np.testing.assert_allclose(found, part(pixels((6, 6, 1))), rtol=1e-5, atol=1e-6)
    assert [step.name for step in network.steps] == ["preprocess_rescale", "preprocess_featurewise"]


def test_the_script_opens_the_runs_model(earlier: RunFolder, make_config: MakeConfig) -> None:
    network, _ = built_on(make_config(model=on(earlier)))
    variables: dict[str, Any] = {}
    exec(keras_script(network), variables)  # noqa: S102 what the script is for
    given = pixels((6, 6, 1))
    np.testing.assert_allclose(variables["model"](given), network.model(given), rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ({"output_layer": "second_activaton"}, (6, 6, 1)),
        ({}, (6, 6, 3)),
    ],
    ids=["no such layer", "coloured images"],
)
def test_what_does_not_fit_is_refused(
    given: dict[str, str],
    shape: tuple[int, int, int],
    earlier: RunFolder,
    make_config: MakeConfig,
    snapshot: SnapshotAssertion,
) -> None:
    with pytest.raises(InputError) as refusal:
        built_on(make_config(model=on(earlier, **given)), shape)
    assert str(refusal.value).replace(str(earlier.path), "<run>") == snapshot


def test_images_of_another_size_for_what_is_flattened(
    make_config: MakeConfig, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    layers = ["Flatten", {"Dense": {"units": 4}}, "classifier"]
    config = make_config("flat", model={"layers": layers}, train={"epochs": 1})
    run = train(config, experiments=tmp_path, into=tmp_path / "flat", listener=silent)
    with pytest.raises(InputError) as refusal:
        built_on(make_config(model={**on(run), "layers": HEAD[1:]}), (8, 8, 1))
    assert str(refusal.value).replace(str(run.path), "<run>") == snapshot


def test_no_run_and_a_run_without_a_model(
    earlier: RunFolder, make_config: MakeConfig, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    without_model = shutil.copytree(
        earlier.path, tmp_path / "run", ignore=shutil.ignore_patterns(earlier.model_keras.name)
    )
    refusals = []
    for folder in (without_model, tmp_path / "nowhere"):
        with pytest.raises(InputError) as refusal:
            built_on(make_config(model=on(RunFolder(folder))))
        refusals.append(str(refusal.value).replace(str(tmp_path), "<folder>"))
    assert refusals == snapshot
