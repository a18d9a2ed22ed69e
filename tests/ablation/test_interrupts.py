"""Studies that are stopped or killed in the middle, by signals to real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from syrupy.assertion import SnapshotAssertion

pytestmark = pytest.mark.slow

SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path
from cnnrun.ablation.execution.run_cells import run_cells
from cnnrun.ablation.execution.schedule import CellBegins, CellDone, CellsBegin
from cnnrun.ablation.execution.workers import Workers
from cnnrun.ablation.planning.plan import Cell
from cnnrun.config.load import load_config
from cnnrun.errors import InterruptedRunError
from cnnrun.runs.events import Note

def listener(event):
    match event:
        case Note(): print(event.text, flush=True)
        case CellsBegin(): print("reused", len(event.reused), flush=True)
        case CellBegins(): print("started", event.cell.seed, flush=True)
        case CellDone():
            print(event.outcome.state, event.outcome.seed, event.outcome.why, flush=True)

config = load_config(Path("config.yaml"), overrides=[f"train.epochs={sys.argv[2]}"])
cells = [
    Cell("arm", seed, replace(config, seed=seed), diagnostics=False, target=None)
    for seed in range(4)
]
try:
    run_cells(
        cells,
        folder=Path(sys.argv[1]),
        workers=Workers(executor="local", jobs=2, address=None, with_git=True),
        listener=listener,
    )
except InterruptedRunError as error:
    sys.exit(str(error))
"""
LONG, SHORT = "100000", "2"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for label, name in enumerate(("dark", "light")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(20):
            pixels = generator.normal(60 + 120 * label, 40, size=(6, 6)).clip(0, 255)
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(tmp_path / "images" / name / f"{number:02d}.png")
    config = {
        "data": {"directory": "images", "image_size": [6, 6], "color_mode": "grayscale"},
        "model": {"layers": ["Flatten", "classifier"]},
        "train": {"batch_size": 8, "threads": 1},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


@pytest.fixture
def begin(project: Path) -> Iterator[object]:
    """Begins a study, whose process is gone when the test is."""
    running: list[subprocess.Popen[str]] = []

    def start(epochs: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, "study", epochs],
            cwd=project,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children]


def is_gone(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def wait_for(process: "subprocess.Popen[str]", lines: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(lines)]


def wait_for_epochs(project: Path, *, runs: int) -> None:
    deadline = time.monotonic() + 120
    while len(list(project.glob("study/runs/*/metrics.jsonl"))) < runs:
        assert time.monotonic() < deadline, "no epoch comes"
        time.sleep(0.2)
    time.sleep(1)


def wait_until_gone(processes: list[int], *, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not all(map(is_gone, processes)):
        assert time.monotonic() < deadline, "workers go on"
        time.sleep(0.1)


def test_ctrl_c_ends_all_workers_and_says_how_to_go_on(
    project: Path, begin: object, snapshot: SnapshotAssertion
) -> None:
    process = begin(LONG)  # type: ignore[operator]
    wait_for(process, lines=3)
    wait_for_epochs(project, runs=2)
    workers = workers_of(process)
    assert len(workers) == 2
    # As a terminal sends it: to the whole group of the process.
    os.killpg(process.pid, signal.SIGINT)
    began = time.monotonic()
    _, said = process.communicate(timeout=30)
    wait_until_gone(workers, within_s=10)
    # Two seconds where nothing else is running; the runs would go on for minutes.
    assert time.monotonic() - began < 20
    assert said == snapshot


def test_a_killed_study_leaves_no_worker_and_runs_only_what_is_missing(
    project: Path, begin: object
) -> None:
    process = begin(SHORT)  # type: ignore[operator]
    lines = wait_for(process, lines=4)
    while not lines[-1].startswith("finished"):
        lines += wait_for(process, lines=1)
    workers = workers_of(process)
    process.kill()
    process.communicate()
    wait_until_gone(workers, within_s=10)
    done = len(list(project.glob("study/runs/*/cell.json")))
    assert done >= 1
    next(project.glob("study/runs/*/cell.json")).unlink()  # killed just before the last file
    again = begin(SHORT)  # type: ignore[operator]
    said, _ = again.communicate()
    assert again.returncode == 0
    assert said.splitlines()[0] == f"reused {done - 1}"
    assert sum(line.startswith("started") for line in said.splitlines()) == 4 - done + 1
    states = [json.loads(file.read_text()) for file in project.glob("study/runs/*/state.json")]
    assert [state["state"] for state in states] == ["finished"] * 4


def test_a_worker_that_is_killed_is_replaced(project: Path, begin: object) -> None:
    process = begin(SHORT)  # type: ignore[operator]
    wait_for(process, lines=3)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    said, _ = process.communicate()
    assert process.returncode == 0
    assert sum(line.startswith("finished") for line in said.splitlines()) == 4
    logs = "".join(log.read_text() for log in project.glob("study/runs/*/log.txt"))
    assert logs.count("ended by SIGKILL") == 1
