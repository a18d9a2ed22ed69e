"""Groups of weights; the oracles are an optimizer a group, and Keras's own exclusion from decay."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly.building import build
from cnnrun.assembly.compiling import compile_anew
from cnnrun.assembly.standardizing import unfitted_preprocessing
from cnnrun.config.keras_table import keras_table
from cnnrun.config.sections import Config
from cnnrun.config.train_section import ParameterGroupsSpec
from cnnrun.config.values import KerasCall
from cnnrun.errors import ConfigError
from cnnrun.models.keras_objects import keras_object
from cnnrun.models.network import Network
from cnnrun.models.parameter_groups import apply_groups, rate_factors

MakeConfig = Callable[..., Config]

SHAPE = (6, 6, 1)
LAYERS = [
    {"conv_block": {"filters": 4, "kernel_size": 3, "batch_norm": "before_activation"}},
    {"residual": {"layers": [{"Conv2D": {"filters": 4, "kernel_size": 3, "padding": "same"}}]}},
    "GlobalAveragePooling2D",
    {"Dense": {"units": 5, "name": "hidden"}},
    "classifier",
]
WRAPPER = "LossScaleOptimizer"
OPTIMIZERS = sorted(set(keras_table()["optimizers"]) - {WRAPPER})


def network_of(config: Config) -> Network:
    return build(
        config,
        input_shape=SHAPE,
        classes=3,
        preprocessing=unfitted_preprocessing(config, SHAPE),
    ).network


@pytest.fixture
def network(make_config: MakeConfig) -> Network:
    return network_of(make_config(model={"layers": LAYERS}))


def test_factors_are_geometric_from_the_first_layer_to_the_last(network: Network) -> None:
    factors = rate_factors(network, ParameterGroupsSpec(first_layer=0.0001))
    expected = [0.0001, 0.001, 0.01, 0.1, 1.0]
    np.testing.assert_allclose(list(factors.values()), expected)


def test_the_first_pattern_that_names_a_layer_counts(network: Network) -> None:
    groups = ParameterGroupsSpec(
        learning_rates={"conv_block_1": 0.5, "hid*": 3.0, "hidden": 7.0, "residual_*": 0.25}
    )
    factors = list(rate_factors(network, groups).values())
    assert factors == [0.5, 0.5, 0.25, 3.0, 1.0]


def test_behind_a_backbone_all_learn_with_the_whole_rate(on_earlier: Callable[..., Config]) -> None:
    config = on_earlier({"trainable": "all"})
    network = network_of(config)
    factors = rate_factors(network, ParameterGroupsSpec(first_layer=0.125))
    lent = [factors[name] for name in network.backbone.names if name in factors]
    np.testing.assert_allclose(lent, [0.125 ** (1 - number / 3) for number in range(3)])
    head = [factor for name, factor in factors.items() if name not in network.backbone.names]
    assert head == [1.0] * len(head)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_group_is_moved_as_by_an_optimizer_of_its_own(name: str, network: Network) -> None:
    """Oracle: an optimizer a layer, with the layer's rate; for every optimizer of Keras."""
    arguments = {"learning_rate": 0.02, "weight_decay": 0.1}
    call = KerasCall("optimizers", name, arguments)
    one = keras_object(call, address="train.optimizer")
    groups = ParameterGroupsSpec(learning_rates={"hidden": 0.5, "conv_block_1": 0.25})
    apply_groups(one, network, groups)
    factors = rate_factors(network, groups)
    layers = [built for built in network.layers if built.name in factors]
    start = {built.name: built.layer.get_weights() for built in layers}
    gradients = gradients_of(layers, steps=3)

    def after_steps(optimizers: Callable[[], list[tuple[Any, list[Any]]]]) -> list[np.ndarray]:
        for built in layers:
            built.layer.set_weights(start[built.name])
        for optimizer, its_layers in optimizers():
            weights = [each for built in its_layers for each in built.layer.trainable_weights]
            for step in gradients:
                optimizer.apply([step[each.path] for each in weights], weights)
        return [np.array(each) for built in layers for each in built.layer.trainable_weights]

    def a_layer_each() -> list[tuple[Any, list[Any]]]:
        return [
            (
                keras_object(
                    KerasCall(
                        "optimizers",
                        name,
                        {**arguments, "learning_rate": 0.02 * factors[built.name]},
                    ),
                    address="train.optimizer",
                ),
                [built],
            )
            for built in layers
        ]

    grouped = after_steps(lambda: [(one, layers)])
    for ours, theirs in zip(grouped, after_steps(a_layer_each), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-7)


def test_kernels_alone_decay(make_config: MakeConfig) -> None:
    """Oracle: AdamW with `exclude_from_weight_decay`, told the variables by hand."""
    config = make_config(
        model={"layers": LAYERS},
        train={
            "optimizer": {"AdamW": {"weight_decay": 0.5}},
            "parameter_groups": {"weight_decay": "kernels"},
        },
    )
    network = network_of(config)
    compile_anew(
        network.model,
        config,
        network=network,
        loss=KerasCall("losses", "SparseCategoricalCrossentropy"),
        optimizer=config.train.optimizer,
    )
    weights = network.model.trainable_weights
    spared = [each for each in weights if each.name in ("bias", "gamma", "beta")]
    oracle = keras.optimizers.AdamW(weight_decay=0.5)
    oracle.exclude_from_weight_decay(var_list=spared)
    start = [np.array(each) for each in weights]
    gradients = [np.full(each.shape, 0.1, np.float32) for each in weights]
    network.model.optimizer.apply(gradients, weights)
    ours = [np.array(each) for each in weights]
    for weight, value in zip(weights, start, strict=True):
        weight.assign(value)
    oracle.apply(gradients, weights)
    for mine, weight in zip(ours, weights, strict=True):
        np.testing.assert_array_equal(mine, np.array(weight))
    assert len(spared) == 2 + 4  # gamma and beta of one batch norm, four biases


def test_without_gradients_kernels_alone_shrink(make_config: MakeConfig) -> None:
    """Oracle: `p * (1 - rate * decay)` for what multiplies pixels, and nothing for the rest."""
    config = make_config(
        model={
            "layers": [
                {"conv_block": {"filters": 4, "kernel_size": 3, "activation": {"PReLU": {}}}},
                {"SeparableConv2D": {"filters": 4, "kernel_size": 3}},
                {
                    "residual": {
                        "layers": ["LayerNormalization", {"self_attention": {"num_heads": 2}}]
                    }
                },
                "GlobalAveragePooling2D",
                "classifier",
            ]
        },
        train={"optimizer": "AdamW", "parameter_groups": {"weight_decay": "kernels"}},
    )
    network = network_of(config)
    scale = ScaledChannels(name="scale")
    scale.build((None, 4))
    network = replace(network, layers=(*network.layers, replace(network.layers[-1], layer=scale)))
    weights = [each for built in network.layers for each in built.layer.trainable_weights]
    optimizer = keras.optimizers.SGD(learning_rate=0.5, weight_decay=0.5)
    apply_groups(optimizer, network, config.train.parameter_groups)
    for weight in weights:
        weight.assign(np.ones(weight.shape))
    optimizer.apply([np.zeros(weight.shape, np.float32) for weight in weights], weights)
    for weight in weights:
        # Kernels multiply across an axis of inputs; all else of these layers has no such axis.
        is_kernel = "kernel" in weight.path
        np.testing.assert_array_equal(np.array(weight), 0.75 if is_kernel else 1.0, weight.path)
    assert {weight.name for weight in weights} >= {"alpha", "gamma", "beta", "bias"}


class ScaledChannels(keras.layers.Layer):
    """A weight without a name of its own, as ConvNeXt's LayerScale has it."""

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.gamma = self.add_weight(shape=(shape[-1],), initializer="ones")


def test_half_precision_hands_its_groups_on(make_config: MakeConfig) -> None:
    config = make_config(
        model={"layers": LAYERS},
        train={"precision": "mixed_float16", "parameter_groups": {"learning_rates": {"hidden": 2}}},
    )
    network = network_of(config)
    compile_anew(
        network.model,
        config,
        network=network,
        loss=KerasCall("losses", "SparseCategoricalCrossentropy"),
        optimizer=config.train.optimizer,
    )
    inner = network.model.optimizer.inner_optimizer
    assert "update_step" in vars(inner)


def test_a_pattern_that_names_nothing_is_refused(
    make_config: MakeConfig, snapshot: SnapshotAssertion
) -> None:
    groups = {"learning_rates": {"hiden": 0.1, "block_*": 2, "global_average_pooling2d_1": 3}}
    with pytest.raises(ConfigError) as refusal:
        network_of(make_config(model={"layers": LAYERS}, train={"parameter_groups": groups}))
    assert str(refusal.value) == snapshot


def test_a_pattern_that_is_never_the_first_is_refused(
    make_config: MakeConfig, snapshot: SnapshotAssertion
) -> None:
    groups = {"learning_rates": {"conv_*": 0.1, "*": 2, "hidden": 3, "conv_block_1": 4}}
    with pytest.raises(ConfigError) as refusal:
        network_of(make_config(model={"layers": LAYERS}, train={"parameter_groups": groups}))
    assert str(refusal.value) == snapshot


def gradients_of(layers: list[Any], *, steps: int) -> list[dict[str, np.ndarray]]:
    generator = np.random.default_rng(0)
    return [
        {
            weight.path: generator.normal(size=weight.shape).astype(np.float32)
            for built in layers
            for weight in built.layer.trainable_weights
        }
        for _ in range(steps)
    ]
