"""The figures of a study from results.json, cells.csv and its runs' epochs."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from statistics import median
from typing import Any, Final

from matplotlib.figure import Figure

from cnnrun.errors import RunError
from cnnrun.pages.study_folder import StudyFolder
from cnnrun.plots.arm_scatter import ScoredArm, arm_scatter
from cnnrun.plots.bands import learning_bands
from cnnrun.plots.forest import ForestRow, forest
from cnnrun.plots.slopes import Slopes, slope_graph
from cnnrun.plots.training_sizes import FittedPoint, MeasuredSize, training_sizes
from cnnrun.plots.tuning import TriedValues, tuning_curves
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import EpochRow, read_epochs

CURVES: Final = ("loss", "val_loss", "val_accuracy")
MOST_SLOPES: Final = 12

INTERVALS: Final = (
    "95 % interval over seeds",
    "95 % interval over seeds and images",
    "conservative one",
)
DAMAGES: Final = (LookupError, TypeError, ValueError, AttributeError)
"""What drawing raises where results.json says something else than `ablate` writes."""

Results = Mapping[str, Any]
"""The content of results.json."""


def forest_figure(results: Results, *, unit: str) -> Figure | None:
    """The contrasts with both intervals; None where none has pairs.

    Args:
        results: the study's results.
        unit: what a pair is of: "seed" or "fold".
    """
    return forest_of(results, unit=unit) if _tested(results) else None


def forest_of(results: Results, *, unit: str) -> Figure:
    """The same, of a study with pairs."""
    return forest(
        [_forest_row(each) for each in _tested(results)],
        metric=results["metric"]["name"],
        better=results["metric"]["better"],
        margin=results["metric"]["margin"],
        pairs=unit,
        bars=bars_in_words(results),
    )


def bars_in_words(results: Results) -> str:
    """What the thick and the thin bars of the forest are; of a study with pairs."""
    there = {name for each in _tested(results) for name in _intervals(each)}
    thick, *thin = [name for name in INTERVALS if name in there]
    return f"thick the {thick}{f', thin the {thin[0]}' if thin else ''}"


def slopes_figure(results: Results) -> Figure | None:
    """The pairs of the first contrasts of two arms; None where there are none."""
    values = {
        arm["name"]: arm["measures"].get(results["metric"]["name"], {}).get("seeds", {})
        for arm in results["arms"]
    }
    found = [_slopes(each, values) for each in results["contrasts"] if _is_of_two(each)]
    shown = [each for each in found if each.pairs][:MOST_SLOPES]
    return slope_graph(shown, metric=results["metric"]["name"]) if shown else None


def curves_figure(
    study: StudyFolder, results: Results, cells: Sequence[Mapping[str, str]]
) -> Figure:
    """The learning curves of the arms: means and bands."""
    curves: dict[str, list[tuple[EpochRow, ...]]] = {arm["name"]: [] for arm in results["arms"]}
    for cell in cells:
        # What cannot be read is missing in the picture alone.
        with suppress(RunError):
            if cell.get("state") != "failed" and cell.get("arm") in curves:
                curves[cell["arm"]].append(read_epochs(RunFolder(study.run(cell["run"]))))
    return learning_bands(curves, metrics=CURVES)


def scatter_figure(results: Results, cells: Sequence[Mapping[str, str]]) -> Figure | None:
    """The arms' scores over parameters, multiply-adds and seconds; None where all cells failed."""
    metric = _score(results)
    seconds: dict[str, list[float]] = {}
    for cell in cells:
        with suppress(KeyError, ValueError):
            seconds.setdefault(cell["arm"], []).append(float(cell["seconds_fit"]))
    arms = [
        ScoredArm(
            name=arm["name"],
            mean=arm["measures"][metric]["mean"],
            deviation=arm["measures"][metric]["deviation"],
            costs={
                "parameters": _number(arm["parameters"]),
                "multiply-adds": _number(arm["multiply_adds"]),
                "seconds of training": median(seconds.get(arm["name"]) or [math.nan]),
            },
        )
        for arm in results["arms"]
        if arm["measures"].get(metric, {}).get("mean") is not None
    ]
    return arm_scatter(arms, metric=metric) if arms else None


def tuning_figure(results: Results, *, is_logarithmic: bool) -> Figure | None:
    """What was tried for each arm; None where nothing was tuned.

    Args:
        results: the study's results.
        is_logarithmic: whether the values are evenly spaced in their logarithm.
    """
    tuning = results.get("tuning")
    if not tuning or not tuning["arms"]:
        return None
    values = tuning["values"]
    tried = {
        arm["name"]: TriedValues(
            values[: len(arm["validation_losses"])],
            [_number(loss, absent=math.inf) for loss in arm["validation_losses"]],
            arm["chosen"],
        )
        for arm in tuning["arms"]
    }
    return tuning_curves(tried, what=tuning["of"].replace("_", " "), is_logarithmic=is_logarithmic)


def sizes_figure(results: Results) -> Figure | None:
    """Accuracy over the number of training images, and its law; None of any other study."""
    curve = results.get("training_sizes")
    return sizes_of(results) if curve and curve["arms"] else None


def sizes_of(results: Results) -> Figure:
    """The same, of a study whose arms differ in that number."""
    curve = results["training_sizes"]
    measured = {arm["name"]: _by_seed(arm) for arm in results["arms"]}
    sizes = [
        MeasuredSize(arm["images"], [measured[arm["name"]][str(seed)] for seed in curve["seeds"]])
        for arm in curve["arms"]
    ]
    fit = curve["fit"]
    if fit is None:
        return training_sizes(sizes, [], extrapolated=[])
    beyond = [_fitted(fit["twice"]), _fitted(fit["four_times"])]
    return training_sizes(sizes, list(map(_fitted, fit["curve"])), extrapolated=beyond)


def _by_seed(arm: Mapping[str, Any]) -> dict[str, float]:
    """The test accuracies of an arm; JSON makes text of the seeds."""
    accuracies = arm["measures"]["test_accuracy"]["seeds"]
    return {str(seed): float(value) for seed, value in accuracies.items()}


def _fitted(point: Mapping[str, Any]) -> FittedPoint:
    return FittedPoint(
        point["images"], *(point["accuracy"][each] for each in ("value", "low", "high"))
    )


def _score(results: Results) -> str:
    """Accuracy where the arms have it, for that is what is weighed against a cost."""
    has_accuracy = any("test_accuracy" in arm["measures"] for arm in results["arms"])
    return "test_accuracy" if has_accuracy else str(results["metric"]["name"])


def _forest_row(contrast: Mapping[str, Any]) -> ForestRow:
    inner, *outer = _intervals(contrast).values()
    return ForestRow(
        name=contrast["name"],
        differences=tuple(contrast["differences"].values()),
        mean=contrast["mean"],
        interval=inner,
        wider=outer[0] if outer else None,
        verdict="described" if contrast.get("beside") else contrast["verdict"],
    )


def _intervals(contrast: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The intervals of a contrast, those that suppose less last.

    Where each seed has a split of its own there is a conservative interval, and signs cannot be
    flipped: then the one over seeds alone says too much.
    """
    conservative = contrast.get("conservative")
    both = contrast.get("seeds_and_images")
    found = (
        None if conservative else contrast["interval"],
        both and both["interval"],
        conservative and conservative["interval"],
    )
    return {
        name: (_number(ends[0], absent=-math.inf), _number(ends[1], absent=math.inf))
        for name, ends in zip(INTERVALS, found, strict=True)
        if ends
    }


def _tested(results: Results) -> list[Mapping[str, Any]]:
    """The contrasts with pairs enough for an interval."""
    return [each for each in results["contrasts"] if each["mean"] is not None]


def _is_of_two(contrast: Mapping[str, Any]) -> bool:
    return sorted(contrast["weights"].values()) == [-1, 1] and not contrast.get("beside")


def _slopes(contrast: Mapping[str, Any], values: Mapping[str, Mapping[str, Any]]) -> Slopes:
    sides = {weight: arm for arm, weight in contrast["weights"].items()}
    against, of = values.get(sides[-1], {}), values.get(sides[1], {})
    pairs = ((against.get(seed), of.get(seed)) for seed in contrast["differences"])
    return Slopes(
        name=contrast["name"],
        against=sides[-1],
        of=sides[1],
        pairs=tuple((low, high) for low, high in pairs if low is not None and high is not None),
    )


def _number(value: Any, *, absent: float = math.nan) -> float:
    return absent if value is None else float(value)
