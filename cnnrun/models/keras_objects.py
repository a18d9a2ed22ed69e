"""From the Keras calls of a config to Keras's objects."""

from collections.abc import Mapping
from typing import Any, Final

from cnnrun.config.keras_table import class_of, is_own
from cnnrun.config.metric_names import metric_name
from cnnrun.config.values import KerasCall
from cnnrun.errors import ConfigError, Position, Problem
from cnnrun.models.keras_modules import MODULES
from cnnrun.models.layer_factory import LayerFactory
from cnnrun.models.layer_failures import KERAS_FAILURES, keras_message
from cnnrun.models.own_schedules import OWN_CLASSES

_TEXTS: Final = frozenset({"activations", "initializers", "losses", "metrics"})
"""Families whose aliases Keras resolves where they are used, and better than here: "accuracy"
becomes a metric that suits the model's output, and "MSE" is what the logs then call it."""


def keras_object(value: Any, *, address: str, position: Position | None = None) -> Any:
    """The Keras object that a call describes; any other value as it is.

    Args:
        value: a KerasCall of any family but `layers`, a tuple of values, or a plain value. Aliases
            of activations, initializers, losses and metrics stay text.
        address: where it stands in the config, for messages.
        position: where it stands in the file.

    Raises:
        ConfigError: the constructor refuses the arguments.
    """
    if isinstance(value, dict):
        return {
            name: keras_object(one, address=f"{address}.{name}", position=position)
            for name, one in value.items()
        }
    if isinstance(value, tuple):
        return tuple(keras_object(one, address=address, position=position) for one in value)
    if not isinstance(value, KerasCall):
        return value
    is_alias = class_of(value.family, value.name) != value.name
    if value.family in _TEXTS and not value.arguments and is_alias:
        return value.name
    try:
        return _made(value, address, position)
    except KERAS_FAILURES as error:
        problem = Problem(
            position=position,
            address=f"{address}.{value.name}",
            rule=f"{value.name} must accept its arguments",
            received=keras_message(error),
            advice="",
        )
        raise ConfigError([problem]) from error


def layer_arguments(
    arguments: Mapping[str, Any],
    *,
    factory: LayerFactory,
    path: str,
    address: str,
    position: Position | None,
) -> dict[str, Any]:
    """A layer's arguments with Keras objects in place of the calls.

    Args:
        arguments: as a LayerSpec holds them.
        factory: makes the layers among them, such as the one that TimeDistributed wraps.
        path: the layer's path; a layer in its argument `layer` gets `{path}/layer`.
        address: where the layer stands in the config.
        position: where it stands in the file.

    Raises:
        ConfigError: a constructor refuses its arguments.
        LayerError: the constructor of a layer does.
    """

    def resolved(name: str, value: Any) -> Any:
        inner = f"{path}/{name}"
        if not isinstance(value, KerasCall) or value.family != "layers":
            return keras_object(value, address=f"{address}.{name}", position=position)
        return nested_layer(
            value, factory=factory, path=inner, address=f"{address}.{name}", position=position
        )

    return {name: resolved(name, value) for name, value in arguments.items()}


def complete_arguments(kind: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """The arguments, with the backward layer that Bidirectional would copy from its layer.

    Keras copies the seeds too, and both directions would begin with the same weights.
    """
    if kind != "Bidirectional" or arguments.get("backward_layer") is not None:
        return arguments
    forward = arguments["layer"]
    backwards = not forward.arguments.get("go_backwards", False)
    backward = KerasCall("layers", forward.name, {**forward.arguments, "go_backwards": backwards})
    return {**arguments, "backward_layer": backward}


def nested_layer(
    call: KerasCall,
    *,
    factory: LayerFactory,
    path: str,
    address: str,
    position: Position | None,
) -> Any:
    """The layer that stands in an argument, such as the PReLU of a block or a block's merge.

    Raises:
        ConfigError: a constructor refuses its arguments.
        LayerError: the constructor of the layer does.
    """
    if name := call.arguments.get("name"):
        path = f"{path.rpartition('/')[0]}/{name}"
    arguments = layer_arguments(
        {key: value for key, value in call.arguments.items() if key != "name"},
        factory=factory,
        path=path,
        address=f"{address}.{call.name}",
        position=position,
    )
    return factory.make(call.name, path, arguments)


def _made(call: KerasCall, address: str, position: Position | None) -> Any:
    module = MODULES[call.family]
    arguments = {
        name: keras_object(value, address=f"{address}.{call.name}.{name}", position=position)
        for name, value in call.arguments.items()
    }
    # Some of Keras tells a list of thresholds from a single one by its being a list.
    arguments = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in arguments.items()
    }
    if is_own(call.family, call.name):
        return OWN_CLASSES[call.name](**arguments)
    if call.family == "metrics" and hasattr(module, call.name):
        # Keras would number the names of metrics through the whole process.
        arguments.setdefault("name", metric_name(call))
    if hasattr(module, call.name):
        return getattr(module, call.name)(**arguments)
    return module.get(call.name)
