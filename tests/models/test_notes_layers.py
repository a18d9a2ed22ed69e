"""Every argument of the layers that notes on convolutional networks speak of.

Oracle: the layer of Keras, made with the same arguments in Python, called on the same numbers.
"""

import keras
import numpy as np
import pytest
import yaml

from cnnrun.errors import ConfigError

CONV = "Conv2D: {filters: 6, kernel_size: 3, %s}"

CASES = [
    "Conv2D: {filters: 6, kernel_size: 3}",
    "Conv2D: {filters: 6, kernel_size: [3, 5]}",
    CONV % "strides: 2",
    CONV % "strides: [2, 1]",
    CONV % "padding: same",
    CONV % "padding: valid",
    CONV % "data_format: channels_last",
    CONV % "dilation_rate: 2",
    CONV % "dilation_rate: [1, 2]",
    CONV % "groups: 3",
    CONV % "activation: relu",
    CONV % "use_bias: false",
    *(
        CONV % f"kernel_initializer: {name}"
        for name in (
            "glorot_normal",
            "glorot_uniform",
            "he_normal",
            "he_uniform",
            "lecun_normal",
            "lecun_uniform",
            "ones",
            "orthogonal",
            "random_normal",
            "random_uniform",
            "truncated_normal",
            "variance_scaling",
            "zeros",
            "{Constant: {value: 0.1}}",
            "{HeNormal: {seed: 3}}",
            "{RandomUniform: {minval: -1, maxval: 1}}",
            "{VarianceScaling: {scale: 2, mode: fan_out, distribution: uniform}}",
        )
    ),
    CONV % "bias_initializer: ones",
    CONV % "bias_initializer: {RandomNormal: {stddev: 0.1}}",
    *(
        CONV % f"{target}_regularizer: {regularizer}"
        for target in ("kernel", "bias", "activity")
        for regularizer in ("L1", "{L2: {l2: 0.1}}", "{L1L2: {l1: 0.1, l2: 0.2}}")
    ),
    *(
        CONV % f"{target}_constraint: {constraint}"
        for target in ("kernel", "bias")
        for constraint in ("{MaxNorm: {max_value: 1}}", "NonNeg", "UnitNorm", "{MinMaxNorm: {}}")
    ),
    *(
        f"{kind}: {arguments}"
        for kind in ("MaxPooling2D", "AveragePooling2D")
        for arguments in (
            "{pool_size: 2}",
            "{pool_size: [2, 4]}",
            "{pool_size: 3, strides: 1}",
            "{pool_size: 3, strides: [2, 1]}",
            "{pool_size: 3, padding: same}",
            "{pool_size: 2, data_format: channels_last}",
        )
    ),
    *(
        f"{kind}: {arguments}"
        for kind in ("GlobalMaxPooling2D", "GlobalAveragePooling2D")
        for arguments in ("{}", "{keepdims: true}", "{data_format: channels_last}")
    ),
    "MaxPooling2D: {}",
    "Dense: {units: 4}",
    "Dense: {units: 4, activation: tanh, use_bias: false}",
    "Dense: {units: 4, kernel_initializer: he_normal, bias_initializer: ones}",
    "Dense: {units: 4, kernel_regularizer: L2, kernel_constraint: NonNeg}",
    "Flatten: {}",
    "Flatten: {data_format: channels_last}",
    "Dropout: {rate: 0.5}",
    "Dropout: {rate: 0.5, seed: 3}",
    "Dropout: {rate: 0.5, noise_shape: [null, 1, 1, null]}",
    "Dropout: {rate: 0.5, noise_shape: [null, 8, 1, 3], seed: 3}",
    "SpatialDropout2D: {rate: 0.5}",
    "SpatialDropout2D: {rate: 0.5, seed: 3, data_format: channels_last}",
    *(
        f"Activation: {{activation: {name}}}"
        for name in (
            "linear",
            "softmax",
            "tanh",
            "sigmoid",
            "hard_sigmoid",
            "relu",
            "elu",
            "selu",
        )
    ),
    "ReLU: {}",
    "ReLU: {max_value: 6, negative_slope: 0.1, threshold: 0.2}",
    "LeakyReLU: {}",
    "LeakyReLU: {negative_slope: 0.2}",
    "PReLU: {}",
    "PReLU: {shared_axes: [1, 2], alpha_initializer: {Constant: {value: 0.25}}}",
    "PReLU: {alpha_regularizer: L1, alpha_constraint: NonNeg}",
    "BatchNormalization: {}",
    "BatchNormalization: {axis: 3}",
    "BatchNormalization: {axis: 1}",
    "BatchNormalization: {momentum: 0.9, epsilon: 1e-5}",
    "BatchNormalization: {center: false}",
    "BatchNormalization: {scale: false}",
    "BatchNormalization: {beta_initializer: ones, gamma_initializer: {Constant: {value: 2}}}",
    "BatchNormalization: {moving_mean_initializer: ones, moving_variance_initializer: ones}",
    "BatchNormalization: {beta_regularizer: L2, gamma_regularizer: {L1: {l1: 0.1}}}",
    "BatchNormalization: {beta_constraint: NonNeg, gamma_constraint: {MaxNorm: {max_value: 2}}}",
    "BatchNormalization: {renorm: true, renorm_momentum: 0.9}",
    "BatchNormalization: {synchronized: false}",
    "BatchNormalization: {trainable: false, dtype: float32}",
]
FAMILIES = (keras.initializers, keras.regularizers, keras.constraints)


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_layer_of_keras_with_these_arguments(build, case):
    layer = build(f"- {case}").layers[0].layer
    kind, arguments = next(iter(yaml.safe_load(case).items()))
    oracle = getattr(keras.layers, kind)(**{key: in_python(one) for key, one in arguments.items()})
    # `1e-5` is a text in YAML 1.1, which only this test's reader speaks.
    pixels = np.random.default_rng(0).normal(size=(4, 8, 8, 3)).astype(np.float32)
    oracle.build(pixels.shape)
    oracle.set_weights(layer.get_weights())
    if "seed" in arguments or "Dropout" not in kind:
        np.testing.assert_array_equal(layer(pixels, training=True), oracle(pixels, training=True))
    np.testing.assert_array_equal(layer(pixels), oracle(pixels))
    assert_equal_settings(layer, oracle)


def in_python(value):
    """What a user writes in Python for a value of the config."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        name, arguments = next(iter(value.items()))
        return getattr(_module_of(name), name)(**arguments)
    if isinstance(value, str) and value[0].isupper():
        return getattr(_module_of(value), value)()
    return float(value) if value == "1e-5" else value


def _module_of(name):
    return next(module for module in FAMILIES if hasattr(module, name))


def assert_equal_settings(layer, oracle):
    """Equal configs, the name and the seeds that cnnrun sets apart; and equal penalties."""
    ours, theirs = layer.get_config(), oracle.get_config()
    for config in (ours, theirs):
        del config["name"]
        config.pop("seed", None)
        for value in config.values():
            if isinstance(value, dict):
                value.get("config", {}).pop("seed", None)
    assert ours == theirs
    np.testing.assert_allclose(sum(layer.losses), sum(oracle.losses), rtol=1e-6)


@pytest.mark.parametrize(
    "case",
    [
        "- Dropout: {rate: 0.5, noise_shape: [null, 1, 7, 2]}",
        "- Dropout: {rate: 0.5, noise_shape: [5, 8, 8, 3]}",
        "- Softmax: {axis: 7}",
        "- Conv2D: {filters: 4, kernel_size: 1, kernel_regularizer: OrthogonalRegularizer}",
        "- Conv2D: {filters: 4, kernel_size: 1, kernel_constraint: {MaxNorm: {axis: 5}}}",
    ],
)
def test_what_only_a_step_finds_is_told_at_its_line(build, try_out, case, snapshot, tmp_path):
    network = build(f"- Conv2D: {{filters: 3, kernel_size: 1}}\n{case}\n- Flatten\n- classifier")
    with pytest.raises(ConfigError) as raised:
        try_out(network)
    assert str(raised.value).replace(f"{tmp_path}/", "") == snapshot
