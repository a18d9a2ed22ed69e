"""A config's network, tried before anything depends on it."""

from dataclasses import dataclass

import numpy as np

from cnnrun.config.values import Config, KerasCall
from cnnrun.models.network import Network, build_network
from cnnrun.models.trial import try_one_step
from cnnrun.training.targets import Output, default_loss, encode_labels, output_of, target_form

TRIED_IMAGES = 2


@dataclass(frozen=True, eq=False)
class Built:
    """A network that can be trained.

    Attributes:
        network: the network, with its initial weights.
        output: what its last layer gives.
        loss: the config's loss, or the one that follows from the last layer.
    """

    network: Network
    output: Output
    loss: KerasCall


def build_and_try(config: Config, *, input_shape: tuple[int, int, int], classes: int) -> Built:
    """The network of a config, on which one training step has been tried.

    Args:
        config: a checked config.
        input_shape: (height, width, channels) of the images.
        classes: how many classes there are.

    Raises:
        ConfigError: a layer does not fit where it stands, or fails in a training step.
    """
    network = build_network(
        config.model,
        input_shape=input_shape,
        classes=classes,
        rescale=config.preprocess.rescale,
        seed=config.seed,
        precision=config.train.precision,
    )
    output = output_of(network.model)
    loss = config.train.loss or default_loss(output)
    labels = np.arange(TRIED_IMAGES, dtype=np.int32) % classes
    try_one_step(
        network,
        targets=encode_labels(labels, form=target_form(loss, output), classes=classes),
        loss=loss,
        optimizer=config.train.optimizer,
        metrics=config.train.metrics,
    )
    return Built(network, output, loss)
