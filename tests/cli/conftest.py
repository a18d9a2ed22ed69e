"""The command line within this process, and run folders without any training."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cnnrun.cli import app
from cnnrun.runs.files import write_json, write_text
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.result import RunResult, write_result
from cnnrun.runs.unbegun import create_run_into

ONE_THREAD = "cnnrun.features.inference.one_thread_a_call"
ONE_THREAD_LOOKING = "cnnrun.cli.deep_check.one_thread_a_call"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str


Command = Callable[..., Ended]
MakeRun = Callable[..., RunFolder]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs a command line in `tmp_path`, 80 columns wide: `command("runs", "--json")`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def run_in_process(*arguments: str) -> Ended:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["cnnrun", *arguments])
            patch.setattr(sys, "excepthook", sys.excepthook)  # put back afterwards
            if "extract-features" in arguments:
                # TensorFlow would keep to one thread in the tests that follow as well.
                patch.setattr(ONE_THREAD, lambda: None)
            if "--deep" in arguments:
                patch.setattr(ONE_THREAD_LOOKING, lambda: None)
            exit_code = app.run()
        printed = capsys.readouterr()
        return Ended(exit_code, printed.out, printed.err)

    return run_in_process


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Writes a finished run's files: `make_run("digits", seed=1, accuracy=0.98)`."""

    def make(name: str, *, seed: int, accuracy: float, filters: int = 32) -> RunFolder:
        folder = tmp_path / "experiments" / name / f"20260102-030405-seed{seed}"
        run = create_run_into(folder)
        write_text(run.resolved_yaml, f"seed: {seed}\nmodel: {{filters: {filters}}}\n")
        started = f"2026-01-02T03:04:0{seed}+00:00"
        write_json(
            run.state_json,
            {
                "state": "finished",
                "why": "",
                "started": started,
                "updated": started,
                "process": 1,
                "host": "here",
            },
        )
        write_json(run.environment_json, {"data": {"blake2b": "f00d"}})
        write_text(run.predictions_csv, predictions(accuracy, seed=seed))
        write_result(run, finished_result(accuracy))
        return run

    return make


def predictions(accuracy: float, *, seed: int) -> str:
    """The predictions of a network that takes one in so many of 50 cats for dogs."""
    wrong = {(7 * seed + 11 * number) % 50 for number in range(round(50 * (1 - accuracy)))}
    rows = [
        f"cat/{image:02}.png,cat,{name},0.9,{0.9 if name == 'cat' else 0.1},"
        f"{0.1 if name == 'cat' else 0.9}"
        for image in range(50)
        for name in ["dog" if image in wrong else "cat"]
    ]
    header = "path,label,prediction,probability,probability of cat,probability of dog"
    return "\n".join([header, *rows]) + "\n"


def finished_result(accuracy: float) -> RunResult:
    """A result with round numbers."""
    return RunResult(
        best_epoch=27,
        epochs=30,
        test={
            "loss": 0.0625,
            "accuracy": accuracy,
            "balanced_accuracy": accuracy,
            "macro_f1": accuracy,
            "intervals": {"accuracy": [accuracy - 0.02, accuracy + 0.01]},
        },
        parameters=138_357_544,
        trainable_parameters=138_357_544,
        multiply_adds=15_470_264_320,
        seconds={"total": 12.34, "fit": 10.0},
        images_per_second=17_000.0,
        peak_memory_bytes=700_000_000,
        baselines={"chance": 0.5, "majority": 0.52},
    )
