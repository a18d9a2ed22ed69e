"""Every key of a config or study file is explained, with an example that the file's check takes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cnnrun.ablation.studies.study import load_study
from cnnrun.config.load import load_config
from cnnrun.manual.keys import KeyTopic, examples, find_keys, key_topics

# What an example stands in: it is merged into this, as `extends` merges.
AROUND: Mapping[str, Mapping[str, Any]] = {
    "config": {
        "data": {"directory": "images", "image_size": [32, 32]},
        "model": {"layers": ["GlobalAveragePooling2D", "classifier"]},
    },
    "study": {
        "question": "How wide?",
        "factors": {
            "width": {"path": "model.layers[0].conv_block.filters", "values": [8, 32, 128]}
        },
    },
}
CHECKS: Mapping[str, Callable[[Path], object]] = {"config": load_config, "study": load_study}
OTHER_SOURCES = {"csv", "arrays", "parquet", "tar", "tfrecord", "keras_dataset"}


def merged(below: Any, above: Any) -> Any:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    keys = below | above
    return {key: merged(below.get(key), above[key]) if key in above else keys[key] for key in keys}


def surroundings(topic: KeyTopic, example: Mapping[str, Any]) -> dict[str, Any]:
    """A file that is right without the example."""
    around = yaml.safe_load(yaml.safe_dump(dict(AROUND[topic.file])))
    if OTHER_SOURCES & set(example.get("data", {})):
        del around["data"]["directory"]
    if topic.address.startswith("train.stages") or topic.address.endswith("trainable.from"):
        around["model"]["backbone"] = {"name": "MobileNet"}
    if topic.file == "study" and {"factors", "search"} & set(example):
        del around["factors"]
    return around


@pytest.mark.parametrize("topic", key_topics(), ids=lambda each: f"{each.file}:{each.address}")
def test_a_key_is_explained_with_an_example_that_is_valid(topic: KeyTopic, tmp_path: Path) -> None:
    assert topic.row.doc, "a key says what it means"
    assert topic.row.kind.phrase, "a key says what it takes"
    example = yaml.safe_load(topic.example)
    last = [part for part in topic.address.split(".") if part != "NAME"][-1]
    assert f"{last}:" in topic.example
    path = tmp_path / "example.yaml"
    path.write_text(yaml.safe_dump(merged(surroundings(topic, example), example)))
    CHECKS[topic.file](path)


def test_no_example_is_of_a_key_that_went_away() -> None:
    known = {(topic.file, topic.address) for topic in key_topics()}
    assert {(file, key) for file, keys in examples().items() for key in keys} == known


@pytest.mark.parametrize(
    ("words", "addresses"),
    [
        ("train.best", ["train.best"]),
        ("best", ["train.best"]),
        ("best.monitor", ["train.best.monitor"]),
        ("data.on_bad_image", ["data.on_bad_image"]),
        ("keep_aspect", ["data.resize.keep_aspect"]),
        ("class_weight", ["train.class_weight"]),
        ("resplit", ["resplit"]),
        ("diagnostics", ["diagnostics"]),
        ("target", ["target"]),
        ("margin", ["metric.margin"]),
        ("train.stages[1].epochs", ["train.stages.epochs"]),
        ("train.stages.0.epochs", []),
        ("model.layers[stem].conv_block.filters", ["model.layers.conv_block.filters"]),
        ("factors.position.values", ["factors.NAME.values"]),
        ("epochs", ["train.epochs", "train.stages.epochs"]),
        ("NAME", []),
        ("bst", []),
        ("train.", []),
        ("", []),
    ],
)
def test_a_key_is_found_by_its_address_or_the_end_of_it(words: str, addresses: list[str]) -> None:
    assert [topic.address for topic in find_keys(words)] == addresses
