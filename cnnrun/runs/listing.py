"""The runs there are, half-written ones included: what each is and came to."""

import csv
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from cnnrun.errors import RunError
from cnnrun.runs.claims import is_work_folder
from cnnrun.runs.files import RESTORE, missing, read_content
from cnnrun.runs.folder import RunFolder, looks_like_run
from cnnrun.runs.metrics import read_epochs
from cnnrun.runs.result import RunResult, read_result, test_metrics_of
from cnnrun.runs.state import RunState, read_state
from cnnrun.runs.tables import read_csv_table

SortKey = Literal[
    "started",
    "accuracy",
    "mean_average_precision",
    "loss",
    "seconds",
    "parameters",
    "epochs",
    "run",
]
_LARGEST_FIRST: Final = (
    "accuracy",
    "mean_average_precision",
    "seconds",
    "parameters",
    "epochs",
)

_CELLS: Final = "cells.csv"
TRIALS_FILE: Final = "trials.csv"
"""Of a study or search, what was tried before anything was compared."""
_PLAN: Final = "plan.json"

# Plain text for every scalar, so that nothing is lost; libyaml's parser is ten times as fast.
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
# A search, because to parse the resolved configs of a thousand runs takes seconds.
_SEED = re.compile(rb"^seed: *(\d{1,20}) *$", re.MULTILINE)


@dataclass(frozen=True)
class RunSummary:
    """One line of `cnnrun runs`; None stands for what is not known (yet).

    Attributes:
        run: the run's folder.
        state: running, finished, failed or interrupted; "damaged" where state.json or, of a
            finished run, result.json is not readable.
        why: the reason for the state; may be empty.
        epochs: how many epochs were finished.
        best_epoch: the epoch that model.keras is of.
        accuracy: on the test images; None where images have several labels each.
        accuracy_interval: its 95 % interval.
        loss: on the test images.
        parameters: of the network.
        seconds: wall time of the whole run.
        seed: of the config.
        started: ISO 8601 in UTC.
        chance: the accuracy of taking any class to be as likely as another.
        majority: the accuracy of always the commonest training class.
        mean_average_precision: over labels, on test images that have several each.
        mean_average_precision_interval: its 95 % interval.
        prevalence: the mean average precision of any order at all.
        study: the name of the study that the run is a cell of.
        arm: the cell's arm, or what is tried in it, once its study has listed its cells.
    """

    run: Path
    state: str
    why: str
    epochs: int
    best_epoch: int | None
    accuracy: float | None
    accuracy_interval: tuple[float, float] | None
    loss: float | None
    parameters: int | None
    seconds: float | None
    seed: int | None
    started: str | None
    chance: float | None = None
    majority: float | None = None
    mean_average_precision: float | None = None
    mean_average_precision_interval: tuple[float, float] | None = None
    prevalence: float | None = None
    study: str | None = None
    arm: str | None = None

    def as_json(self) -> dict[str, Any]:
        """A flat map of these fields."""
        return {**asdict(self), "run": self.run.as_posix()}


def list_runs(folder: Path) -> tuple[RunSummary, ...]:
    """All runs in `folder` and the folders within it, oldest first; `folder` may be a run itself.

    Raises:
        RunError: there is no such folder, or it cannot be read.
    """
    arms: dict[Path, Mapping[str, str]] = {}
    summaries = [_in_study(summarize_run(run), arms) for run in find_runs(folder)]
    return tuple(sorted(summaries, key=lambda summary: (summary.started or "", summary.run)))


def select_runs(
    summaries: Sequence[RunSummary],
    *,
    cells: bool,
    states: Collection[str],
    since: str | None,
    sort: SortKey,
) -> tuple[RunSummary, ...]:
    """Some of the runs, in another order.

    Args:
        summaries: from `list_runs`.
        cells: whether cells of studies are wanted.
        states: which states are wanted; none for all.
        since: a date, ISO 8601 in UTC; runs that began before it are not wanted.
        sort: what they are sorted by: the best first by accuracy, mean average precision or loss,
            the largest first by numbers, the oldest first by `started`; runs without it stand last.
    """
    wanted = [
        each
        for each in summaries
        if (cells or each.study is None)
        and (not states or each.state in states)
        and (since is None or (each.started or "") >= since)
    ]
    known = [each for each in wanted if getattr(each, sort) is not None]
    unknown = [each for each in wanted if getattr(each, sort) is None]
    is_falling = sort in _LARGEST_FIRST
    return (*sorted(known, key=attrgetter(sort), reverse=is_falling), *unknown)


def _in_study(summary: RunSummary, arms: dict[Path, Mapping[str, str]]) -> RunSummary:
    """A cell with its study and arm; `arms` keeps what was read of each study."""
    above = summary.run.absolute().parents[:2]  # cells lie in the study's folder `runs`
    study = next((folder for folder in above if (folder / _PLAN).exists()), None)
    if study is None:
        return summary
    if study not in arms:
        arms[study] = _arms_of(study)
    return replace(summary, study=study.name, arm=arms[study].get(summary.run.name))


def _arms_of(study: Path) -> dict[str, str]:
    """The arm of each cell by the name of its folder, as far as tables of the study list them."""
    return _arms_in(study / TRIALS_FILE) | _arms_in(study / _CELLS)


def _arms_in(table: Path) -> dict[str, str]:
    try:
        header, *rows = read_csv_table(table.read_text(encoding="utf-8"))
        named = [dict(zip(header, row, strict=True)) for row in rows]
        return {row["run"]: row["arm"] for row in named}
    except (OSError, csv.Error, KeyError, ValueError):
        return {}


def find_runs(folder: Path) -> tuple[RunFolder, ...]:
    """The runs in `folder` and the folders within it, sorted by path.

    Raises:
        RunError: there is no such folder, or it cannot be read.
    """
    if not os.path.isdir(folder):
        raise RunError.at(
            folder,
            rule="runs are listed from a folder",
            received="a file" if os.path.exists(folder) else "no such folder",
            advice="`cnnrun train CONFIG` makes the first run",
        )
    try:
        os.listdir(folder)
    except OSError as error:
        raise RunError.at(
            folder,
            rule="must be readable",
            received=str(error.strerror),
            advice="check its permissions",
        ) from error
    return tuple(sorted(_runs_below(folder), key=lambda run: run.path))


def summarize_run(run: RunFolder) -> RunSummary:
    """What a run is and came to, as far as its files tell; damaged files are as absent ones."""
    state, why = _state(run)
    result, damage = None, ""
    if state is not None and state.state == "finished":
        result, damage = _result(run)
    test = (result.test if result else None) or {}
    main = next(iter(test_metrics_of(test)))  # Keras counts the accuracy of several labels, too
    baselines = result.baselines if result else {}
    return RunSummary(
        run=run.path,
        state="damaged" if damage or state is None else state.state,
        why=damage or why,
        epochs=result.epochs if result else _finished_epochs(run),
        best_epoch=result.best_epoch if result else None,
        accuracy=test.get("accuracy") if main == "accuracy" else None,
        accuracy_interval=_interval(test, "accuracy"),
        loss=test.get("loss"),
        parameters=result.parameters if result else None,
        seconds=result.seconds.get("total") if result else None,
        seed=_seed(run),
        started=state.started if state else None,
        chance=baselines.get("chance"),
        majority=baselines.get("majority"),
        mean_average_precision=test.get("mean_average_precision"),
        mean_average_precision_interval=_interval(test, "mean_average_precision"),
        prevalence=baselines.get("prevalence"),
    )


def read_resolved(run: RunFolder) -> dict[str, Any]:
    """The maps, lists and plain texts of resolved.yaml, without a check of what they say.

    Raises:
        RunError: resolved.yaml is absent or damaged.
    """
    try:
        resolved = yaml.load(read_content(run.resolved_yaml), Loader=_Loader)  # noqa: S506 only text
    except FileNotFoundError as error:
        raise missing(run.resolved_yaml) from error
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise _no_config(run, str(error).splitlines()[0]) from error
    if not isinstance(resolved, dict):
        raise _no_config(run, "no map")
    return resolved


def _no_config(run: RunFolder, received: str) -> RunError:
    rule = "must be the map of a config"
    return RunError.at(
        run.resolved_yaml, rule=rule, received=f"a damaged file: {received}", advice=RESTORE
    )


def _runs_below(folder: Path) -> Iterator[RunFolder]:
    if looks_like_run(folder):
        yield RunFolder(folder)
        return
    try:
        with os.scandir(folder) as entries:
            inner = [
                entry.path
                for entry in entries
                if entry.is_dir(follow_symlinks=False) and not is_work_folder(entry.name)
            ]
    except OSError:  # removed meanwhile, or someone else's
        return
    for path in inner:
        yield from _runs_below(Path(path))


def _state(run: RunFolder) -> tuple[RunState | None, str]:
    try:
        state = read_state(run)
    except RunError as error:
        return None, str(error)
    return state, state.why


def _result(run: RunFolder) -> tuple[RunResult | None, str]:
    """The result, or why there is none."""
    try:
        return read_result(run), ""
    except RunError as error:
        return None, str(error)


def _finished_epochs(run: RunFolder) -> int:
    try:
        return len(read_epochs(run))
    except RunError:
        return 0


def _seed(run: RunFolder) -> int | None:
    try:
        found = _SEED.search(read_content(run.resolved_yaml))
    except OSError:
        return None
    return int(found[1]) if found else None


def _interval(test: Any, name: str) -> tuple[float, float] | None:
    interval = test.get("intervals", {}).get(name)
    return None if interval is None else (interval[0], interval[1])
