"""`cnnrun train` against what a competent user of Keras would write, on the same work.

Run `python tests/benchmarks/measure_against_keras.py [CASE...]`; the cases are those of
keras_cases.py, and take 20 minutes on two cores. The baselines are those of
plain_keras.py: (a) ImageDataGenerator, (b) tf.data; both train the network that
`cnnrun show --as keras` prints, in float32, from the same initial weights. Whole processes take
turns, a seed a round; the medians of the rounds' ratios count, beside the lowest and the highest.
Loss and accuracy on the test images stand beside the speed, so that nobody wins by computing
something else. Python keeps what it has compiled, as it does for a user.
`--python PYTHON` runs (b) in another environment: one that holds TensorFlow alone, as who writes
such a script has it. Keras imports scikit-learn, SciPy and Matplotlib where they are installed.
`--write FILE` keeps the figures as JSON, `--against FILE` compares with those of an earlier run.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from keras_cases import CASES, Case, NoImagesError

from cnnrun.runs.environment import installed_packages, processor, usable_cores

HERE = Path(__file__).parent
COMMAND = Path(sysconfig.get_path("scripts")) / "cnnrun"
OURS = {"float32": "cnnrun float32", "mixed_bfloat16": "cnnrun mixed_bfloat16"}
BASELINES = {"generator": "(a) ImageDataGenerator", "dataset": "(b) tf.data"}


@dataclass(frozen=True)
class Measured:
    """One training of one contender; the times are of the whole process."""

    images_per_second: float
    total_s: float
    processor_s: float
    peak_memory_bytes: int
    loss: float
    accuracy: float


def main() -> None:
    """Measure the cases that were asked for, print them, and keep the figures."""
    asked = arguments()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    machine = machine_here()
    print(in_words(machine))
    figures = {}
    for name in asked.cases or CASES:
        try:
            figures[name] = measure(
                name, CASES[name], rounds=asked.rounds, machine=machine, python=asked.python
            )
        except NoImagesError as error:
            print(f"\n{name}: left out, for {error}")
    document = {"machine": machine, "cases": figures}
    if asked.write:
        asked.write.write_text(json.dumps(document, indent=2))
    if asked.against:
        compare(document, json.loads(asked.against.read_text()))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="cnnrun against plain Keras on the same work")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of: {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", type=Path, default=Path(sys.executable), metavar="PYTHON")
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("--against", type=Path, metavar="FILE")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.cases) - set(CASES)):
        parser.error(f"no case is called {', '.join(unknown)}; there are: {', '.join(CASES)}")
    return asked


def machine_here() -> dict[str, Any]:
    """The processor, the packages, and the most that the processor does."""
    script = [sys.executable, HERE / "machine_ceiling.py"]
    printed = subprocess.run(script, check=True, capture_output=True, text=True).stdout
    return {
        "processor": processor(),
        "cores": usable_cores(),
        "packages": installed_packages(),
        "ceiling": json.loads(printed),
    }


def in_words(machine: Mapping[str, Any]) -> str:
    ceiling = machine["ceiling"]
    return (
        f"{machine['processor'].get('model')}, {machine['cores']} cores; matrix products at"
        f" {ceiling['float32'] / 1e9:,.0f} GFLOP/s in float32,"
        f" {ceiling['mixed_bfloat16'] / 1e9:,.0f} in bfloat16; memory"
        f" {ceiling['memory'] / 1e9:,.1f} GB/s"
    )


def measure(
    name: str, case: Case, *, rounds: int, machine: Mapping[str, Any], python: Path
) -> dict[str, dict[str, Any]]:
    """The figures of a case, by contender; the contenders take turns."""
    print(f"\n{name}: {case.epochs} epochs, batches of {case.batch_size}, {rounds} rounds")
    precisions, baselines = (dict.fromkeys(side) for side in zip(*case.bounds, strict=True))
    measured: dict[str, list[Measured]] = {one: [] for one in (*precisions, *baselines)}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        case.write_images(work / "images")
        config = write_config(case, work)
        for seed in range(rounds):
            for one in measured:
                if one in BASELINES:
                    with_python = python if one == "dataset" else Path(sys.executable)
                    run = train_with_keras(one, case, config, seed=seed, python=with_python)
                else:
                    run = train_with_cnnrun(one, config, seed=seed)
                measured[one].append(run)
                named = (OURS | BASELINES)[one]
                print(f"    seed {seed}: {named} {run.images_per_second:,.0f} images/s", flush=True)
        multiply_adds = json.loads(cnnrun("show", config, "--json"))["multiply_adds"]
    for one, runs in measured.items():
        print(f"  {line(one, runs, multiply_adds, machine['ceiling'])}")
    for (ours, baseline), bound in case.bounds.items():
        sides = measured[ours], measured[baseline]
        wanted = "" if bound is None else f" (wanted {bound:g})"
        print(
            f"  {OURS[ours]} against {BASELINES[baseline]}:"
            f" {spread(ratios('images_per_second', *sides))}{wanted},"
            f" {median(ratios('total_s', *sides)):.2f} of its time in all,"
            f" {median(ratios('processor_s', *sides)):.2f} of its processors'"
        )
    return {
        one: {key: [getattr(run, key) for run in runs] for key in Measured.__dataclass_fields__}
        for one, runs in measured.items()
    }


def write_config(case: Case, work: Path) -> Path:
    config = {
        "data": {
            "directory": "images",
            "image_size": list(case.image_size),
            "color_mode": case.color_mode,
        },
        "augment": dict(case.augment),
        "model": {
            # Few steps: Keras's own momentum would leave the statistics behind.
            "blocks": {"batch_norm": {"position": case.batch_norm, "momentum": 0.9}},
            "layers": case.layers,
        },
        "train": {"epochs": case.epochs, "batch_size": case.batch_size, "best": "last"},
    }
    (work / "case.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return work / "case.yaml"


def train_with_cnnrun(precision: str, config: Path, *, seed: int) -> Measured:
    settings = ("--set", f"seed={seed}", "--set", f"train.precision={precision}")
    run = config.parent / f"{precision}-{seed}"
    with timed() as took:
        result = json.loads(cnnrun("train", config, *settings, "--into", run, "--json"))
    return Measured(
        images_per_second=result["images_per_second"],
        total_s=took.wall,
        processor_s=took.processor,
        peak_memory_bytes=result["peak_memory_bytes"],
        loss=result["test"]["loss"],
        accuracy=result["test"]["accuracy"],
    )


def train_with_keras(way: str, case: Case, config: Path, *, seed: int, python: Path) -> Measured:
    network = config.with_name(f"network-{seed}.py")
    network.write_text(cnnrun("show", config, "--as", "keras", "--set", f"seed={seed}"))
    task = {
        "way": way,
        "seed": seed,
        "folder": str(config.parent / "images"),
        "network": str(network),
        "image_size": case.image_size,
        "color_mode": case.color_mode,
        "batch_size": case.batch_size,
        "epochs": case.epochs,
        "augment": dict(case.augment),
    }
    (config.parent / "task.json").write_text(json.dumps(task))
    command = [python, HERE / "plain_keras.py", config.parent / "task.json"]
    with timed() as took:
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result = json.loads(printed.splitlines()[-1])
    return Measured(
        # As cnnrun counts: the first epoch also traces the step.
        images_per_second=result["images"] / median(result["training_s"][1:]),
        total_s=took.wall,
        processor_s=took.processor,
        peak_memory_bytes=result["peak_memory_bytes"],
        loss=result["loss"],
        accuracy=result["accuracy"],
    )


@dataclass
class Took:
    """Seconds of wall time, and of the processors' time in the processes that ended."""

    wall: float = 0.0
    processor: float = 0.0


@contextmanager
def timed() -> Iterator[Took]:
    took, began, used = Took(), time.perf_counter(), processor_seconds()
    yield took
    took.wall, took.processor = time.perf_counter() - began, processor_seconds() - used


def processor_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def cnnrun(*arguments: str | Path) -> str:
    command = [COMMAND, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def line(
    contender: str, runs: Sequence[Measured], multiply_adds: int, ceiling: Mapping[str, float]
) -> str:
    """The medians of a contender; a training step is taken as three passes of the network."""
    speed = median(run.images_per_second for run in runs)
    share = 6 * multiply_adds * speed / ceiling[contender if contender in OURS else "float32"]
    return (
        f"{(OURS | BASELINES)[contender]:<24} {speed:>8,.0f} images/s"
        f" ({share:.0%} of the matrix ceiling)"
        f"  {median(run.total_s for run in runs):5.1f} s in all,"
        f" {median(run.processor_s for run in runs):5.1f} of processors"
        f"  {median(run.peak_memory_bytes for run in runs) / 2**20:5,.0f} MiB"
        f"  loss {in_short([run.loss for run in runs])}"
        f"  accuracy {in_short([run.accuracy for run in runs])}"
    )


def in_short(values: Sequence[float]) -> str:
    return f"{median(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def ratios(figure: str, ours: Sequence[Measured], theirs: Sequence[Measured]) -> list[float]:
    """Of one figure, round by round."""
    return [
        getattr(one, figure) / getattr(other, figure)
        for one, other in zip(ours, theirs, strict=True)
    ]


def spread(times: Sequence[float]) -> str:
    return f"{median(times):.2f} times as fast ({min(times):.2f} to {max(times):.2f})"


def compare(now: Mapping[str, Any], earlier: Mapping[str, Any]) -> None:
    """Print each case's ratio over (b) beside the earlier one: ratios outlast a machine's load."""
    print("\nagainst (b), now and earlier:")
    for name in now["cases"].keys() & earlier["cases"].keys():
        for ours in now["cases"][name].keys() & OURS.keys():
            both = [ratio_over_datasets(one["cases"][name], ours) for one in (now, earlier)]
            print(f"  {name}, {OURS[ours]}: {both[0]:.2f}, {both[1]:.2f}")


def ratio_over_datasets(figures: Mapping[str, Any], ours: str) -> float:
    pairs = zip(
        figures[ours]["images_per_second"], figures["dataset"]["images_per_second"], strict=True
    )
    return median(one / other for one, other in pairs)


if __name__ == "__main__":
    main()
