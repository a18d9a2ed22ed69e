"""A training step on three images before any epoch: some mistakes only show when numbers flow."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cnnrun.config.values import KerasCall
from cnnrun.errors import ConfigError, Problem
from cnnrun.models.keras_objects import keras_object
from cnnrun.models.layer_calls import called, taken_by
from cnnrun.models.layer_failures import (
    KERAS_FAILURES,
    LayerError,
    explain,
    keras_message,
    shape_text,
)
from cnnrun.models.losses import loss_object
from cnnrun.models.network import BuiltLayer, Network

_BRIGHTEST: Final = 255


def try_one_step(
    network: Network,
    *,
    targets: NDArray[Any],
    loss: KerasCall,
    loss_is_written: bool,
    by_label: bool = False,
    optimizer: KerasCall,
    metrics: Mapping[str, keras.metrics.Metric],
) -> None:
    """Raise unless three images pass forward and back, and the loss and the metrics take them.

    The layers run one by one, outside any graph, so that the guilty one is known; those of a
    backbone, which have run before, do not. The network's variables keep their bits.

    Args:
        network: what is to be trained.
        targets: the labels of three images, in the form that the loss compares with.
        loss: the loss it is to be trained with.
        loss_is_written: whether the config names it.
        by_label: whether each number that the network gives judges a label of its own.
        optimizer: the optimizer; it is made, and takes no step.
        metrics: what is to be measured, by the names that the config has.

    Raises:
        ConfigError: a layer fails, or the output does not fit the classes, the loss or a metric.
    """
    refuse_dead_end(network, by_label=by_label)
    keras_object(optimizer, address="train.optimizer")
    with _variables_kept(network.model):
        with tf.GradientTape() as tape:
            given = _given(network)
            tape.watch(given)
            predictions, penalties = _forward(network, given)
            made = loss_object(loss, by_label=by_label)
            total = _loss(made, loss, targets, predictions, is_written=loss_is_written) + penalties
        _refuse_unlearning(network, _gradients(network, tape, total, given))
    for name, metric in metrics.items():
        _measure(name, metric, targets, predictions)


def refuse_dead_end(network: Network, *, by_label: bool = False) -> None:
    """Raise if the last layer does not give one number a class, or a label, for each image.

    One number is enough for two classes: the probability, or the logit, of the second.

    Raises:
        ConfigError: so it is, at the last layer's line.
    """
    shape = tuple(network.model.output.shape)
    may_be_one = network.classes == 2 and not by_label
    if shape == (None, network.classes) or (shape == (None, 1) and may_be_one):
        return
    one = "one unit a label" if by_label else "one unit a class"
    advice = f"end the list with `classifier`, which has {one}"
    if len(shape) > 2:
        advice = f"place Flatten or GlobalAveragePooling2D before the end, and {advice}"
    rule = f"the last layer must give (batch, {network.classes}), {one.replace('unit', 'number')}"
    raise _error(network.layers[-1], LayerError(rule, f"output {shape_text(shape)}", advice))


def _given(network: Network) -> Any:
    """What the first layer of `model.layers` takes: standardized images, or features."""
    if network.backbone is None:
        return network.preprocessing(_ramps(network.model.input))
    return tf.cast(_ramps(network.backbone.output) / _BRIGHTEST, network.backbone.output.dtype)


def _forward(network: Network, given: Any) -> tuple[Any, Any]:
    """The output for three images in training mode, and the sum of the layers' penalties."""
    standardized = network.preprocessing.output
    start = network.backbone.output if network.backbone else standardized
    values, penalties = {id(start): given}, tf.constant(0.0)
    if network.stem:
        values[id(standardized)] = network.preprocessing(_ramps(network.model.input))
    for built in (*network.stem_layers, *network.own_layers):
        layer = built.layer
        taken = taken_by(layer)
        several = isinstance(taken, list)
        inputs = [values[id(one)] for one in (taken if several else [taken])]
        try:
            output = called(layer, inputs if several else inputs[0], training=True)
            penalties += sum(tf.cast(penalty, "float32") for penalty in layer.losses)
            _constrain(layer)
        except KERAS_FAILURES as error:
            shapes = [(None, *one.shape[1:]) for one in inputs]
            raise _error(built, explain(error, inputs=shapes, layer=layer)) from error
        values[id(layer.output)] = output
    return values[id(network.model.output)], penalties


def _ramps(tensor: Any) -> Any:
    """Three values for a symbolic tensor, of all grey levels, two of them mirrored."""
    shape = tensor.shape[1:]
    ramp = np.linspace(0, _BRIGHTEST, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    return tf.constant(np.stack([ramp, ramp[::-1], np.flip(ramp)]))


def _constrain(layer: Any) -> None:
    """Each constraint on its weight, as the optimizer does after a step; the result is dropped."""
    for weight in layer.trainable_weights:
        if weight.constraint is not None:
            weight.constraint(weight.value)


def _loss(
    made: keras.losses.Loss,
    loss: KerasCall,
    targets: NDArray[Any],
    predictions: Any,
    *,
    is_written: bool,
) -> Any:
    try:
        return tf.reduce_mean(tf.cast(made(targets, predictions), "float32"))
    except KERAS_FAILURES as error:
        advice = "leave `train.loss` away to have it follow from the last layer"
        if not is_written:
            advice = "end the list with `classifier`, or name a loss in train.loss"
        raise _unfit("train.loss", loss.name, predictions, error, advice) from error


def _measure(
    name: str, metric: keras.metrics.Metric, targets: NDArray[Any], predictions: Any
) -> None:
    """The metric of three images."""
    try:
        metric.update_state(tf.constant(targets), predictions)
        metric.result()
    except KERAS_FAILURES as error:
        advice = "choose a metric of classes, or arguments that suit their number"
        raise _unfit("train.metrics", name, predictions, error, advice) from error


def _gradients(network: Network, tape: Any, total: Any, given: Any) -> list[Any]:
    """The gradients of the weights; what stands below the head is represented by its features."""
    tried = network.own_layers
    variables = [weight.value for built in tried for weight in built.layer.trainable_weights]
    features = [given] if network.lent_layers else []
    try:
        return list(tape.gradient(total, [*variables, *features]))
    except KERAS_FAILURES as error:
        problem = Problem(
            position=None,
            address="model.layers",
            rule="every layer between the weights and the loss must be differentiable",
            received=keras_message(error),
            advice="",
        )
        raise ConfigError([problem]) from error


def _refuse_unlearning(network: Network, gradients: Sequence[Any]) -> None:
    """Raise if no weight would ever change."""
    if any(gradient is not None for gradient in gradients):
        return
    rule = "the loss must depend on weights that can train"
    received = "no trainable weights"
    advice = "remove `trainable: false` from at least one layer with weights"
    if gradients:
        received = f"{len(gradients)} trainable weights, none of which changes the loss"
        advice = "look for a layer after them that gives whole numbers, or is not differentiable"
    raise _error(network.layers[-1], LayerError(rule, received, advice))


@contextmanager
def _variables_kept(model: Any) -> Iterator[None]:
    """Put every variable back, moving statistics and the states of random generators included."""
    # Weights that train take no step here; a copy of them could be large.
    trainable = {id(weight) for weight in model.trainable_variables}
    changing = [one for one in model.variables if id(one) not in trainable]
    before = [one.numpy() for one in changing]
    try:
        yield
    finally:
        for variable, value in zip(changing, before, strict=True):
            variable.assign(value)


def _unfit(address: str, name: str, predictions: Any, error: Exception, advice: str) -> ConfigError:
    received = f"output {shape_text((None, *predictions.shape[1:]))}: {keras_message(error)}"
    rule = f"{name} must suit the output and the labels"
    return ConfigError([Problem(None, address, rule, received, advice)])


def _error(built: BuiltLayer, found: LayerError) -> ConfigError:
    spec = built.spec
    return ConfigError(
        [Problem(spec.position, spec.address, found.rule, found.received, found.advice)]
    )
