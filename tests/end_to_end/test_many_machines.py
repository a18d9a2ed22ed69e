"""Shares of a study by processes that know nothing of each other, as on many machines.

Oracle: the same study by a single process.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cnnrun.cli.work_shares import work_share

from .conftest import COMMAND, CONFIG, environment

CHAPTER = Path(__file__).parents[2] / "cnnrun" / "manual" / "many_machines.md"
BLOCK = re.compile(r"^```(shell|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STUDY = {
    "question": "Does the size of a batch matter?",
    "base": "config.yaml",
    "factors": {"size": {"path": "train.batch_size", "values": [8, 16]}},
    "contrasts": [{"name": "16 against 8", "of": {"size": 16}, "against": {"size": 8}}],
    "metric": {"name": "test_loss", "better": "lower"},
    "seeds": 3,
}
TIMEOUT_S = 1800
NAMES = {
    "parallel": "parallel ",
    "slurm": "#SBATCH",
    "lsf": "#BSUB",
    "kubernetes": "completionMode: Indexed",
}


def script(scheduler: str) -> str:
    """What the manual says for a scheduler, word for word."""
    blocks = [text for _, text in BLOCK.findall(CHAPTER.read_text())]
    return next(text for text in blocks if NAMES[scheduler] in text)


@pytest.fixture
def project(tmp_path: Path, make_images) -> Path:
    """The folder of a study of six cells, which take a moment each."""
    make_images("images", {"dark": 15, "bright": 15})
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY))
    return tmp_path


def start(project: Path, *arguments: str, command: str = "ablate") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [COMMAND, command, "study.yaml", "--jobs", "1", "--no-git", *arguments],
        cwd=project,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: "subprocess.Popen[str]") -> str:
    printed, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, said
    return printed


def cells(study: Path) -> Mapping[str, Any]:
    """What the cells measured, and their epochs but for the time that these took."""
    found = {}
    for folder in (study / "runs").iterdir():
        rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        epochs = [{key: row[key] for key in row if key != "seconds"} for row in rows]
        found[folder.name] = json.loads((folder / "cell.json").read_text())["values"], epochs
    return found


def wait_for(project: Path, pattern: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not list(project.glob(pattern)):
        assert time.monotonic() < deadline, f"no {pattern}"
        time.sleep(0.05)


@pytest.mark.slow
def test_shares_come_to_what_one_process_comes_to_though_one_is_killed(project: Path) -> None:
    ended(start(project, "--into", "alone"))
    shares = [start(project, "--into", "shared", "--cells", f"{number}/2") for number in (1, 2)]
    wait_for(project, "shared/runs/.*/metrics.jsonl")
    shares[0].send_signal(signal.SIGKILL)
    shares[0].communicate()
    said = ended(shares[1])
    assert "6 of the 6 cells that are compared are done" in said
    ended(start(project, "--into", "shared"))
    assert cells(project / "shared") == cells(project / "alone")
    assert not (project / "shared" / ".claims").exists()
    one, other = (project / study / "results.json" for study in ("shared", "alone"))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.slow
def test_shares_of_a_search_come_to_what_one_process_comes_to(project: Path) -> None:
    """Both do the rounds of its trials, of which the second learns from the first."""
    over = {"rate": {"low": 1e-3, "high": 1e-1}}
    search = {"over": over, "trials": 3, "sampler": "tpe", "confirm": 1, "round": 1}
    kept = {name: STUDY[name] for name in ("question", "base")}
    (project / "study.yaml").write_text(yaml.safe_dump(kept | {"search": search, "seeds": 2}))
    shares = [
        start(project, "--into", "shared", "--cells", f"{number}/2", command="tune")
        for number in (1, 2)
    ]
    assert sum(int(re.findall(r"(\d+) cells? trained", ended(each))[0]) for each in shares) == 7
    ended(start(project, "--into", "shared", command="tune"))
    ended(start(project, "--into", "alone", command="tune"))
    assert cells(project / "shared") == cells(project / "alone")
    winners = [(project / each / "winner.yaml").read_text() for each in ("shared", "alone")]
    assert winners[0] == winners[1]


@pytest.mark.slow
def test_the_script_for_gnu_parallel_runs_a_study(project: Path) -> None:
    if shutil.which("parallel") is None:
        pytest.skip("GNU parallel is not installed (`apt-get install parallel`)")
    process = subprocess.run(
        ["bash", "-c", script("parallel")],
        cwd=project,
        env=environment(PATH=f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert sorted(re.findall(r"share (./.):", process.stdout)) == ["1/3", "2/3", "3/3"]
    assert "16 against 8" in process.stdout
    assert len(cells(project / "experiments" / "study")) == 6


@pytest.mark.parametrize(
    ("scheduler", "variables", "share"),
    [
        ("slurm", {"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_COUNT": "20"}, "2/20"),
        ("lsf", {"LSB_JOBINDEX": "20", "LSB_JOBINDEX_END": "20"}, "20/20"),
        ("kubernetes", {"JOB_COMPLETION_INDEX": "0"}, "1/20"),
    ],
)
def test_the_script_for_a_scheduler_names_the_share_of_its_task(
    scheduler: str, variables: dict[str, str], share: str, tmp_path: Path
) -> None:
    """With the scheduler's variables, and in place of cnnrun what says its arguments."""
    command = ["bash", "-c", script(scheduler)]
    if scheduler == "kubernetes":
        container = yaml.safe_load(script(scheduler))["spec"]["template"]["spec"]["containers"][0]
        command = [*container["command"], *container["args"]]
    stand_in = tmp_path / "cnnrun"
    stand_in.write_text('#!/bin/sh\nfor each in "$@"; do echo "$each"; done\n')
    stand_in.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        command,
        env={"PATH": path, "SLURM_CPUS_PER_TASK": "4"} | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split() == ["ablate", "study.yaml", "--jobs", "4", "--cells", share]
    assert str(work_share(share, option="--cells")) == share


@pytest.mark.parametrize("scheduler", ["slurm", "lsf", "parallel"])
def test_the_script_for_a_scheduler_has_nothing_that_shellcheck_warns_of(
    scheduler: str, tmp_path: Path
) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed (`apt-get install shellcheck`)")
    (tmp_path / "script.sh").write_text(script(scheduler))
    ended = subprocess.run(
        ["shellcheck", "--shell=bash", "script.sh"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stdout
