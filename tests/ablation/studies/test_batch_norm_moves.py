"""Batch norm moves in lists of layers, and nothing else does."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.studies.batch_norm_moves import check_only_batch_norm_moved, with_batch_norm_at
from cnnrun.ablation.studies.factor_values import text_of
from cnnrun.config.dump import plain_layers
from cnnrun.config.yaml_tree import parse_tree

from ..conftest import SPELLED_OUT, PlanStudy, complaint

POSITIONS = ("none", "before_activation", "after_activation", "before_convolution")
ORDER = f"""\
question: Where?
factors:
  position:
    path: model.blocks.batch_norm.position
    values: [{", ".join(POSITIONS)}]
    in_layer_lists: move_batch_norm
"""


def arranged(layers: str, position: Any) -> list[str]:
    """The entries of a list after batch norm has moved."""
    tree = parse_tree(layers, file="layers.yaml").root
    return [text_of(item) for item in with_batch_norm_at(tree, position).items]


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("none", "C A P C A D"),
        ("before_activation", "C N A P C N A D"),
        ("after_activation", "C A N P C A N D"),
        ("before_convolution", "N C A P N C A D"),
    ],
)
@pytest.mark.parametrize(
    "start",
    ["C N A P C N A D", "C A N P C A N D", "N C A P N C A D", "C A P N C A D", "C A P N C N A D"],
)
def test_every_arrangement_becomes_every_other(start: str, position: str, expected: str) -> None:
    if start == "C A P N C A D":  # its second convolution has no batch norm, and gets none
        *head, _ = expected.split(" P ")
        expected = f"{head[0]} P C A D"
    letters = {
        "C": "{Conv2D: {filters: 4, kernel_size: 3}}",
        "N": "BatchNormalization",
        "A": "ReLU",
        "P": "MaxPooling2D",
        "D": "{Dense: {units: 10, activation: softmax}}",
    }
    text = "\n".join(f"- {letters[letter]}" for letter in start.split())
    assert arranged(text, position) == [letters[letter] for letter in expected.split()]


def test_where_there_is_none_every_convolution_with_an_activation_gets_one(
    snapshot: SnapshotAssertion,
) -> None:
    text = """
- Conv2D: {filters: 4, kernel_size: 3, activation: relu}
- Conv2D: {filters: 4, kernel_size: 3}
- MaxPooling2D
- Conv2D: {filters: 4, kernel_size: 3}
- Activation: {activation: tanh}
- Flatten
- Dense: {units: 10, activation: softmax}
"""
    assert {position: arranged(text, position) for position in POSITIONS} == snapshot


def test_arms_of_a_config_that_spells_out_its_layers(
    plan: PlanStudy, snapshot: SnapshotAssertion
) -> None:
    arms = plan(ORDER, config=SPELLED_OUT).plan.arms
    layers = {arm.name: plain_layers(arm.config.model.layers) for arm in arms}
    assert layers == snapshot


LETTER = st.sampled_from(
    [
        "Conv2D: {filters: 4, kernel_size: 3}",
        "Conv2D: {filters: 5, kernel_size: 3, activation: relu}",
        "BatchNormalization: {momentum: 0.5}",
        "BatchNormalization",
        "Activation: {activation: tanh}",
        "MaxPooling2D",
        "Flatten",
        "Dense: {units: 3, activation: softmax}",
    ]
)


@given(st.lists(LETTER, min_size=1, max_size=9))
def test_all_but_batch_norm_keeps_its_order_and_batch_norm_its_arguments(
    layers: list[str],
) -> None:
    text = "\n".join(f"- {layer}" for layer in layers)
    arms = {position: arranged(text, position) for position in POSITIONS}
    without = {
        position: [each for each in entries if "BatchNorm" not in each]
        for position, entries in arms.items()
    }
    assert len({tuple(entries) for entries in without.values()}) == 1
    norms = [
        Counter(each for each in arms[position] if "BatchNorm" in each)
        for position in POSITIONS[1:]
    ]
    assert norms[0] == norms[1] == norms[2]


def test_arms_that_differ_in_more_are_refused(snapshot: SnapshotAssertion) -> None:
    arms = [("none", ["ReLU"]), ("after", ["BatchNormalization", {"ELU": {"alpha": 1}}])]
    assert complaint(lambda: check_only_batch_norm_moved(arms)) == snapshot
