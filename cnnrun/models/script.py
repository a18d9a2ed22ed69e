"""A network as a plain Keras script, to read, to check and to take elsewhere.

The script makes the same layers with the same names and seeds, and so begins with the same
weights. It needs nothing but Keras, and the weights' file or the earlier run where a backbone has
one; a backbone without weights begins with others.
"""

import inspect
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import keras

from cnnrun.errors import ConfigError, Problem
from cnnrun.models.backbone_sources import Origin
from cnnrun.models.layer_calls import attends, taken_by
from cnnrun.models.layer_factory import MadeLayer
from cnnrun.models.network import BuiltLayer, Network

_MODULES: Final[Mapping[str, type]] = {
    "constraints": keras.constraints.Constraint,
    "initializers": keras.initializers.Initializer,
    "layers": keras.layers.Layer,
    "regularizers": keras.regularizers.Regularizer,
}
WHITENING: Final = "preprocess.zca_whitening"
_LEADING: Final[Mapping[str, int]] = {
    "Activation": 1,
    "Conv2D": 2,
    "Dense": 1,
    "Dropout": 1,
    "SeparableConv2D": 2,
    "SpatialDropout2D": 1,
}
"""How many arguments are written without their names, as people do."""


def keras_script(network: Network) -> str:
    """The script's text; its last variable, `model`, is the network.

    Raises:
        ConfigError: the network whitens images, with a matrix that no script has room for.
    """
    refuse_whitening_in_script(whitens=any(step.address == WHITENING for step in network.steps))
    lines = [
        *_step_lines(network),
        *_layer_lines(network, network.stem_layers),
        *_backbone_lines(network),
        *_layer_lines(network, network.own_layers),
    ]
    assignments = list(_assignments(network))
    pixels = network.model.input
    text = "\n".join([*lines, *assignments])
    used = [name for name in (*_MODULES, "ops") if re.search(rf"(?<!\.)\b{name}\.", text)]
    output = _variables(network)[id(network.model.output)]
    return "\n".join(
        [
            "import keras",
            *([f"from keras import {', '.join(used)}"] if used else []),
            "",
            f"pixels = keras.Input({tuple(pixels.shape[1:])}, name={_text(pixels.name)})",
            *lines,
            "",
            f"model = keras.Model(pixels, {output}, name={_text(network.model.name)})",
            *assignments,
            "",
        ]
    )


def refuse_whitening_in_script(*, whitens: bool) -> None:
    """Raise if the preprocessing whitens images: its matrix has no place in a text.

    Raises:
        ConfigError: so it is.
    """
    if whitens:
        problem = Problem(
            position=None,
            address=WHITENING,
            rule="a script has no room for the matrix of ZCA",
            received="true",
            advice="open a run's model.keras with keras.saving.load_model, or add"
            f" `--set {WHITENING}=false`",
        )
        raise ConfigError([problem])


def _step_lines(network: Network) -> Iterator[str]:
    """The preprocessing, each step from the one before it."""
    source, variables = "pixels", _variables(network)
    for number, step in enumerate(network.steps, start=1):
        is_last = number == len(network.steps)
        target = variables[id(network.preprocessing.output)] if is_last else "x"
        if step.layer is None:
            yield f"{target} = {step.formula.format(x=source)}"
        else:
            yield f"{target} = {_layer_text(step.layer)}({source})"
        source = target


def _backbone_lines(network: Network) -> Iterator[str]:
    """The backbone on top of the preprocessing, or of the stem, as Keras itself makes it."""
    backbone = network.backbone
    if backbone is None:
        return
    variables = _variables(network)
    source, target = (variables[id(x)] for x in (_below(network), backbone.output))
    if backbone.origin.name is None:
        file = Path(backbone.origin.weights) / "model.keras"
        first, last = (f"earlier.get_layer({_text(backbone.names[end])})" for end in (0, -1))
        yield f"earlier = keras.saving.load_model({_text(str(file))})"
        yield f"{target} = keras.Model({first}.input, {last}.output)({source})"
        return
    policies = {built.arguments["dtype"] for built in network.lent_layers} - {"float32"}
    yield from (f"keras.config.set_dtype_policy({_text(policy)})" for policy in policies)
    # Keras would load the weights of a network that begins with a stem into the stem.
    tensor = "" if network.stem else f", input_tensor={source}"
    yield f"backbone = {_application_text(network, backbone.origin)[:-1]}{tensor})"
    yield from ('keras.config.set_dtype_policy("float32")' for _ in policies)
    layer = backbone.origin.output_layer
    part = "backbone" if layer is None else f"backbone.get_layer({_text(layer)})"
    if network.stem:
        yield f"{target} = keras.Model(backbone.input, {part}.output)({source})"
    else:
        yield f"{target} = {part}.output"


def _application_text(network: Network, origin: Origin) -> str:
    """The call of a constructor of keras.applications."""
    arguments = {
        "weights": None if origin.weights == "none" else str(origin.weights),
        **origin.arguments,
        "input_shape": tuple(_below(network).shape[1:]),
    }
    texts = [f"{name}={_text(value)}" for name, value in arguments.items()]
    return f"keras.applications.{origin.name}({', '.join(texts)})"


def _below(network: Network) -> Any:
    """What the backbone takes."""
    stem = network.stem_layers
    return stem[-1].layer.output if stem else network.preprocessing.output


def _layer_lines(network: Network, layers: Sequence[BuiltLayer]) -> Iterator[str]:
    variables = _variables(network)
    for built in layers:
        source = taken_by(built.layer)
        several = isinstance(source, list)
        names = [variables[id(one)] for one in (source if several else [source])]
        inputs = f"[{', '.join(names)}]" if several else names[0]
        if attends(built.layer):
            inputs = f"{inputs}, {inputs}"
        target = variables[id(built.layer.output)]
        yield f"{target} = {_layer_text(built)}({inputs})"


def _assignments(network: Network) -> Iterator[str]:
    """Lines for the random weights that no argument of their layer seeds."""
    for built in _written(network):
        for weight, initializer in built.assigned.items():
            shape = tuple(attrgetter(weight)(built.layer).shape)
            target = f"model.get_layer({_text(built.name)}).{weight}"
            yield f"{target}.assign({_text(initializer)}({shape}))"


def _written(network: Network) -> tuple[BuiltLayer, ...]:
    """The layers that have lines of their own: all but the backbone's."""
    return (*network.stem_layers, *network.own_layers)


def _variables(network: Network) -> dict[int, str]:
    """The variable of each tensor: `x`, or the layer's name where a later line needs it too."""
    taken = {"pixels", "x", "model", "keras", "ops", "backbone", "earlier", *_MODULES}
    results = _results(network)
    uses = _uses(results)
    names = {id(network.model.input): "pixels"}
    for number, (name, _, tensor) in enumerate(results):
        if id(tensor) in names:
            continue
        if uses.get(id(tensor), [number + 1]) == [number + 1]:
            names[id(tensor)] = "x"
        else:
            names[id(tensor)] = _identifier(name, taken)
            taken.add(names[id(tensor)])
    return names


def _results(network: Network) -> list[tuple[str, Sequence[Any], Any]]:
    """What the script computes, in its order: a name, the tensors that it takes, the one it gives.

    The preprocessing comes first, as a whole; the backbone is a whole as well.
    """
    standardized = network.preprocessing.output
    name = network.steps[-1].name if network.steps else "pixels"
    results: list[tuple[str, Sequence[Any], Any]] = [(name, (), standardized)]
    results += map(_result, network.stem_layers)
    if network.backbone:
        results.append(("features", (_below(network),), network.backbone.output))
    return [*results, *map(_result, network.own_layers)]


def _result(built: BuiltLayer) -> tuple[str, Sequence[Any], Any]:
    source = taken_by(built.layer)
    return built.name, source if isinstance(source, list) else [source], built.layer.output


def _uses(results: Sequence[tuple[str, Sequence[Any], Any]]) -> dict[int, list[int]]:
    """Tensor -> the numbers of the results that take it, one for each time."""
    uses: dict[int, list[int]] = {}
    for number, (_, sources, _) in enumerate(results):
        for tensor in sources:
            uses.setdefault(id(tensor), []).append(number)
    return uses


def _identifier(name: str, taken: set[str]) -> str:
    text = "".join(sign if sign.isalnum() else "_" for sign in name)
    if not text.isidentifier() or keyword.iskeyword(text):
        text = f"layer_{text}"
    while text in taken:
        text += "_"
    return text


def _layer_text(built: BuiltLayer | MadeLayer) -> str:
    kind = type(built.layer)
    return f"layers.{kind.__name__}({_arguments(kind, built.arguments)})"


def _arguments(kind: type, arguments: Mapping[str, Any]) -> str:
    """The arguments that differ from the defaults, in the signature's order, the name last."""
    parameters = inspect.signature(kind).parameters
    defaults = {name: one.default for name, one in parameters.items()} | {"dtype": "float32"}
    order = [name for name in (*parameters, *arguments) if name in arguments and name != "name"]
    told = {name: arguments[name] for name in dict.fromkeys(order)}
    told = {name: value for name, value in told.items() if not _is_default(value, defaults, name)}
    if arguments.get("name") is not None:
        told["name"] = arguments["name"]
    leading = list(parameters)[: _LEADING.get(kind.__name__, 0)]
    texts = [
        _text(value) if name in leading else f"{name}={_text(value)}"
        for name, value in told.items()
    ]
    return ", ".join(texts)


def _is_default(value: Any, defaults: Mapping[str, Any], name: str) -> bool:
    if name not in defaults:
        return value is None
    default = defaults[name]
    if isinstance(value, int | float | str | tuple) and isinstance(default, tuple):
        return value in (default, default[0]) and len(set(default)) == 1
    return type(value) is type(default) and value == default


def _text(value: Any) -> str:
    """A value as Python writes it; an object of Keras as the call that makes it."""
    if isinstance(value, tuple):
        inner = ", ".join(_text(one) for one in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, str):
        return f'"{value}"' if value.isprintable() and not set('"\\') & set(value) else repr(value)
    for module, base in _MODULES.items():
        if isinstance(value, base):
            return f"{module}.{_object_text(value)}"
    return repr(value)


def _object_text(value: Any) -> str:
    kind = type(value)
    config = {key: _from_config(one) for key, one in value.get_config().items()}
    known = inspect.signature(kind).parameters
    base = {"name", "dtype", "trainable"} if isinstance(value, keras.layers.Layer) else set()
    given = {key: one for key, one in config.items() if key in known or key in base}
    if given.get("trainable") is True:
        del given["trainable"]
    return f"{kind.__name__}({_arguments(kind, given)})"


def _from_config(value: Any) -> Any:
    """A value of `get_config`, with what was serialized made again."""
    if isinstance(value, dict) and value.get("class_name") == "DTypePolicy":
        return value["config"]["name"]
    if isinstance(value, dict) and "class_name" in value:
        return keras.saving.deserialize_keras_object(value)
    return tuple(value) if isinstance(value, list) else value
