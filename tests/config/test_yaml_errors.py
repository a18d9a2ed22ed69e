"""What is refused before any value is looked at: files, encodings, YAML itself."""

import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.load import load_config
from cnnrun.config.yaml_tree import MapNode, ScalarNode, parse_tree
from cnnrun.errors import ConfigError

from .conftest import DATA, MODEL, Complain, Load, with_train

LAUGHS = "a: &a [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{chr(ord(name) - 1)}'] * 9)}]\n" for name in "bcdefghi"
)

BAD_YAML = {
    "tab": "data:\n\tdirectory: images\n",
    "colon too many": "data: directory: images\n",
    "missing bracket": "data: {image_size: [8, 8}\nmodel: {}\n",
    "open quote": "data: 'images\n",
    "no space after colon": "data:1\nmodel:2\n",
    "dedent": "data:\n    directory: images\n  image_size: [8, 8]\n",
    "list then map": "- data\nmodel: 1\n",
    "bracket too many": "data: {directory: images}}\n",
    "reserved character": "data: @images\n",
    "undefined alias": "data: *images\n",
    "control character": "data: \x07\n",
    "duplicate key": DATA + MODEL + "train: {epochs: 5, batch_size: 8, epochs: 6}\n",
    "duplicate section": DATA + MODEL + DATA,
    "leading zero": with_train("epochs: 010\nbatch_size: -08"),
    "tag of Python": "data: !!python/object/apply:os.system [echo]\n" + MODEL,
    "tag of YAML": DATA + MODEL + "seed: !!int '3'\n",
    "local tag": DATA + MODEL + "train: !secret {epochs: 3}\n",
    "several documents": DATA + MODEL + "---\n" + DATA,
    "recursive anchor": "data: &data {directory: images, csv: *data}\n",
    "billion laughs": LAUGHS,
    "nested too deeply": "data: " + "[" * 200 + "\n",
    "merge key": "base: &base {epochs: 3}\ntrain: {<<: *base}\n",
    "list as a key": "? [data]\n: 1\n",
    "empty": "",
    "only a comment": "# nothing yet\n",
    "list at the top": "- data\n- model\n",
    "text at the top": "data\n",
    "nothing at the top": "~\n",
    "yaml 3": "%YAML 3.0\n---\ndata: 1\n",
}


@pytest.mark.parametrize("name", BAD_YAML)
def test_text_that_is_no_config(name: str, complain: Complain, snapshot: SnapshotAssertion) -> None:
    assert complain(BAD_YAML[name]) == snapshot


def test_billion_laughs_is_refused_at_once(complain: Complain) -> None:
    start = time.process_time()
    complain(LAUGHS)
    assert time.process_time() - start < 1


def test_no_such_file(folder: Path, snapshot: SnapshotAssertion) -> None:
    Path("digits.yaml").write_text(DATA)
    complaints = []
    for name in ["digit.yaml", "cifar.yaml", "nowhere/digits.yaml", "digits.yaml/x", "a\0b"]:
        with pytest.raises(ConfigError) as refusal:
            load_config(Path(name))
        complaints.append(str(refusal.value))
    assert complaints == snapshot


def test_a_folder(folder: Path, snapshot: SnapshotAssertion) -> None:
    (folder / "configs").mkdir()
    with pytest.raises(ConfigError) as refusal:
        load_config(Path("configs"))
    assert str(refusal.value) == snapshot


@pytest.mark.parametrize(
    "content",
    [b"data: caf\xe9\n", "data: 1\n".encode("utf-16"), b"\x89PNG\r\n\x1a\n", b"a" * 2**20 + b"aa"],
    ids=["latin-1", "utf-16", "image", "too large"],
)
def test_bytes_that_are_no_config(
    content: bytes, folder: Path, snapshot: SnapshotAssertion
) -> None:
    Path("config.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as refusal:
        load_config(Path("config.yaml"))
    assert str(refusal.value) == snapshot


def test_byte_order_mark_and_windows_lines_are_fine(folder: Path) -> None:
    text = "\ufeff" + (DATA + MODEL).replace("\n", "\r\n")
    Path("config.yaml").write_bytes(text.encode())
    assert load_config(Path("config.yaml")).data.image_size == (8, 8)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-0", 0),
        ("+3", 3),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("y", "y"),
        ("True", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ('"true"', "true"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_mean_what_the_core_schema_of_yaml_1_2_says(text: str, value: object) -> None:
    root = parse_tree(f"key: {text}\n", file="x.yaml").root
    assert isinstance(root, MapNode)
    node = root.entries["key"].node
    assert isinstance(node, ScalarNode)
    assert node.value == value
    assert type(node.value) is type(value)


def test_aliases_stand_for_what_they_name(load: Load) -> None:
    config = load(
        DATA
        + "model:\n  layers:\n    - &block {conv_block: {filters: 4, kernel_size: 3}}\n"
        + "    - *block\n    - classifier\n"
    )
    assert [layer.path for layer in config.model.layers] == [
        "conv_block_1",
        "conv_block_2",
        "classifier",
    ]
    assert config.model.layers[0].arguments == config.model.layers[1].arguments


def test_a_problem_of_an_anchor_is_told_once(complain: Complain) -> None:
    text = DATA + "model:\n  layers:\n    - &a {Dense: {units: -1}}\n    - *a\n    - *a\n"
    assert complain(text).count("must be an integer of at least 1") == 1


@given(st.text())
def test_any_text_is_a_config_or_a_refusal(text: str) -> None:
    with suppress(ConfigError):
        parse_tree(text, file="x.yaml")
