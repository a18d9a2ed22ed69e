"""The commands where Unix's own functions are missing: Windows, as far as Linux can play it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# What Windows does not have, or refuses, is taken away before anything is imported.
WITHOUT_UNIX = """\
import asyncio  # of this system, and asks for these functions as it is imported
import os, subprocess, sys

sys.modules["resource"] = None
for name in (
    "pread", "preadv", "pwrite", "pwritev", "sysconf", "sched_getaffinity", "sched_setaffinity",
    "posix_fallocate", "posix_fadvise", "fork", "forkpty", "getuid", "geteuid", "getloadavg",
    "setsid", "killpg", "mkfifo", "O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY",
):
    if hasattr(os, name):
        delattr(os, name)


def refuse_descriptors(*arguments, pass_fds=(), start=subprocess.Popen.__init__, **options):
    if pass_fds:
        raise ValueError("pass_fds not supported on Windows")
    start(*arguments, **options)


def is_open(path):
    if not isinstance(path, (str, os.PathLike)):
        return False
    there = os.path.abspath(path)
    links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return any(os.path.islink(link) and os.readlink(link) == there for link in links)


def refusing_open_files(function):
    def change(*paths, **options):
        if any(map(is_open, paths)):
            raise PermissionError(13, "The process cannot access the file", *paths)
        return function(*paths, **options)

    return change


os.set_handle_inheritable = os.set_inheritable
subprocess.Popen.__init__ = refuse_descriptors
for name in ("unlink", "remove", "rename", "replace"):
    setattr(os, name, refusing_open_files(getattr(os, name)))
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """The variables by which a command, and every process that it starts, lacks them."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(WITHOUT_UNIX)
    return {"PYTHONPATH": str(tmp_path / "site")}


def test_a_run_is_trained_evaluated_and_listed(cnnrun, trained_project, trained, elsewhere) -> None:
    """Oracle: the same run where nothing is missing."""
    # No memory for the images: they wait in a file that is removed while it is open.
    sizes = ["--set", "data.cache_memory_mb=0"]
    there = cnnrun("train", "config.yaml", "--into", "there", *sizes, "--json", **elsewhere)
    assert there.exit_code == 0, there.stderr
    usual = trained_project[1].document
    assert there.document["peak_memory_bytes"] is None
    assert usual["peak_memory_bytes"] > 0
    assert there.document["test"] == usual["test"]
    for command in (["runs", "."], ["evaluate", trained.name]):
        ended = cnnrun(*command, "--json", **elsewhere)
        assert ended.exit_code == 0, ended.stderr


@pytest.mark.slow
def test_features_are_extracted_and_a_study_is_run(cnnrun, project: Path, elsewhere) -> None:
    assert cnnrun("train", "config.yaml", "--into", "run").exit_code == 0
    extracted = cnnrun("extract-features", "run", "--out", "features", "--json", **elsewhere)
    assert extracted.exit_code == 0, extracted.stderr
    (project / "study.yaml").write_text(
        "question: How wide?\nbase: config.yaml\n"
        "factors:\n  width: {path: 'model.layers[0].conv_block.filters', values: [2, 4]}\n"
    )
    studied = cnnrun("ablate", "study.yaml", "--seeds", "2", "--jobs", "2", **elsewhere)
    assert studied.exit_code == 0, studied.stderr
    results = json.loads((project / "experiments" / "study" / "results.json").read_text())
    assert results


def test_the_system_is_played_as_told(elsewhere) -> None:
    script = "import os; print(hasattr(os, 'pread'), hasattr(os, 'sysconf'))"
    variables = os.environ | elsewhere
    ended = subprocess.run(
        [sys.executable, "-c", script], env=variables, capture_output=True, text=True, check=True
    )
    assert ended.stdout == "False False\n"
