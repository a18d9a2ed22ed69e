"""A config as YAML and JSON hold it, in maps, lists, text and numbers: the way back of reading.

`tests/config` checks with random configs that reading what is written here gives the same values.
"""

import os
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any

from cnnrun.config.values import (
    BackboneSpec,
    BatchNorm,
    KerasCall,
    LayerSpec,
    TrainableFrom,
    TrainSpec,
)


def plain(value: Any, *, relative_to: Path) -> Any:
    """A value of a config as YAML would hold it, its paths relative to a folder."""

    def inner(each: Any) -> Any:
        return plain(each, relative_to=relative_to)

    match value:
        case KerasCall(name=name, arguments=arguments):
            return {name: inner(arguments)} if arguments else name
        case BatchNorm(position=position, arguments=arguments):
            return {"position": position, **inner(arguments)} if arguments else position
        case LayerSpec(kind=kind):
            arguments = inner(_written_arguments(value))
            return {kind: arguments} if arguments else kind
        case BackboneSpec():
            return _plain_backbone(value, inner)
        case TrainableFrom(layer=layer):
            return {"from": layer}
        case TrainSpec(best=None):
            return _plain_fields(value, inner) | {"best": "last"}
        case Path():
            return Path(os.path.relpath(value, relative_to)).as_posix()
        case tuple():
            return [inner(each) for each in value]
        case Mapping():
            return {key: inner(each) for key, each in value.items()}
    return _plain_fields(value, inner) if is_dataclass(value) else value


def flow_text(value: Any) -> str:
    """A plain value in YAML's one-line form, for messages: `{monitor: val_loss, mode: auto}`."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {flow_text(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow_text, value))}]"
    words = {None: "null", True: "true", False: "false"}
    is_word = value is None or isinstance(value, bool)
    return words[value] if is_word else str(value)


def _plain_fields(value: Any, inner: Any) -> dict[str, Any]:
    """The fields of a dataclass that count, without those that say nothing by default."""
    return {
        each.name: inner(getattr(value, each.name))
        for each in fields(value)
        if each.compare and not (getattr(value, each.name) is None and _default(each) is None)
    }


def _plain_backbone(backbone: BackboneSpec, inner: Any) -> dict[str, Any]:
    """Its keys and, beside them, its constructor's arguments."""
    own = _plain_fields(backbone, inner)
    arguments: dict[str, Any] = own.pop("arguments")
    if isinstance(backbone.weights, Path) and "/" not in own["weights"]:
        # A folder may be called "imagenet".
        own["weights"] = f"./{own['weights']}"
    return own | arguments


def _written_arguments(layer: LayerSpec) -> dict[str, Any]:
    """A layer's arguments with its name, if the user gave one."""
    arguments = {key: each for key, each in layer.arguments.items() if key != "name"}
    return arguments | ({"name": layer.path} if layer.named else {})


def _default(each: Field[Any]) -> Any:
    if each.default_factory is not MISSING:
        return each.default_factory()
    return each.default
