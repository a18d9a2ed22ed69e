"""A run by the installed command: trained, evaluated, used, interrupted, resumed, refused."""

import json
import signal
import time
import zipfile
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from .conftest import END_OF_COMMAND

LONG = ("--set", "train.epochs=100000")


def test_training_prints_one_document_and_leaves_a_run(trained_project) -> None:
    folder, ended = trained_project
    assert ended.exit_code == 0, ended.stderr
    assert ended.document["epochs"] == 2
    assert 0 <= ended.document["test"]["accuracy"] <= 1
    run = folder / "run"
    files = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert files >= {
        *("config.yaml", "resolved.yaml", "environment.json", "state.json", "classes.json"),
        *("metrics.jsonl", "result.json", "model.keras", "predictions.csv", "log.txt"),
        *("plots/learning_curves.png", "plots/confusion_matrix.png"),
    }
    assert (run / "config.yaml").read_bytes() == (folder / "config.yaml").read_bytes()


def test_progress_and_tensorflow_keep_off_standard_output(trained_project) -> None:
    _, ended = trained_project
    assert "\r" not in ended.stderr
    assert "epoch 2" in ended.stderr
    for chatter in ("oneDNN", "cuda", "absl", "tensorflow", "WARNING"):
        assert chatter.lower() not in ended.stderr.lower()


def test_quiet_commands_say_nothing_beside_their_result(trained, cnnrun, one_after_another) -> None:
    commands = (
        ["train", "config.yaml", "--into", "again", "--set", "train.epochs=1"],
        ["evaluate", "run"],
        ["predict", "run", "images/dark/00.png"],
        ["preview", "config.yaml", "--set", "augment.horizontal_flip=true"],
        ["show", "config.yaml"],
        ["compare", "run", "again"],
        ["extract-features", "run"],
    )
    ended = one_after_another(*([*command, "--quiet"] for command in commands))
    assert (ended.exit_code, ended.stderr) == (0, "")
    *results, last = ended.stdout.split(END_OF_COMMAND)
    assert last == ""
    for command, result in zip(commands, results, strict=True):
        assert result.strip(), command


def test_the_resolved_config_trains_to_the_same_run_profiled_or_not(trained, cnnrun) -> None:
    ended = cnnrun("train", "run/resolved.yaml", "--into", "again", "--profile", "--json")
    assert ended.exit_code == 0, ended.stderr
    assert ended.document["profile"]["phases"]["start-up"]["seconds"] > 0
    first = json.loads((trained / "result.json").read_text())
    assert ended.document["test"] == first["test"]
    again = trained.parent / "again"
    assert (again / "predictions.csv").read_text() == (trained / "predictions.csv").read_text()


def test_evaluating_a_run_gives_its_own_result(trained, cnnrun) -> None:
    ended = cnnrun("evaluate", "run", "--json")
    assert ended.exit_code == 0, ended.stderr
    result = json.loads((trained / "result.json").read_text())
    assert ended.document["test"]["accuracy"] == result["test"]["accuracy"]
    assert ended.document["test"]["loss"] == pytest.approx(result["test"]["loss"], rel=1e-6)


def test_predicting(trained, cnnrun) -> None:
    images = ["images/dark/00.png", "images/light/00.png"]
    ended = cnnrun("predict", "run", *images, "--top", "1", "--json")
    assert ended.exit_code == 0, ended.stderr
    predictions = ended.document["predictions"]
    assert [prediction["image"] for prediction in predictions] == images
    for prediction in predictions:
        (best,) = prediction["classes"]
        assert best["class"] in ("dark", "light")
        assert 0.5 <= best["probability"] <= 1
    assert ended.stderr == ""


def test_the_run_is_listed(trained, cnnrun) -> None:
    (listed,) = cnnrun("runs", "run", "--json").document["runs"]
    assert (listed["state"], listed["epochs"], listed["seed"]) == ("finished", 2, 3)
    (group,) = cnnrun("compare", "run", "--json").document["groups"]
    assert group["seeds"] == [3]


def test_a_run_is_never_overwritten(trained, cnnrun, snapshot: SnapshotAssertion) -> None:
    before = (trained / "model.keras").read_bytes()
    ended = cnnrun("train", "config.yaml", "--into", "run")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot
    assert (trained / "model.keras").read_bytes() == before


def test_a_model_that_would_run_code_is_refused(
    trained, cnnrun, snapshot: SnapshotAssertion
) -> None:
    smuggle_in_a_lambda(trained / "model.keras")
    ended = cnnrun("predict", "run", "images/dark/00.png")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


def smuggle_in_a_lambda(path: Path) -> None:
    """Replaces a model's Dropout by a Lambda, as an attacker could."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    layers = config["config"]["layers"]
    (dropout,) = (layer for layer in layers if layer["class_name"] == "Dropout")
    dropout["class_name"] = "Lambda"
    dropout["config"] = {
        "name": dropout["config"]["name"],
        "function": {"class_name": "__lambda__", "config": {"code": "4wA=", "defaults": None}},
    }
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_no_run_to_resume(project, cnnrun, snapshot: SnapshotAssertion) -> None:
    ended = cnnrun("train", "config.yaml", "--resume")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


def test_ctrl_c_ends_in_a_second_and_the_run_goes_on(
    project, start, cnnrun, snapshot: SnapshotAssertion
) -> None:
    process = start("train", "config.yaml", "--into", "run", *LONG)
    wait_for_epochs(project / "run", process)
    busy = cnnrun("train", "config.yaml", "--into", "run", "--resume", *LONG)
    assert (busy.exit_code, busy.stdout) == (2, "")
    assert busy.stderr == snapshot
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    stdout, stderr = process.communicate(timeout=20)
    # A tenth of a second where nothing else is running; the run would go on for minutes.
    assert time.monotonic() - asked < 10
    assert (process.returncode, stdout) == (130, "")
    assert "Traceback" not in stderr
    assert json.loads((project / "run" / "state.json").read_text())["state"] == "interrupted"


def wait_for_epochs(run: Path, process) -> None:
    """Waits until training is under way."""
    metrics = run / "metrics.jsonl"
    until = time.monotonic() + 60
    while not (metrics.exists() and metrics.stat().st_size):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)


def test_no_space_left(project, cnnrun_on_its_own_disk, snapshot: SnapshotAssertion) -> None:
    ended = cnnrun_on_its_own_disk("size=16k", "train", "config.yaml", "--into", "experiments/run")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[-1] == snapshot


def test_read_only_experiments(
    project, cnnrun_on_its_own_disk, snapshot: SnapshotAssertion
) -> None:
    ended = cnnrun_on_its_own_disk("ro", "train", "config.yaml", "--into", "experiments/run")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[-1] == snapshot
