"""The looks at a network that a run wrote down."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from cnnrun.runs.diagnostics import ActivationInput, read_diagnostics


def line(epoch: int, **changed: object) -> str:
    entry = {"mean": 0.5, "std": 1.0, "saturated": 0.25, "dead": 0.0, "low": -1.0, "high": 1.0}
    entry |= {"gradient_std": 0.125, "counts": [1, 3]} | changed
    return json.dumps(
        {"epoch": epoch, "activations": {"relu": entry}, "gradient_norms": {"conv": None}}
    )


def test_lines_become_looks_and_torn_ones_are_left_out(tmp_path: Path) -> None:
    lines = [line(0), "{", line(1, std=None), line(2, counts=None), line(3)[:-9]]
    (tmp_path / "diagnostics.jsonl").write_text("\n".join(lines))
    start, first = read_diagnostics(tmp_path)
    assert (start.epoch, first.epoch) == (0, 1)
    seen = ActivationInput(0.5, 1.0, 0.25, 0.0, 0.125, -1.0, 1.0, (1, 3))
    assert start.activations["relu"] == seen
    assert math.isnan(first.activations["relu"].std)
    assert math.isnan(start.gradient_norms["conv"])


def test_what_early_studies_did_not_record_is_no_number(tmp_path: Path) -> None:
    written = json.loads(line(0))
    del written["activations"]["relu"]["gradient_std"]
    (tmp_path / "diagnostics.jsonl").write_text(json.dumps(written) + "\n")
    (look,) = read_diagnostics(tmp_path)
    assert math.isnan(look.activations["relu"].gradient_std)


def test_a_run_without_looks(tmp_path: Path) -> None:
    assert read_diagnostics(tmp_path) == ()


def test_quantiles_are_those_of_the_numbers() -> None:
    numbers = np.random.default_rng(0).normal(2.0, 3.0, 50_000)
    counts, edges = np.histogram(numbers, bins=40)
    seen = ActivationInput(2.0, 3.0, 0.0, 0.0, 1.0, edges[0], edges[-1], tuple(map(int, counts)))
    for share in (0.05, 0.25, 0.5, 0.95):
        assert seen.quantile(share) == pytest.approx(np.quantile(numbers, share), abs=0.05)


def test_a_histogram_without_numbers_has_no_quantile() -> None:
    nothing = ActivationInput(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, (0, 0))
    assert math.isnan(nothing.quantile(0.5))
