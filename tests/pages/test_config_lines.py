"""What differs from the defaults. Oracle: the defaults that the config's own classes have."""

from pathlib import Path

import pytest

from cnnrun.config.dump import dump_config
from cnnrun.config.load import load_config
from cnnrun.pages.config_lines import config_view
from cnnrun.runs.files import write_text
from cnnrun.runs.folder import RunFolder

CONFIGS = Path(__file__).parents[2] / "configs"


def view_of(folder: Path, text: str) -> dict[str, tuple[str, str]]:
    run = RunFolder(folder)
    write_text(run.resolved_yaml, text)
    view = config_view(run)
    assert view is not None
    assert [line.text for line in view.lines] == text.rstrip("\n").split("\n")
    marked = {number for number, line in enumerate(view.lines) if line.differs}
    assert marked == {each.line for each in view.differences}
    return {each.address: (each.value, each.default) for each in view.differences}


def test_what_the_digits_change_and_nothing_else_of_training(tmp_path: Path) -> None:
    text = dump_config(load_config(CONFIGS / "digits.yaml"), relative_to=tmp_path)
    found = view_of(tmp_path, text)
    training = {address: each for address, each in found.items() if address.startswith("train.")}
    assert training["train.epochs"] == ("20", "10")
    assert "train.batch_size" not in training
    assert "train.fused_batch_norm" not in training
    assert "model.layers[5].classifier.activation" not in found
    assert found["model.layers[1].conv_block.filters"] == ("64", "none")


def test_a_block_is_held_against_what_the_blocks_have_in_common(tmp_path: Path) -> None:
    text = (
        "seed: 0\nmodel:\n  blocks: {activation: tanh, dropout: 0.0}\n  layers:\n"
        "  - residual:\n      layers:\n      - conv_block: {activation: relu, dropout: 0.0}\n"
        "      - conv_block: {activation: tanh}\n"
        "  - branches:\n      branches:\n      - - dense_block: {activation: elu}\n"
    )
    assert view_of(tmp_path, text) == {
        "model.blocks.activation": ("tanh", "relu"),
        "model.layers[0].residual.layers[0].conv_block.activation": ("relu", "tanh"),
        "model.layers[1].branches.branches[0][0].dense_block.activation": ("elu", "tanh"),
    }


def test_a_text_of_digits_is_no_number(tmp_path: Path) -> None:
    assert view_of(tmp_path, "train: {epochs: '10'}\n")["train.epochs"] == ("10", "10")
    assert view_of(tmp_path, "train: {epochs: 10, best: {monitor: val_loss, mode: min}}\n") == {
        "train.best.mode": ("min", "auto")
    }


@pytest.mark.parametrize("text", ["", "- a list\n", "a: [\n", "a: b: c\n"])
def test_what_is_no_config_has_no_view(tmp_path: Path, text: str) -> None:
    run = RunFolder(tmp_path)
    write_text(run.resolved_yaml, text)
    assert config_view(run) is None
    assert config_view(RunFolder(tmp_path / "absent")) is None
