"""`cnnrun export` as it is typed, its processes that measure included."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.runs.folder import RunFolder

MakeTrained = Callable[..., RunFolder]


def typed(*arguments: object, modules: Path | None = None) -> tuple[int, str, str]:
    """Exit code and what is printed, in a process of its own: what TensorFlow's C++ says counts.

    Args: `modules` is a folder of modules that stand in for those of the same names.
    """
    ended = subprocess.run(
        [sys.executable, "-m", "cnnrun", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | ({"PYTHONPATH": str(modules)} if modules else {}),
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.slow
def test_what_is_printed_measured_and_refused(
    make_trained: MakeTrained,
    snapshot: SnapshotAssertion,
    tmp_path: Path,
) -> None:
    run = make_trained()
    code, out, err = typed("export", run.path, "--to", "onnx", "--out", tmp_path / "handed")
    assert (code, err) == (0, "")
    # Figures and widths are the machine's.
    assert (
        re.sub(r"[\d.]+(e-\d+)?( [kMG]?B)?|─+| {2,}", "#", out.replace(str(tmp_path), ""))
        == snapshot
    )
    code, out, err = typed(
        "export",
        run.path,
        "--to",
        "litert",
        "--precision",
        "int8",
        "--json",
        "--min-agreement",
        "1",
    )
    document = json.loads(out)
    assert code == (0 if document["passed"] else 1)
    assert bool(err) == (not document["passed"])
    assert document["speeds"][0]["threads"] == 1
    for each in (*document["speeds"], *document["keras_speeds"]):
        assert each["batch_ms"] > 0 < each["one_ms"]
    # A Keras process holds TensorFlow, one of a runtime does not.
    heavy, light = document["keras_speeds"][0], document["speeds"][0]
    assert heavy["peak_memory_bytes"] > 3 * light["peak_memory_bytes"]


def test_mistakes_cost_no_tensorflow(snapshot: SnapshotAssertion, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "handed").mkdir()
    (tmp_path / "handed" / "export.json").write_text("{}")
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "tensorflow.py").write_text("raise SystemExit(99)")
    command = partial(typed, modules=tmp_path / "modules")
    said = [
        command("export", tmp_path / "nowhere", "--to", "onnx"),
        command("export", tmp_path / "photos", "--to", "onnx"),
        command("export", tmp_path, "--to", "saved_model", "--precision", "int8"),
        command("export", tmp_path, "--to", "litert", "--opset", "17"),
        command("predict", tmp_path / "photos", tmp_path / "photos" / "cat.jpg"),
        command("evaluate", tmp_path / "handed", "--baselines"),
        command("evaluate", tmp_path / "handed", "--calibrated"),
        command("evaluate", tmp_path / "handed"),
    ]
    assert [code for code, _, _ in said] == [2] * 8
    assert [err.replace(str(tmp_path), "<folder>") for _, _, err in said] == snapshot
