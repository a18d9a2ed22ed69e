"""Rules of `model.backbone` by itself: what the constructors of keras.applications refuse.

Each names what it refuses before anything is built; the bounds are those of the constructors in
keras/src/applications of the supported version.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cnnrun.config.applications import (
    APPLICATIONS,
    IMAGENET_ALPHAS,
    layer_refusal,
    names_are_known,
)
from cnnrun.config.backbone_spec import BackboneSpec
from cnnrun.config.places import Place
from cnnrun.config.values import KerasCall

WEIGHTS_ENDINGS: Final = (".h5", ".keras")
_OF_THE_TOP: Final = ("classes", "classifier_activation", "dropout", "dropout_rate")
_IMAGENET_CLASSES: Final = 1000


def has_top(backbone: BackboneSpec) -> bool:
    """Whether the network keeps its own classifier; unlike in Keras, only where that is said."""
    return bool(backbone.arguments.get("include_top", False))


def check_weights(place: Place, backbone: BackboneSpec) -> None:
    """A name goes with its weights; a run's folder goes without one."""
    if backbone.name is not None:
        _check_file(place, backbone)
    elif not isinstance(backbone.weights, Path):
        place.refuse_key(
            "name",
            f"`name` is required beside `weights: {backbone.weights}`",
            received="nothing for it",
            advice="write `name: MobileNet`, or an earlier run, `weights: ../experiments/first`",
        )
    elif backbone.weights.suffix in WEIGHTS_ENDINGS:
        place.refuse_key(
            "weights",
            "a weights file needs the `name` of its network",
            received=f"`{backbone.weights.name}` alone",
            advice="add it, such as `name: MobileNet`; the folder of an earlier run needs none",
        )
    else:
        _refuse_arguments(place, backbone)


def _check_file(place: Place, backbone: BackboneSpec) -> None:
    weights = backbone.weights
    if isinstance(weights, Path) and weights.suffix not in WEIGHTS_ENDINGS:
        place.refuse_key(
            "weights",
            f"the weights of {backbone.name} must be `imagenet`, `none`, or a file whose name ends"
            " in .weights.h5, .h5 or .keras",
            received=f"`{weights.name}`",
            advice="to build on the network of an earlier run, leave `name` out",
        )


def _refuse_arguments(place: Place, backbone: BackboneSpec) -> None:
    for key in backbone.arguments:
        place.refuse_key(
            key,
            "the network of an earlier run is as it is",
            received=f"`{key}`",
            advice="leave it out",
        )


def check_arguments(place: Place, backbone: BackboneSpec) -> None:
    """Arguments have an effect, and ImageNet's weights exist for them."""
    if backbone.name is None:
        return
    if has_top(backbone):
        _refuse_pooling(place, backbone)
    else:
        _refuse_arguments_of_the_top(place, backbone)
    if backbone.weights == "imagenet":
        _check_imagenet_widths(place, backbone.name, backbone.arguments)
        _check_imagenet_top(place, backbone.arguments)


def _refuse_pooling(place: Place, backbone: BackboneSpec) -> None:
    if backbone.arguments.get("pooling") is not None:
        place.refuse_key(
            "pooling",
            "`pooling` takes the place of the top",
            received="`pooling` beside `include_top: true`",
            advice="leave one of them out",
        )


def _refuse_arguments_of_the_top(place: Place, backbone: BackboneSpec) -> None:
    for key in _OF_THE_TOP:
        if key in backbone.arguments:
            place.refuse_key(
                key,
                f"`{key}` belongs to the top, which is left out unless it is asked for",
                received=f"`{key}` without `include_top: true`",
                advice="leave it out; model.layers take the place of the top",
            )


def _check_imagenet_widths(place: Place, name: str, arguments: Mapping[str, Any]) -> None:
    alphas = (1.0,) if arguments.get("minimalistic") else IMAGENET_ALPHAS.get(name, (1.0,))
    if arguments.get("alpha", 1.0) not in alphas:
        _refuse_for_imagenet(place, "alpha", alphas)
    if arguments.get("depth_multiplier", 1) != 1:
        _refuse_for_imagenet(place, "depth_multiplier", (1,))


def _check_imagenet_top(place: Place, arguments: Mapping[str, Any]) -> None:
    if "include_top" not in arguments:
        return
    if arguments.get("classes", _IMAGENET_CLASSES) != _IMAGENET_CLASSES:
        _refuse_for_imagenet(place, "classes", (_IMAGENET_CLASSES,))
    activation = arguments.get("classifier_activation")
    if isinstance(activation, KerasCall) and activation.name != "softmax":
        _refuse_for_imagenet(place, "classifier_activation", ("softmax", "none"))


def _refuse_for_imagenet(place: Place, key: str, values: Sequence[Any]) -> None:
    *others, last = map(str, values)
    known = f"{', '.join(others)} or {last}" if others else last
    place.entry(key).refuse(
        f"with ImageNet's weights `{key}` must be {known}", advice="or write `weights: none`"
    )


def check_layers(place: Place, backbone: BackboneSpec) -> None:
    """The output layer is one of the network's, as far as its names are known."""
    if backbone.name is None or backbone.output_layer is None:
        return
    if not names_are_known(backbone.name, backbone.arguments):
        return
    refusal = layer_refusal(
        APPLICATIONS[backbone.name], backbone.output_layer, include_top=has_top(backbone)
    )
    if refusal is not None:
        rule, received, advice = refusal
        place.entry("output_layer").refuse(rule, received=received, advice=advice)
