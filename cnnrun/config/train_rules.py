"""Rules of the training: what it monitors, its stages, and what they refer to elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

from cnnrun.config.keras_table import argument_rows, class_of
from cnnrun.config.layer_lists import snake_case
from cnnrun.config.places import Place, closest, listed, suggestion
from cnnrun.config.values import (
    BestSpec,
    DataSpec,
    KerasCall,
    TrainSpec,
)


def metric_name(metric: KerasCall) -> str:
    """What Keras calls a metric in its logs: the text as it is written, or the object's name."""
    owner = class_of("metrics", metric.name) or metric.name
    if metric.name != owner:
        return metric.name
    default = argument_rows("metrics", owner)["name"].get("default")
    return str(metric.arguments.get("name") or default or snake_case(owner))


def monitored_names(metrics: Sequence[KerasCall]) -> tuple[str, ...]:
    """The names that a callback can monitor."""
    names = ("loss", *map(metric_name, metrics))
    return (*names, *(f"val_{name}" for name in names), "learning_rate")


def check_training(place: Place, values: Mapping[str, Any]) -> None:
    """What is monitored exists, and callbacks find in the optimizer what they need."""
    _check_monitors(place, values)
    optimizer = values.get("optimizer")
    for index, callback in enumerate(values.get("callbacks", ())):
        if callback.name == "SwapEMAWeights" and optimizer is not None:
            _check_moving_average(place.at("callbacks", index), optimizer)


def _check_monitors(place: Place, values: Mapping[str, Any]) -> None:
    if "metrics" not in values:
        return
    names = monitored_names(values["metrics"])
    best = values.get("best")
    if isinstance(best, BestSpec) and place.has_key("best"):
        monitor = place.at("best", "monitor") if place.entry("best").has_key("monitor") else None
        _check_monitor(monitor, best.monitor, names)
    for index, callback in enumerate(values.get("callbacks", ())):
        if "monitor" in callback.arguments:
            monitor = place.at("callbacks", index, callback.name, "monitor")
            _check_monitor(monitor, callback.arguments["monitor"], names)


def _check_monitor(place: Place | None, monitor: str, names: Sequence[str]) -> None:
    if place is not None and monitor not in names:
        meant = closest(monitor, names)
        place.refuse(
            "must be the name of a metric",
            received=f"`{monitor}`",
            advice=f"did you mean `{meant}`?"
            if meant
            else f"the names are {listed(names)}; others have to be added to train.metrics",
        )


def _check_moving_average(place: Place, optimizer: KerasCall) -> None:
    if not optimizer.arguments.get("use_ema"):
        place.refuse(
            "SwapEMAWeights requires an optimizer with `use_ema: true`",
            received=f"{optimizer.name} without it",
            advice=f"write `optimizer: {{{optimizer.name}: {{use_ema: true}}}}`",
        )


def check_whole(place: Place, values: Mapping[str, Any]) -> None:
    """What one section says about another."""
    train = values.get("train")
    if not isinstance(train, TrainSpec):
        return
    if isinstance(data := values.get("data"), DataSpec):
        _check_class_names(place, train, data)
        _check_validation(place, train, data)


def _check_class_names(place: Place, train: TrainSpec, data: DataSpec) -> None:
    """Weights belong to classes that data.classes names."""
    if not isinstance(train.class_weight, Mapping) or not isinstance(data.classes, tuple):
        return
    for name in train.class_weight:
        if name not in data.classes:
            place.at("train", "class_weight").refuse_key(
                name,
                "must be the name of a class in data.classes",
                received=f"`{name}`",
                advice=suggestion(name, data.classes),
            )


def _check_validation(place: Place, train: TrainSpec, data: DataSpec) -> None:
    """A validation metric decides only where there are validation images."""
    can_bring_its_own = data.keras_dataset is None and (data.csv is None or data.csv.split)
    if can_bring_its_own or data.split.validation > 0 or train.best is None:
        return
    if train.best.monitor.startswith("val_"):
        place.at("data", "split", "validation").refuse(
            f"train.best monitors `{train.best.monitor}`, which needs validation images",
            received=f"{data.split.validation:g}",
            advice="hold some out, or write `best: last` in `train`",
        )
