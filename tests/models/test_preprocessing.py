"""Standardization in the model; the oracles are ImageDataGenerator and keras.applications."""

import importlib
import pkgutil
import subprocess
import sys
import warnings
from dataclasses import replace

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnrun.config.preprocess_section import PREPROCESSING_FUNCTIONS
from cnnrun.errors import ConfigError
from cnnrun.models.cost import network_costs
from cnnrun.models.layer_factory import LayerFactory
from cnnrun.models.penalties import plain_model
from cnnrun.models.preprocessing import Preprocessing, preprocess
from cnnrun.models.saved import load_model
from cnnrun.models.script import keras_script, refuse_whitening_in_script

from .conftest import RESCALED

ImageDataGenerator = keras.src.legacy.preprocessing.image.ImageDataGenerator

NONE = replace(RESCALED, rescale=1.0)
MEAN = np.array([0.4, 0.5, 0.6])
STD = np.array([0.2, 0.25, 0.3])
MATRIX = np.random.default_rng(5).normal(size=(192, 192)) / 14
EVERYTHING = Preprocessing(
    function="resnet50",
    rescale=0.5,
    samplewise_center=True,
    samplewise_std_normalization=True,
    mean=MEAN,
    std=STD,
    zca_matrix=MATRIX,
)
CASES = {
    "nothing": NONE,
    "rescale": RESCALED,
    "samplewise centre": replace(RESCALED, samplewise_center=True),
    "samplewise": replace(RESCALED, samplewise_center=True, samplewise_std_normalization=True),
    "samplewise of pixels": replace(
        NONE, samplewise_center=True, samplewise_std_normalization=True
    ),
    "featurewise centre": replace(RESCALED, mean=MEAN),
    "featurewise": replace(RESCALED, mean=MEAN, std=STD),
    "a channel that never changes": replace(RESCALED, mean=MEAN, std=np.array([0.2, 0.0, 0.1])),
    "whitened": replace(RESCALED, mean=MEAN, zca_matrix=MATRIX),
    "function": replace(NONE, function="vgg16"),
    "function and factor": replace(RESCALED, function="densenet"),
    "everything": EVERYTHING,
}


def images(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.float32)


def first_layers(preprocessing, shape=(8, 8, 3)):
    pixels = keras.Input(shape, dtype="float32", name="pixels")
    x, steps = preprocess(
        pixels, preprocessing, channels=shape[-1], factory=LayerFactory(0, "float32")
    )
    return keras.Model(pixels, x), steps


def standardized_by_keras(preprocessing, pixels):
    """Image by image, as its iterators do; in float64, for an oracle without rounding errors."""
    function = None
    if preprocessing.function is not None:
        function = getattr(keras.applications, preprocessing.function).preprocess_input
    generator = ImageDataGenerator(
        preprocessing_function=function,
        rescale=preprocessing.rescale,
        samplewise_center=preprocessing.samplewise_center,
        samplewise_std_normalization=preprocessing.samplewise_std_normalization,
        featurewise_center=preprocessing.mean is not None,
        featurewise_std_normalization=preprocessing.std is not None,
        dtype="float64",
    )
    # Keras itself never divides before it whitens; the model does what it is told.
    generator.zca_whitening = preprocessing.zca_matrix is not None
    generator.mean, generator.std = preprocessing.mean, preprocessing.std
    generator.zca_whitening_matrix = preprocessing.zca_matrix
    return np.stack([generator.standardize(image.astype(np.float64)) for image in pixels])


def assert_close(ours, theirs):
    """Within float32's precision of the largest numbers that are there."""
    theirs = np.asarray(theirs)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6 * np.abs(theirs).max())


@pytest.mark.parametrize("case", CASES)
def test_it_is_what_image_data_generator_does(case):
    pixels = images(5, 8, 8, 3)
    model, _ = first_layers(CASES[case])
    output = model(pixels)
    assert output.dtype == "float32"
    assert_close(output, standardized_by_keras(CASES[case], pixels))


@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 9, 1), (3, 2, 4)])
def test_any_size_and_number_of_channels(shape):
    channels, features = shape[-1], int(np.prod(shape))
    wanted = Preprocessing(
        function="xception",
        rescale=2.0,
        samplewise_center=features > 1,
        samplewise_std_normalization=features > 1,
        mean=np.linspace(0.1, 0.2, channels),
        std=np.linspace(0.5, 2, channels),
        zca_matrix=np.random.default_rng(0).normal(size=(features, features)),
    )
    pixels = images(3, *shape)
    assert_close(first_layers(wanted, shape)[0](pixels), standardized_by_keras(wanted, pixels))


@given(
    st.builds(
        Preprocessing,
        function=st.sampled_from([None, *PREPROCESSING_FUNCTIONS]),
        rescale=st.sampled_from([1.0, 1 / 255, -3.0]),
        samplewise_center=st.booleans(),
        samplewise_std_normalization=st.booleans(),
        mean=st.sampled_from([None, MEAN]),
        std=st.just(None),
        zca_matrix=st.sampled_from([None, MATRIX]),
    ),
    st.integers(0, 2**32 - 1),
)
def test_any_combination(preprocessing, seed):
    if preprocessing.samplewise_std_normalization:
        preprocessing = replace(preprocessing, samplewise_center=True)
    pixels = images(2, 8, 8, 3, seed=seed)
    model, _ = first_layers(preprocessing)
    assert_close(model(pixels), standardized_by_keras(preprocessing, pixels))


def test_an_image_of_one_colour_stays_finite():
    model, _ = first_layers(CASES["samplewise"])
    assert np.abs(model(np.full((1, 8, 8, 3), 77, np.float32))).max() < 1


@pytest.mark.parametrize("name", PREPROCESSING_FUNCTIONS)
def test_functions_are_those_of_keras_applications(name):
    pixels = images(2, 8, 8, 3)
    function = getattr(keras.applications, name).preprocess_input
    model, _ = first_layers(replace(NONE, function=name))
    assert_close(model(pixels), function(pixels.astype(np.float64)))


def test_every_function_of_keras_applications_is_known():
    modules = {
        found.name
        for found in pkgutil.iter_modules(keras.applications.__path__)
        if hasattr(importlib.import_module(f"keras.applications.{found.name}"), "preprocess_input")
    }
    # It holds what the others share, and wants to be told the mode.
    assert set(PREPROCESSING_FUNCTIONS) == modules - {"imagenet_utils"}


@pytest.mark.parametrize("name", ["densenet", "vgg19"])
@pytest.mark.parametrize("channels", [1, 4])
def test_preprocessing_of_colours_needs_three_channels(name, channels, snapshot):
    with pytest.raises(ConfigError) as refusal:
        first_layers(replace(NONE, function=name), (8, 8, channels))
    assert str(refusal.value) == snapshot


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_it_computes_in_float32_whatever_the_precision(build, precision):
    network = build("- Flatten\n- classifier", preprocessing=EVERYTHING, precision=precision)
    pixels = images(4, 8, 8, 3)
    output = network.preprocessing(pixels)
    assert output.dtype == "float32"
    assert_close(output, standardized_by_keras(EVERYTHING, pixels))


def test_the_steps_are_told_with_the_key_behind_each(snapshot):
    _, steps = first_layers(EVERYTHING)
    told = [(step.name, step.kind, step.address, step.statistics) for step in steps]
    assert told == snapshot


def test_what_changes_nothing_is_left_out(build):
    network = build("- Flatten\n- classifier", preprocessing=replace(NONE, function="efficientnet"))
    assert network.steps == ()
    assert [layer.name for layer in network.model.layers] == ["pixels", "flatten_1", "classifier"]
    pixels = images(2, 8, 8, 3)
    np.testing.assert_array_equal(network.preprocessing(pixels), pixels)


LAYERS = "- Conv2D: {filters: 2, kernel_size: 3, name: subtract}\n- Flatten\n- classifier"


def test_statistics_are_no_parameters_and_change_no_initial_weight(build):
    plain, standardized = build(LAYERS), build(LAYERS, preprocessing=EVERYTHING)
    ours, theirs = network_costs(standardized), network_costs(plain)
    assert ours.statistics == 3 + 3 + 192 * 192
    assert theirs.statistics == 0
    assert ours.parameters == theirs.parameters == plain.model.count_params()
    assert ours.multiply_adds == theirs.multiply_adds
    assert ours.layers[-3:] == theirs.layers[-3:]
    learned = zip(standardized.model.trainable_weights, plain.model.trainable_weights, strict=True)
    for one, other in learned:
        assert one.path == other.path
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_a_step_can_be_tried(build, try_out):
    network = build(LAYERS, preprocessing=EVERYTHING)
    before = network.model.get_weights()
    try_out(network)
    for one, other in zip(network.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["preprocess_zca", "preprocess_samplewise_mean"])
def test_the_names_of_its_layers_are_taken(build, name, snapshot):
    with pytest.raises(ConfigError) as refusal:
        build(f"- Flatten: {{name: {name}}}\n- classifier", preprocessing=EVERYTHING)
    assert str(refusal.value).split(": ", maxsplit=1)[1] == snapshot


def test_the_saved_model_standardizes_where_cnnrun_is_not_installed(build, tmp_path):
    network = build(LAYERS, preprocessing=EVERYTHING)
    pixels = images(3, 8, 8, 3)
    np.save(tmp_path / "pixels.npy", pixels)
    plain_model(network.model).save(tmp_path / "model.keras")
    program = (
        "import sys; sys.modules['cnnrun'] = None\n"
        "import keras, numpy as np\n"
        "model = keras.saving.load_model('model.keras')\n"
        "np.save('outputs.npy', np.asarray(model(np.load('pixels.npy'))))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_array_equal(np.load(tmp_path / "outputs.npy"), network.model(pixels))
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(pixels), network.model(pixels))
    assert loaded.get_layer("preprocess_zca").trainable is False


SCRIPTED = {
    name: preprocessing for name, preprocessing in CASES.items() if preprocessing.zca_matrix is None
} | {"all but ZCA": replace(EVERYTHING, zca_matrix=None)}


@pytest.mark.parametrize("case", SCRIPTED)
def test_the_script_standardizes_too(build, case, snapshot):
    network = build(LAYERS, preprocessing=SCRIPTED[case])
    text = keras_script(network)
    variables = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(text, variables)  # noqa: S102 - a script is what is tested
    pixels = images(3, 8, 8, 3)
    np.testing.assert_array_equal(variables["model"](pixels), network.model(pixels))
    assert text == snapshot


def test_a_tensor_that_two_layers_take_has_a_name_in_the_script(build):
    layers = "- residual: {layers: [Identity]}\n- Flatten\n- classifier"
    network = build(layers, preprocessing=CASES["samplewise"])
    variables = {}
    exec(keras_script(network), variables)  # noqa: S102 - a script is what is tested
    pixels = images(3, 8, 8, 3)
    np.testing.assert_array_equal(variables["model"](pixels), network.model(pixels))
    assert "preprocess_samplewise_scale" in variables


def test_no_script_holds_the_matrix_of_zca(build, snapshot):
    with pytest.raises(ConfigError) as refusal:
        keras_script(build(LAYERS, preprocessing=CASES["whitened"]))
    assert str(refusal.value) == snapshot
    with pytest.raises(ConfigError):
        refuse_whitening_in_script(whitens=True)
