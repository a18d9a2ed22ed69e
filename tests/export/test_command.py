"""`cnnrun export` as it is typed, its processes that measure included."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.cli import app
from cnnrun.runs.folder import RunFolder

MakeTrained = Callable[..., RunFolder]


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line; what C++ writes to standard error is caught, too."""

    def run(*arguments: object) -> tuple[int, str, str]:
        import sys

        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["cnnrun", *map(str, arguments)])
            patch.setattr(sys, "excepthook", sys.excepthook)
            code = app.run()
        printed = capfd.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.mark.slow
def test_what_is_printed_measured_and_refused(
    make_trained: MakeTrained,
    command: Callable[..., tuple[int, str, str]],
    snapshot: SnapshotAssertion,
    tmp_path: Path,
) -> None:
    run = make_trained()
    code, out, err = command("export", run.path, "--to", "onnx", "--out", tmp_path / "handed")
    assert (code, err) == (0, "")
    # Figures and widths are the machine's.
    assert (
        re.sub(r"[\d.]+(e-\d+)?( [kMG]?B)?|─+| {2,}", "#", out.replace(str(tmp_path), ""))
        == snapshot
    )
    code, out, err = command(
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


def test_mistakes_cost_no_tensorflow(
    command: Callable[..., tuple[int, str, str]], snapshot: SnapshotAssertion, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "handed").mkdir()
    (tmp_path / "handed" / "export.json").write_text("{}")
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
