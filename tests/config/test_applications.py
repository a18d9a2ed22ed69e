"""The networks of keras.applications as commands know them; the rest is in tests/models."""

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.applications import (
    APPLICATIONS,
    application_named,
    built_layers,
    layer_names,
    layer_refusal,
)
from cnnrun.errors import InputError


def test_every_network_has_its_layers() -> None:
    assert len(APPLICATIONS) == 40
    for name, network in APPLICATIONS.items():
        assert application_named(name) is network
        names = layer_names(name)
        assert len(set(names)) == len(names)
        assert set(network.top_layers) <= set(names)
        assert not set(network.topless_layers) & set(names)


# The counts that keras.io publishes.
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("VGG16", 138_357_544),
        ("MobileNet", 4_253_864),
        ("ResNet50", 25_636_712),
        ("EfficientNetB0", 5_330_571),
    ],
)
def test_published_parameters(name: str, parameters: int) -> None:
    assert application_named(name).parameters["top"] == parameters


def test_layers_with_the_top_and_without() -> None:
    vgg16 = application_named("VGG16")
    assert built_layers(vgg16, include_top=True)[-2:] == ("fc2", "predictions")
    assert built_layers(vgg16, include_top=False)[-1] == "block5_pool"
    convnext = application_named("ConvNeXtTiny")
    assert built_layers(convnext, include_top=False)[-1] == "layer_normalization"


@pytest.mark.parametrize("name", ["MobilNet", "resnet50", "efficientnet", "experiments/first"])
def test_unknown_networks(name: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(InputError) as refusal:
        application_named(name)
    assert str(refusal.value) == snapshot


@pytest.mark.parametrize("layer", ["block4_poool", "fc2", "nothing"])
def test_unknown_layers(layer: str, snapshot: SnapshotAssertion) -> None:
    assert layer_refusal(application_named("VGG16"), layer, include_top=False) == snapshot


def test_a_layer_that_is_there() -> None:
    vgg16 = application_named("VGG16")
    assert layer_refusal(vgg16, "block4_pool", include_top=False) is None
    assert layer_refusal(vgg16, "fc2", include_top=True) is None
