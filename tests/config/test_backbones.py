"""`model.backbone` and the stages: what they become, and every message about them."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.backbone_spec import BackboneSpec, TrainableFrom
from cnnrun.config.dump import dump_config
from cnnrun.config.load import load_config
from cnnrun.config.values import KerasCall

from .conftest import Complain, Load

HEAD = "[GlobalAveragePooling2D, classifier]"


def with_backbone(
    backbone: str,
    *,
    layers: str = HEAD,
    stages: str = "[]",
    data: str = "image_size: [224, 224]",
    sections: str = "",
    stem: str = "",
) -> str:
    """A config with a backbone."""
    below = f"  stem: {stem}\n" if stem else ""
    return (
        f"data: {{directory: images, {data}}}\n{sections}"
        f"model:\n  backbone: {backbone}\n{below}  layers: {layers}\n"
        f"train:\n  stages: {stages}\n"
    )


REFUSED = {
    "unknown network": with_backbone("{name: MobilNet, alpha: 0.5, alhpa: 1, input_tensor: x}"),
    "a stem below nothing": with_backbone("none", stem="[Conv2D: {filters: 3, kernel_size: 1}]"),
    "an empty stem": with_backbone("VGG16", stem="[]"),
    "a stem that classifies": with_backbone("VGG16", stem="[classifier]"),
    "a stem with names of the backbone": with_backbone(
        "EfficientNetB0", stem="[Conv2D: {filters: 3, kernel_size: 1, name: conv}]"
    ),
    "means of colours below a stem": with_backbone(
        "ResNet50",
        data="image_size: [64, 64], color_mode: rgba",
        stem="[Conv2D: {filters: 3, kernel_size: 1}]",
    ),
    "written means of colours below a stem": with_backbone(
        "ResNet50",
        data="image_size: [64, 64], color_mode: grayscale",
        stem="[Conv2D: {filters: 3, kernel_size: 1}]",
        sections="preprocess: {preprocessing_function: resnet}\n",
    ),
    "pixels of another range in a stem": with_backbone("MobileNet", stem="[RandAugment]"),
    "unknown network in short": with_backbone("Resnet50v3"),
    "nothing like a network": with_backbone("{name: AlexNet}"),
    "no network": with_backbone("[MobileNet]"),
    "unknown argument": with_backbone("{name: MobileNet, alhpa: 0.5, minimalistic: true}"),
    "what cnnrun gives": with_backbone("{name: VGG16, input_shape: [3, 3, 3], input_tensor: 1}"),
    "wrong values": with_backbone(
        "{name: MobileNet, alpha: 0, pooling: mean, include_top: 1, weights: 3, trainable: some,"
        " batch_norm: freeze, output_layer: 3}"
    ),
    "misspelt weights": with_backbone("{name: MobileNet, weights: imagnet}"),
    "no name": with_backbone("{weights: imagenet}"),
    "no name of a file": with_backbone("{weights: vgg.weights.h5}"),
    "a run beside a name": with_backbone("{name: VGG16, weights: ../experiments/first}"),
    "a run with arguments": with_backbone("{weights: ../experiments/first, alpha: 0.5}"),
    "alpha without weights": with_backbone("{name: MobileNet, alpha: 0.6}"),
    "alpha beside minimalistic": with_backbone(
        "{name: MobileNetV3Small, alpha: 0.75, minimalistic: true}"
    ),
    "depth multiplier": with_backbone("{name: MobileNet, depth_multiplier: 2}"),
    "classes of ImageNet": with_backbone(
        "{name: VGG16, include_top: true, classes: 10, classifier_activation: sigmoid}"
    ),
    "the top's without the top": with_backbone(
        "{name: MobileNet, classes: 10, dropout: 0.5, classifier_activation: softmax}"
    ),
    "pooling beside the top": with_backbone("{name: VGG16, include_top: true, pooling: avg}"),
    "unknown output layer": with_backbone("{name: VGG16, output_layer: block4_pol}"),
    "nothing like a layer": with_backbone("{name: VGG16, output_layer: xyz}"),
    "a layer of the top": with_backbone("{name: VGG16, output_layer: fc2}"),
    "small images": with_backbone("{name: InceptionV3}", data="image_size: [64, 80]"),
    "size of the top": with_backbone(
        "{name: MobileNet, include_top: true}", data="image_size: [96, 96]"
    ),
    "transparent images": with_backbone(
        "{name: VGG16}", data="image_size: [64, 64], color_mode: rgba"
    ),
    "own preprocessing left out": with_backbone(
        "{name: EfficientNetV2B0, include_preprocessing: false}"
    ),
    "no head": with_backbone("{name: VGG16}", layers="[]"),
    "a name of the backbone in the head": with_backbone(
        "{name: InceptionV3}", layers="[{Activation: {activation: relu}}, Flatten, classifier]"
    ),
    "trainable from nowhere": with_backbone(
        "{name: VGG16, trainable: {from: block5_con1}}",
        stages="[{trainable: {from: block5}}, {trainable: {from: clasifier}}]",
    ),
    "trainable from above": with_backbone(
        "{name: VGG16, output_layer: block4_pool}", stages="[{trainable: {from: block5_conv1}}]"
    ),
    "bottleneck that learns": with_backbone(
        "{name: VGG16, trainable: all}",
        stages="[{bottleneck: true}, {bottleneck: true, trainable: {from: block5_conv1}}]",
    ),
    "bottleneck beside augmentation": with_backbone(
        "VGG16",
        stages="[{bottleneck: true}]",
        sections="augment: {rotation_range: 10, horizontal_flip: true, fill_mode: constant}\n",
    ),
    "bottleneck without a backbone": with_backbone(
        "none", stages="[{bottleneck: true}, {trainable: none}]"
    ),
    "initial weights that never learn": with_backbone("{name: VGG16, weights: none}"),
    "nothing that learns": with_backbone(
        "{name: VGG16, include_top: true, trainable: none}", layers="[]"
    ),
    "batch norm that never learns": with_backbone("{name: MobileNet, batch_norm: train}"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_messages(name: str, complain: Complain, snapshot: SnapshotAssertion) -> None:
    assert complain(REFUSED[name]) == snapshot


def test_a_name_alone_is_imagenets_network_without_its_top(load: Load) -> None:
    backbone = load(with_backbone("MobileNet")).model.backbone
    assert backbone == BackboneSpec(name="MobileNet", weights="imagenet", trainable="none")


def test_arguments_are_kept_as_they_are_written(load: Load) -> None:
    text = (
        "{name: MobileNet, weights: none, trainable: {from: conv_pw_9}, alpha: 0.3, dropout: 0.5,"
        " include_top: true, classes: 5, classifier_activation: none}"
    )
    backbone = load(with_backbone(text)).model.backbone
    assert backbone is not None
    assert backbone.trainable == TrainableFrom("conv_pw_9")
    assert backbone.arguments == {
        "alpha": 0.3,
        "dropout": 0.5,
        "include_top": True,
        "classes": 5,
        "classifier_activation": None,
    }


@pytest.mark.parametrize(
    "text",
    [
        # Their names follow from the arguments: only a build tells.
        "{name: MobileNetV3Small, minimalistic: true, output_layer: who_knows}",
        "{name: VGG16, pooling: avg, output_layer: global_pooling}",
        "{name: MobileNetV2, alpha: 0.2, weights: none, trainable: all, output_layer: who_knows}",
        "{name: VGG16, include_top: true, output_layer: fc2}",
        "{name: VGG16, weights: none, trainable: none}",
        "{name: MobileNet, weights: none, alpha: 0.3, trainable: all, batch_norm: train}",
        "{name: MobileNet, trainable: {from: conv_pw_9}}",
        "{name: VGG16, weights: my.weights.h5}",
        "none",
    ],
)
def test_what_is_allowed(text: str, load: Load) -> None:
    load(with_backbone(text))


@pytest.mark.parametrize(
    ("backbone", "data"),
    [
        ("MobileNet", "image_size: [64, 64], color_mode: rgba"),  # one scale for all channels
        ("MobileNet", "image_size: [16, 16]"),  # which the stem may enlarge
        ("EfficientNetB0", "image_size: [64, 64], color_mode: grayscale"),
        ("{weights: ../experiments/first}", "image_size: [64, 64], color_mode: rgba"),
        ("MobileNet", "image_size: [64, 64], bands: [1, 2, 3, 4, 5]"),
    ],
)
def test_a_stem_takes_what_its_backbone_would_not(backbone: str, data: str, load: Load) -> None:
    stem = "[Conv2D: {filters: 3, kernel_size: 1}]"
    config = load(with_backbone(backbone, data=data, stem=stem))
    assert config.model.stem is not None
    assert [layer.path for layer in config.model.stem] == ["conv2d_1"]


def test_a_stem_alone_may_learn(load: Load) -> None:
    text = "{name: MobileNet, include_top: true}"
    stem = "[Conv2D: {filters: 3, kernel_size: 1}]"
    assert load(with_backbone(text, stem=stem, layers="[]")).model.layers == ()


def test_a_top_needs_no_head(load: Load) -> None:
    text = "{name: MobileNet, include_top: true, weights: none, classes: 3, trainable: all}"
    assert load(with_backbone(text, layers="[]")).model.layers == ()


def test_stages(load: Load) -> None:
    stages = load(
        with_backbone(
            "VGG16",
            stages="[{bottleneck: true}, {trainable: {from: block5_conv1}, epochs: 2},"
            " {trainable: {from: classifier}}, {trainable: none}, {trainable: all}]",
        )
    ).train.stages
    assert [stage.trainable for stage in stages] == [
        None,
        TrainableFrom("block5_conv1"),
        TrainableFrom("classifier"),
        "none",
        "all",
    ]
    assert [stage.bottleneck for stage in stages] == [True, False, False, False, False]


def test_augmentation_that_does_nothing_may_stand_beside_a_bottleneck(load: Load) -> None:
    augment = "augment: {rotation_range: 0, fill_mode: constant, engine: keras}\n"
    load(with_backbone("VGG16", stages="[{bottleneck: true}]", sections=augment))


def test_grey_images_are_not_refused_for_a_network_of_colours(load: Load) -> None:
    data = "image_size: [64, 64], color_mode: grayscale"
    load(with_backbone("VGG16", data=data))
    load(
        with_backbone(
            "VGG16", data=data, sections="preprocess: {preprocessing_function: resnet50}\n"
        )
    )


@pytest.mark.parametrize(
    "backbone",
    [
        "{name: MobileNet, alpha: 0.5, trainable: {from: conv_pw_9}, batch_norm: train}",
        "{name: VGG16, weights: ../kept/imagenet.h5, include_top: true, classifier_activation: }",
        "{name: VGG16, weights: imagenet.h5, output_layer: block4_pool}",
        "{weights: ./run}",
        "{weights: ./imagenet}",
    ],
)
def test_what_is_written_down_reads_the_same(backbone: str, load: Load, folder: Path) -> None:
    sections = "preprocess: {rescale: 1}\n"
    stem = "[Conv2D: {filters: 3, kernel_size: 1, name: colours}, Identity]"
    config = load(with_backbone(backbone, stem=stem, stages="[{epochs: 2}]", sections=sections))
    for place in (folder, folder / "experiments" / "run"):
        place.mkdir(parents=True, exist_ok=True)
        (place / "written.yaml").write_text(dump_config(config, relative_to=place))
        assert load_config(place / "written.yaml") == config


def test_overrides(load: Load) -> None:
    overrides = [
        "model.backbone.alpha=0.5",
        "model.backbone.trainable.from=conv_pw_9",
        "model.backbone.classifier_activation=none",
        "model.backbone.include_top=true",
    ]
    data = "image_size: [128, 128]"
    backbone = load(with_backbone("MobileNet", data=data), overrides).model.backbone
    assert backbone == BackboneSpec(
        name="MobileNet",
        trainable=TrainableFrom("conv_pw_9"),
        arguments={"alpha": 0.5, "classifier_activation": None, "include_top": True},
    )


def test_overrides_change_the_network(load: Load) -> None:
    text = with_backbone("none")
    assert load(text, ["model.backbone=VGG16"]).model.backbone == BackboneSpec(name="VGG16")
    assert load(text, ["model.backbone.name=VGG16"]).model.backbone == BackboneSpec(name="VGG16")


def test_an_activation_stays_an_activation(load: Load) -> None:
    text = "{name: VGG16, weights: none, trainable: all, include_top: true, %s}"
    written = load(with_backbone(text % "classifier_activation: sigmoid")).model.backbone
    assert written is not None
    assert written.arguments["classifier_activation"] == KerasCall("activations", "sigmoid")
