"""fast_inference gives what Keras's own `predict` gives, whatever is folded on the way."""

import subprocess
import sys
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from cnnrun.features.folding import folded
from cnnrun.features.inference import fast_inference

SHAPE = (12, 12, 3)
FEEDS = {
    "Conv2D": lambda: layers.Conv2D(5, 3, name="fed"),
    "Conv2D without bias": lambda: layers.Conv2D(5, 3, use_bias=False, name="fed"),
    "grouped Conv2D": lambda: layers.Conv2D(6, 3, groups=3, name="fed"),
    "DepthwiseConv2D": lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, name="fed"),
    "SeparableConv2D": lambda: layers.SeparableConv2D(4, 3, use_bias=False, name="fed"),
    "Dense": lambda: layers.Dense(7, name="fed"),
}


def pixels(images: int = 4, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (images, *shape), dtype=np.uint8)


def predicted(model: Any, images: np.ndarray, *names: str) -> list[np.ndarray]:
    """The oracle: Keras's `predict` with the layers as outputs."""
    outputs = [model.get_layer(name).output for name in names]
    results = keras.Model(model.inputs[0], outputs).predict(images.astype(np.float32), verbose=0)
    return results if len(names) > 1 else [results]


def relative_error(got: np.ndarray, wanted: np.ndarray) -> float:
    """The largest relative norm of an image's difference."""
    difference = np.linalg.norm((got - wanted).reshape(len(got), -1), axis=1)
    return float(np.max(difference / np.linalg.norm(wanted.reshape(len(wanted), -1), axis=1)))


def normalized(fed: Any, *, shape: tuple[int, ...] = SHAPE, **norm: Any) -> Any:
    """A model in which a layer named `fed` feeds a batch norm named `norm`."""
    inputs = keras.Input(shape)
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.BatchNormalization(name="norm", **norm)(fed(x))
    return keras.Model(inputs, layers.ReLU(name="out")(x))


@pytest.mark.parametrize("kind", FEEDS)
def test_what_feeds_batch_norm_takes_it_in(kind: str, learned) -> None:
    model = learned(normalized(FEEDS[kind]()))
    infer = fast_inference(model, ["norm", "out"], precision="float32")
    for got, wanted in zip(infer(pixels()), predicted(model, pixels(), "norm", "out"), strict=True):
        assert relative_error(got, wanted) < 1e-5
    assert "norm" not in [layer.name for layer in folded(model).layers]


@pytest.mark.parametrize("norm", [{"scale": False}, {"center": False}, {"epsilon": 0.1}])
def test_batch_norm_without_scale_or_centre(norm: dict[str, Any], learned) -> None:
    model = learned(normalized(layers.Conv2D(5, 3, name="fed"), **norm))
    (got,) = fast_inference(model, ["out"], precision="float32")(pixels())
    assert relative_error(got, predicted(model, pixels(), "out")[0]) < 1e-5


def test_a_raw_convolution_that_is_asked_for_stays_raw(learned) -> None:
    model = learned(normalized(layers.Conv2D(5, 3, name="fed")))
    infer = fast_inference(model, ["fed", "out"], precision="float32")
    for got, wanted in zip(infer(pixels()), predicted(model, pixels(), "fed", "out"), strict=True):
        assert relative_error(got, wanted) < 1e-5


def test_a_convolution_that_feeds_more_than_batch_norm_stays(learned) -> None:
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(3, 3, padding="same", name="fed")(inputs)
    model = learned(
        keras.Model(inputs, layers.Add(name="out")([x, layers.BatchNormalization()(x)]))
    )
    (got,) = fast_inference(model, ["out"], precision="float32")(pixels())
    assert relative_error(got, predicted(model, pixels(), "out")[0]) < 1e-5


@pytest.mark.parametrize(
    "fed",
    [
        lambda: layers.Conv2D(12, 3, padding="same", activation="relu", name="fed"),
        lambda: layers.ReLU(name="fed"),
    ],
)
@pytest.mark.parametrize("axis", [-1, 1])
def test_other_batch_norm_stays(fed: Any, axis: int, learned) -> None:
    model = learned(normalized(fed(), axis=axis))
    (got,) = fast_inference(model, ["out"], precision="float32")(pixels())
    assert relative_error(got, predicted(model, pixels(), "out")[0]) < 1e-5
    assert "norm" in [layer.name for layer in folded(model).layers]


def test_a_network_with_shared_layers(learned) -> None:
    inputs = keras.Input(SHAPE)
    shared = layers.Conv2D(3, 3, padding="same", name="shared")
    x = layers.BatchNormalization()(shared(shared(inputs)))
    model = learned(keras.Model(inputs, layers.ReLU(name="out")(x)))
    (got,) = fast_inference(model, ["out"], precision="float32")(pixels())
    assert relative_error(got, predicted(model, pixels(), "out")[0]) < 1e-5


def test_operations_between_layers(learned) -> None:
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(3, 3, padding="same", dtype="mixed_bfloat16")(1.0 - inputs / 255.0)
    x = layers.BatchNormalization(dtype="float32")(x)
    model = learned(keras.Model(inputs, layers.ReLU(name="out")(-x * 2.0)))
    for _ in range(2):  # the first time leaves the model's operations as they were
        (got,) = fast_inference(model, ["out"], precision="float32")(pixels())
        assert relative_error(got, predicted(model, pixels(), "out")[0]) < 0.01
        kinds = [type(layer).__name__ for layer in folded(model).layers]
        assert "BatchNormalization" not in kinds


def test_layers_that_do_nothing_in_inference(learned) -> None:
    inputs = keras.Input(SHAPE)
    x = layers.ReLU(name="relu")(layers.BatchNormalization()(layers.Conv2D(2, 3)(inputs)))
    x = layers.Dropout(0.5, name="dropout")(x)
    model = learned(keras.Model(inputs, layers.Flatten(name="flat")(x)))
    one, other, flat = fast_inference(model, ["dropout", "relu", "flat"], precision="float32")(
        pixels()
    )
    assert np.array_equal(one, other)
    assert np.array_equal(flat, one.reshape(len(one), -1))


def test_a_network_of_keras_applications(learned) -> None:
    shape = (64, 64, 3)
    model = learned(
        keras.applications.MobileNetV2(
            alpha=0.35, weights=None, input_shape=shape, include_top=False, pooling="avg"
        )
    )
    name = model.layers[-1].name
    (got,) = fast_inference(model, [name], precision="float32")(pixels(2, shape))
    assert relative_error(got, predicted(model, pixels(2, shape), name)[0]) < 1e-5


def test_bfloat16_is_near(learned) -> None:
    model = learned(normalized(layers.Conv2D(32, 3, name="fed")))
    exact, rounded = (
        fast_inference(model, ["out"], precision=precision)(pixels())[0]
        for precision in ("float32", "bfloat16")
    )
    assert rounded.dtype == np.float32
    assert relative_error(rounded, exact) < 0.01


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_layer_that_holds_constants(precision: str) -> None:
    inputs = keras.Input(SHAPE)
    x = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0])(inputs)
    model = keras.Model(inputs, layers.Conv2D(8, 3, name="out")(x))
    (got,) = fast_inference(model, ["out"], precision=precision)(pixels())
    assert relative_error(got, predicted(model, pixels(), "out")[0]) < 0.01


def test_a_model_of_half_precision_is_computed_in_float32(learned) -> None:
    fed = layers.Conv2D(5, 3, name="fed", dtype="mixed_bfloat16")
    model = learned(normalized(fed, dtype="mixed_bfloat16"))
    whole = learned(normalized(layers.Conv2D(5, 3, name="fed")))
    whole.set_weights(model.get_weights())
    (got,) = fast_inference(model, ["out"], precision="float32")(pixels())
    assert relative_error(got, predicted(whole, pixels(), "out")[0]) < 1e-5


def test_the_model_is_left_as_it_is(learned) -> None:
    model = learned(normalized(layers.Conv2D(5, 3, name="fed")))
    before, weights = predicted(model, pixels(), "fed", "out"), model.get_weights()
    fast_inference(model, ["out"], precision="float32")(pixels())
    for now, then in zip(predicted(model, pixels(), "fed", "out"), before, strict=True):
        assert np.array_equal(now, then)
    for now, then in zip(model.get_weights(), weights, strict=True):
        assert np.array_equal(now, then)


def test_floats_and_tensors_are_taken_too(learned) -> None:
    model = learned(normalized(layers.Conv2D(5, 3, name="fed")))
    pooled = layers.GlobalAveragePooling2D()(model.get_layer("out").output)
    whole, mean = fast_inference(model, ["out", pooled], precision="float32")(pixels() + 0.5)
    assert relative_error(mean, whole.mean(axis=(1, 2))) < 1e-5


@pytest.mark.parametrize("side", [11, 12])
@pytest.mark.parametrize("padding", [1, ((0, 1), (0, 1)), ((1, 0), (1, 0)), ((1, 1), (0, 1)), 2])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("kind", [lambda **a: layers.Conv2D(4, **a), layers.DepthwiseConv2D])
def test_padding_is_left_to_a_convolution_that_gives_the_same(
    side: int, padding: Any, strides: int, kind: Any
) -> None:
    inputs = keras.Input((side, side, 3))
    x = layers.ZeroPadding2D(padding, name="pad")(inputs)
    model = keras.Model(inputs, kind(kernel_size=3, strides=strides, name="out")(x))
    images = pixels(shape=(side, side, 3))
    (wanted,) = predicted(model, images, "out")
    (got,) = fast_inference(model, ["out"], precision="float32")(images)
    assert relative_error(got, wanted) < 1e-5
    # TensorFlow's rule, from the sizes that it pads for here.
    as_same = {(11, 1): 1, (12, 1): 1, (11, 2): 1, (12, 2): ((0, 1), (0, 1))}[side, strides]
    assert ("pad" in [layer.name for layer in folded(model).layers]) == (padding != as_same)


def test_padding_that_is_asked_for_stays(learned) -> None:
    inputs = keras.Input(SHAPE)
    x = layers.ZeroPadding2D(1, name="pad")(inputs)
    model = learned(keras.Model(inputs, layers.Conv2D(4, 3, name="out")(x)))
    pad, out = fast_inference(model, ["pad", "out"], precision="float32")(pixels())
    for got, wanted in zip((pad, out), predicted(model, pixels(), "pad", "out"), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-3)


def test_one_thread_a_call_only_where_nothing_was_computed_before() -> None:
    script = (
        "import tensorflow as tf; from cnnrun.features.inference import one_thread_a_call;"
        "{0}; one_thread_a_call(); print(tf.config.threading.get_intra_op_parallelism_threads())"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", script.format(before)], capture_output=True, text=True
        ).stdout
        for before in ("pass", "tf.zeros(1) + 1")
    ]
    assert printed == ["1\n", "0\n"]
