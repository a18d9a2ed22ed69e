"""Kills a training again and again until it is done, and compares it with one that nobody killed.

    python tests/benchmarks/endure_kills.py CONFIG [--kills 20] [--every 40] [--set PATH=VALUE]

Prints how often it was killed, and whether epochs and weights are the same to the bit. With the
config of a training of many minutes it takes that long twice, and what the kills cost.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path


def main() -> None:
    """Runs both trainings, and ends with 1 if they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--every", type=float, default=40, help="seconds from start to kill")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        places = {name: Path(folder) / "experiments" / name for name in ("whole", "killed")}
        command = [sys.executable, "-m", "cnnrun", "train", asked.config]
        command += [part for value in asked.overrides for part in ("--set", value)]
        subprocess.run([*command, "--into", str(places["whole"])], check=True)
        kills = killed(command, places["killed"], kills=asked.kills, every=asked.every)
        same = outcome(places["whole"]) == outcome(places["killed"])
        print(f"killed {kills} times; the same bits: {'yes' if same else 'NO'}")
    sys.exit(not same)


def killed(command: list[str], into: Path, *, kills: int, every: float) -> int:
    """Train into a folder, killing the process so often; how often it came to that."""
    done = 0
    while True:
        resume = ["--resume"] if into.exists() else []
        process = subprocess.Popen([*command, "--into", str(into), *resume], start_new_session=True)
        try:
            if process.wait(timeout=every if done < kills else None):
                raise SystemExit(f"the training ended with {process.returncode}")
            return done
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            done += 1


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
