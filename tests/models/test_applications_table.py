"""The table of keras.applications; its oracle is the Keras that is installed."""

import json

import keras
import pytest

from cnnrun.config.applications import APPLICATIONS, IMAGENET_ALPHAS, layer_names
from cnnrun.models.applications_table import (
    LAYERS_FOLDER,
    TABLE_FILE,
    application_entry,
    application_names,
    layers_text,
    table_text,
)

SMALL = ("MobileNet", "MobileNetV3Small")
TABLE = json.loads(TABLE_FILE.read_text())
ALL = [
    name if name in SMALL else pytest.param(name, marks=pytest.mark.slow) for name in APPLICATIONS
]


def test_it_has_every_network():
    assert tuple(APPLICATIONS) == application_names()
    assert sorted(path.stem for path in LAYERS_FOLDER.iterdir()) == list(APPLICATIONS)
    assert TABLE_FILE.read_text() == table_text(TABLE)


@pytest.mark.parametrize("name", ALL)
def test_a_network_is_as_the_installed_keras_builds_it(name):
    entry = application_entry(name)
    advice = "run `python -m cnnrun.models.applications_table`"
    assert json.loads(json.dumps(entry.row)) == TABLE[name], advice
    assert layers_text(entry.layers) == (LAYERS_FOLDER / f"{name}.txt").read_text(), advice


def test_names_do_not_depend_on_what_was_built_before():
    keras.Sequential([keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()])
    assert application_entry("MobileNet").layers == layer_names("MobileNet")


@pytest.mark.slow
@pytest.mark.parametrize("name", IMAGENET_ALPHAS)
def test_layers_have_these_names_at_each_width_of_imagenets_weights(name):
    for alpha in IMAGENET_ALPHAS[name]:
        keras.utils.clear_session()
        with keras.StatelessScope(initialize_variables=False):
            model = getattr(keras.applications, name)(
                weights=None, alpha=alpha, input_shape=(64, 64, 3)
            )
        assert tuple(layer.name for layer in model.layers) == layer_names(name)
    keras.utils.clear_session()


@pytest.mark.parametrize("name", ["MobileNetV3Small", "VGG16"])
def test_the_minimum_size_is_where_keras_begins(name):
    minimum = APPLICATIONS[name].minimum_size
    build = getattr(keras.applications, name)
    with keras.StatelessScope(initialize_variables=False):
        build(weights=None, include_top=False, input_shape=(minimum, minimum, 3))
        with pytest.raises(ValueError, match="at least"):
            build(weights=None, include_top=False, input_shape=(minimum - 1, minimum, 3))
    keras.utils.clear_session()
