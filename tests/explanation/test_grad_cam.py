"""Grad-CAM of every form of network. Oracle: tf-keras-vis, told the layer, and no softmax."""

import warnings

import numpy as np
import pytest

from cnnrun.errors import InputError
from cnnrun.explanation.grad_cam import grad_cam, grad_cam_layer
from cnnrun.explanation.network import explained_network

CLASSES = [0, 3, 4, 1]


def of_tf_keras_vis(model, pixels, scores, *, layer: str) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what it imports of SciPy
        from tf_keras_vis.gradcam import Gradcam
        from tf_keras_vis.utils.model_modifiers import ReplaceToLinear

        return np.asarray(
            Gradcam(model, model_modifier=ReplaceToLinear(), clone=True)(
                scores,
                pixels,
                penultimate_layer=layer,
                seek_penultimate_conv_layer=False,
                expand_cam=False,
                normalize_cam=False,
            )
        )


def category_scores(outputs):
    return [outputs[row, number] for row, number in enumerate(CLASSES)]


def assert_near(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    assert expected.max() > 0
    assert np.abs(found - expected).max() <= 1e-5 * expected.max()


@pytest.mark.parametrize(
    ("head", "end", "layer"),
    [
        ("flatten", "softmax", None),
        ("pooled", "softmax", None),
        ("pooled", "sigmoid", "norm"),
        ("pooled", "linear", "first"),
        ("one place", "softmax", None),
        ("nested", "softmax", None),
        ("nested", "softmax", "inner"),
        ("apart", "softmax", None),
        ("apart", "softmax", "left"),
    ],
)
def test_maps_are_those_of_tf_keras_vis(head, end, layer, make_network, pixels) -> None:
    model = make_network(head, end=end)
    network = explained_network(model, of_labels=False)
    chosen = grad_cam_layer(network, layer)
    found = grad_cam(network, chosen, pixels, CLASSES)
    assert_near(found, of_tf_keras_vis(model, pixels, category_scores, layer=chosen.name))


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_explained_in_float32(dtype, make_network, pixels) -> None:
    """Oracle: tf-keras-vis on the network of the same weights in float32."""
    whole, half = make_network("flatten"), make_network("flatten", dtype=dtype)
    half.set_weights(whole.get_weights())
    network = explained_network(half, of_labels=False)
    found = grad_cam(network, grad_cam_layer(network, None), pixels, CLASSES)
    assert_near(found, of_tf_keras_vis(whole, pixels, category_scores, layer="last"))


def test_a_softmax_that_is_a_layer_is_dropped(make_network, pixels) -> None:
    """Oracle: tf-keras-vis on the network that ends where the softmax begins."""
    import keras

    model = make_network("pooled", end="softmax layer")
    before = keras.Model(model.inputs, model.get_layer("scores").output)
    network = explained_network(model, of_labels=False)
    found = grad_cam(network, grad_cam_layer(network, None), pixels, CLASSES)
    assert_near(found, of_tf_keras_vis(before, pixels, category_scores, layer="last"))


def test_one_unit_speaks_for_the_second_class_and_against_the_first(make_network, pixels) -> None:
    """Oracle: tf-keras-vis, the unit's sign turned for the first class."""
    model = make_network("pooled", end="sigmoid", units=1)
    network = explained_network(model, of_labels=False)
    layer = network.layer("norm")
    for number, sign in ((0, -1), (1, 1)):

        def signed(outputs, sign=sign):
            return [sign * outputs[row, 0] for row in range(4)]

        expected = of_tf_keras_vis(model, pixels, signed, layer="norm")
        assert_near(grad_cam(network, layer, pixels, [number] * 4), expected)


def test_one_unit_of_a_label_speaks_for_the_label(make_network, pixels) -> None:
    """Oracle: tf-keras-vis, the unit as it is. No second class stands behind a label's number 0."""
    model = make_network("pooled", end="sigmoid", units=1)
    network = explained_network(model, of_labels=True)
    expected = of_tf_keras_vis(
        model, pixels, lambda outputs: [outputs[row, 0] for row in range(4)], layer="norm"
    )
    assert_near(grad_cam(network, network.layer("norm"), pixels, [0] * 4), expected)


def test_preprocessing_within_the_network_is_no_layer_to_explain() -> None:
    """Oracle: tf-keras-vis, on grey images that are whitened (ZCA) and made three channels."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    pixels = keras.Input((6, 6, 1), name="pixels")
    x = layers.Rescaling(1 / 255, name="preprocess_rescale")(pixels)
    whiten = layers.EinsumDense("bhwc,hwcxyz->bxyz", (6, 6, 1), name="preprocess_zca")
    x = keras.ops.repeat(whiten(x), 3, axis=-1)
    x._keras_history.operation.name = "preprocess_channels"
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(x)
    x = layers.Dense(5, activation="softmax")(layers.Flatten()(x))
    model = keras.Model(pixels, x)
    grey = np.random.default_rng(1).integers(0, 256, (4, 6, 6, 1)).astype(np.float32)
    network = explained_network(model, of_labels=False)
    assert [layer.name for layer in network.layers] == ["conv"]
    found = grad_cam(network, grad_cam_layer(network, None), grey, CLASSES)
    assert_near(found, of_tf_keras_vis(model, grey, category_scores, layer="conv"))


def test_the_default_layer_is_one_that_everything_passes(make_network) -> None:
    chosen = {
        head: grad_cam_layer(explained_network(make_network(head), of_labels=False), None)
        for head in ("flatten", "one place", "apart", "nested")
    }
    assert {head: layer.name for head, layer in chosen.items()} == {
        "flatten": "last",
        "one place": "last",
        "apart": "pool",
        "nested": "last",
    }
    assert (
        not explained_network(make_network("apart"), of_labels=False).layer("left").is_passed_by_all
    )


def test_places_that_are_not_the_images_are_refused(make_network, snapshot) -> None:
    network = explained_network(make_network("one place"), of_labels=False)
    for name in ("conv_of_one_place", "hidden", "lasst", "pixels"):
        with pytest.raises(InputError) as refused:
            network.layer(name)
        assert str(refused.value) == snapshot(name=name)


def test_a_network_of_vectors_is_refused(snapshot) -> None:
    import keras

    pixels = keras.Input((4, 4, 1))
    x = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(pixels))
    with pytest.raises(InputError) as refused:
        grad_cam_layer(explained_network(keras.Model(pixels, x), of_labels=False), None)
    assert str(refused.value) == snapshot


def test_rows_and_columns_that_changed_places_are_not_laid_over_the_image() -> None:
    import keras

    pixels = keras.Input((6, 4, 3))
    layers = keras.layers
    x = layers.Conv2D(2, 3, padding="same", name="before")(pixels)
    turned = layers.Permute((2, 1, 3), name="turned")(x)
    y = layers.Conv2D(2, 3, padding="same", name="after")(turned)
    end = layers.Dense(2)(layers.Flatten()(y))
    network = explained_network(keras.Model(pixels, end), of_labels=False)
    assert [layer.name for layer in network.layers] == ["before"]
