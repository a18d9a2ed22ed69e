"""Arguments with which a loss is no number that can be lowered, or is not of all images."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from cnnrun.config.places import Place
from cnnrun.config.values import KerasCall

_OF_THE_CLASSES: Final = (-1, 1)
"""The axis of the classes in what a network gives, `(batch, classes)`."""


class _Fault(NamedTuple):
    argument: str
    rule: str
    received: str
    advice: str


def check_loss(place: Place, values: Mapping[str, Any]) -> None:
    """The loss of a batch is a mean or sum over its images, each compared with its class."""
    loss = values.get("loss")
    if isinstance(loss, KerasCall):
        for fault in _faults(loss.arguments):
            place.at("loss", loss.name, fault.argument).refuse(
                fault.rule, received=fault.received, advice=fault.advice
            )


def _faults(arguments: Mapping[str, Any]) -> Iterator[_Fault]:
    if arguments.get("reduction", "") in (None, "none"):
        yield _Fault(
            "reduction",
            "a loss must be one number a batch, which the optimizer lowers",
            "`none`, which leaves a number for each image",
            "leave it out for the mean over the images, or write `sum`",
        )
    if arguments.get("ignore_class") is not None:
        yield _Fault(
            "ignore_class",
            "every image counts in the loss, for each has a class",
            f"{arguments['ignore_class']}",
            "leave it out; `data.classes` leaves classes out, `train.class_weight` weighs them",
        )
    axis = arguments.get("axis")
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    if axis is not None and not set(axes) <= set(_OF_THE_CLASSES):
        yield _Fault(
            "axis",
            "must be the axis of the classes, -1, of what a network gives: (images, classes)",
            f"{list(axes) if len(axes) > 1 else axes[0]}",
            "leave it out",
        )
