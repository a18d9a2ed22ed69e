"""`cnnrun calibrate` of a run whose images have several labels says what it did to each."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.runs.folder import RunFolder


@pytest.fixture
def run(make_trained: Callable[..., RunFolder], label_sections: Mapping[str, Any]) -> RunFolder:
    return make_trained(**label_sections)


def test_the_tables_have_the_numbers_that_are_kept(run: RunFolder, command: Any) -> None:
    ended = command("calibrate", "run", "--quiet")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert max(map(len, ended.stdout.splitlines())) <= 80
    kept = json.loads(run.calibration_json.read_text())
    assert kept["fitted_on"]["images"] > max(kept["fitted_on"]["known"])
    for state in ("before", "after"):
        scores = kept["test"][state]
        for number in (scores["negative_log_likelihood"], scores["brier"], scores["ece"]["value"]):
            assert f"{number:.4f}" in ended.stdout
    for name, temperature in zip(kept["labels"], kept["temperatures"], strict=True):
        (line,) = [each for each in ended.stdout.splitlines() if each.startswith(f"{name} ")]
        assert f"{temperature:.3f}" in line
        before, after = (kept["thresholds"][state][name] for state in ("before", "after"))
        assert line.endswith(f"{before:.3f} to {after:.3f}")
    document = json.loads(command("calibrate", "run", "--json").stdout)
    assert document == {"run": "run", **kept}


def test_what_is_printed(run: RunFolder, command: Any, snapshot: SnapshotAssertion) -> None:
    """The words; numbers are of the machine."""
    ended = command("calibrate", "run")
    text = re.sub(r"[+-]?\d\.\d+", "#.#", ended.stdout + ended.stderr)
    assert re.sub(r" +", " ", re.sub("─+", "─", text)) == snapshot


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("option", ["--accuracy", "--sets"])
def test_promises_of_one_class_an_image_are_refused(
    option: str, command: Any, snapshot: SnapshotAssertion
) -> None:
    ended = command("calibrate", "run", option, "0.9")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot
