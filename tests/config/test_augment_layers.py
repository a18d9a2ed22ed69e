"""`augment.layers` in a config: what is read, and what is refused at its line."""

from collections.abc import Callable, Sequence

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.augment_layers import arguments_of, images_in_one, layer_paths
from cnnrun.config.dump import dump_config
from cnnrun.config.sections import Config

Load = Callable[..., Config]
Complain = Callable[..., str]

CONFIG = """\
data: {directory: images, image_size: [32, 32], color_mode: %s}
augment:
  layers:
    - %s
model:
  layers: [Flatten, classifier]
train: %s
"""
BAD = {
    "no such layer": ("rgb", "RandAugmnt", "{}"),
    "a name of torchvision": ("rgb", "ColorJitter: {brightness_factor: 0.2}", "{}"),
    "a layer of the network": ("rgb", "Conv2D: {filters: 3, kernel_size: 3}", "{}"),
    "scaling": ("rgb", "Rescaling: {scale: 0.0039}", "{}"),
    "noise": ("rgb", "GaussianNoise: {stddev: 0.1}", "{}"),
    "no draw to hand on": ("rgb", "RandomElasticTransform", "{}"),
    "no such argument": ("rgb", "RandAugment: {magnitude: 9}", "{}"),
    "none where one is required": ("rgb", "RandomRotation", "{}"),
    "a seed": ("rgb", "RandomFlip: {seed: 1}", "{}"),
    "channels first": ("rgb", "RandomFlip: {data_format: channels_first}", "{}"),
    "out of range": ("rgb", "RandAugment: {factor: 10}", "{}"),
    "alpha": ("rgb", "MixUp: {alpha: 0}", "{}"),
    "another range": ("rgb", "RandomBrightness: {factor: 0.2, value_range: [0, 1]}", "{}"),
    "an even kernel": ("rgb", "RandomGaussianBlur: {kernel_size: 4}", "{}"),
    "no jitter": ("rgb", "RandomColorJitter", "{}"),
    "a hue of grey": ("grayscale", "RandomHue: {factor: 0.2}", "{}"),
    "a jitter of grey": ("grayscale", "RandomColorJitter: {saturation_factor: 0.2}", "{}"),
    "three levels of grey": ("grayscale", "RandomErasing: {fill_value: [1, 2, 3]}", "{}"),
    "opacity": ("rgba", "RandAugment", "{}"),
    "a crop alone": ("rgb", "RandomCrop: {height: 28, width: 28}", "{}"),
    "a crop of more than there is": ("rgb", "RandomCrop: {height: 40, width: 40}", "{}"),
    "a border alone": ("rgb", "ZeroPadding2D: {padding: 4}", "{}"),
    "resizing as the network does": (
        "rgb",
        "Resizing: {height: 32, width: 32, antialias: true, interpolation: bicubic}",
        "{}",
    ),
    "sparse labels": ("rgb", "MixUp", "{loss: SparseCategoricalCrossentropy}"),
    "labels of one side": ("rgb", "CutMix", "{loss: CategoricalHinge}"),
    "smoothing of sparse labels": (
        "rgb",
        "MixUp",
        "{loss: {SparseCategoricalCrossentropy: {label_smoothing: 0.1}}}",
    ),
}


@pytest.mark.parametrize(("colours", "layer", "train"), BAD.values(), ids=BAD)
def test_it_is_refused(
    colours: str, layer: str, train: str, complain: Complain, snapshot: SnapshotAssertion
) -> None:
    assert complain(CONFIG % (colours, layer, train)) == snapshot


@pytest.mark.parametrize(
    "section",
    [
        "{RandAugment: {factor: 0.1}}",
        "{layers: {RandAugment: {factor: 0.1}}}",
        "{layers: RandAugment}",
        "{layers: []}",
    ],
)
def test_another_form_is_refused(
    section: str, complain: Complain, snapshot: SnapshotAssertion
) -> None:
    text = f"data: {{directory: images, image_size: [8, 8]}}\naugment: {section}\nmodel:\n"
    assert complain(f"{text}  layers: [Flatten, classifier]\n") == snapshot


def test_what_stands_in_the_network_is_told_where_it_goes(
    complain: Complain, snapshot: SnapshotAssertion
) -> None:
    text = "data: {directory: images, image_size: [8, 8]}\nmodel:\n  layers:\n"
    assert complain(
        f"{text}    - CutMix\n    - Equalization\n    - Flatten\n    - classifier\n"
    ) == (snapshot)


def test_layers_are_written_as_they_were_read(load: Load) -> None:
    layers = "\n    - ".join(("RandAugment: {factor: [0.1, 0.2]}", "AutoContrast", "RandomFlip:"))
    config = load(CONFIG % ("rgb", layers, "{}"))
    written = dump_config(config, relative_to=config.source.parent)
    assert yaml.safe_load(written)["augment"]["layers"] == [
        {"RandAugment": {"factor": [0.1, 0.2]}},
        "AutoContrast",
        "RandomFlip",
    ]
    assert load(written).augment == config.augment


def test_a_config_without_layers_does_not_name_them(load: Load) -> None:
    config = load(
        "data: {directory: images, image_size: [8, 8]}\nmodel:\n  layers: [Flatten, classifier]\n"
    )
    augment = dump_config(config, relative_to=config.source.parent).split("augment:")[1]
    assert "layers" not in augment.split("model:")[0]


def test_defaults_are_kerass_and_paths_count_a_class(load: Load) -> None:
    layers = "\n    - ".join(("RandomErasing", "MixUp", "RandomErasing: {factor: 0.5}", "CutMix"))
    read: Sequence = load(CONFIG % ("rgb", layers, "{}")).augment.layers or ()
    assert arguments_of(read[0])["scale"] == (0.02, 0.33)
    assert layer_paths(read) == ("RandomErasing_1", "MixUp_1", "RandomErasing_2", "CutMix_1")
    assert images_in_one(read) == 4


def test_an_argument_can_be_set_from_the_command_line(load: Load) -> None:
    config = load(
        CONFIG % ("rgb", "RandAugment: {factor: 0.1}", "{}"),
        ["augment.layers[0].RandAugment.factor=0.3"],
    )
    assert (config.augment.layers or ())[0].arguments == {"factor": 0.3}
