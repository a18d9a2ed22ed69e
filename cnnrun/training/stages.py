"""The stages of a training: what each of them trains, for how long, and with what."""

from dataclasses import dataclass
from typing import Literal

from cnnrun.config.values import Config, KerasCall, StageSpec, TrainableFrom


@dataclass(frozen=True)
class Stage:
    """One `fit`: its epochs count on from the stage before, its optimizer starts fresh.

    Attributes:
        number: the stage's, from 0.
        first_epoch: how many epochs are done when it begins.
        last_epoch: how many are done when it ends.
        trainable: what learns beside the head.
        optimizer: with which it is trained.
        bottleneck: whether the head alone is fitted, to what the backbone has made of the images.
    """

    number: int
    first_epoch: int
    last_epoch: int
    trainable: Literal["all", "none"] | TrainableFrom
    optimizer: KerasCall
    bottleneck: bool


def plan_stages(config: Config) -> tuple[Stage, ...]:
    """The stages of a config; one that names none has a single stage."""
    backbone = config.model.backbone
    of_the_model = backbone.trainable if backbone else "all"
    stages: list[Stage] = []
    for spec in config.train.stages or (StageSpec(),):
        first = stages[-1].last_epoch if stages else 0
        stages.append(
            Stage(
                number=len(stages),
                first_epoch=first,
                last_epoch=first + (spec.epochs or config.train.epochs),
                trainable=of_the_model if spec.trainable is None else spec.trainable,
                optimizer=spec.optimizer or config.train.optimizer,
                bottleneck=spec.bottleneck,
            )
        )
    return tuple(stages)
