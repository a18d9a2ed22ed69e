"""Rules of Keras's layers that change pixels: the range that they work in is the one they get.

`preprocess` says what reaches the first layer; from there the range is followed through layers that
keep it, until one makes features of the pixels.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from cnnrun.config.applications import APPLICATIONS
from cnnrun.config.keras_table import argument_rows, keras_table
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.places import Place
from cnnrun.config.preprocess_section import (
    PREPROCESSING_FUNCTIONS,
    WHOLE_RANGE,
    Form,
    PreprocessSpec,
)
from cnnrun.config.values import KerasCall, LayerSpec

_TOLERANCE: Final = 0.01
"""The share of a range by which an end may be off: 0.0039 is meant to be 1/255."""

_RANGES: Final[Mapping[Form, tuple[float, float]]] = {
    "tf": (-1, 1),
    "unchanged": (0, WHOLE_RANGE),
}
"""Of the forms of `preprocess_input` that treat all channels alike."""

_STATISTICS: Final = (
    "samplewise_center",
    "samplewise_std_normalization",
    "featurewise_center",
    "featurewise_std_normalization",
    "zca_whitening",
)
_KEEP_THE_RANGE: Final = frozenset(
    {
        "AveragePooling2D",
        "CenterCrop",
        "Cropping2D",
        "Identity",
        "MaxPooling2D",
        "Permute",
        "RandomCrop",
        "RandomFlip",
        "RandomGrayscale",
        "RandomPerspective",
        "RandomRotation",
        "RandomShear",
        "RandomTranslation",
        "RandomZoom",
        "Reshape",
        "Resizing",
        "UpSampling2D",
        "ZeroPadding2D",
    }
)
_KEEP_A_COMMON_RANGE: Final = frozenset({"Average", "Concatenate", "Maximum", "Minimum"})

Reach = tuple[float, float] | str
"""The range of what reaches a layer, or why it is not known: whose values they are."""


@cache
def pixel_layers() -> frozenset[str]:
    """The layers of Keras that work in a range of pixels, `value_range`."""
    layers = keras_table()["layers"]
    return frozenset(name for name in layers if "value_range" in argument_rows("layers", name))


def check_pixel_layers(place: Place, values: Mapping[str, Any]) -> None:
    """Layers that change pixels stand where pixels are, and are told their range."""
    model, preprocess = values.get("model"), values.get("preprocess", PreprocessSpec())
    if not isinstance(model, ModelSpec) or not isinstance(preprocess, PreprocessSpec):
        return
    reach = _standardized(model, preprocess)
    if model.backbone:
        if model.stem:
            _follow(place.at("model", "stem"), model.stem, reach)
        reach = "the backbone's feature maps"
    _follow(place.at("model", "layers"), model.layers, reach)


def _standardized(model: ModelSpec, preprocess: PreprocessSpec) -> Reach:
    """The range of what the first layer gets: of `preprocess`, or of the backbone's own."""
    if model.backbone is None or preprocess != PreprocessSpec():
        return _preprocessed(preprocess)
    if model.backbone.name is None:
        return "what the earlier run's preprocessing makes of the pixels"
    function = APPLICATIONS[model.backbone.name].module
    return _preprocessed(PreprocessSpec(preprocessing_function=function))


def _preprocessed(preprocess: PreprocessSpec) -> Reach:
    """The range of what `preprocess` makes of pixels, or what keeps it from being known."""
    for key in _STATISTICS:
        if getattr(preprocess, key):
            return f"values of `preprocess.{key}`, whose range follows from the images"
    function = preprocess.preprocessing_function
    form: Form = "unchanged" if function is None else PREPROCESSING_FUNCTIONS[function]
    if form not in _RANGES:
        return f"values of the preprocessing of {function}, which differ in range by channel"
    return _scaled(_RANGES[form], preprocess.factor, 0)


def _scaled(reach: tuple[float, float], scale: float, offset: float) -> tuple[float, float]:
    low, high = sorted(scale * end + offset for end in reach)
    return low, high


def _follow(place: Place, layers: Sequence[LayerSpec], reach: Reach) -> Reach:
    """The range behind a list of layers, each pixel layer of which is checked on the way."""
    for index, layer in enumerate(layers):
        reach = _behind(place.item(index), layer, reach)
    return reach


def _behind(place: Place, layer: LayerSpec, reach: Reach) -> Reach:
    """The range behind one layer; what is not known stays so."""
    if layer.kind in pixel_layers():
        _check(place, layer.kind, layer.arguments, reach)
        return reach
    wrapped = layer.arguments.get("layer")
    if isinstance(wrapped, KerasCall) and wrapped.name in pixel_layers():
        _check(place.at(layer.kind, "layer"), wrapped.name, wrapped.arguments, reach)
    if layer.kind == "repeat":
        return _behind_repeated(place, layer, reach)
    if layer.kind == "branches":
        return _behind_branches(place, layer, reach)
    if layer.kind in ("residual", "channel_split"):
        _follow(place.at(layer.kind, "layers"), layer.arguments["layers"], reach)
    if isinstance(reach, str) or layer.kind in _KEEP_THE_RANGE:
        return reach
    if layer.kind == "Rescaling":
        scale, offset = layer.arguments["scale"], layer.arguments.get("offset", 0.0)
        if isinstance(scale, int | float) and isinstance(offset, int | float):
            return _scaled(reach, scale, offset)
    return f"what {layer.kind} makes of the pixels"


def _behind_repeated(place: Place, layer: LayerSpec, reach: Reach) -> Reach:
    layers = layer.arguments["layers"]
    inside = place.at("repeat", "layers")
    behind = _follow(inside, layers, reach)
    if layer.arguments["times"] == 1 or behind == reach:
        return behind
    again = behind if isinstance(behind, str) else "pixels of another range in every repetition"
    return _follow(inside, layers, again)


def _behind_branches(place: Place, layer: LayerSpec, reach: Reach) -> Reach:
    inside = place.at("branches", "branches")
    branches = layer.arguments["branches"]
    behind = {_follow(inside.item(index), each, reach) for index, each in enumerate(branches)}
    if len(behind) == 1 and layer.arguments["merge"].name in _KEEP_A_COMMON_RANGE:
        return behind.pop()
    return reach if isinstance(reach, str) else "what branches makes of the pixels"


def _check(place: Place, name: str, given: Mapping[str, Any], reach: Reach) -> None:
    """A pixel layer's range, given or Keras's own, is that of what reaches it."""
    low, high = given.get("value_range", argument_rows("layers", name)["value_range"]["default"])
    if not isinstance(reach, str) and _is_same((low, high), reach):
        return
    arguments = place.entry(name) if place.has_key(name) else place
    at = arguments.entry("value_range") if arguments.has_key("value_range") else arguments
    if isinstance(reach, str):
        at.refuse(
            f"{name} changes pixels of a known range, its `value_range`",
            received=reach,
            advice="write it into `augment.layers`, where training images are changed before all"
            " layers of the network",
        )
        return
    own = "" if "value_range" in given else ", Keras's default"
    at.refuse(
        f"the `value_range` of {name} must be that of the pixels which reach it",
        received=f"{_written((low, high))}{own}, while they are {_written(reach)}",
        advice=f"write `value_range: {_written(reach)}`",
    )


def _is_same(given: tuple[float, float], reach: tuple[float, float]) -> bool:
    slack = _TOLERANCE * (reach[1] - reach[0])
    return all(
        math.isclose(one, other, rel_tol=0, abs_tol=slack)
        for one, other in zip(given, reach, strict=True)
    )


def _written(reach: tuple[float, float]) -> str:
    return f"[{reach[0]:.6g}, {reach[1]:.6g}]"
