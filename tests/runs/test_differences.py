"""Configs are compared address by address, as far down as they have the same shape."""

import yaml
from hypothesis import given
from hypothesis import strategies as st

from cnnrun.runs.differences import differing_values, inline, typed

TEXTS = st.text("abc019.", max_size=4)
CONFIGS = st.recursive(
    TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner),
    max_leaves=12,
)


def test_maps_are_entered() -> None:
    configs = [{"a": {"b": "1", "c": "2"}}, {"a": {"b": "1", "c": "3"}}]
    assert differing_values(configs) == {"a.c": ("2", "3")}


def test_a_map_beside_a_text_is_one_value() -> None:
    configs = [{"batch_norm": {"position": "before"}}, {"batch_norm": "none"}]
    assert differing_values(configs) == {"batch_norm": ({"position": "before"}, "none")}


def test_layers_are_entered_by_number_and_kind() -> None:
    pool, conv, wide = (
        {"MaxPooling2D": {"pool_size": "2"}},
        {"conv_block": {"filters": "32"}},
        {"conv_block": {"filters": "64"}},
    )
    configs = [
        {"model": {"layers": [conv, pool, "Flatten"]}},
        {"model": {"layers": [wide, conv, "Flatten", "classifier"]}},
    ]
    assert differing_values(configs) == {
        "model.layers[0].conv_block.filters": ("32", "64"),
        "model.layers[1].MaxPooling2D": ({"pool_size": "2"}, None),
        "model.layers[1].conv_block": (None, {"filters": "32"}),
        "model.layers[3]": (None, "classifier"),
    }


def test_plain_lists_are_one_value() -> None:
    configs = [{"data": {"image_size": ["8", "8"]}}, {"data": {"image_size": ["8", "16"]}}]
    assert differing_values(configs) == {"data.image_size": (["8", "8"], ["8", "16"])}


def test_what_follows_from_blocks_is_told_once() -> None:
    def config(position: str, activation: str) -> dict[str, object]:
        block = {"batch_norm": position, "activation": activation}
        return {
            "model": {
                "blocks": {"batch_norm": position},
                "layers": [{"conv_block": block}, {"residual": {"layers": [{"x_block": block}]}}],
            }
        }

    configs = [config("none", "relu"), config("after_activation", "elu")]
    assert list(differing_values(configs)) == [
        "model.blocks.batch_norm",
        "model.layers[0].conv_block.activation",
        "model.layers[1].residual.layers[0].x_block.activation",
    ]


@given(CONFIGS)
def test_a_config_does_not_differ_from_itself(config: object) -> None:
    assert differing_values([{"a": config}, {"a": config}]) == {}


@given(CONFIGS, CONFIGS)
def test_configs_that_differ_say_where(first: object, second: object) -> None:
    differing = differing_values([{"a": first}, {"a": second}])
    assert (differing == {}) == (first == second)
    assert all(address.startswith("a") for address in differing)
    assert all(values[0] != values[1] for values in differing.values())


@given(st.dictionaries(st.sampled_from("xyz"), st.lists(st.sampled_from(["relu", "3", "0.5"]))))
def test_an_inline_value_is_yaml(config: dict[str, list[str]]) -> None:
    assert yaml.load(inline(config), Loader=yaml.BaseLoader) == config  # noqa: S506 only text


def test_typed_values() -> None:
    texts = {"filters": "32", "rate": "1e-3", "activation": "relu", "name": "null", "l": ["true"]}
    assert typed(texts) == {
        "filters": 32,
        "rate": 0.001,
        "activation": "relu",
        "name": None,
        "l": [True],
    }
