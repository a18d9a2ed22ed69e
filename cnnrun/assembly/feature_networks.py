"""What features are taken of: a config's network, a run's, or one of keras.applications."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import keras

from cnnrun.assembly.building import build, fitted_preprocessing
from cnnrun.assembly.standardizing import unfitted_preprocessing
from cnnrun.config.applications import Application, built_layers
from cnnrun.config.data_section import COLOR_MODES, DataSpec
from cnnrun.config.sections import Config
from cnnrun.data.decoding import Decoding, decoding_of
from cnnrun.features.layers import layer_before
from cnnrun.models.saved import load_model
from cnnrun.models.whole_networks import open_application
from cnnrun.runs.folder import RunFolder, require_files
from cnnrun.runs.made_by import load_resolved


@dataclass(frozen=True, eq=False)
class FeatureSource:
    """A network, and how images are made for it.

    Attributes:
        title: what it is called.
        model: takes raw pixels, `(images, height, width, channels)`.
        default_layer: the last one before what tells classes apart.
        decoding: from a file to its pixels.
        data: where its own images are; None for a network of keras.applications.
        notes: what a user would hardly expect.
    """

    title: str
    model: Any
    default_layer: str
    decoding: Decoding
    data: DataSpec | None
    notes: tuple[str, ...]


def application_source(
    application: Application,
    *,
    weights: Literal["imagenet", "none"] | Path,
    image_size: tuple[int, int],
    include_top: bool,
) -> FeatureSource:
    """A network of keras.applications; its default layer is where it ends without its top.

    Args:
        application: which one.
        weights: "imagenet", "none" or a file of such a network's weights.
        image_size: (height, width) that images are brought to.
        include_top: whether it has its top.

    Raises:
        InputError: it cannot take images of this size.
        ModelFileError: the weights cannot be used.
        DownloadError: they are not at hand, and cannot be downloaded.
    """
    network = open_application(
        application.name,
        weights=weights,
        arguments={"include_top": include_top},
        image_size=image_size,
        precision="float32",
    )
    return FeatureSource(
        title=application.name,
        model=network.model,
        default_layer=built_layers(application, include_top=False)[-1],
        decoding=Decoding(image_size, "rgb", "bilinear", keep_aspect=False, shrink_on_load=True),
        data=None,
        notes=network.backbone.notes if network.backbone else (),
    )


def run_source(run: RunFolder) -> FeatureSource:
    """The network of a run, with the weights of its best epoch, and the run's images.

    Raises:
        RunError: the run has no model.
        ModelFileError: the model cannot be used.
    """
    require_files(run, run.resolved_yaml, run.model_keras)
    config = load_resolved(run)
    return _of_config(config, load_model(run.model_keras), title=str(run.path), notes=())


def config_source(
    config: Config, *, input_shape: tuple[int, int, int], classes: int
) -> FeatureSource:
    """The network of a config with its initial weights, which a backbone may have from elsewhere.

    Args:
        config: a checked config.
        input_shape: (height, width, channels) of its images.
        classes: how many classes there are.

    Raises:
        ConfigError: a layer does not fit where it stands.
        DataError: statistics have to be fitted to the images, which cannot be read.
    """
    network = build(
        config,
        input_shape=input_shape,
        classes=classes,
        preprocessing=fitted_preprocessing(config) or unfitted_preprocessing(config, input_shape),
    ).network
    notes = network.backbone.notes if network.backbone else _NOTHING_LEARNT
    return _of_config(config, network.model, title=str(config.source), notes=notes)


def trained_source(config: Config, model: keras.Model) -> FeatureSource:
    """The network of a config as it is, with whatever it has learnt."""
    return _of_config(config, model, title=str(config.source), notes=())


_NOTHING_LEARNT = ("the network has not learnt anything yet: these are features of random weights",)


def _of_config(
    config: Config, model: keras.Model, *, title: str, notes: tuple[str, ...]
) -> FeatureSource:
    height, width, channels = model.inputs[0].shape[1:]
    last = model.layers[-1].name
    return FeatureSource(
        title=title,
        model=model,
        default_layer=layer_before(model, config.model.layers[-1].path)
        if config.model.layers
        else last,
        decoding=replace(
            decoding_of(config.data),
            image_size=(height, width),
            color_mode=COLOR_MODES.get(channels),
        ),
        data=config.data,
        notes=notes,
    )
