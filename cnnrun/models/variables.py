"""The variables of networks: all that training changes, read and put back to the same bits."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np


def variables_of(network: keras.Model, fitted: keras.Model) -> list[Any]:
    """Every variable that training changes: weights, generators of dropout, optimizer, averages.

    Args:
        network: the whole network.
        fitted: the model that is compiled and fitted: the network, or its head over features.
    """
    # A second build of a LossScaleOptimizer would begin its scale anew.
    if not fitted.optimizer.built:
        fitted.optimizer.build(fitted.trainable_variables)
    # Metrics start anew each epoch, and hold no variables before the first.
    return [*network_variables(network), *fitted.optimizer.variables]


def network_variables(model: keras.Model) -> list[Any]:
    """Every variable of a network, compiled or not: weights, and generators of dropout."""
    weights = {id(variable) for variable in model.weights}
    metrics = {id(variable) for variable in model.metrics_variables}
    states = [
        variable
        for layer in model.layers
        for variable in layer.variables
        if id(variable) not in weights | metrics
    ]
    return [*model.weights, *states]


def read_variables(variables: Sequence[Any]) -> tuple[np.ndarray, ...]:
    """The values of variables; bfloat16 and float16 are kept as they are."""
    # A copy: NumPy would otherwise share the memory that the next step writes to.
    return tuple(np.array(variable.numpy()) for variable in variables)


def assign_variables(variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
    """Give each variable its value."""
    for variable, value in zip(variables, values, strict=True):
        # NumPy's files know bfloat16 only as two bytes without a meaning.
        is_raw = value.dtype.kind == "V"
        given = value.view(variable.numpy().dtype) if is_raw else value
        # Keras's `assign` takes twice the time: it reads the value back.
        variable.value.assign(given, read_value=False)
