"""environment.json says what a run was made with, and keeps secrets to itself."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest

import cnnrun
from cnnrun.runs.environment import (
    describe_environment,
    environment_variables,
    git_state,
    memory_bytes,
    usable_cores,
)
from cnnrun.runs.secrets import without_secrets


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
    described = describe_environment(
        threads=2, data={"blake3": "f00d"}, configs=[repository / "config.yaml"]
    )
    assert json.loads(json.dumps(described)) == described
    assert described["command_line"] == ["cnnrun", "train", "config.yaml"]
    assert described["data"] == {"blake3": "f00d"}
    assert described["threads"] == 2
    assert described["python"] == ".".join(map(str, sys.version_info[:3]))
    assert described["processor"]["model"]
    assert described["git"]["commit"] == git(repository, "rev-parse", "HEAD")


def test_versions_are_those_installed() -> None:
    packages = describe_environment(threads=1, data={}, configs=None)["packages"]
    assert packages["keras"] == importlib.metadata.version("keras")
    assert packages["cnnrun"] == cnnrun.__version__
    assert packages["llvmlite"] == importlib.metadata.version("llvmlite")


def test_numbers_of_this_machine_are_plausible() -> None:
    memory = memory_bytes()
    assert memory is None or memory > 2**28
    assert usable_cores() >= 1


def test_outside_of_a_repository_there_is_no_state(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_state(tmp_path, files=[tmp_path]) is None


def test_without_git_there_is_no_state(repository: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert git_state(repository, files=[repository]) is None


def test_a_clean_repository_is_not_dirty(repository: Path) -> None:
    state = git_state(repository, files=[repository])
    assert state is not None
    assert (state["dirty"], state["diff"], state["untracked"]) == (False, "", [])


def test_changes_are_told_also_from_a_folder_inside(repository: Path) -> None:
    (repository / "config.yaml").write_text("seed: 1\n")
    (repository / "inner").mkdir()
    (repository / "inner" / "new.yaml").touch()
    state = git_state(repository / "inner", files=[repository])
    assert state is not None
    assert state["dirty"]
    assert "-seed: 0\n+seed: 1\n" in state["diff"]
    assert state["untracked"] == ["inner/new.yaml"]


def test_long_diffs_are_cut_but_told_apart(repository: Path) -> None:
    hashes = set()
    for end in ("a", "b"):
        (repository / "config.yaml").write_text("x: 1\n" * 100_000 + end)
        state = git_state(repository, files=[repository])
        assert state is not None
        assert len(state["diff"]) == 100_000 < state["diff_characters"]
        hashes.add(state["diff_blake2b"])
    assert len(hashes) == 2


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "staged.yaml").write_text("seed: 0\n")
    git(tmp_path, "add", ".")
    state = git_state(tmp_path, files=[tmp_path])
    assert state is not None
    assert state["commit"] is None
    assert "+seed: 0" in state["diff"]


def test_variables_that_matter_to_results_alone() -> None:
    kept = {
        "CUDA_VISIBLE_DEVICES": "0",
        "KERAS_BACKEND": "tensorflow",
        "KERAS_HOME": "/keras",
        "OMP_NUM_THREADS": "2",
        "TF_ENABLE_ONEDNN_OPTS": "0",
    }
    secret = {
        "TF_VAR_db": "hunter2",
        "TF_TOKEN_app": "hunter2",
        "TF_API_KEY": "hunter2",
        "OMP_PASSWD": "hunter2",
        "CUDA_AUTH": "hunter2",
        "KERAS_PAT": "hunter2",
        "KERAS_HUB_TOKEN": "hunter2",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "HOME": "/home/a",
    }
    assert environment_variables({**kept, **secret}) == kept


def test_nothing_of_other_files_is_kept(repository: Path) -> None:
    (repository / "settings.py").write_text("x = 1\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "second")
    (repository / "settings.py").write_text("DB = 'hunter2'\n")
    (repository / "notes-on-the-patients.txt").touch()
    (repository / "config.yaml").write_text("seed: 1\n")
    state = git_state(repository, files=[repository / "config.yaml"])
    assert state is not None
    assert "+seed: 1" in state["diff"]
    assert "hunter2" not in str(state)
    assert "patients" not in str(state)


def test_without_git_nothing_is_kept_and_nothing_asked(repository: Path, monkeypatch) -> None:
    monkeypatch.chdir(repository)
    described = describe_environment(threads=1, data={}, configs=None)
    assert (described["git"], described["cnnrun_git"]) == (None, None)


SECRETS = [
    "+PASSWORD=hunter2",
    "+  db_passwd: hunter2",
    '+"api_key": "hunter2",',
    "-export GITHUB_TOKEN=hunter2",
    "+KERAS_PAT = 'hunter2'",
    "+proxy_auth: user:hunter2",
    "+client_secret => hunter2",
    "+url: https://ann:hunter2@example.org/x",
    "+AKIAHUNTER2HUNTER2XX"[:21],
    "+x: ghp_hunter2hunter2hunter2hunter2",
    "+x: github_pat_hunter2hunter2hunter2",
    "+x: sk-hunter2hunter2hunter2hunter2",
    "+-----BEGIN RSA PRIVATE KEY-----\n+hunter2\n+-----END RSA PRIVATE KEY-----",
    "+eyJhunter2hunter2.eyJhunter2hunter2.hunter2",
]


@pytest.mark.parametrize("line", SECRETS)
def test_likely_secrets_are_masked(line: str) -> None:
    masked = without_secrets(f" seed: 0\n{line}\n filters: 3\n")
    assert "hunter2" not in masked.lower()
    assert "***" in masked
    assert masked.startswith(" seed: 0\n")
    assert masked.endswith("\n filters: 3\n")


def test_what_a_config_holds_is_not_masked() -> None:
    """Oracle: the packaged configs and cnnrun's own declarations."""
    text = "seed: 0\npatience: 5\npath: images\npattern: x\nauthor: me\npadding: same\nmonitor: a\n"
    assert without_secrets(text) == text


def test_tensorflow_is_not_loaded() -> None:
    script = (
        "import sys\n"
        "import cnnrun.runs.comparing, cnnrun.runs.environment, cnnrun.evaluation.scores\n"
        "import cnnrun.plots.curves, cnnrun.plots.confusion, cnnrun.plots.mistakes\n"
        "cnnrun.runs.environment.describe_environment(threads=1, data={}, configs=None)\n"
        "assert not {'tensorflow', 'keras', 'matplotlib.pyplot'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
