"""`cnnrun train` on the digits against a hand-written Keras script of the same network and epochs.

Run `python tests/benchmarks/measure_training.py`. Whole processes in turns, so that a change in the
machine's load meets both; the medians of the pairs' ratios count. Bounds: wall time from a cold
start to the end of training at most 1.1 of the script's, images a second of `fit` at least 1.3.
"""

import json
import platform
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).parents[2]
COMMAND = Path(sysconfig.get_path("scripts")) / "cnnrun"
SCRIPT = Path(__file__).parent / "plain_keras_digits.py"
ROUNDS = 5
LAST_EPOCH = "epoch 20 "


@dataclass(frozen=True)
class Measured:
    """One training: wall time from the start of the process to the end of `fit`, and its speed."""

    to_end_of_fit_s: float
    total_s: float
    images_a_second: float
    accuracy: float


def main() -> None:
    """Print every round and the medians of the ratios."""
    print(f"{platform.processor() or platform.machine()}, {ROUNDS} rounds")
    rounds = [(run_cnnrun(), run_script()) for _ in range(ROUNDS)]
    for ours, script in rounds:
        print(f"cnnrun {ours}\nscript {script}")
    wall = median(ours.to_end_of_fit_s / script.to_end_of_fit_s for ours, script in rounds)
    speed = median(ours.images_a_second / script.images_a_second for ours, script in rounds)
    print(f"wall time to the end of training, cnnrun / script: {wall:.2f} (bound 1.1)")
    print(f"images a second of fit, cnnrun / script: {speed:.2f} (bound 1.3)")


def run_cnnrun() -> Measured:
    """One `cnnrun train configs/digits.yaml`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            COMMAND,
            "train",
            REPOSITORY / "configs" / "digits.yaml",
            "--into",
            f"{folder}/run",
        ]
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if process.stderr is None:
            raise RuntimeError("the command's messages are not piped")
        ended = begun
        for line in process.stderr:
            if line.startswith(LAST_EPOCH):
                ended = time.perf_counter()
        process.communicate()
        total = time.perf_counter() - begun
        result = json.loads((Path(folder) / "run" / "result.json").read_text())
    return Measured(ended - begun, total, result["images_per_second"], result["test"]["accuracy"])


def run_script() -> Measured:
    """One run of the hand-written script, which ends with `fit`."""
    begun = time.time()
    command = [sys.executable, SCRIPT, REPOSITORY / "datasets" / "digits", str(begun)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    total = time.time() - begun
    measured = json.loads(output.splitlines()[-1])
    speed = measured["images"] / median(measured["training_s"][1:])
    return Measured(measured["to_end_of_fit_s"], total, speed, measured["val_accuracy"])


if __name__ == "__main__":
    main()
