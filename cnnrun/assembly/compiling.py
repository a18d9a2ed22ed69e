"""A network with loss, optimizer and metrics: ready for `fit`."""

import keras

from cnnrun.assembly.measuring import measures
from cnnrun.assembly.targets import output_of
from cnnrun.config.sections import Config
from cnnrun.config.values import KerasCall
from cnnrun.models.keras_objects import keras_object
from cnnrun.models.losses import loss_object
from cnnrun.models.mirrored import LossOfWholeBatch, compiling, is_mirrored, make_ready
from cnnrun.models.network import Network
from cnnrun.models.parameter_groups import apply_groups


def compile_anew(
    model: keras.Model,
    config: Config,
    *,
    network: Network,
    loss: KerasCall,
    optimizer: KerasCall,
) -> None:
    """Compile a model with an optimizer that is new.

    Args:
        model: the network's model, or its head.
        config: the resolved config.
        network: the network.
        loss: the loss.
        optimizer: the optimizer of the stage that begins.
    """
    with compiling(model):
        _compile(model, config, network=network, loss=loss, optimizer=optimizer)
        if is_mirrored(model):
            make_ready(model)


def _compile(
    model: keras.Model, config: Config, *, network: Network, loss: KerasCall, optimizer: KerasCall
) -> None:
    is_multi_label = config.data.is_multi_label
    made = keras_object(optimizer, address="train.optimizer")
    if config.train.parameter_groups is not None:
        apply_groups(made, network, config.train.parameter_groups)
    if config.train.precision == "mixed_float16":
        # Keras wraps by itself only under the global policy; cnnrun sets policies layer by layer.
        made = keras.optimizers.LossScaleOptimizer(made)
    compared = loss_object(loss, by_label=is_multi_label)
    model.compile(
        optimizer=made,
        loss=LossOfWholeBatch(compared) if is_mirrored(model) else compared,
        metrics=measures(
            config.train.metrics, output_of(model, loss, is_multi_label=is_multi_label)
        ),
        steps_per_execution=config.train.steps_per_execution,
        # Compiled parts of a step cannot wait for those of other devices.
        jit_compile=False if is_mirrored(model) else "auto",
    )
