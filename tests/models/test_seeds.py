"""Initial weights depend on (seed, layer path, attribute) alone."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnrun.models.seeds import derived_seed

PLAIN = """
- conv_block: {filters: 6, kernel_size: 3}
- residual:
    layers:
      - conv_block: {filters: 6, kernel_size: 3}
- GlobalAveragePooling2D
- dense_block: {units: 5}
- classifier
"""


def weights(network):
    return {weight.path: weight.numpy() for weight in network.model.weights}


def assert_shared_weights_are_equal(one, other, *, at_least):
    shared = set(one) & set(other)
    assert len(shared) >= at_least
    for path in shared:
        np.testing.assert_array_equal(one[path], other[path], err_msg=path)


def test_two_builds_of_a_seed_have_equal_bits(build):
    assert_shared_weights_are_equal(weights(build(PLAIN)), weights(build(PLAIN)), at_least=8)


def test_what_was_built_before_does_not_matter(build):
    first = weights(build(PLAIN))
    keras.utils.set_random_seed(5)
    keras.layers.Dense(3)(keras.Input((4,)))
    assert_shared_weights_are_equal(first, weights(build(PLAIN)), at_least=8)


def test_another_seed_draws_other_kernels(build):
    one, other = weights(build(PLAIN, seed=0)), weights(build(PLAIN, seed=1))
    kernels = [path for path in one if path.endswith("kernel")]
    assert all((one[path] != other[path]).any() for path in kernels)


def test_equal_layers_at_different_places_draw_differently(build):
    network = build("- Flatten\n- Dense: {units: 192}\n- Dense: {units: 192}\n- classifier")
    first, second = (network.model.get_layer(f"dense_{number}").kernel for number in (1, 2))
    assert (np.asarray(first.numpy()) != second.numpy()).any()


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(
            PLAIN.replace("- Glob", "- BatchNormalization\n- Glob"), id="a batch norm more"
        ),
        pytest.param(PLAIN.replace("- Glob", "- Dropout: {rate: 0.5}\n- Glob"), id="a dropout"),
        pytest.param(
            PLAIN.replace("- residual:", "- residual:\n    name: residual_1"), id="a name as given"
        ),
        pytest.param(
            PLAIN.replace(
                "- Glob",
                "- branches:\n    branches: [[Identity], [Conv2D: {filters: 6, kernel_size: 1}]]\n"
                "    merge: Add\n- Glob",
            ),
            id="branches",
        ),
    ],
)
def test_other_layers_leave_these_as_they_are(build, changed):
    assert_shared_weights_are_equal(weights(build(PLAIN)), weights(build(changed)), at_least=8)


@pytest.mark.parametrize("position", ["before_activation", "after_activation"])
def test_where_batch_norm_stands_leaves_the_kernels_as_they_are(build, position):
    normalized = build(PLAIN, blocks=f"{{batch_norm: {position}}}")
    assert_shared_weights_are_equal(weights(build(PLAIN)), weights(normalized), at_least=8)


def test_a_branch_more_leaves_the_others_as_they_are(build):
    branch = "[Conv2D: {filters: 4, kernel_size: 3, padding: same}]"
    lines = "- branches:\n    branches: [%s]\n- GlobalMaxPooling2D\n- Dense: {units: 3}"
    two = weights(build(lines % ", ".join([branch] * 2)))
    three = weights(build(lines % ", ".join([branch] * 3)))
    for path in two:
        if path.startswith("branches"):
            np.testing.assert_array_equal(two[path], three[path])


def test_seeds_of_the_config_are_kept(build):
    lines = """
    - Conv2D: {filters: 4, kernel_size: 3, kernel_initializer: {HeNormal: {seed: 7}}}
    - Dropout: {rate: 0.5, seed: 11}
    - Flatten
    - classifier
    """
    for seed in (0, 1):
        network = build(lines, seed=seed)
        kernel = network.model.get_layer("conv2d_1").kernel.numpy()
        np.testing.assert_array_equal(kernel, keras.initializers.HeNormal(seed=7)((3, 3, 3, 4)))
        assert network.model.get_layer("dropout_1").seed == 11


def test_separable_convolutions_draw_both_kernels_apart(build):
    lines = "- conv_block: {filters: 3, kernel_size: 1, convolution: SeparableConv2D}"
    layer = build(f"{lines}\n- Flatten\n- classifier").model.get_layer("conv_block_1_conv")
    seeds = [one.seed for one in (layer.depthwise_initializer, layer.pointwise_initializer)]
    assert seeds[0] != seeds[1]


def test_both_directions_of_a_bidirectional_layer_draw_apart(build):
    lines = "- Reshape: {target_shape: [-1, 3]}\n- Bidirectional: {layer: {LSTM: {units: 3}}}"
    layer = build(f"{lines}\n- classifier").model.get_layer("bidirectional_1")
    forward, backward = (one.cell.kernel.numpy() for one in _directions(layer))
    assert (forward != backward).any()
    assert [one.go_backwards for one in _directions(layer)] == [False, True]


def test_glorot_uniform_has_the_variance_that_its_paper_claims(build):
    """Glorot and Bengio 2010, equation 12: variance 2 / (fan_in + fan_out)."""
    lines = "- Flatten\n- Dense: {units: 500}\n- classifier"
    kernel = build(lines).model.get_layer("dense_1").kernel.numpy()
    expected = 2 / sum(kernel.shape)
    # The variance of a uniform sample of n numbers scatters by a share of sqrt(0.8 / n).
    assert np.var(kernel) == pytest.approx(expected, rel=5 * math.sqrt(0.8 / kernel.size))
    assert np.abs(kernel).max() <= math.sqrt(3 * expected)


@given(st.integers(), st.text(), st.text(), st.text())
def test_a_derived_seed_is_a_31_bit_number_of_its_own(seed, path, attribute, other):
    found = derived_seed(seed, path, attribute)
    assert 0 <= found < 2**31
    assert found == derived_seed(seed, path, attribute)
    if other != path and "\n" not in path + other + attribute:
        assert found != derived_seed(seed, other, attribute)


def _directions(layer):
    return layer.forward_layer, layer.backward_layer
