"""Configs made to take for ever, or changed at random: refused soon, or read, and never a crash."""

import os
import time
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.load import load_config
from cnnrun.errors import ConfigError

CONFIG = """\
data: {directory: images, image_size: [8, 8]}
model:
  layers:
    - conv_block: {filters: 4, kernel_size: 3, name: stem}
    - repeat:
        times: 2
        layers:
          - residual: {layers: [{conv_block: {filters: 4, kernel_size: 3}}]}
    - classifier
train: {epochs: 3, batch_size: 8, optimizer: {Adam: {learning_rate: 1e-3}}}
"""


def refusal(path: Path, overrides: tuple[str, ...] = ()) -> str:
    began = time.process_time()
    with pytest.raises(ConfigError) as raised:
        load_config(path, overrides=overrides)
    assert time.process_time() - began < 5
    text = str(raised.value)
    assert len(text) < 50_000
    return text.replace(str(path.parent), "<folder>")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize(
    "override",
    [
        "model.layers[1].repeat.times=1000000000",
        "model.layers[1].repeat.times=9999999999999999999999",
        "model.layers[1].repeat.layers=[{repeat: {times: 5000, layers: [{repeat: {times: 5000,"
        " layers: [ReLU]}}]}}]",
        "data.image_size=[1000000000, 8]",
        f"seed={'9' * 5000}",
        f"seed={'0' * 5000}1",
        f"seed='{'9' * 5000}'",
        f"model.layers[{'9' * 5000}].conv_block.filters=3",
        f"model.layers[0].conv_block.name={'x' * 600_000}",
    ],
    ids=[
        "a billion times",
        "more than 64 bits",
        "times within times",
        "a billion pixels",
        "a long seed",
        "a long seed of zeros",
        "a long seed in quotes",
        "a long index",
        "a long name",
    ],
)
def test_what_would_never_end_is_refused(
    config: Path, override: str, snapshot: SnapshotAssertion
) -> None:
    assert refusal(config, (override,)) == snapshot


def test_the_first_of_many_problems_are_named(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG + "".join(f"batchsize{number}: 1\n" for number in range(50_000)))
    told = refusal(path)
    assert told.count("<folder>") == 50
    assert told.splitlines()[-1] == snapshot


@pytest.mark.parametrize("where", ["layers", "arguments"])
def test_many_problems_of_other_kinds_are_soon_found(tmp_path: Path, where: str) -> None:
    lines = {
        "layers": "".join(f"    - Convv{number}\n" for number in range(20_000)),
        "arguments": "    - Conv2D: {filters: 2, kernel_size: 3, "
        + ", ".join(f"filterss{number}: 3" for number in range(20_000))
        + "}\n",
    }
    path = tmp_path / "config.yaml"
    path.write_text(
        f"data: {{directory: a, image_size: [8, 8]}}\nmodel:\n  layers:\n{lines[where]}"
    )
    assert "more problems" in refusal(path)


@pytest.mark.parametrize("kind", ["pipe", "/dev/zero", "/dev/urandom"])
def test_what_has_no_end_is_not_read(
    tmp_path: Path, kind: str, snapshot: SnapshotAssertion
) -> None:
    path = tmp_path / "config.yaml"
    os.mkfifo(path) if kind == "pipe" else path.symlink_to(kind)
    assert refusal(path) == snapshot
    other = tmp_path / "other.yaml"
    other.write_text("extends: config.yaml\n")
    assert "config.yaml" in refusal(other)


@pytest.mark.parametrize("base", ['"a\\0b"', "~nobody-of-this-name/base.yaml", "circle.yaml"])
def test_a_base_that_cannot_be_a_path_is_refused(
    tmp_path: Path, base: str, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "circle.yaml").symlink_to("circle.yaml")
    path = tmp_path / "config.yaml"
    path.write_text(f"extends: {base}\n")
    assert refusal(path) == snapshot


@pytest.mark.parametrize("words", ["threads: 100000", "steps_per_execution: 2147483648"])
def test_numbers_that_would_end_the_process_are_refused(
    tmp_path: Path, words: str, snapshot: SnapshotAssertion
) -> None:
    """TensorFlow aborts for want of threads, and counts steps in 32 bits."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "data: {directory: a, image_size: [8, 8]}\nmodel: {layers: [Flatten, classifier]}\n"
        f"train: {{{words}}}\n"
    )
    assert refusal(path) == snapshot


JUNK = ["[", "]", "{", "}", ":", "- ", "\n", "\t", "&a ", "*a", "!!python/object:os.system ", "'"]
JUNK += ["\x00", "\xff", "9" * 30, "-1", "null", ".nan", "1e999", "~", "true", "📷", "?", "|", ">"]


def test_configs_changed_at_random_are_read_or_refused(config: Path, attack) -> None:
    """Whatever is written: a config, or problems with their places."""
    refusals = 0
    for _ in attack.rounds(150):
        text = CONFIG
        for _ in range(attack.random.choice([1, 2, 5])):
            at = attack.random.randrange(len(text))
            end = at + attack.random.choice([0, 1, 4, 20])
            text = text[:at] + attack.random.choice(JUNK) + text[end:]
        config.write_text(text, encoding="utf-8", newline="")
        try:
            load_config(config)
        except ConfigError as error:
            refusals += 1
            told = str(error)
            assert told.strip(), text
    assert refusals
