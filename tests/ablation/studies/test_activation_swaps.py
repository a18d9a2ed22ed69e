"""Activations of spelled-out lists give way to others, and nothing else changes."""

import pytest

from cnnrun.ablation.studies.activation_swaps import with_activation
from cnnrun.ablation.studies.factor_values import text_of
from cnnrun.config.yaml_tree import parse_tree

from ..conftest import SPELLED_OUT, PlanStudy

LAYERS = """
- Conv2D: {filters: 4, kernel_size: 3, activation: relu}
- BatchNormalization
- ReLU
- LeakyReLU: {negative_slope: 0.1}
- Activation: {activation: elu, name: mine}
- repeat: {times: 2, layers: [{Dense: {units: 3, activation: tanh}}]}
- Dense: {units: 10, activation: softmax}
- Activation: {activation: softmax}
"""
CROSSED = """
question: Where?
factors:
  position:
    path: model.blocks.batch_norm.position
    values: [before_activation, after_activation]
    in_layer_lists: move_batch_norm
  activation:
    path: model.blocks.activation
    values: [relu, {PReLU: {shared_axes: [1, 2]}}]
    in_layer_lists: swap_activations
"""


def swapped(activation: str) -> list[str]:
    """The entries of `LAYERS` with another activation."""
    value = parse_tree(activation, file="study.yaml").root
    return [text_of(item) for item in with_activation(parse(LAYERS), value).items]


def parse(layers: str):
    return parse_tree(layers, file="layers.yaml").root


@pytest.mark.parametrize(
    ("activation", "layers"),
    [
        ("tanh", ["{Activation: {activation: tanh}}"]),
        ("PReLU", ["PReLU"]),
        ("{PReLU: {shared_axes: [1, 2]}}", ["{PReLU: {shared_axes: [1, 2]}}"]),
        ("none", []),
        ("null", []),
    ],
)
def test_every_activation_but_the_outputs(activation: str, layers: list[str]) -> None:
    inside = ", ".join(["{Dense: {units: 3}}", *layers])
    assert swapped(activation) == [
        "{Conv2D: {filters: 4, kernel_size: 3}}",
        *layers,
        "BatchNormalization",
        *layers * 3,
        f"{{repeat: {{times: 2, layers: [{inside}]}}}}",
        "{Dense: {units: 10, activation: softmax}}",
        "{Activation: {activation: softmax}}",
    ]


def test_positions_and_activations_are_crossed(plan: PlanStudy) -> None:
    arms = plan(CROSSED, config=SPELLED_OUT).plan.arms
    kinds = {
        tuple(arm.levels.values()): " ".join(layer.kind for layer in arm.config.model.layers[:5])
        for arm in arms
    }
    assert kinds == {
        (
            "before_activation",
            "relu",
        ): "Conv2D BatchNormalization Activation Conv2D BatchNormalization",
        ("before_activation", "PReLU"): "Conv2D BatchNormalization PReLU Conv2D BatchNormalization",
        ("after_activation", "relu"): "Conv2D Activation BatchNormalization Conv2D Activation",
        ("after_activation", "PReLU"): "Conv2D PReLU BatchNormalization Conv2D PReLU",
    }


def test_a_single_activation_is_left_to_the_config(plan: PlanStudy) -> None:
    text = CROSSED.replace("[relu, {PReLU: {shared_axes: [1, 2]}}]", "[elu]")
    arm = plan(text, config=SPELLED_OUT).plan.arms[0]
    assert [layer.kind for layer in arm.config.model.layers[:6]][-1] == "ReLU"
