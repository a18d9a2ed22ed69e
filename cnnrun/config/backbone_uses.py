"""What the other sections of a config say about `model.backbone`, and whether it fits."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final, Literal

from cnnrun.config.applications import (
    APPLICATIONS,
    built_layers,
    names_are_known,
    size_refusal,
)
from cnnrun.config.augment_section import AugmentSpec
from cnnrun.config.backbone_rules import has_top
from cnnrun.config.backbone_spec import BackboneSpec, TrainableFrom
from cnnrun.config.data_section import DataSpec
from cnnrun.config.layer_lists import STEM, all_paths
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.places import Place
from cnnrun.config.preprocess_section import PreprocessSpec
from cnnrun.config.train_section import StageSpec, TrainSpec
from cnnrun.config.values import LayerSpec
from cnnrun.wording import nearest, quoted

Trainable = Literal["all", "none"] | TrainableFrom

# What says how pixels are moved, not by how much.
_OF_THE_ENGINE: Final = ("engine", "fill_mode", "cval", "interpolation_order")


def check_head(place: Place, values: Mapping[str, Any]) -> None:
    """There is a head, unless the backbone has a top; and names are not the backbone's."""
    layers, backbone = values.get("layers"), values.get("backbone")
    if layers is None or ("backbone" not in values and place.has_key("backbone")):
        return
    if not layers and (backbone is None or not has_top(backbone)):
        place.entry("layers").refuse(
            "must be a list of at least 1 layer", advice="each layer begins with `- `"
        )
    names = known_layers(backbone) or ()
    _check_stem(place, values.get("stem") or (), backbone, names)
    for index, layer in enumerate(layers):
        if layer.path in names:
            place.at("layers", index).refuse(
                "a layer of the head must not have the name of a layer of the backbone",
                received=f"`{layer.path}`",
                advice=f"give it a name of its own, such as `name: head_{layer.path}`",
            )


def _check_stem(
    place: Place,
    stem: Sequence[LayerSpec],
    backbone: BackboneSpec | None,
    names: Sequence[str],
) -> None:
    """There is something above the stem, and its names are not the backbone's."""
    if stem and backbone is None:
        place.entry("stem").refuse(
            "a stem stands below a backbone, and there is none",
            advice="write these layers first in `model.layers`, or add `model.backbone`",
        )
    for index, layer in enumerate(stem):
        if (name := f"{STEM}_{layer.path}") in names:
            place.at("stem", index).refuse(
                "a layer of the stem must not have the name of a layer of the backbone",
                received=f"`{name}`, which `{layer.path}` is called in the stem",
                advice=f"give it a name of its own, such as `name: own_{layer.path}`",
            )


def check_backbone(root: Place, values: Mapping[str, Any]) -> None:
    """The images, the preprocessing and the stages fit the network, with a backbone or without."""
    model, train = values.get("model"), values.get("train")
    if not isinstance(model, ModelSpec):
        return
    if isinstance(model.backbone, BackboneSpec):
        _check_images(root, model, model.backbone, values.get("data"))
        _check_own_preprocessing(root, model.backbone, values.get("preprocess"))
    if isinstance(train, TrainSpec):
        _check_trainable(root, model, train.stages)
        _check_bottlenecks(root, model.backbone, train.stages, values.get("augment"))
        _check_something_learns(root, model, train.stages)


def known_layers(backbone: BackboneSpec | None) -> tuple[str, ...] | None:
    """The backbone's layers up to its output layer, in call order; None where only a build tells.

    It may name some that lie beside the way to the output layer.
    """
    if backbone is None:
        return ()
    if backbone.name is None or not names_are_known(backbone.name, backbone.arguments):
        return None
    names = built_layers(APPLICATIONS[backbone.name], include_top=has_top(backbone))
    if backbone.output_layer not in names:
        return names
    return names[: names.index(backbone.output_layer) + 1]


def _check_images(root: Place, model: ModelSpec, backbone: BackboneSpec, data: Any) -> None:
    """The images are of the network's size and colours; what a stem gives only a build tells."""
    if not isinstance(data, DataSpec) or backbone.name is None or model.stem:
        return
    if data.color_mode == "rgba":
        root.at("data", "color_mode").refuse(
            f"{backbone.name} takes red, green and blue", advice="write `rgb`"
        )
    if data.bands is not None and len(data.bands) not in (1, 3):
        root.at("data", "bands").refuse(
            f"{backbone.name} takes red, green and blue",
            received=f"{len(data.bands)} bands",
            advice="choose three, such as [4, 3, 2], or one",
        )
    if data.image_size is not None:
        refusal = size_refusal(
            APPLICATIONS[backbone.name],
            data.image_size,
            has_imagenets_top=backbone.weights == "imagenet" and has_top(backbone),
        )
        if refusal is not None:
            rule, received, advice = refusal
            root.at("data", "image_size").refuse(rule, received=received, advice=advice)


def _check_own_preprocessing(root: Place, backbone: BackboneSpec, preprocess: Any) -> None:
    """What the network leaves out is said, for its module's `preprocess_input` does nothing."""
    leaves_out = backbone.arguments.get("include_preprocessing") is False
    if leaves_out and preprocess == PreprocessSpec():
        root.at("model", "backbone").refuse_key(
            "include_preprocessing",
            f"without its own preprocessing, {backbone.name} needs a `preprocess` section",
            received="none",
            advice="write one, such as `preprocess: {samplewise_center: true}`, or leave"
            " `include_preprocessing` out",
        )


def _check_trainable(root: Place, model: ModelSpec, stages: Sequence[StageSpec]) -> None:
    """What learns is a layer of the network, and there is a backbone where one is spoken of."""
    if model.backbone is not None and isinstance(model.backbone.trainable, TrainableFrom):
        place = root.at("model", "backbone", "trainable", "from")
        _check_layer(place, model, model.backbone.trainable.layer)
    for index, stage in enumerate(stages):
        if isinstance(stage.trainable, TrainableFrom):
            place = root.at("train", "stages", index, "trainable", "from")
            _check_layer(place, model, stage.trainable.layer)
        elif stage.trainable == "none" and model.backbone is None:
            root.at("train", "stages", index, "trainable").refuse(
                "only a backbone can be kept from learning, and there is none",
                advice="write `all` or {from: LAYER}, or add `model.backbone`",
            )


def _check_layer(place: Place, model: ModelSpec, layer: str) -> None:
    backbone = known_layers(model.backbone)
    head = list(all_paths(model.layers))
    if backbone is None or layer in backbone or layer in head:
        return
    above = known_layers(replace(model.backbone, output_layer=None)) if model.backbone else ()
    if above and layer in above and model.backbone is not None:
        place.refuse(
            "must be the name of a layer of the network",
            received=f"`{layer}`, which comes after the output layer of the backbone",
            advice=f"the last of the backbone is `{model.backbone.output_layer}`",
        )
        return
    names = (*backbone, *head)
    place.refuse(
        "must be the name of a layer of the model",
        received=f"`{layer}`",
        advice=nearest(layer, names) or f"the last layers are {quoted(names[-6:])}",
    )


def _check_bottlenecks(
    root: Place, backbone: BackboneSpec | None, stages: Sequence[StageSpec], augment: Any
) -> None:
    """Features that are computed once are those of every epoch."""
    for index, stage in enumerate(stages):
        if not stage.bottleneck:
            continue
        place = root.at("train", "stages", index, "bottleneck")
        if backbone is None:
            place.refuse(
                "a bottleneck stage computes a backbone's features once, and there is no backbone",
                advice="add `model.backbone`, or leave `bottleneck` out",
            )
            continue
        if _trainable(stage, backbone) != "none":
            said = "the stage" if stage.trainable is not None else "`model.backbone`"
            place.refuse(
                "in a bottleneck stage nothing of the backbone may learn, for its features are"
                " computed once",
                received=f"`trainable: {_written(_trainable(stage, backbone))}` of {said}",
                advice="write `trainable: none` in the stage, or leave `bottleneck` out",
            )
        if isinstance(augment, AugmentSpec) and (changed := _augmentations(augment)):
            place.refuse(
                "a bottleneck stage computes features once, and augmentation changes the images"
                " in every epoch",
                received=f"`augment` with {quoted(changed)}",
                advice="leave `bottleneck` out, or `augment`",
            )


def _check_something_learns(root: Place, model: ModelSpec, stages: Sequence[StageSpec]) -> None:
    """Settings of what learns in the backbone mean something."""
    backbone = model.backbone
    if backbone is None:
        return
    place = root.at("model", "backbone")
    learns = any(_trainable(stage, backbone) != "none" for stage in stages or (StageSpec(),))
    is_said = place.has_key("trainable") or any(stage.trainable is not None for stage in stages)
    if learns:
        return
    if not model.layers and not model.stem:
        place.refuse_key(
            "trainable",
            "something has to learn",
            received="a backbone that does not, and no layers",
            advice="write `trainable: all`, or add layers to the head",
        )
    elif backbone.weights == "none" and not is_said:
        place.refuse_key(
            "weights",
            "a backbone with initial weights should learn",
            received="`weights: none` and nothing that says so",
            advice="write `trainable: all` beside it; or `none`, if that is the question",
        )
    if backbone.batch_norm == "train":
        place.entry("batch_norm").refuse(
            "batch norm learns only where layers of the backbone do",
            received="`train`, and `trainable: none` in every stage",
            advice="leave it out, or let layers learn",
        )


def _trainable(stage: StageSpec, backbone: BackboneSpec) -> Trainable:
    return backbone.trainable if stage.trainable is None else stage.trainable


def _written(trainable: Trainable) -> str:
    return f"{{from: {trainable.layer}}}" if isinstance(trainable, TrainableFrom) else trainable


def _augmentations(augment: AugmentSpec) -> list[str]:
    default = asdict(AugmentSpec())
    return [
        key
        for key, value in asdict(augment).items()
        if key not in _OF_THE_ENGINE and value != default[key]
    ]
