"""One training step on two images, before any epoch: some mistakes only show when numbers flow."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cnnrun.config.values import KerasCall
from cnnrun.errors import ConfigError, Problem
from cnnrun.models.keras_objects import keras_object
from cnnrun.models.layer_failures import (
    KERAS_FAILURES,
    LayerError,
    explain,
    keras_message,
    shape_text,
)
from cnnrun.models.network import BuiltLayer, Network

IMAGES: Final = 2
_BRIGHTEST: Final = 255


def try_one_step(
    network: Network,
    *,
    targets: NDArray[Any],
    loss: KerasCall,
    optimizer: KerasCall,
    metrics: Sequence[KerasCall],
) -> None:
    """Nothing, if two images pass forward and back, and the loss and the metrics take them.

    The layers run one by one, outside any graph, so that the guilty one is known; those of a
    backbone, which have run before, do not. The network's variables keep their bits.

    Args:
        network: what is to be trained.
        targets: the labels of two images, in the form that the loss compares with.
        loss: the loss it is to be trained with.
        optimizer: the optimizer; it is made, and takes no step.
        metrics: what is to be measured.

    Raises:
        ConfigError: a layer fails, or the output does not fit the classes, the loss or a metric.
    """
    refuse_dead_end(network)
    keras_object(optimizer, address="train.optimizer")
    with _variables_kept(network.model):
        with tf.GradientTape() as tape:
            given = _given(network)
            tape.watch(given)
            predictions, penalties = _forward(network, given)
            total = _loss(loss, targets, predictions) + penalties
        _refuse_unlearning(network, _gradients(network, tape, total, given))
    for metric in metrics:
        _measure(metric, targets, predictions, loss=loss)


def refuse_dead_end(network: Network) -> None:
    """Raise if the last layer does not give one number a class for each image.

    One number is enough for two classes: the probability, or the logit, of the second.

    Raises:
        ConfigError: so it is, at the last layer's line.
    """
    shape = tuple(network.model.output.shape)
    if shape == (None, network.classes) or (shape == (None, 1) and network.classes == 2):
        return
    advice = "end the list with `classifier`, which has one unit a class"
    if len(shape) > 2:
        advice = f"place Flatten or GlobalAveragePooling2D before the end, and {advice}"
    rule = f"the last layer must give (batch, {network.classes}), one number a class"
    raise _error(network.layers[-1], LayerError(rule, f"output {shape_text(shape)}", advice))


def _given(network: Network) -> Any:
    """What the config's first layer takes: two standardized images, or a backbone's features."""
    if network.backbone is None:
        return network.preprocessing(_ramps(network.model.input))
    return tf.cast(_ramps(network.backbone.output) / _BRIGHTEST, network.backbone.output.dtype)


def _forward(network: Network, given: Any) -> tuple[Any, Any]:
    """The output for two images in training mode, and the sum of the layers' penalties."""
    start = network.backbone.output if network.backbone else network.preprocessing.output
    lent = network.backbone.names if network.backbone else ()
    values, output, penalties = {id(start): given}, given, tf.constant(0.0)
    for built in network.layers[len(lent) :]:
        layer = built.layer
        several = isinstance(layer.input, list)
        inputs = [values[id(one)] for one in (layer.input if several else [layer.input])]
        try:
            output = layer(inputs if several else inputs[0], training=True)
            penalties += sum(tf.cast(penalty, "float32") for penalty in layer.losses)
            _constrain(layer)
        except KERAS_FAILURES as error:
            shapes = [(None, *one.shape[1:]) for one in inputs]
            raise _error(built, explain(error, inputs=shapes, layer=layer)) from error
        values[id(layer.output)] = output
    return output, penalties


def _ramps(tensor: Any) -> Any:
    """Two values for a symbolic tensor, of all grey levels, one the other's mirror."""
    shape = tensor.shape[1:]
    ramp = np.linspace(0, _BRIGHTEST, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    return tf.constant(np.stack([ramp, ramp[::-1]]))


def _constrain(layer: Any) -> None:
    """Each constraint on its weight, as the optimizer does after a step; the result is dropped."""
    for weight in layer.trainable_weights:
        if weight.constraint is not None:
            weight.constraint(weight.value)


def _loss(loss: KerasCall, targets: NDArray[Any], predictions: Any) -> Any:
    made = keras.losses.get(keras_object(loss, address="train.loss"))
    try:
        return tf.reduce_mean(tf.cast(made(targets, predictions), "float32"))
    except KERAS_FAILURES as error:
        advice = "leave `train.loss` away to have it follow from the last layer"
        raise _unfit("train.loss", loss, predictions, error, advice) from error


def _measure(
    metric: KerasCall, targets: NDArray[Any], predictions: Any, *, loss: KerasCall
) -> None:
    """The metric of two images, by a model of nothing but the output, as `fit` would choose it."""
    output = keras.Input(predictions.shape[1:])
    scorer = keras.Model(output, keras.layers.Identity()(output))
    try:
        scorer.compile(
            loss=keras_object(loss, address="train.loss"),
            metrics=[keras_object(metric, address="train.metrics")],
            run_eagerly=True,
        )
        scorer.test_on_batch(predictions, targets)
    except KERAS_FAILURES as error:
        advice = "choose a metric for the labels that the loss takes"
        raise _unfit("train.metrics", metric, predictions, error, advice) from error


def _gradients(network: Network, tape: Any, total: Any, given: Any) -> list[Any]:
    """Those of the weights; a backbone's are represented by that of its features."""
    lent = network.backbone.names if network.backbone else ()
    tried = network.layers[len(lent) :]
    variables = [weight.value for built in tried for weight in built.layer.trainable_weights]
    try:
        return list(tape.gradient(total, [*variables, *([given] if lent else [])]))
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


def _unfit(
    address: str, call: KerasCall, predictions: Any, error: Exception, advice: str
) -> ConfigError:
    received = f"output {shape_text((None, *predictions.shape[1:]))}: {keras_message(error)}"
    rule = f"{call.name} must suit the output and the labels"
    return ConfigError([Problem(None, address, rule, received, advice)])


def _error(built: BuiltLayer, found: LayerError) -> ConfigError:
    spec = built.spec
    return ConfigError(
        [Problem(spec.position, spec.address, found.rule, found.received, found.advice)]
    )
