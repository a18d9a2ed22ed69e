"""The JSON Schema, judged by jsonschema: what editors accept is what cnnrun accepts."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cnnrun.config.keras_table import keras_table
from cnnrun.config.schema import json_schema
from cnnrun.config.yaml_tree import ListNode, MapNode, Node, parse_tree

from .conftest import DATA, MODEL, with_data, with_layers, with_train

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def with_backbone(backbone: str) -> str:
    return f"{DATA}model: {{backbone: {backbone}, layers: [classifier]}}\n"


def parsed(text: str) -> Any:
    return as_json(parse_tree(text, file="config.yaml").root)


def as_json(node: Node) -> Any:
    if isinstance(node, MapNode):
        return {key: as_json(entry.node) for key, entry in node.entries.items()}
    return [as_json(item) for item in node.items] if isinstance(node, ListNode) else node.value


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_projects_configs_are_valid(
    path: Path, validator: jsonschema.Draft202012Validator
) -> None:
    assert [error.message for error in validator.iter_errors(parsed(path.read_text()))] == []


@pytest.mark.parametrize(
    "text",
    [
        DATA + MODEL,
        "extends: base.yaml\n",
        "extends: base.yaml\nmodel: {backbone: {weights: none}}\n",
        DATA + MODEL + "train:\npreprocess:\naugment:\n",
        DATA + MODEL + "augment: {zoom_range: [0.5, 1], width_shift_range: 0.1, cval: 3}\n",
        DATA + MODEL + "augment: {zoom_range: 0.5, width_shift_range: [1, 2], engine: keras}\n",
        with_data("csv: a.csv\nimage_size: [8, 8]\nclasses: [0, 1, yes]"),
        with_data("arrays: {file: a.npz, value_range: [0, 1]}\ndirectory:"),
        with_layers(
            "- conv_block: {kernel_size: [3, 3], batch_norm: {position: none, momentum: 0.5}}\n"
            "- conv_block: {filters: 3, kernel_size: 3, activation: {PReLU: {shared_axes: [1]}}}\n"
            "- branches: {branches: [[Flatten], [{repeat: {times: 2, layers: [Flatten]}}]]}\n"
            "- Dropout: {rate: 0.5, noise_shape: [null, 1]}\n- Flatten:\n- classifier:"
        ),
        with_train(
            "optimizer: {SGD: {learning_rate: {CosineDecay: "
            "{initial_learning_rate: 0.1, decay_steps: 5}}}}\nbest: last\nloss: mse\n"
            "metrics: [accuracy, {TopKCategoricalAccuracy: {k: 2}}]\nclass_weight: {a: 1}\n"
            "callbacks: [TerminateOnNaN, {EarlyStopping: {patience: 3}}]\n"
            "stages: [{trainable: {from: a}}, {trainable: all}]"
        ),
        with_train(
            "optimizer: {SGD: {learning_rate: {warmup: {warmup_steps: 1 epoch, learning_rate: "
            "{PiecewiseConstantDecay: {boundaries: [1.5 epochs, 400], values: [3, 2, 1]}}}}}}"
        ),
        with_train("stages: [{bottleneck: true, trainable: none}, {trainable: }]"),
        with_backbone("MobileNet"),
        with_backbone("none"),
        with_backbone("{weights: ../experiments/first, output_layer: a, trainable: {from: b}}"),
        with_backbone("{name: MobileNet, alpha: 0.5, pooling: avg, classifier_activation: none}"),
    ],
)
def test_valid_configs(text: str, validator: jsonschema.Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(parsed(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        DATA,
        DATA + MODEL + "trian: {}\n",
        DATA + "model: {backbone: VGG16}\n",
        DATA + "model:\n",
        DATA + MODEL + "seed: -1\n",
        DATA + MODEL + "augment: {zoom_range: [0.5]}\n",
        DATA + MODEL + "augment: {fill_mode: mirror}\n",
        DATA + MODEL + "augment: {rescale: 1}\n",
        with_data("directory: a\nimage_size: 8"),
        with_data("keras_dataset: cifar"),
        with_layers("- Conv2D: {filters: -1, kernel_size: 3}"),
        with_layers("- Conv2D: {kernel_size: 3}"),
        with_layers("- Conv2D"),
        with_layers("- Conv2D: {filters: 1, kernel_size: 3, paddings: same}"),
        with_layers("- Conv2D: {filters: 1, kernel_size: 3, padding: full}"),
        with_layers("- Flatten: {}\n  Dense: {units: 3}"),
        with_layers("- Lambda"),
        with_layers("- Wavelet"),
        with_layers("- residual: {layers: [{Dense: {units: 0}}]}"),
        with_layers("- dense_block: {units: 3, batch_norm: before}"),
        with_train("optimizer: {Adam: {lr: 0.1}}"),
        with_train("optimizer: Adan"),
        with_train("epochs: 0"),
        with_train("best: first"),
        with_train("stages: [{bottleneck: 1}]"),
        with_backbone("MobileNett"),
        with_backbone("{name: VGG16, input_shape: [8, 8, 3]}"),
        with_backbone("{name: VGG16, pooling: mean}"),
        with_backbone("{name: VGG16, trainable: some}"),
    ],
)
def test_wrong_configs(text: str, validator: jsonschema.Draft202012Validator) -> None:
    assert list(validator.iter_errors(parsed(text)))


def test_layers_are_one_object_and_not_a_choice_of_objects() -> None:
    names, one_object = json_schema()["$defs"]["layer"]["anyOf"]
    assert one_object["maxProperties"] == 1
    assert {"Conv2D", "PReLU", "conv_block", "classifier"} <= set(one_object["properties"])
    assert "Flatten" in names["enum"]
    assert "Conv2D" not in names["enum"]


def test_every_layer_of_one_input_is_there_with_its_arguments() -> None:
    layers = json_schema()["$defs"]["layer"]["anyOf"][1]["properties"]
    for name, entry in keras_table()["layers"].items():
        if entry["inputs"] == "one":
            arguments = {argument["name"] for argument in entry["arguments"]}
            assert set(layers[name]["properties"]) == arguments


def test_keys_are_described() -> None:
    properties = json_schema()["properties"]["train"]["anyOf"][0]["properties"]
    assert all(entry["description"] for entry in properties.values())
    assert properties["epochs"]["default"] == 10


def test_it_is_json() -> None:
    assert json.loads(json.dumps(json_schema())) == json_schema()
