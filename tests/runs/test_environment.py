"""environment.json says what a run was made with, and keeps secrets to itself."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cnnrun.runs.environment import (
    describe_environment,
    environment_variables,
    git_state,
    memory_bytes,
    usable_cores,
)


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one committed file."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "config.yaml").write_text("seed: 0\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


def test_the_description_is_json_with_every_part(repository, monkeypatch) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.setattr(sys, "argv", ["cnnrun", "train", "config.yaml"])
    described = describe_environment(threads=2, data={"blake2b": "f00d"})
    assert json.loads(json.dumps(described)) == described
    assert described["command_line"] == ["cnnrun", "train", "config.yaml"]
    assert described["data"] == {"blake2b": "f00d"}
    assert described["threads"] == 2
    assert described["python"] == ".".join(map(str, sys.version_info[:3]))
    assert described["processor"]["model"]
    assert described["git"]["commit"] == git(repository, "rev-parse", "HEAD")


def test_versions_are_those_installed() -> None:
    packages = describe_environment(threads=1, data={})["packages"]
    assert packages["keras"] == importlib.metadata.version("keras")
    assert packages["cnnrun"] == importlib.metadata.version("cnnrun")
    assert packages["llvmlite"] == importlib.metadata.version("llvmlite")


def test_numbers_of_this_machine_are_plausible() -> None:
    memory = memory_bytes()
    assert memory is None or memory > 2**28
    assert usable_cores() >= 1


def test_outside_of_a_repository_there_is_no_state(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path) is None


def test_without_git_there_is_no_state(repository: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_state(repository) is None


def test_a_clean_repository_is_not_dirty(repository: Path) -> None:
    state = git_state(repository)
    assert state is not None
    assert (state["dirty"], state["diff"], state["untracked"]) == (False, "", [])


def test_changes_are_told_also_from_a_folder_inside(repository: Path) -> None:
    (repository / "config.yaml").write_text("seed: 1\n")
    (repository / "inner").mkdir()
    (repository / "inner" / "new.yaml").touch()
    state = git_state(repository / "inner")
    assert state is not None
    assert state["dirty"]
    assert "-seed: 0\n+seed: 1\n" in state["diff"]
    assert state["untracked"] == ["inner/new.yaml"]


def test_long_diffs_are_cut_but_told_apart(repository: Path) -> None:
    hashes = set()
    for end in ("a", "b"):
        (repository / "config.yaml").write_text("x: 1\n" * 100_000 + end)
        state = git_state(repository)
        assert state is not None
        assert len(state["diff"]) == 200_000 < state["diff_characters"]
        hashes.add(state["diff_blake2b"])
    assert len(hashes) == 2


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "staged.yaml").write_text("seed: 0\n")
    git(tmp_path, "add", ".")
    state = git_state(tmp_path)
    assert state is not None
    assert state["commit"] is None
    assert "+seed: 0" in state["diff"]


def test_variables_of_keras_and_tensorflow_alone() -> None:
    variables = {
        "KERAS_HOME": "/keras",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "OMP_NUM_THREADS": "2",
        "TF_VAR_db_password": "hunter2",
        "KERAS_HUB_TOKEN": "hunter2",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "HOME": "/home/a",
    }
    assert environment_variables(variables) == {
        "KERAS_HOME": "/keras",
        "OMP_NUM_THREADS": "2",
        "TF_ENABLE_ONEDNN_OPTS": "0",
    }


def test_tensorflow_is_not_loaded() -> None:
    script = (
        "import sys\n"
        "import cnnrun.runs.comparing, cnnrun.runs.environment, cnnrun.evaluation.scores\n"
        "import cnnrun.plots.curves, cnnrun.plots.confusion, cnnrun.plots.mistakes\n"
        "cnnrun.runs.environment.describe_environment(threads=1, data={})\n"
        "assert not {'tensorflow', 'keras', 'matplotlib.pyplot'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
