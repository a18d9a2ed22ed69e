"""Networks by their bare names. Oracle: keras.applications with their `preprocess_input`."""

import keras
import numpy as np
import pytest

from cnnrun.errors import InputError
from cnnrun.models.cost import network_costs
from cnnrun.models.whole_networks import open_application


@pytest.mark.usefixtures("genuine_weights")
def test_a_name_is_enough():
    network = open_application(
        "MobileNet", weights="imagenet", arguments={}, image_size=None, precision="float32"
    )
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 224, 224, 3)).astype(np.float32)
    theirs = keras.applications.MobileNet(weights="imagenet")
    expected = theirs(keras.applications.mobilenet.preprocess_input(pixels.copy()))
    np.testing.assert_allclose(network.model(pixels), expected, atol=1e-6)
    assert network_costs(network).parameters == theirs.count_params() == 4_253_864
    assert network.classes == 1000
    assert {built.name for built in network.layers} == set(network.backbone.names)


def test_arguments_are_the_constructors():
    network = open_application(
        "MobileNet",
        weights="none",
        arguments={"alpha": 0.25, "classes": 7},
        image_size=(32, 40),
        precision="mixed_bfloat16",
    )
    assert network.model.input.shape == (None, 32, 40, 3)
    assert (network.model.output.shape, network.model.output.dtype) == ((None, 7), "float32")


@pytest.mark.parametrize(
    ("name", "image_size"), [("MobilNet", None), ("MobileNet", (16, 40))], ids=["name", "size"]
)
def test_what_keras_has_not_is_refused(name, image_size, snapshot):
    with pytest.raises(InputError) as refusal:
        open_application(
            name, weights="none", arguments={}, image_size=image_size, precision="float32"
        )
    assert str(refusal.value) == snapshot
