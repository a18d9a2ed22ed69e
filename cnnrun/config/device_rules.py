"""What cannot be trained on several devices, each of which sees a part of a batch."""

from collections.abc import Mapping
from typing import Any, Final

from cnnrun.config.keras_table import class_of
from cnnrun.config.places import Place
from cnnrun.config.values import KerasCall

_OF_WHOLE_BATCHES: Final = frozenset({"Circle", "Dice", "Tversky"})
"""Losses that compare the images of a batch, or sum over them before they divide."""


def check_devices(place: Place, train: Mapping[str, Any]) -> None:
    """Each entry of `train` goes with several devices, where it asks for them."""
    devices = train.get("devices", 1)
    if devices == 1:
        return
    steps = train.get("steps_per_execution")
    if steps is not None and steps > 1:
        place.at("steps_per_execution").refuse(
            "must be 1 on several devices, for Keras cannot run more steps at once there",
            received=f"{steps}",
            advice="leave it out",
        )
    batch_size = train.get("batch_size", 0)
    if devices != "all" and batch_size and batch_size < devices:
        place.at("devices").refuse(
            "each device must have an image of each batch",
            received=f"{devices} devices and batches of {batch_size}",
            advice="write a larger `batch_size`: it is of all devices together",
        )
    loss = train.get("loss")
    if isinstance(loss, KerasCall):
        _check_loss(place, loss)
    optimizer = train.get("optimizer")
    if optimizer is not None and place.has_key("optimizer"):
        _check_optimizer(place.at("optimizer"), optimizer)
    for index, stage in enumerate(train.get("stages", ())):
        if stage.optimizer is not None:
            _check_optimizer(place.at("stages", index, "optimizer"), stage.optimizer)
        if stage.bottleneck:
            place.at("stages", index, "bottleneck").refuse(
                "a head over features that were computed once is trained on one device",
                received=f"`true`, with `devices: {devices}`",
                advice="leave one of the two out",
            )


def _check_loss(place: Place, loss: KerasCall) -> None:
    owner = class_of("losses", loss.name) or loss.name
    if owner in _OF_WHOLE_BATCHES:
        place.at("loss").refuse(
            "must be a mean or sum over images on several devices",
            received=f"{owner}, which is of a batch as a whole",
            advice="write another loss, or `devices: 1`",
        )


def _check_optimizer(place: Place, optimizer: KerasCall) -> None:
    inner = optimizer.arguments.get("inner_optimizer")
    if isinstance(inner, KerasCall):
        _check_optimizer(place, inner)
    steps = optimizer.arguments.get("gradient_accumulation_steps")
    if steps is not None:
        place.refuse(
            "cannot add up gradients over steps on several devices, which TensorFlow does not let",
            received=f"`gradient_accumulation_steps: {steps}`",
            advice="leave it out, and write a larger `batch_size`",
        )
