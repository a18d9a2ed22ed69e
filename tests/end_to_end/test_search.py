"""`cnnrun tune` as a user gives it, killed and given again."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from .conftest import COMMAND, Ended, environment

CONFIG = {
    "data": {"directory": "images", "image_size": [8, 8], "color_mode": "grayscale"},
    "model": {
        "layers": [
            {"conv_block": {"filters": 4, "kernel_size": 3}},
            "GlobalAveragePooling2D",
            "classifier",
        ]
    },
    "train": {"epochs": 2, "batch_size": 8},
}
SEARCH = {
    "question": "How wide, and how fast?",
    "base": "config.yaml",
    "search": {
        "over": {
            "rate": {"low": 1e-3, "high": 1e-1},
            "filters": {"path": "model.layers[0].conv_block.filters", "low": 2, "high": 6},
        },
        "trials": 4,
        "confirm": 1,
    },
    "seeds": 2,
}
TIMEOUT_S = 600


@pytest.fixture
def project(tmp_path: Path, make_images) -> Path:
    """The folder of a config over a few images."""
    make_images("images", {"dark": 20, "bright": 20})
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    return tmp_path


def ended(project: Path, *arguments: str) -> Ended:
    """How a command ended that may take its time: workers are begun for each round."""
    process = subprocess.run(
        [COMMAND, *arguments],
        cwd=project,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Ended(process.returncode, process.stdout, process.stderr)


def killed_after(project: Path, cells: int, *arguments: str) -> None:
    """Begins a search and kills it, as soon as so many cells more are done."""
    process = subprocess.Popen(
        [COMMAND, "tune", "search.yaml", *arguments],
        cwd=project,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    seen: list[str] = []
    for line in process.stderr:
        seen.append(line)
        if sum(": finished" in each or ": paused" in each for each in seen) == cells:
            break
    else:
        pytest.fail("".join(seen))
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=TIMEOUT_S)
    process.stderr.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    "how", [{"sampler": "tpe", "round": 2}, {"halving": 2}], ids=["tpe", "halving"]
)
def test_a_search_killed_three_times_is_the_same_search(project: Path, how) -> None:
    """Oracle: the search that nobody stopped; on two workers, and on one and two by turns."""
    search = SEARCH | {"search": SEARCH["search"] | how}
    (project / "search.yaml").write_text(yaml.safe_dump(search))
    whole = ended(project, "tune", "search.yaml", "--into", "whole", "--jobs", "2", "--json")
    assert whole.exit_code == 0, whole.stderr
    for cells, jobs in ((1, "1"), (1, "2"), (1, "1")):
        killed_after(project, cells, "--into", "parts", "--jobs", jobs)
    last = ended(project, "tune", "search.yaml", "--into", "parts", "--jobs", "2", "--json")
    assert last.exit_code == 0, last.stderr
    assert "done before" in last.stderr
    results = [(project / name / "results.json").read_bytes() for name in ("whole", "parts")]
    assert results[0] == results[1]
    for name in ("report.md", "winner.yaml"):
        one, other = ((project / each / name).read_text() for each in ("whole", "parts"))
        assert _untimed(one) == _untimed(other)
    # Each trial is one run, however often it was begun; and no trial saw a test image.
    trials = json.loads(results[0])["trials"]
    assert len({trial["run"] for trial in trials}) == 4
    for trial in trials:
        assert not (project / "parts" / "runs" / trial["run"] / "predictions.csv").exists()
    listed = ended(project, "runs", "--cells", "parts", "--json").document["runs"]
    arms = [each["arm"] for each in listed]
    assert arms.count("base") == 2
    assert sum(arm.startswith("trial 1: filters ") for arm in arms) == 1
    winner = ended(project, "validate", "parts/winner.yaml")
    assert winner.exit_code == 0, winner.stderr
    changed = ended(project, "tune", "search.yaml", "--into", "parts", "--trials", "7")
    assert changed.exit_code == 2
    assert "one whose trials is 4, received 7" in changed.stderr


def _untimed(text: str) -> str:
    """A report without the table whose last column is of seconds."""
    return text.partition("## Were the arms treated alike?")[0]
