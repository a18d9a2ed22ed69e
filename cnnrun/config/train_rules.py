"""Rules of the training: what it monitors, its stages, and what they refer to elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cnnrun.config.call_forms import call_name
from cnnrun.config.data_section import DataSpec
from cnnrun.config.device_rules import check_devices
from cnnrun.config.keras_table import argument_rows, class_of
from cnnrun.config.metric_names import MetricName, metric_names, outputs_of
from cnnrun.config.places import Place
from cnnrun.config.train_section import BestSpec, TrainSpec
from cnnrun.config.values import Epochs, KerasCall
from cnnrun.wording import closest, counted, quoted, suggestion


def check_training(place: Place, values: Mapping[str, Any]) -> None:
    """What is monitored exists, and callbacks find in the optimizer what they need."""
    if "metrics" in values:
        metrics = metric_names(values["metrics"], outputs=None)
        for each in _monitors(place, values):
            _check_monitor(each, metrics)
    optimizer = values.get("optimizer")
    for index, callback in enumerate(values.get("callbacks", ())):
        if callback.name == "SwapEMAWeights" and optimizer is not None:
            _check_moving_average(place.at("callbacks", index), optimizer)
        if callback.name == "ReduceLROnPlateau":
            _check_no_schedule(place.at("callbacks", index), values)
    _check_weight_decay(place, values)
    check_devices(place, values)
    epochs = values.get("epochs", 0)
    if optimizer is not None and place.has_key("optimizer") and not values.get("stages"):
        _check_warmup(place.at("optimizer"), optimizer, epochs)
    for index, stage in enumerate(values.get("stages", ())):
        if stage.optimizer is not None:
            at = place.at("stages", index, "optimizer")
            _check_warmup(at, stage.optimizer, stage.epochs or epochs)


def _check_warmup(place: Place, call: KerasCall, epochs: int) -> None:
    """A rate that rises over the whole training never gets to where it is to begin."""
    for name, value in call.arguments.items():
        is_length = name == "warmup_steps" and isinstance(value, Epochs)
        if not is_length and not isinstance(value, KerasCall):
            continue
        at = place.at(call_name(place.node) or call.name, name)
        if isinstance(value, KerasCall):
            _check_warmup(at, value, epochs)
        elif epochs and value.number >= epochs:
            at.refuse(
                "the warm-up must end before the training does",
                received=f"`{value}` of {counted(epochs, 'epoch')}",
                advice="write fewer, such as `1 epoch`, or raise `epochs`",
            )


def _check_weight_decay(place: Place, train: Mapping[str, Any]) -> None:
    """What decays can be chosen only where something does."""
    groups = train.get("parameter_groups")
    optimizers = [each for each in _optimizers(train).values() if each is not None]
    if groups is None or groups.weight_decay == "all" or any(map(_decays, optimizers)):
        return
    name = optimizers[0].name if optimizers else "Adam"
    place.at("parameter_groups", "weight_decay").refuse(
        "weight decay spares some weights only where an optimizer has it",
        received=f"{name} without `weight_decay`",
        advice="write for example `optimizer: {AdamW: {weight_decay: 0.01}}`",
    )


def _decays(optimizer: KerasCall) -> bool:
    while isinstance(inner := optimizer.arguments.get("inner_optimizer"), KerasCall):
        optimizer = inner
    owner = class_of("optimizers", optimizer.name) or optimizer.name
    rows = argument_rows("optimizers", owner)
    by_default = rows.get("weight_decay", {}).get("default")
    return bool(optimizer.arguments.get("weight_decay", by_default))


def _optimizers(train: Mapping[str, Any]) -> Mapping[str, KerasCall | None]:
    """The optimizers of a training, by the addresses where they may stand."""
    stages = enumerate(train.get("stages", ()))
    return {"train.optimizer": train.get("optimizer")} | {
        f"train.stages[{number}].optimizer": stage.optimizer for number, stage in stages
    }


def _check_no_schedule(place: Place, train: Mapping[str, Any]) -> None:
    """A schedule says what the rate is at every step: nothing else can set it."""
    for address, optimizer in _optimizers(train).items():
        rate = optimizer.arguments.get("learning_rate") if optimizer is not None else None
        if isinstance(rate, KerasCall):
            place.refuse(
                "ReduceLROnPlateau requires a learning rate that is a number",
                received=f"the schedule {rate.name} in {address}",
                advice=f"leave the callback out, or write a number in place of {rate.name}",
            )
            return


@dataclass(frozen=True)
class _Monitored:
    """A metric's name, where it stands, and whether it may be one number of a metric's list."""

    place: Place
    name: str
    may_be_of_a_list: bool

    @property
    def metric(self) -> str:
        return self.name.removeprefix("val_")


def _monitors(place: Place, train: Mapping[str, Any]) -> Iterator[_Monitored]:
    best = train.get("best")
    is_written = place.has_key("best") and place.entry("best").has_key("monitor")
    if isinstance(best, BestSpec) and is_written:
        yield _Monitored(place.at("best", "monitor"), best.monitor, may_be_of_a_list=True)
    for index, callback in enumerate(train.get("callbacks", ())):
        if "monitor" in callback.arguments:
            at = place.at("callbacks", index, callback.name, "monitor")
            # What Keras hands to its callbacks is the list.
            yield _Monitored(at, callback.arguments["monitor"], may_be_of_a_list=False)


def _check_monitor(monitored: _Monitored, metrics: Sequence[MetricName]) -> None:
    if monitored.metric == "penalty":
        monitored.place.refuse(
            "must be the name of a number that says how well images are told apart",
            received=f"`{monitored.name}`, which falls as weights shrink",
            advice=f"monitor `{monitored.name.removesuffix('penalty')}loss`",
        )
        return
    given = ("loss", *(metric.name for metric in metrics))
    names = (*given, *(f"val_{name}" for name in given), "learning_rate")
    in_a_list = monitored.may_be_of_a_list and any(
        metric.is_called(monitored.metric) for metric in metrics
    )
    if monitored.name not in names and not in_a_list:
        meant = closest(monitored.name, names)
        monitored.place.refuse(
            "must be the name of a metric",
            received=f"`{monitored.name}`",
            advice=f"did you mean `{meant}`?"
            if meant
            else f"the names are {quoted(names)}; others have to be added to train.metrics",
        )


def _check_lists(place: Place, train: TrainSpec, outputs: int | None) -> None:
    """What decides is one number; some metrics have one for each class."""
    metrics = {metric.name: metric for metric in metric_names(train.metrics, outputs=outputs)}
    for each in _monitors(place.entry("train"), vars(train)) if place.has_key("train") else ():
        metric = metrics.get(each.metric)
        if metric is not None and metric.numbers != 1:
            before = each.name.removesuffix(each.metric)
            each.place.refuse(
                "must be the name of a single number",
                received=f"`{each.name}`, which is a list",
                advice=metric.advice(f"{before}{{}}" if each.may_be_of_a_list else ""),
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
    outputs = outputs_of(values.get("model"), values.get("data"))
    _check_lists(place, train, outputs)
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
                advice=partial(suggestion, name, data.classes),
            )


def _check_validation(place: Place, train: TrainSpec, data: DataSpec) -> None:
    """A validation metric decides only where there are validation images."""
    if data.may_bring_validation or data.split.shares[0] > 0 or train.best is None:
        return
    if train.best.monitor.startswith("val_"):
        place.at("data", "split", "validation").refuse(
            f"train.best monitors `{train.best.monitor}`, which needs validation images",
            received=f"{data.split.shares[0]:g}",
            advice="hold some out, or write `best: last` in `train`",
        )
