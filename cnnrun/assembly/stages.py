"""The stages of a training: what each of them trains, for how long, and with what."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cnnrun.config.backbone_spec import TrainableFrom
from cnnrun.config.epoch_counts import in_steps
from cnnrun.config.sections import Config
from cnnrun.config.train_section import StageSpec
from cnnrun.config.values import KerasCall
from cnnrun.errors import ConfigError, Problem
from cnnrun.models.network import Network
from cnnrun.models.trainable import Trainable, draws, trainable_layers
from cnnrun.wording import nearest, quoted


@dataclass(frozen=True)
class Stage:
    """One `fit`: its epochs count on from the stage before, its optimizer starts fresh.

    Attributes:
        number: the stage's, from 0.
        first_epoch: how many epochs are done when it begins.
        last_epoch: how many are done when it ends.
        trainable: what learns beside the head.
        batch_norm: whether the backbone's batch norm stays frozen where its layers learn.
        optimizer: with which it is trained.
        bottleneck: whether the head alone is fitted, to what the backbone has made of the images.
    """

    number: int
    first_epoch: int
    last_epoch: int
    trainable: Trainable
    batch_norm: Literal["frozen", "train"]
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
                batch_norm=backbone.learns_batch_norm if backbone else "frozen",
                optimizer=spec.optimizer or config.train.optimizer,
                bottleneck=spec.bottleneck,
            )
        )
    return tuple(stages)


def with_schedules_in_steps(config: Config, *, steps_per_epoch: int) -> Config:
    """The config with the lengths of learning rate schedules in training steps.

    Args:
        config: a checked config.
        steps_per_epoch: training steps that an epoch has.
    """
    train = config.train
    shared = in_steps(train.optimizer, steps_per_epoch=steps_per_epoch, epochs=train.epochs)

    def in_its_steps(spec: StageSpec) -> StageSpec:
        own = in_steps(
            spec.optimizer or train.optimizer,
            steps_per_epoch=steps_per_epoch,
            epochs=spec.epochs or train.epochs,
        )
        # One that is as long as the stage is another one in stages of other lengths.
        is_shared = spec.optimizer is None and own == shared
        return replace(spec, optimizer=None if is_shared else own)

    stages = tuple(in_its_steps(spec) for spec in train.stages)
    return replace(config, train=replace(train, optimizer=shared, stages=stages))


def refuse_unfit_stages(network: Network, stages: Sequence[Stage]) -> None:
    """Raise unless something learns in every stage, and its loss is that of the whole network.

    Raises:
        ConfigError: a stage learns from a layer on that is not there, nothing learns in it, or a
            bottleneck stage leaves a penalty of the backbone out, or what changes below it.
    """
    checks = (_idleness, _lost_penalty, _unsteady_stem)
    problems = [
        problem for stage in stages for check in checks for problem in check(network, stage)
    ]
    if problems:
        raise ConfigError(problems)


def _idleness(network: Network, stage: Stage) -> Iterator[Problem]:
    learning = trainable_layers(network, stage.trainable, batch_norm=stage.batch_norm)
    address = f"train.stages[{stage.number}].trainable"
    above = {built.name for built in (*network.lent_layers, *network.own_layers)}
    if isinstance(stage.trainable, TrainableFrom) and not learning & above:
        yield _missing_layer(network, stage.trainable.layer, address)
        return
    if any(built.layer.weights for built in network.layers if built.name in learning):
        return
    yield Problem(
        position=None,
        address=address,
        rule="in every stage something has to learn",
        received="no layer with weights that does",
        advice="let more of the network learn, or add a layer with weights to model.layers",
    )


def _lost_penalty(network: Network, stage: Stage) -> Iterator[Problem]:
    """Keras penalizes the activity of frozen layers too, which a bottleneck stage does not see."""
    below = (*network.stem_layers, *network.lent_layers) if stage.bottleneck else ()
    for built in below:
        if built.layer.activity_regularizer is not None:
            yield Problem(
                position=None,
                address=f"train.stages[{stage.number}].bottleneck",
                rule="the layers of backbone and stem must not penalize their activity where they"
                " are computed once",
                received=f"an activity_regularizer of `{built.name}`",
                advice="leave `bottleneck` out, which gives the same weights more slowly",
            )
            return


def _unsteady_stem(network: Network, stage: Stage) -> Iterator[Problem]:
    """Below features that are computed once, nothing may change from step to step."""
    learning = trainable_layers(network, stage.trainable, batch_norm=stage.batch_norm)
    for built in network.stem_layers if stage.bottleneck else ():
        learns = built.name in learning and built.layer.weights
        if not learns and not draws(built):
            continue
        does, without = (
            ("learns", "write `trainable: false` into its layers")
            if learns
            else ("draws at random", "take the layer out")
        )
        yield Problem(
            position=None,
            address=f"train.stages[{stage.number}].bottleneck",
            rule="in a bottleneck stage the stem must stay as it is, for what the backbone makes"
            " of it is computed once",
            received=f"`{built.name}`, which {does}",
            advice=f"leave `bottleneck` out, or {without}",
        )
        return


def _missing_layer(network: Network, layer: str, address: str) -> Problem:
    names = [built.name for built in (*network.lent_layers, *network.own_layers)]
    return Problem(
        position=None,
        address=f"{address}.from",
        rule="must be the name of a layer of the network that can learn",
        received=f"`{layer}`",
        advice=nearest(layer, names, otherwise=f"the last ones are {quoted(names[-3:])}"),
    )
