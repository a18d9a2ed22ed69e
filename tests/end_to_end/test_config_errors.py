"""What a user reads and a script gets when a config is wrong; the installed command."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

GOOD = """\
seed: 0
data:
  directory: images
  image_size: [8, 8]
  color_mode: grayscale
model:
  layers:
    - Conv2D: {filters: 8, kernel_size: 3}
    - Flatten
    - classifier
train:
  epochs: 1
"""
LAUGHS = "\n".join(
    f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 9)}]" for level in range(1, 10)
)
WRONG = {
    "empty file": "",
    "only a comment": "# nothing yet\n",
    "syntax error": GOOD.replace("[8, 8]", "[8, 8"),
    "tab": GOOD.replace("    - Flatten", "\t- Flatten"),
    "list for map": "- seed: 0\n- train\n",
    "list for section": GOOD.replace("train:\n  epochs: 1", "train:\n  - epochs: 1"),
    "duplicate key": GOOD + "seed: 1\n",
    "recursive anchor": GOOD.replace("train:", "train: &loop\n  stages: *loop"),
    "billion laughs": f"l0: &l0 [lol]\n{LAUGHS}\n" + GOOD,
    "no is text": GOOD.replace("seed: 0", "seed: no"),
    "leading zero": GOOD.replace("epochs: 1", "epochs: 010"),
    "python tag": GOOD.replace("seed: 0", "seed: !!python/object/apply:os.system [ls]"),
    "unknown key": GOOD.replace("epochs: 1", "epoch: 1"),
    "unknown layer": GOOD.replace("Conv2D", "Conv2d"),
    "wrong argument": GOOD.replace("kernel_size", "kernal_size"),
    "wrong type": GOOD.replace("filters: 8", "filters: eight"),
    "negative filters": GOOD.replace("filters: 8", "filters: -8"),
    "strides with dilation": GOOD.replace(
        "kernel_size: 3", "kernel_size: 3, strides: 2, dilation_rate: 2"
    ),
    "several at once": GOOD.replace("filters: 8", "filters: 0").replace("epochs: 1", "epochs: 0"),
    "not text": b"\xff\xfe\x00\x01",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_config_is_refused(
    name: str, cnnrun, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    text = WRONG[name]
    (tmp_path / "wrong.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    ended = cnnrun("validate", "wrong.yaml")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "Traceback" not in ended.stderr
    assert ended.stderr == snapshot


def test_a_config_that_is_not_there(cnnrun, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    (tmp_path / "digits.yaml").write_text(GOOD)
    ended = cnnrun("validate", "digit.yaml")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


@pytest.mark.parametrize(
    "override", ["train.epoch=5", "model.layers[7].Conv2D.filters=5", "train.epochs", "=5"]
)
def test_an_override_that_fits_nothing(
    override: str, cnnrun, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "digits.yaml").write_text(GOOD)
    ended = cnnrun("validate", "digits.yaml", "--set", override)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


def test_numbers_are_those_of_yaml_1_2(cnnrun, tmp_path: Path) -> None:
    optimizer = "  optimizer: {Adam: {learning_rate: 1e-3}}\n"
    (tmp_path / "digits.yaml").write_text(GOOD + optimizer)
    ended = cnnrun("validate", "digits.yaml", "--set", "train.epochs=1_0")
    assert ended.exit_code == 2
    ended = cnnrun("validate", "digits.yaml")
    assert (ended.exit_code, ended.stdout) == (0, "digits.yaml: OK\n")


def test_every_file_is_checked(cnnrun, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(WRONG["unknown key"])
    ended = cnnrun("validate", "bad.yaml", "absent.yaml", "good.yaml")
    assert ended.exit_code == 2
    assert ended.stdout == "good.yaml: OK\n"
    assert ended.stderr == snapshot


def test_problems_as_json(cnnrun, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(WRONG["several at once"])
    ended = cnnrun("validate", "good.yaml", "bad.yaml", "--json")
    assert (ended.exit_code, ended.stderr) == (2, "")
    assert ended.document == snapshot
