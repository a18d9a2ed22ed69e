"""Claims: one holder at a time, whoever dies and whatever the clocks of the machines say."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from cnnrun.runs import claims
from cnnrun.runs.claims import CLAIMS_FOLDER, holding

TAKES_ONE = """
import sys, time
from pathlib import Path
from cnnrun.runs.claims import holding
with holding(Path(sys.argv[1])) as holder:
    print(holder.take("cell"), flush=True)
    time.sleep(60)
"""
TAKES_MANY = """
import sys
from pathlib import Path
from cnnrun.runs.claims import holding
with holding(Path(sys.argv[1])) as holder:
    print(*[number for number in range(100) if holder.take(str(number))], flush=True)
    sys.stdin.read()
"""


def process(code: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(each: subprocess.Popen[str]) -> str:
    assert each.stdout is not None
    return each.stdout.readline()


def of_another_machine(folder: Path, name: str) -> Path:
    """The claim `name`, as if a process elsewhere held it."""
    path = folder / CLAIMS_FOLDER / f"{name}.json"
    content = json.loads(path.read_text()) | {"machine": "elsewhere", "host": "node7"}
    path.write_text(json.dumps(content))
    return path


def test_of_processes_that_take_the_same_claims_each_claim_has_one(tmp_path: Path) -> None:
    processes = [process(TAKES_MANY, tmp_path) for _ in range(4)]
    taken = Counter(number for each in processes for number in said(each).split())
    for each in processes:
        each.communicate("")
    assert taken == Counter(map(str, range(100)))
    assert not (tmp_path / CLAIMS_FOLDER).exists()


def test_a_claim_of_a_process_that_was_killed_here_is_free_at_once(tmp_path: Path) -> None:
    other = process(TAKES_ONE, tmp_path)
    assert said(other) == "True\n"
    with holding(tmp_path) as holder:
        claim = holder.of_others("cell")
        assert claim is not None
        assert claim.process == other.pid
        assert not holder.take("cell")
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert holder.of_others("cell") is None
        assert holder.take("cell")
    other.communicate()
    assert not (tmp_path / CLAIMS_FOLDER).exists()  # what the dead one left is gone as well


@pytest.mark.parametrize("minutes", [-2, 2], ids=["behind", "ahead"])
def test_a_claim_elsewhere_is_abandoned_by_the_clock_of_the_disk(
    minutes: int, tmp_path: Path
) -> None:
    """Oracle: the times of files, which stand for the disk's clock; that of the machine is moved.

    A file that is written gets the disk's time whatever a machine's clock says.
    """
    with holding(tmp_path) as there, holding(tmp_path) as holder:
        assert there.take("cell")
        path = of_another_machine(tmp_path, "cell")
        moved = time.time() + 60 * minutes
        os.utime(path, (moved, moved))
        assert holder.of_others("cell") is None
        there.renew()
        assert holder.of_others("cell") is not None
        assert not holder.take("cell")
        os.utime(path, (moved, moved))
        assert holder.take("cell")
        there.release("cell")  # no longer its own
        assert there.of_others("cell") is not None


def test_the_clock_of_the_machine_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with holding(tmp_path) as there, holding(tmp_path) as holder:
        there.take("cell")
        of_another_machine(tmp_path, "cell")
        monkeypatch.setattr(time, "time", lambda: 0.0)
        assert holder.of_others("cell") is not None


def test_claims_are_renewed_while_their_holder_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "RENEWED_EVERY_S", 0.01)
    with holding(tmp_path) as holder:
        holder.take("cell")
        path = tmp_path / CLAIMS_FOLDER / "cell.json"
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 30
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert path.stat().st_mtime > 0


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}"])
def test_a_damaged_claim_is_nobodys_after_a_minute(content: bytes, tmp_path: Path) -> None:
    with holding(tmp_path) as holder:
        path = tmp_path / CLAIMS_FOLDER / "cell.json"
        path.write_bytes(content)
        assert not holder.take("cell")  # it may be being written
        os.utime(path, (0, 0))
        assert holder.take("cell")


def test_a_disk_without_hard_links_has_claims_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    with holding(tmp_path) as one, holding(tmp_path) as other:
        assert one.take("cell")
        assert not other.take("cell")
        one.release("cell")
        assert other.take("cell")


def test_failures_are_told_to_those_who_are_at_work_and_forgotten_then(tmp_path: Path) -> None:
    with holding(tmp_path) as one:
        with holding(tmp_path) as other:
            other.fail("cell", "no memory")
            assert one.failure("cell") == "no memory"
        assert one.failure("cell") == "no memory"
        assert one.failure("other") is None
    with holding(tmp_path) as later:
        assert later.failure("cell") is None
