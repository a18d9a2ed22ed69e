"""What a config says of a training that is without effect in it: notes, for it may be meant."""

from collections.abc import Iterator

from cnnrun.assembly.stages import Stage, plan_stages
from cnnrun.config.epoch_counts import endless_warmup
from cnnrun.config.sections import Config
from cnnrun.models.network import Network
from cnnrun.models.parameter_groups import ADDRESS, layers_named
from cnnrun.models.trainable import trainable_layers
from cnnrun.wording import counted


def idle_groups(config: Config, network: Network) -> Iterator[str]:
    """A note for each rate that is one of layers which never learn.

    Args:
        config: a checked config.
        network: its network.
    """
    groups = config.train.parameter_groups
    if groups is None:
        return
    learning = frozenset[str]().union(
        *(
            trainable_layers(network, stage.trainable, batch_norm=stage.batch_norm)
            for stage in plan_stages(config)
        )
    )
    for pattern in groups.learning_rates or ():
        if not learning.intersection(layers_named(network, pattern)):
            yield (
                f"{ADDRESS}.learning_rates: `{pattern}` has no effect, for no layer that it names"
                " learns in any stage"
            )
    lent = network.backbone.names if network.backbone else ()
    if lent and groups.first_layer is not None and not learning.intersection(lent):
        yield (
            f"{ADDRESS}.first_layer has no effect, for no layer of the backbone learns in any stage"
        )


def endless_warmups(config: Config, *, steps_per_epoch: int) -> Iterator[str]:
    """A note for each stage that ends before the learning rate has risen.

    Args:
        config: the config with schedules in steps.
        steps_per_epoch: training steps that an epoch has.
    """
    for stage in plan_stages(config):
        epochs = stage.last_epoch - stage.first_epoch
        found = endless_warmup(stage.optimizer, steps=steps_per_epoch * epochs)
        if found is not None:
            rising, moves = found
            yield (
                f"the learning rate still rises when {_called(stage, config)} ends: warmup_steps is"
                f" {rising:,}, and the weights move {counted(moves, 'time')}"
            )


def _called(stage: Stage, config: Config) -> str:
    return f"stage {stage.number + 1}" if len(config.train.stages) > 1 else "the training"
