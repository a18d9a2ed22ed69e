"""Kills a training again and again until it is done, and compares it with one that nobody killed.

    python tests/benchmarks/endure_kills.py CONFIG [--kills 20] [--interval 30] [--set PATH=VALUE]

Each kill comes a random time after a checkpoint, before the next one. Prints how often it was
killed, and whether epochs and weights are the same to the bit. The other training runs meanwhile.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

PROGRAM = """
import sys
from cnnrun.cli.app import main
from cnnrun.training import callbacks
callbacks.CHECKPOINT_INTERVAL_S = {interval}
sys.argv[0] = "cnnrun"
main()
"""


def main() -> None:
    """Runs both trainings, and ends with 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--interval", type=float, default=30, help="seconds between checkpoints")
    parser.add_argument("--seed", type=int, default=0, help="of the times between them")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        places = {name: Path(folder) / "experiments" / name for name in ("whole", "killed")}
        program = PROGRAM.format(interval=asked.interval)
        command = [sys.executable, "-c", program, "train", asked.config, "--quiet"]
        command += [part for value in asked.overrides for part in ("--set", value)]
        other = subprocess.Popen([*command, "--into", str(places["whole"])])
        drawn = random.Random(asked.seed)
        waits = [drawn.uniform(0, asked.interval) for _ in range(asked.kills)]
        kills = killed(command, places["killed"], waits=waits)
        if other.wait():
            raise SystemExit(f"the training that nobody killed ended with {other.returncode}")
        same = outcome(places["whole"]) == outcome(places["killed"])
        print(f"killed {kills} times; the same bits: {'yes' if same else 'NO'}")
    sys.exit(not same)


def killed(command: list[str], into: Path, *, waits: list[float]) -> int:
    """Train into a folder, killing the process after checkpoints; how often it came to that."""
    for kills, wait in enumerate([*waits, None]):
        resume = ["--resume"] if into.exists() else []
        process = subprocess.Popen([*command, "--into", str(into), *resume], start_new_session=True)
        if has_ended(process, into, wait=wait):
            if process.returncode:
                raise SystemExit(f"the training ended with {process.returncode}")
            return kills
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        print(f"killed {wait:.1f} s after {newest(into)}", flush=True)
    raise AssertionError("the last one is waited for")


def has_ended(process: subprocess.Popen[bytes], run: Path, *, wait: float | None) -> bool:
    """Whether a training came to its end before a new checkpoint was so many seconds old."""
    before = newest(run)
    while wait is not None and process.poll() is None:
        if newest(run) != before:
            break
        time.sleep(0.05)
    try:
        process.wait(timeout=wait)
    except subprocess.TimeoutExpired:
        return False
    return True


def newest(run: Path) -> str:
    """The name of the newest checkpoint; empty before the first."""
    return max((file.name for file in (run / "checkpoints").glob("epoch-*.npz")), default="")


def outcome(run: Path) -> tuple[list[dict[str, float]], dict[str, str]]:
    """What must be the same: the epochs but for their times, and the model's weights."""
    epochs = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    with zipfile.ZipFile(run / "model.keras") as archive:
        weights = hashlib.sha256(archive.read("model.weights.h5")).hexdigest()
    return [{name: row[name] for name in row if name != "seconds"} for row in epochs], {
        "weights": weights
    }


if __name__ == "__main__":
    main()
