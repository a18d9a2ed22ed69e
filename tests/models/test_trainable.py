"""What learns when. Oracle: what `fit` of Keras changes, and what it leaves."""

import keras
import numpy as np
import pytest

from cnnrun.config.backbone_spec import TrainableFrom
from cnnrun.models.trainable import (
    apply_trainable,
    learning_by_stage,
    restore_noise,
    trainable_layers,
)

HEAD = """
- GlobalAveragePooling2D
- Dropout: {rate: 0.5}
- dense_block: {units: 4, batch_norm: before_activation}
- Dense: {units: 4, trainable: false, name: fixed}
- classifier
"""
LEARNING_HEAD = {
    "global_average_pooling2d_1",
    "dropout_1",
    "dense_block_1_dense",
    "dense_block_1_batch_norm",
    "dense_block_1_activation",
    "classifier",
}


@pytest.fixture
def network(build_on):
    """Part of EfficientNetB0, with the first of its drop paths."""
    return build_on(HEAD, name="EfficientNetB0", output_layer="block2b_add")


def names(network, first, last=None):
    called = [built.name for built in network.layers]
    return set(called[called.index(first) : called.index(last) + 1 if last else None])


def batch_norms(network):
    return {name for name in network.backbone.names if name.endswith("_bn")}


def test_what_learns_is_what_is_said(network):
    lent, bare = set(network.backbone.names), batch_norms(network)
    assert trainable_layers(network, "none", batch_norm="frozen") == LEARNING_HEAD
    assert trainable_layers(network, "none", batch_norm="train") == LEARNING_HEAD
    assert trainable_layers(network, "all", batch_norm="train") == lent | LEARNING_HEAD
    assert trainable_layers(network, "all", batch_norm="frozen") == (lent - bare) | LEARNING_HEAD
    later = names(network, "block2b_expand_conv", "block2b_add") | LEARNING_HEAD
    first = TrainableFrom("block2b_expand_conv")
    assert trainable_layers(network, first, batch_norm="train") == later
    assert trainable_layers(network, first, batch_norm="frozen") == later - bare
    assert trainable_layers(network, TrainableFrom("dense_block_1"), batch_norm="frozen") == {
        name for name in LEARNING_HEAD if name.startswith("dense_block") or name == "classifier"
    }
    assert trainable_layers(network, TrainableFrom("nowhere"), batch_norm="frozen") == set()


def test_without_a_backbone_too(build):
    network = build("- Conv2D: {filters: 2, kernel_size: 3}\n- Flatten\n- classifier")
    everything = {built.name for built in network.layers}
    assert trainable_layers(network, "all", batch_norm="frozen") == everything
    only = trainable_layers(network, TrainableFrom("classifier"), batch_norm="frozen")
    assert only == {"classifier"}


@pytest.mark.parametrize("trainable", ["none", TrainableFrom("block2b_expand_conv")])
def test_training_changes_what_learns_and_nothing_else(network, trainable):
    apply_trainable(network, trainable, batch_norm="frozen")
    learning = trainable_layers(network, trainable, batch_norm="frozen")
    before = weights(network)
    fit(network)
    for built in network.layers:
        changed = any(
            not np.array_equal(old, new)
            for old, new in zip(before[built.name], built.layer.get_weights(), strict=True)
        )
        assert changed == (built.name in learning and bool(built.layer.weights)), built.name


def test_a_frozen_backbone_computes_in_training_what_it_computes_later(network):
    """Its batch norm, its drop paths: in training mode they differ by a quarter of the scale."""
    part = keras.Model(network.model.input, network.backbone.output)
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    later = part(pixels, training=False)
    apply_trainable(network, "none", batch_norm="frozen")
    np.testing.assert_allclose(part(pixels, training=True), later, rtol=1e-5, atol=1e-6)
    apply_trainable(network, "all", batch_norm="train")
    assert np.abs(part(pixels, training=True) - later).max() > 0.01


def test_noise_is_off_where_the_backbone_is_frozen_and_comes_back(network):
    drop = network.model.get_layer("block2b_drop")
    rate = drop.rate
    head = network.model.get_layer("dropout_1")
    assert rate > 0
    for trainable, expected in {"none": 0, "all": rate}.items():
        apply_trainable(network, trainable, batch_norm="frozen")
        assert (drop.rate, head.rate) == (expected, 0.5)
    apply_trainable(network, TrainableFrom("block2b_add"), batch_norm="frozen")
    assert drop.rate == 0
    restore_noise(network)
    assert drop.get_config()["rate"] == rate


def test_stages_are_counted_with_the_layers_that_learn_in_them(network):
    stages = ["none", TrainableFrom("block2b_expand_conv"), "all"]
    learning = learning_by_stage(
        network, [trainable_layers(network, one, batch_norm="frozen") for one in stages]
    )
    assert learning.stages["stem_conv"] == (3,)
    assert learning.stages["block2b_project_conv"] == (2, 3)
    assert learning.stages["classifier"] == (1, 2, 3)
    assert learning.stages["stem_bn"] == learning.stages["fixed"] == ()
    assert learning.stages["normalization"] == ()
    assert "block2b_drop" not in learning.stages
    for stage, counted in zip(stages, learning.parameters, strict=True):
        apply_trainable(network, stage, batch_norm="frozen")
        assert counted == sum(weight.value.numpy().size for weight in trainable(network))
    assert learning.parameters_in_any == learning.parameters[-1]


def trainable(network):
    return network.model.trainable_weights


def weights(network):
    return {built.name: built.layer.get_weights() for built in network.layers}


def fit(network):
    network.model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    network.model.fit(pixels, np.array([0, 1, 2, 0]), batch_size=2, verbose=0)
