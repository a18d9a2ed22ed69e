"""A run's folder: its files, how it is created (never over another), opened and held."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from cnnrun.errors import RunError
from cnnrun.runs.files import PARTIAL_PREFIX, storage_errors

FEATURES: Final = ".features"
"""The folder of the bottleneck cache, in that of all runs."""

HASHES: Final = ".hashes"
"""The folder of the notes on the hashes of images, in that of all runs."""

# `is_held` takes the lock for some microseconds: whoever wants to hold the run waits that long.
_LOCK_PATIENCE_S = 0.3


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run and the places of its files, whether they exist yet or not."""

    path: Path

    @property
    def config_yaml(self) -> Path:
        """The config as it was given."""
        return self.path / "config.yaml"

    @property
    def resolved_yaml(self) -> Path:
        """The config with every default and choice written out; training it gives the same run."""
        return self.path / "resolved.yaml"

    @property
    def environment_json(self) -> Path:
        """What the run was made with: see environment.py."""
        return self.path / "environment.json"

    @property
    def state_json(self) -> Path:
        """Running, finished, failed or interrupted, and why: see state.py."""
        return self.path / "state.json"

    @property
    def classes_json(self) -> Path:
        """The class names in the order of the network's outputs."""
        return self.path / "classes.json"

    @property
    def metrics_jsonl(self) -> Path:
        """A line an epoch: see metrics.py."""
        return self.path / "metrics.jsonl"

    @property
    def result_json(self) -> Path:
        """What the run came to: see result.py."""
        return self.path / "result.json"

    @property
    def profile_json(self) -> Path:
        """Where the time went, if that was asked for: see profile.py."""
        return self.path / "profile.json"

    @property
    def model_keras(self) -> Path:
        """The network with the weights of the best epoch."""
        return self.path / "model.keras"

    @property
    def predictions_csv(self) -> Path:
        """A row for each test image."""
        return self.path / "predictions.csv"

    @property
    def thresholds_json(self) -> Path:
        """From which probability on an image is said to have a label, where it may have several."""
        return self.path / "thresholds.json"

    @property
    def calibration_json(self) -> Path:
        """How its probabilities become calibrated ones: see calibration/calibration_file.py."""
        return self.path / "calibration.json"

    @property
    def reliability_png(self) -> Path:
        """How often its probabilities are right, as `cnnrun calibrate` draws it."""
        return self.plots / "reliability.png"

    @property
    def plots(self) -> Path:
        """The folder of the figures."""
        return self.path / "plots"

    @property
    def page(self) -> Path:
        """The folder of what report.html shows and no other file has: see pages/page_files.py."""
        return self.path / "page"

    @property
    def report_html(self) -> Path:
        """The run as one page: see pages/run_page.py."""
        return self.path / "report.html"

    @property
    def log_txt(self) -> Path:
        """What was said while the run was made."""
        return self.path / "log.txt"

    @property
    def checkpoints(self) -> Path:
        """The folder from which an interrupted run goes on."""
        return self.path / "checkpoints"

    @property
    def lock(self) -> Path:
        """The file that the process which works on the run holds locked."""
        return self.path / ".lock"


def run_name(config: Path) -> str:
    """The name of a config's runs: that of its file, unless it would lead out of the folder."""
    return config.stem if config.stem.strip(".") else "config"


def create_run(experiments: Path, *, name: str, seed: int) -> RunFolder:
    """A new, empty run folder `experiments/<name>/<date>-<time>-seed<seed>`.

    When that name is taken, as by a study's runs of the same second, `-2`, `-3` ... follow it.

    Args:
        experiments: the folder of all runs; created when absent.
        name: the name of the config.
        seed: the run's seed.

    Raises:
        StorageError: the folder cannot be created.
    """
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-seed{seed}"
    path = experiments / name / stem
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        number = 1
        while not _created(path):
            number += 1
            path = path.with_name(f"{stem}-{number}")
    return RunFolder(path)


def open_run(path: Path) -> RunFolder:
    """The run at `path`, with at least its resolved config and its state.

    Raises:
        RunError: there is no run at `path`, or it lacks those files.
    """
    if not looks_like_run(path):
        raise _no_run(path)
    run = RunFolder(path)
    require_files(run, run.resolved_yaml, run.state_json)
    return run


def looks_like_run(path: Path) -> bool:
    """Whether a folder is a run, even one that was cut short while it was being created."""
    run = RunFolder(path)
    # os.path's questions answer no where Path's fail: in a folder that may not be entered.
    return any(map(os.path.isfile, (run.state_json, run.resolved_yaml, run.config_yaml)))


def require_files(run: RunFolder, *files: Path) -> None:
    """Raise unless all of these files of the run are there.

    Raises:
        RunError: some are missing; it names them.
    """
    missing = [file.name for file in files if not file.exists()]
    if missing:
        step = (
            "finish it with `cnnrun train --resume`, or train it again"
            if _can_be_resumed(run)
            else "train it again"
        )
        raise RunError.at(
            run.path,
            rule="a run must have all its files",
            received=f"one without {', '.join(missing)}",
            advice=step,
        )


def _can_be_resumed(run: RunFolder) -> bool:
    begun = run.resolved_yaml.exists() and run.state_json.exists()
    return begun and not run.result_json.exists()


@contextmanager
def hold(run: RunFolder) -> Iterator[None]:
    """Within the block no other process can hold this run.

    The lock belongs to the process: however the process ends, the run is free again. Files that a
    killed process left half-written are removed.

    Raises:
        RunError: another process works on the run.
        StorageError: the run folder cannot be written to.
    """
    lock = FileLock(run.lock, timeout=_LOCK_PATIENCE_S)
    with storage_errors(run.lock):
        try:
            lock.acquire()
        except Timeout as error:
            raise busy(run) from error
    try:
        _remove_partial_files(run)
        yield
    finally:
        lock.release()


def busy(run: RunFolder) -> RunError:
    """That another process works on the run."""
    return RunError.at(
        run.path,
        rule="only one process can work on a run",
        received="another one at work",
        advice="wait until it ends, or stop it",
    )


def is_held(run: RunFolder) -> bool:
    """Whether some process holds this run now."""
    if not os.path.exists(run.lock):
        return False
    lock = FileLock(run.lock, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:  # not ours to lock: believe what the state says
        return True
    lock.release()
    return False


def _created(path: Path) -> bool:
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def _no_run(path: Path) -> RunError:
    received, advice = _what_it_is_instead(path)
    return RunError.at(path, rule="must be the folder of a run", received=received, advice=advice)


def _what_it_is_instead(path: Path) -> tuple[str, str]:
    """What a path that is no run is, and what to do."""
    if os.path.isfile(path) and looks_like_run(path.parent):
        return "a file in one", f"give {path.parent} instead"
    the_runs = "`cnnrun runs` lists the runs there are"
    try:
        os.stat(path)
    except FileNotFoundError:
        return "no such folder", the_runs
    except OSError as error:
        return str(error.strerror), "check the path and its permissions"
    inner = sorted(child for child in _folders_in(path) if looks_like_run(child))
    if inner:
        return "a folder of runs", f"give the run itself, such as {inner[-1]}"
    return ("a file" if os.path.isfile(path) else "one without a state.json"), the_runs


def _folders_in(path: Path) -> list[Path]:
    try:
        return [child for child in path.iterdir() if os.path.isdir(child)]
    except OSError:
        return []


def _remove_partial_files(run: RunFolder) -> None:
    for folder in (run.path, run.plots, run.page, run.checkpoints):
        for partial in folder.glob(f"{PARTIAL_PREFIX}*"):
            partial.unlink(missing_ok=True)
