"""The networks of keras.applications, as keras_applications.json and application_layers/ say it.

`python -m cnnrun.models.applications_table` generates both from the installed Keras, so that a
wrong name is refused, with the nearest ones, without loading Keras.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from cnnrun.config.places import Refusal
from cnnrun.config.preprocess_section import PREPROCESSING_FUNCTIONS, Form
from cnnrun.errors import InputError
from cnnrun.wording import nearest, quoted

_TABLE_FILE: Final = Path(__file__).with_name("keras_applications.json")
_LAYERS_FOLDER: Final = Path(__file__).with_name("application_layers")
# Arguments of constructors that change no layer's name; other ones than these may.
_HARMLESS: Final = frozenset(
    {"classes", "classifier_activation", "depth_multiplier", "dropout", "include_top"}
)
IMAGENET_ALPHAS: Final[Mapping[str, tuple[float, ...]]] = {
    "MobileNet": (0.25, 0.5, 0.75, 1.0),
    "MobileNetV2": (0.35, 0.5, 0.75, 1.0, 1.3, 1.4),
    "MobileNetV3Large": (0.75, 1.0),
    "MobileNetV3Small": (0.75, 1.0),
}
"""The widths for which there are ImageNet's weights; other ones may leave an addition out."""

# Square sizes for which there are ImageNet's weights with a top; other networks have one size.
_SIZES_WITH_TOP: Final[Mapping[str, tuple[int, ...]]] = {
    "MobileNet": (128, 160, 192, 224),
    "MobileNetV2": (96, 128, 160, 192, 224),
}
# Their tops are convolutions.
_TAKE_ANY_SIZE: Final = ("MobileNetV3Large", "MobileNetV3Small")
_LAST: Final = 3


@dataclass(frozen=True)
class WeightsFile:
    """A file of ImageNet's weights: its name in Keras's cache, its address, and its hash.

    The hash is MD5 (32 digits) or SHA-256 (64 digits), or None where Keras has none.
    """

    file: str
    url: str
    hash: str | None = None


@dataclass(frozen=True, kw_only=True)
class Application:
    """A network of keras.applications.

    Attributes:
        name: its constructor, such as "MobileNet".
        module: the module of keras.applications that has its `preprocess_input`.
        form: what that does to 0 to 255; "unchanged" where the network does it itself.
        default_size: height and width that ImageNet's weights were trained at.
        minimum_size: height and width that it needs at the least.
        arguments: the constructor's arguments by name, as rows like those of keras_table.json;
            `weights`, `input_shape`, `input_tensor` and `name` are not among them.
        parameters: how many it has, "top" and "no_top", with default arguments.
        weights: ImageNet's for "top" and "no_top", with default arguments.
        top_layers: the layers that exist only with `include_top`.
        topless_layers: the layers that exist only without it.
    """

    name: str
    module: str
    form: Form
    default_size: tuple[int, int]
    minimum_size: int
    arguments: Mapping[str, Mapping[str, Any]]
    parameters: Mapping[str, int]
    weights: Mapping[str, WeightsFile]
    top_layers: tuple[str, ...]
    topless_layers: tuple[str, ...]


def _applications() -> dict[str, Application]:
    table: Mapping[str, Mapping[str, Any]] = json.loads(_TABLE_FILE.read_bytes())
    return {name: _application(name, row) for name, row in table.items()}


def _application(name: str, row: Mapping[str, Any]) -> Application:
    return Application(
        name=name,
        module=row["module"],
        form=PREPROCESSING_FUNCTIONS[row["module"]],
        default_size=(row["default_size"], row["default_size"]),
        minimum_size=row["minimum_size"],
        arguments={argument["name"]: argument for argument in row["arguments"]},
        parameters=row["parameters"],
        weights={top: WeightsFile(**file) for top, file in row["weights"].items()},
        top_layers=tuple(row["top_layers"]),
        topless_layers=tuple(row["topless_layers"]),
    )


APPLICATIONS: Final[Mapping[str, Application]] = _applications()
"""The networks by name, sorted."""


def application_named(name: str) -> Application:
    """The network of a name.

    Raises:
        InputError: there is none; with the nearest names.
    """
    if name not in APPLICATIONS:
        rule, received, advice = unknown_application(name)
        raise InputError.at("", rule=rule, received=received, advice=advice)
    return APPLICATIONS[name]


def unknown_application(name: str) -> Refusal:
    """Why a name is refused that no network has."""
    near = nearest(name, tuple(APPLICATIONS))
    advice = near or "https://keras.io/api/applications has the names"
    return "must be a network of keras.applications", f"`{name}`", advice


@cache
def layer_names(name: str) -> tuple[str, ...]:
    """The names of a network's layers with its top and default arguments, in call order.

    Args:
        name: the network's name, such as "MobileNet".
    """
    text = (_LAYERS_FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(text.split())


def names_are_known(name: str, arguments: Mapping[str, Any]) -> bool:
    """Whether `layer_names` holds for a network with these arguments of its constructor."""
    return all(
        argument in _HARMLESS
        or (argument == "pooling" and value is None)
        or (argument == "alpha" and value in IMAGENET_ALPHAS[name])
        for argument, value in arguments.items()
    )


def built_layers(application: Application, *, include_top: bool) -> tuple[str, ...]:
    """The names of the layers of a network with or without its top, in call order."""
    names = layer_names(application.name)
    if include_top:
        return names
    top = set(application.top_layers)
    return (*(name for name in names if name not in top), *application.topless_layers)


def layer_refusal(application: Application, layer: str, *, include_top: bool) -> Refusal | None:
    """Why a network has no layer of this name, or None if it has one."""
    names = built_layers(application, include_top=include_top)
    if layer in names:
        return None
    if layer in application.top_layers:
        return (
            f"must be a layer of {application.name} without its top",
            f"`{layer}`, a layer of the top",
            f"the last one below it is `{names[-1]}`; `include_top: true` keeps the top",
        )
    advice = nearest(layer, names) or f"the last layers are {quoted(names[-_LAST:])}"
    return f"must be the name of a layer of {application.name}", f"`{layer}`", advice


def size_refusal(
    application: Application, image_size: tuple[int, int], *, has_imagenets_top: bool
) -> Refusal | None:
    """Why a network cannot take images of (height, width), or None if it can."""
    name, minimum = application.name, application.minimum_size
    received = f"[{image_size[0]}, {image_size[1]}]"
    if min(image_size) < minimum:
        return (
            f"{name} takes images of at least {minimum}x{minimum}",
            received,
            f"ImageNet's weights were trained at {list(application.default_size)}",
        )
    sides = _SIZES_WITH_TOP.get(name, application.default_size[:1])
    fits = name in _TAKE_ANY_SIZE or image_size in [(side, side) for side in sides]
    if not has_imagenets_top or fits:
        return None
    return (
        f"the top of {name} has ImageNet's weights for images of"
        f" {' or '.join(f'{side}x{side}' for side in sides)}",
        received,
        "take one of these sizes, or leave the top out",
    )
