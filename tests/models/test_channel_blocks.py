"""Attention, split and shuffle; the oracles are Keras's own attention and NumPy's reference."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly.building import build_and_try
from cnnrun.assembly.standardizing import unfitted_preprocessing
from cnnrun.config.sections import Config
from cnnrun.errors import ConfigError
from cnnrun.models.cost import network_costs
from cnnrun.models.network import Network
from cnnrun.models.penalties import plain_model
from cnnrun.models.script import keras_script

MakeConfig = Callable[..., Config]

SHAPE = (6, 6, 1)
CONV = {"Conv2D": {"filters": 8, "kernel_size": 3, "strides": 2, "padding": "same", "name": "conv"}}
END = ["GlobalAveragePooling2D", "classifier"]
ATTENTION = {"residual": {"layers": ["LayerNormalization", {"self_attention": 4}]}}
SPLIT = {"channel_split": {"layers": [{"conv_block": {"filters": 6, "kernel_size": 3}}]}}


def network_of(make_config: MakeConfig, *layers: Any, seed: int = 0) -> Network:
    config = make_config(seed=seed, model={"layers": [CONV, *layers, *END]})
    return build_and_try(
        config,
        input_shape=SHAPE,
        classes=3,
        preprocessing=unfitted_preprocessing(config, SHAPE),
    ).network


def numbers(network: Network, before: str, after: str) -> tuple[np.ndarray, np.ndarray]:
    """What goes into a part of the network and what comes out, for two images."""
    model = network.model
    part = keras.Model(model.input, [model.get_layer(before).output, model.get_layer(after).output])
    images = np.random.default_rng(0).integers(0, 256, (2, *SHAPE)).astype(np.float32)
    return tuple(np.array(each) for each in part(images))


def test_attention_is_keras_own_over_all_positions(make_config: MakeConfig) -> None:
    """Oracle: MultiHeadAttention on the image as it is, which attends over height and width."""
    network = network_of(make_config, {"self_attention": {"num_heads": 4, "name": "where"}})
    x, y = numbers(network, "conv", "where_image")
    own = keras.layers.MultiHeadAttention(num_heads=4, key_dim=2)
    own.build(x.shape, x.shape)
    layer = network.model.get_layer("where_attention")
    for mine, theirs in zip(own.weights, layer.weights, strict=True):
        mine.assign(theirs)
    np.testing.assert_allclose(y, own(x, x), rtol=1e-5, atol=1e-6)


def test_the_kernels_of_attention_are_drawn_apart(make_config: MakeConfig) -> None:
    def kernels(seed: int) -> list[np.ndarray]:
        network = network_of(make_config, {"self_attention": {"num_heads": 2}}, seed=seed)
        layer = network.model.get_layer("self_attention_1_attention")
        return [np.array(each) for each in layer.weights if each.name == "kernel"]

    query, key, value, output = kernels(0)
    assert not np.allclose(query, key)
    assert not np.allclose(key, value)
    assert all(map(np.array_equal, kernels(0), (query, key, value, output)))
    assert not np.allclose(kernels(1)[0], query)


def test_multiply_adds_of_attention_by_hand(make_config: MakeConfig) -> None:
    network = network_of(make_config, {"self_attention": {"num_heads": 4, "key_dim": 5}})
    row = next(each for each in network_costs(network).layers if each.kind == "MultiHeadAttention")
    positions, channels, numbers_of_all_heads = 3 * 3, 8, 4 * 5
    by_hand = positions * 4 * channels * numbers_of_all_heads
    assert row.multiply_adds == by_hand + 2 * positions**2 * numbers_of_all_heads
    assert row.receptive_field == (6, 6)


@pytest.mark.parametrize("groups", [2, 4])
def test_a_shuffle_is_the_published_transposition(make_config: MakeConfig, groups: int) -> None:
    """Oracle: reshape to (groups, n), transpose, flatten back (ShuffleNet, section 3.1)."""
    network = network_of(make_config, {"channel_shuffle": {"groups": groups, "name": "deal"}})
    x, y = numbers(network, "conv", "deal_image")
    order = np.arange(8).reshape(groups, -1).T.ravel()
    np.testing.assert_array_equal(y, x[..., order])
    fields = {each.name: each.receptive_field for each in network_costs(network).layers}
    assert fields["deal_image"] == fields["conv"] == (3, 3)


def test_a_split_lets_one_half_pass_and_shuffles(make_config: MakeConfig) -> None:
    """Oracle: NumPy's split, concatenation and transposition around the inner layers' output."""
    network = network_of(make_config, SPLIT)
    x, y = numbers(network, "conv", "channel_split_1_shuffle_image")
    _, inner = numbers(network, "conv", "channel_split_1_conv_block_1_activation")
    half, joined = numbers(network, "channel_split_1_second_image", "channel_split_1_join")
    np.testing.assert_array_equal(half, x[..., 4:])
    fields = {each.name: each.receptive_field for each in network_costs(network).layers}
    assert fields["channel_split_1_join"] == (7, 7)  # of two convolutions, the first with strides
    np.testing.assert_array_equal(joined, np.concatenate([x[..., :4], inner], axis=-1))
    np.testing.assert_array_equal(y, joined[..., np.arange(10).reshape(2, -1).T.ravel()])


def test_files_and_scripts_hold_stock_layers_and_give_the_same(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    network = network_of(make_config, ATTENTION, SPLIT, {"channel_shuffle": 5})
    images = np.random.default_rng(1).integers(0, 256, (3, *SHAPE)).astype(np.float32)
    expected = np.array(network.model(images))
    plain_model(network.model).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(np.array(loaded(images)), expected, rtol=1e-6)
    scope: dict[str, Any] = {}
    exec(keras_script(network), scope)  # noqa: S102 - what `show --as keras` prints
    np.testing.assert_allclose(np.array(scope["model"](images)), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        {"self_attention": {"num_heads": 3}},
        {"channel_shuffle": {"groups": 3}},
        {"channel_split": {"layers": [{"MaxPooling2D": {"pool_size": 2}}]}},
        {"channel_split": {"layers": [{"Conv2D": {"filters": 3, "kernel_size": 1}}]}},
        {"residual": {"layers": ["Flatten", {"self_attention": 2}]}},
        {"residual": {"layers": ["Flatten", "channel_shuffle"]}},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_at_its_line(
    layer: Any, make_config: MakeConfig, snapshot: SnapshotAssertion, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as refusal:
        network_of(make_config, layer)
    assert str(refusal.value).replace(str(tmp_path), "") == snapshot
