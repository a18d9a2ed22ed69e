"""Runs side by side: those that differ in nothing but their seed count as one group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnrun.errors import RunError
from cnnrun.runs.data_states import changes_between, images_of
from cnnrun.runs.differences import comparable_config, differing_values, inline, typed
from cnnrun.runs.files import RESTORE
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.listing import RunSummary, find_runs, summarize_run
from cnnrun.runs.result import (
    ALL_TEST_METRICS,
    LABEL_TEST_METRICS,
    TEST_METRICS,
    read_result,
    test_metrics_of,
)
from cnnrun.runs.spread import Spread, spread_of
from cnnrun.runs.tables import csv_table, markdown_table

_SHOWN_LETTERS = 40
_FINGERPRINT = "data.fingerprint"


@dataclass(frozen=True)
class RunGroup:
    """Finished runs of one config that differ in their seed.

    Attributes:
        name: the name of the config, as the folder around the runs says.
        runs: the folders of the runs, one a seed.
        seeds: their seeds, in the same order.
        epochs: mean and spread of how many epochs were trained, all stages together.
        metrics: mean and spread of the test metrics, by name.
        chance: the accuracy of taking any class to be as likely as another; None where not
            recorded.
        majority: the accuracy of always the commonest training class; None where not recorded.
        parameters: of the network.
        seconds: mean and spread of the wall time.
        values: for each address of `Comparison.differing` what the config says there: a text, a
            list or a map of texts, None for nothing.
    """

    name: str
    runs: tuple[Path, ...]
    seeds: tuple[int, ...]
    epochs: Spread
    metrics: Mapping[str, Spread]
    chance: Spread | None
    majority: Spread | None
    parameters: int
    seconds: Spread
    values: Mapping[str, Any]


@dataclass(frozen=True)
class LeftOut:
    """A run that was not compared, and why."""

    run: Path
    why: str


@dataclass(frozen=True)
class Comparison:
    """Groups of runs, in the order in which their first runs were given.

    Attributes:
        differing: the addresses of the config at which the groups are not all alike.
        groups: at least one.
        data_changes: for each group what became of the images since the first group's, in lines;
            none where the images are the same or were not recorded.
        left_out: runs that could not be compared.
    """

    differing: tuple[str, ...]
    groups: tuple[RunGroup, ...]
    data_changes: tuple[tuple[str, ...], ...]
    left_out: tuple[LeftOut, ...]

    def as_json(self) -> dict[str, Any]:
        """The comparison as maps and lists; values of the config are numbers where they can be."""
        return {
            "differing": list(self.differing),
            "groups": [_group_json(group) for group in self.groups],
            "data_changes": [list(lines) for lines in self.data_changes],
            "left_out": [
                {"run": left_out.run.as_posix(), "why": left_out.why} for left_out in self.left_out
            ],
        }


def compare_runs(paths: Sequence[Path]) -> Comparison:
    """The finished runs among `paths`, grouped by config, and where the configs differ.

    Of runs of the same config and seed, which repeat each other and would make the spread look
    small, the last started one counts.

    Args:
        paths: runs, or folders of runs.

    Raises:
        RunError: a path is no folder, or there is no finished run among them.
    """
    comparable: list[_Comparable] = []
    left_out: list[LeftOut] = []
    for run in _distinct_runs(paths):
        try:
            comparable.append(_read(run))
        except RunError as error:
            left_out.append(LeftOut(run.path, str(error)))
    if not comparable:
        raise _nothing_to_compare(paths, left_out)
    by_config: dict[str, list[_Comparable]] = {}
    for each in comparable:
        by_config.setdefault(inline(each.config), []).append(each)
    groups = [_one_a_seed(members, left_out) for members in by_config.values()]
    differing = differing_values([members[0].config for members in groups])
    firsts = [RunFolder(members[0].summary.run) for members in groups]
    return Comparison(
        differing=tuple(differing),
        groups=tuple(
            _group(members, {address: values[number] for address, values in differing.items()})
            for number, members in enumerate(groups)
        ),
        data_changes=tuple(
            data_changes(firsts[0], run) if _FINGERPRINT in differing else () for run in firsts
        ),
        left_out=tuple(left_out),
    )


def data_changes(before: RunFolder, after: RunFolder) -> tuple[str, ...]:
    """What became of the images from one run to another, as far as both recorded them."""
    try:
        old, new = images_of(before), images_of(after)
    except RunError:
        return ()
    return () if old is None or new is None else tuple(changes_between(old, new))


def changed_data_lines(comparison: Comparison) -> list[str]:
    """`Comparison.data_changes` in words, a line a group whose images changed."""
    return [
        f"data of group {number} against group 1: {'; '.join(lines)}"
        for number, lines in enumerate(comparison.data_changes, start=1)
        if lines
    ]


def metrics_of(groups: Sequence[RunGroup]) -> Mapping[str, str]:
    """The numbers of their tests, and their headings: of one label an image, or of several."""
    several = ["mean_average_precision" in group.metrics for group in groups]
    if not any(several):
        return TEST_METRICS
    return LABEL_TEST_METRICS if all(several) else ALL_TEST_METRICS


def group_columns(groups: Sequence[RunGroup]) -> tuple[str, ...]:
    """The headings of a table of groups."""
    first, *others = metrics_of(groups).values()
    baselines = ("chance", "majority")
    return (
        "group",
        "config",
        "seeds",
        "epochs",
        first,
        *baselines,
        *others,
        "parameters",
        "seconds",
    )


def group_cells(number: int, group: RunGroup, metrics: Mapping[str, str]) -> tuple[str, ...]:
    """The cells of a group, as people read them: mean ± deviation.

    Args:
        number: of the group, from 1.
        group: the group.
        metrics: from `metrics_of`.
    """
    accuracy, *others = (_spread_cell(group.metrics.get(name), digits=4) for name in metrics)
    return (
        str(number),
        group.name,
        str(len(group.seeds)),
        f"{group.epochs.mean:.0f}"
        if not group.epochs.deviation
        else _spread_cell(group.epochs, digits=1),
        accuracy,
        _spread_cell(group.chance, digits=4),
        _spread_cell(group.majority, digits=4),
        *others,
        f"{group.parameters:,d}",
        _spread_cell(group.seconds, digits=1),
    )


def difference_cells(address: str, groups: Sequence[RunGroup]) -> tuple[str, ...]:
    """An address of the config and what each group has there, `-` standing for nothing."""
    return (address, *(_shown(group.values[address]) for group in groups))


def comparison_markdown(comparison: Comparison) -> str:
    """The groups as a table, where their configs differ as another, and what was left out."""
    groups = comparison.groups
    metrics = metrics_of(groups)
    rows = [group_cells(number, group, metrics) for number, group in enumerate(groups, 1)]
    parts = [markdown_table(group_columns(groups), rows)]
    if comparison.differing:
        header = ("address", *(f"group {number}" for number in range(1, len(groups) + 1)))
        rows = [difference_cells(address, groups) for address in comparison.differing]
        parts.append(markdown_table(header, rows))
    parts += [f"{line}\n" for line in changed_data_lines(comparison)]
    if comparison.left_out:
        lines = [f"- {each.run.as_posix()}: {each.why}" for each in comparison.left_out]
        parts.append("Left out:\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def comparison_csv(comparison: Comparison) -> str:
    """A row a group: mean, standard deviation and number of seeds, then the differing values."""
    metrics = metrics_of(comparison.groups)
    header = [
        "group",
        "config",
        "seeds",
        "epochs_mean",
        "epochs_std",
        "chance_mean",
        "chance_std",
        "majority_mean",
        "majority_std",
        *(f"{name}_{part}" for name in metrics for part in ("mean", "std")),
        "parameters",
        "seconds_mean",
        "seconds_std",
        *comparison.differing,
    ]
    rows = (
        [
            number,
            group.name,
            len(group.seeds),
            *_parts(group.epochs),
            *_parts(group.chance),
            *_parts(group.majority),
            *(part for name in metrics for part in _parts(group.metrics.get(name))),
            group.parameters,
            *_parts(group.seconds),
            *(None if value is None else inline(value) for value in group.values.values()),
        ]
        for number, group in enumerate(comparison.groups, 1)
    )
    return csv_table(header, rows)


@dataclass(frozen=True)
class _Comparable:
    """A finished run: its summary, its test metrics, its config as address -> text."""

    summary: RunSummary
    seed: int
    metrics: Mapping[str, float]
    config: Mapping[str, Any]


def _distinct_runs(paths: Sequence[Path]) -> list[RunFolder]:
    runs = {run.path.resolve(): run for path in paths for run in find_runs(path)}
    return list(runs.values())


def _read(run: RunFolder) -> _Comparable:
    summary = summarize_run(run)
    if summary.state != "finished":
        raise RunError.at(
            "",
            rule="a run that is compared must be finished",
            received=f"{summary.state}: {summary.why}" if summary.why else summary.state,
            advice="",
        )
    result = read_result(run)
    if result.test is None:
        raise RunError.at(
            "",
            rule="a run that is compared must have test images",
            received="none",
            advice="give `data.split.test` a share",
        )
    config = comparable_config(run)
    if summary.seed is None:
        raise RunError.at(
            run.resolved_yaml, rule="must have a seed", received="none", advice=RESTORE
        )
    return _Comparable(
        summary=summary,
        seed=summary.seed,
        metrics={
            name: result.test[name]
            for name in test_metrics_of(result.test)
            if result.test.get(name) is not None
        },
        config=config,
    )


def _one_a_seed(members: list[_Comparable], left_out: list[LeftOut]) -> list[_Comparable]:
    latest: dict[int, _Comparable] = {}
    for each in sorted(members, key=lambda member: member.summary.started or ""):
        if each.seed in latest:
            earlier = latest[each.seed].summary.run
            left_out.append(LeftOut(earlier, f"{each.summary.run.name} repeats its seed later"))
        latest[each.seed] = each
    return [latest[seed] for seed in sorted(latest)]


def _group(members: Sequence[_Comparable], values: Mapping[str, Any]) -> RunGroup:
    first = members[0]
    names = [name for name in ALL_TEST_METRICS if all(name in each.metrics for each in members)]
    return RunGroup(
        name=first.summary.run.absolute().parent.name,
        runs=tuple(each.summary.run for each in members),
        seeds=tuple(each.seed for each in members),
        epochs=spread_of([float(each.summary.epochs) for each in members]),
        metrics={name: spread_of([each.metrics[name] for each in members]) for name in names},
        chance=_known_spread([each.summary.chance for each in members]),
        majority=_known_spread([each.summary.majority for each in members]),
        parameters=first.summary.parameters or 0,
        seconds=spread_of([each.summary.seconds or 0.0 for each in members]),
        values=values,
    )


def _known_spread(numbers: Sequence[float | None]) -> Spread | None:
    known = [number for number in numbers if number is not None]
    return spread_of(known) if len(known) == len(numbers) else None


def _nothing_to_compare(paths: Sequence[Path], left_out: Sequence[LeftOut]) -> RunError:
    found = "".join(f"\n    {each.run.as_posix()}: {each.why}" for each in left_out)
    return RunError.at(
        ", ".join(path.as_posix() for path in paths),
        rule="a comparison needs finished runs",
        received="none",
        advice=f"train some with `cnnrun train CONFIG`{found}",
    )


def _group_json(group: RunGroup) -> dict[str, Any]:
    return {
        "name": group.name,
        "runs": [run.as_posix() for run in group.runs],
        "seeds": list(group.seeds),
        "epochs": _as_json(group.epochs),
        "metrics": {name: _as_json(spread) for name, spread in group.metrics.items()},
        "chance": group.chance and _as_json(group.chance),
        "majority": group.majority and _as_json(group.majority),
        "parameters": group.parameters,
        "seconds": _as_json(group.seconds),
        "values": {address: typed(value) for address, value in group.values.items()},
    }


def _as_json(spread: Spread) -> dict[str, float | None]:
    return {"mean": spread.mean, "std": spread.deviation}


def _spread_cell(spread: Spread | None, *, digits: int) -> str:
    if spread is None:
        return ""
    if spread.deviation is None:
        return f"{spread.mean:.{digits}f}"
    return f"{spread.mean:.{digits}f} ± {spread.deviation:.{digits}f}"


def _parts(spread: Spread | None) -> tuple[float | None, float | None]:
    return (None, None) if spread is None else (spread.mean, spread.deviation)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    text = inline(value)
    return text if len(text) <= _SHOWN_LETTERS else text[: _SHOWN_LETTERS - 1] + "…"
