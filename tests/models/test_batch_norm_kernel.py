"""The fast kernels give what Keras's own BatchNormalization gives, which is the oracle here."""

import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnnrun.models.batch_norm_kernel import (
    fits_fast_kernels,
    kernel_for,
    use_fast_kernels,
)

SHAPES = [(8, 6, 5, 16), (1, 9, 9, 3), (3, 1, 1, 32), (1, 1, 1, 4)]
SHAPES_OF_FEW_CHANNELS = [(5, 8, 8, 3), (1, 4, 12, 2), (3, 16, 3, 5), (2, 4, 4, 6)]
KERNELS = [
    *(("fused", shape) for shape in SHAPES),
    *(("several pixels", shape) for shape in SHAPES_OF_FEW_CHANNELS),
]
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "last axis by its number": {"axis": 3, "epsilon": 1.001e-5},
    "no scale": {"scale": False, "momentum": 0.9},
    "no center": {"center": False},
    "neither": {"center": False, "scale": False},
}
# Rounding to float32, and two units in the last place of the shorter formats.
TOLERANCES = {"float32": 2e-5, "mixed_bfloat16": 2**-6, "mixed_float16": 2**-9}


@pytest.mark.parametrize(("kernel", "shape"), KERNELS, ids=str)
@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_gradients_and_statistics_are_those_of_keras(
    kernel: str, shape: tuple[int, ...], precision: str, variant: str
) -> None:
    expected = trained(shape, precision, VARIANTS[variant], kernel=None)
    found = trained(shape, precision, VARIANTS[variant], kernel=kernel)

    assert found.keys() == expected.keys()
    for name, values in expected.items():
        # Sums of a batch's gradients cancel: what counts is an error beside the largest number.
        allowed = TOLERANCES[precision] * max(1.0, np.abs(values).max())
        if name.startswith("moving"):
            allowed = 2e-5 * max(1.0, np.abs(values).max())  # float32 whatever the precision
        np.testing.assert_allclose(found[name], values, rtol=0, atol=allowed, err_msg=name)


def trained(
    shape: tuple[int, ...], precision: str, arguments: dict[str, Any], *, kernel: str | None
) -> dict[str, np.ndarray]:
    """All that a layer gives in two training steps on the same numbers."""
    generator = np.random.default_rng(0)
    model = one_layer(shape, precision, arguments)
    layer = model.layers[-1]
    for weight in layer.trainable_weights:
        weight.assign(generator.normal(1, 0.5, weight.shape))
    if kernel is not None:
        assert use(model, batch_size=shape[0], kernel=kernel) == (layer.name,)
    images = tf.constant(generator.normal(3, 2, shape), tf.float32)
    wanted = tf.constant(generator.normal(0, 1, shape), tf.float32)

    @tf.function(autograph=False)
    def step() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = model(images, training=True)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * wanted)
        variables = [weight.value for weight in layer.trainable_weights]
        return outputs, tape.gradient(loss, [images, *variables])

    step()
    outputs, (of_images, *of_weights) = step()
    assert outputs.dtype == layer.compute_dtype
    numbers = {"outputs": tf.cast(outputs, tf.float32).numpy(), "images": of_images.numpy()}
    names = [weight.name for weight in layer.trainable_weights]
    numbers |= {name: one.numpy() for name, one in zip(names, of_weights, strict=True)}
    return numbers | {weight.name: weight.numpy() for weight in layer.non_trainable_weights}


def one_layer(shape: tuple[int, ...], precision: str, arguments: dict[str, Any]) -> Any:
    pixels = keras.Input(shape[1:])
    layer = keras.layers.BatchNormalization(**arguments, dtype=precision)
    return keras.Model(pixels, layer(pixels))


def use(model: Any, *, batch_size: int, kernel: str = "fused") -> tuple[str, ...]:
    """Let a kernel compute all that it can."""
    return use_fast_kernels(
        model,
        batch_size=batch_size,
        least_numbers=0,
        channel_multiple=1 if kernel == "fused" else 1000,
        few_channels=7,
    )


@pytest.mark.parametrize("kernel", ["fused", "several pixels"])
@pytest.mark.parametrize("case", ["inference", "frozen", "masked"])
def test_elsewhere_than_in_training_it_is_keras_to_the_bit(case: str, kernel: str) -> None:
    shape = (4, 4, 4, 3)
    images = np.random.default_rng(1).normal(3, 2, shape).astype(np.float32)
    mask = tf.constant(np.arange(64).reshape(shape[:3]) % 3 > 0) if case == "masked" else None
    results = []
    for is_fast in (False, True):
        model = one_layer(shape, "float32", {"momentum": 0.5})
        layer = model.layers[-1]
        if is_fast:
            assert use(model, batch_size=4, kernel=kernel) == (layer.name,)
        layer.trainable = case != "frozen"
        outputs = layer(images, training=case != "inference", mask=mask)
        results.append([outputs.numpy(), *(weight.numpy() for weight in layer.weights)])
    for expected, found in zip(*results, strict=True):
        np.testing.assert_array_equal(found, expected)


REFUSED: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "rows of features": ((4,), {}),
    "another axis": ((4, 4, 4), {"axis": 1}),
    "renormalization": ((4, 4, 4), {"renorm": True}),
    "several machines": ((4, 4, 4), {"synchronized": True}),
    "a smaller epsilon than cuDNN takes": ((4, 4, 4), {"epsilon": 1e-6}),
    "double precision": ((4, 4, 4), {"dtype": "float64"}),
    "short weights": ((4, 4, 4), {"dtype": "bfloat16"}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_kernel_does_not_compute_stays_with_keras(case: str) -> None:
    shape, arguments = REFUSED[case]
    pixels = keras.Input(shape)
    model = keras.Model(pixels, keras.layers.BatchNormalization(**arguments)(pixels))
    assert not fits_fast_kernels(model.layers[-1])
    assert use(model, batch_size=2) == ()
    assert "call" not in vars(model.layers[-1])


@pytest.mark.parametrize(
    ("shape", "kernel"),
    [
        ((32, 128, 128, 16), "fused"),
        ((16, 8, 8, 64), "fused"),
        ((15, 8, 8, 64), None),  # one image less than 65,536 numbers
        ((32, 8, 8, 30), None),
        ((64, 32, 32, 4), "fused"),
        ((32, 16, 16, 24), "fused"),
        ((32, 64, 64, 30), None),
        ((32, 128, 128, 3), "several pixels"),
        ((32, 128, 128, 2), "several pixels"),
        ((32, 75, 75, 3), None),  # its pixels are no multiple of 16
        ((32, 128, 128, 1), None),
        ((32, 128, 128, 9), None),
        ((32, None, None, 64), None),
    ],
)
def test_the_rule_looks_at_numbers_and_channels_alone(
    shape: tuple[int | None, ...], kernel: str | None
) -> None:
    found = kernel_for(shape, least_numbers=65_536, channel_multiple=4, few_channels=7)
    assert found == kernel


def test_a_model_is_fitted_and_saved_as_if_nothing_had_happened(tmp_path: Path) -> None:
    models = {fused: fitted(fused=fused) for fused in (False, True)}
    names = [[weight.path for weight in model.weights] for model in models.values()]
    assert names[0] == names[1]
    for expected, found in zip(*(model.get_weights() for model in models.values()), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)

    for fused, model in models.items():
        model.save(tmp_path / f"{fused}.keras")
    assert network_in(tmp_path / "True.keras") == network_in(tmp_path / "False.keras")
    loaded = keras.models.load_model(tmp_path / "True.keras")
    assert "call" not in vars(loaded.layers[2])
    images = np.random.default_rng(2).normal(size=(3, 8, 8, 1)).astype(np.float32)
    np.testing.assert_array_equal(
        loaded(images, training=False), models[True](images, training=False)
    )


def fitted(*, fused: bool) -> Any:
    """A small network after three steps of `fit`, the last of them on a smaller batch."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((8, 8, 1), name="pixels")
    x = keras.layers.Conv2D(4, 3, name="convolution")(pixels)
    x = keras.layers.BatchNormalization(name="batch_norm")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(keras.layers.ReLU(name="relu")(x))
    model = keras.Model(pixels, keras.layers.Dense(3, name="classifier")(x), name="network")
    if fused:
        use(model, batch_size=8)
    model.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(True))
    generator = np.random.default_rng(0)
    images, labels = generator.normal(size=(20, 8, 8, 1)), generator.integers(0, 3, 20)
    model.fit(images.astype(np.float32), labels, batch_size=8, shuffle=False, verbose=0)
    return model


def network_in(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))["config"]
