"""A config's network, tried before anything depends on it."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.automatic_choices import fused_batch_norm_of, with_threads
from cnnrun.assembly.devices import refuse_undivided
from cnnrun.assembly.image_stores import open_store, readable_splits
from cnnrun.assembly.measuring import measures
from cnnrun.assembly.stages import plan_stages, refuse_unfit_stages
from cnnrun.assembly.standardizing import fit_preprocessing, needs_statistics, preprocess_of
from cnnrun.assembly.targets import (
    Form,
    Output,
    default_loss,
    encode_labels,
    last_activation,
    output_of,
    target_form,
)
from cnnrun.config.augment_layers import mixes
from cnnrun.config.epoch_counts import in_steps
from cnnrun.config.output_rules import contradiction
from cnnrun.config.sections import Config
from cnnrun.config.train_section import TrainSpec
from cnnrun.config.values import KerasCall
from cnnrun.data.sources import read_manifest
from cnnrun.errors import ConfigError, Problem
from cnnrun.models.batch_norm_kernel import use_fast_kernels
from cnnrun.models.first_step import try_one_step
from cnnrun.models.mirrored import building_on, use_whole_batches
from cnnrun.models.network import Network, build_network
from cnnrun.models.parameter_groups import refuse_unfit_groups
from cnnrun.models.preprocessing import Preprocessing
from cnnrun.runs.events import silent


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


class Build(Protocol):
    """Makes the network of a config: `build_and_try` or `build`."""

    def __call__(
        self,
        config: Config,
        *,
        input_shape: tuple[int, int, int],
        classes: int,
        preprocessing: Preprocessing,
    ) -> Built:
        """Build the network, as `build_and_try` does."""


def build_and_try(
    config: Config,
    *,
    input_shape: tuple[int, int, int],
    classes: int,
    preprocessing: Preprocessing,
    devices: int = 1,
) -> Built:
    """The network of a config, on which one training step has been tried.

    Args:
        config: a checked config.
        input_shape: (height, width, channels) of the images.
        classes: how many classes there are.
        preprocessing: what happens to pixels before the first layer.
        devices: how many devices are going to train it.

    Raises:
        ConfigError: a layer does not fit where it stands, or fails in a training step.
    """
    built = build(
        config,
        input_shape=input_shape,
        classes=classes,
        preprocessing=preprocessing,
        devices=devices,
    )
    form = target_form(built.loss, built.output)
    try_one_step(
        built.network,
        targets=encode_labels(_three_labels(form, classes), form=form, classes=classes),
        by_label=built.output.is_multi_label,
        loss=built.loss,
        # It is made and takes no step: how long an epoch is does not matter.
        optimizer=in_steps(config.train.optimizer, steps_per_epoch=1, epochs=1),
        metrics={
            call.name: measure
            for call, measure in zip(
                config.train.metrics, measures(config.train.metrics, built.output), strict=True
            )
        },
        loss_is_written=config.train.loss is not None,
    )
    return built


def _three_labels(form: Form, classes: int) -> NDArray[np.int32]:
    """The labels of three images, in all forms; of several labels all, some, or unknown ones."""
    if form == "matrix":
        return np.repeat(np.array([[1], [0], [-1]], np.int32), classes, axis=1)
    return np.array([0, 1, classes - 1], dtype=np.int32)


def build(
    config: Config,
    *,
    input_shape: tuple[int, int, int],
    classes: int,
    preprocessing: Preprocessing,
    devices: int = 1,
) -> Built:
    """The network of a config; see `build_and_try`.

    Raises:
        ConfigError: a layer does not fit where it stands.
    """
    with building_on(devices):
        network = build_network(
            config.model,
            input_shape=input_shape,
            classes=classes,
            preprocessing=preprocessing,
            seed=config.seed,
            precision=config.train.precision,
        )
    if devices > 1:
        refuse_undivided(network)
        use_whole_batches(network.model)
    else:
        _choose_kernels(network, config.train)
    refuse_unfit_stages(network, plan_stages(config))
    if config.train.parameter_groups is not None:
        refuse_unfit_groups(network, config.train.parameter_groups)
    output = output_of(network.model, config.train.loss, is_multi_label=config.data.is_multi_label)
    _refuse_contradiction(network, output, config.train.loss)
    loss = config.train.loss or default_loss(
        output, mixes_labels=mixes(config.augment.layers or ())
    )
    return Built(network, output, loss)


def _refuse_contradiction(network: Network, output: Output, loss: KerasCall | None) -> None:
    """Raise where the last layer and the loss cannot be meant to be together.

    Most of these are found in the config itself; some ends only the built network shows.
    """
    found = contradiction(
        last_activation(network.model), output.units, loss, is_multi_label=output.is_multi_label
    )
    if found is None:
        return
    last = network.layers[-1].spec
    is_layer = found.culprit == "layer"
    address, position = (last.address, last.position) if is_layer else ("train.loss", None)
    raise ConfigError([Problem(position, address, found.rule, found.received, found.advice)])


def _choose_kernels(network: Network, train: TrainSpec) -> None:
    """Let each layer be computed by the kernel that is the faster one for its size."""
    fused = fused_batch_norm_of(train)
    if fused is not None and fused.channel_multiple is not None:
        use_fast_kernels(
            network.model,
            batch_size=train.batch_size,
            least_numbers=fused.least_numbers,
            channel_multiple=fused.channel_multiple,
            few_channels=fused.few_channels,
        )


def fitted_preprocessing(config: Config) -> Preprocessing | None:
    """The preprocessing with its statistics, for which the data is read; None if it has none.

    Args:
        config: a checked config.

    Raises:
        ConfigError: the images are too large for ZCA.
        DataError: the data cannot be used.
    """
    if not needs_statistics(preprocess_of(config)):
        return None
    manifest = read_manifest(config.data)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(config.data, manifest, cache_folder=Path(folder))
        try:
            return fit_preprocessing(
                config,
                store,
                readable_splits(config.data, manifest, store).train,
                threads=with_threads(config, None).train.threads or 1,
                listener=silent,
            )
        finally:
            store.close()
