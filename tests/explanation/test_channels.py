"""Feature maps, filters and what excites channels. Oracle: plain Keras models up to the layer."""

import numpy as np
import pytest

from cnnrun.explanation.feature_maps import by_variation, constant_channels, feature_maps
from cnnrun.explanation.filters import drawable_filters, most_exciting, moving_boxes
from cnnrun.explanation.network import explained_network


def outputs_of(model, name: str, pixels: np.ndarray) -> np.ndarray:
    import keras

    return keras.Model(model.inputs[0], model.get_layer(name).output)(pixels).numpy()


@pytest.mark.parametrize("names", [["last"], ["pool", "left", "both"]])
def test_maps_are_the_outputs_of_the_layers(names, make_network, pixels) -> None:
    model = make_network("flatten")
    expected = [outputs_of(model, name, pixels) for name in names]
    network = explained_network(model, of_labels=False)
    found = feature_maps(network, list(map(network.layer, names)), pixels)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_channels_that_come_first_are_put_last() -> None:
    import keras

    pixels = keras.Input((6, 4, 3))
    turned = keras.layers.Permute((3, 1, 2), name="turned")(pixels)
    model = keras.Model(pixels, keras.layers.Dense(2)(keras.layers.Flatten()(turned)))
    network = explained_network(model, of_labels=False)
    images = np.random.default_rng(0).normal(size=(2, 6, 4, 3)).astype(np.float32)
    (found,) = feature_maps(network, [network.layer("turned")], images)
    np.testing.assert_array_equal(found, images)


def test_the_most_varied_channels_come_first_and_constant_ones_are_counted() -> None:
    values = np.zeros((3, 2, 4), np.float32)
    values[1, 1, 2], values[0, 0, 0], values[..., 3] = 5, 7, 9
    assert by_variation(values).tolist() == [0, 2, 1, 3]
    assert constant_channels(values) == 2


def test_the_last_layer_of_each_size(make_network) -> None:
    found = explained_network(make_network("flatten"), of_labels=False).last_of_each_size
    assert [layer.name for layer in found] == ["first", "norm", "last"]


def test_only_filters_of_grey_or_colours_are_drawn(make_network) -> None:
    model = make_network("pooled")
    network = explained_network(model, of_labels=False)
    filters = drawable_filters(network.layer("first"))
    assert filters is not None
    np.testing.assert_array_equal(filters[5], model.get_layer("first").get_weights()[0][..., 5])
    assert [drawable_filters(network.layer(name)) for name in ("left", "pool")] == [None, None]


def test_the_images_that_excite_a_channel_most(make_network) -> None:
    images = np.random.default_rng(3).integers(0, 256, (10, 16, 12, 3)).astype(np.float32)
    model = make_network("pooled")
    expected = outputs_of(model, "norm", images)
    network = explained_network(model, of_labels=False)
    found = most_exciting(network, network.layer("norm"), np.split(images, [4, 8]), images_each=3)
    highest = expected.max(axis=(1, 2))
    for channel, excitements in enumerate(found):
        values = [each.value for each in excitements]
        np.testing.assert_allclose(values, np.sort(highest[:, channel])[::-1][:3], rtol=1e-5)
        for each in excitements:
            there = expected[each.image, each.row, each.column, channel]
            assert there == pytest.approx(each.value, rel=1e-5)


def test_a_box_holds_what_moved_a_unit_and_no_more() -> None:
    """Oracle: a convolution of equal weights, which sees 3x3 pixels, and a ReLU6 at its end."""
    import keras

    layers = keras.layers
    pixels = keras.Input((12, 8, 1))
    x = layers.Conv2D(1, 3, kernel_initializer="ones", name="seen")(pixels)
    end = layers.ReLU(max_value=6, name="saturated")(x)
    model = keras.Model(pixels, layers.Dense(2)(layers.Flatten()(end)))
    network = explained_network(model, of_labels=False)
    images = np.full((2, 12, 8, 1), 100, np.float32)
    units = [(0, 0, 0), (7, 4, 0)]
    assert moving_boxes(network, network.layer("seen"), images, units) == [
        (0, 0, 3, 3),
        (7, 4, 10, 7),
    ]
    assert moving_boxes(network, network.layer("saturated"), images, units) == [
        (0, 0, 1, 1),
        (8, 5, 10, 7),
    ]
