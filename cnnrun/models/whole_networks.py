"""A network of keras.applications by itself: pixels in, ImageNet's classes or features out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from cnnrun.config.applications import application_named
from cnnrun.config.backbone_spec import BackboneSpec
from cnnrun.config.model_section import ModelSpec
from cnnrun.errors import ConfigError
from cnnrun.models.backbone_sources import Weights
from cnnrun.models.network import Network, build_network
from cnnrun.models.preprocessing import Preprocessing

IMAGENET_CLASSES: Final = 1000


def open_application(
    name: str,
    *,
    weights: Weights,
    arguments: Mapping[str, Any],
    image_size: tuple[int, int] | None,
    precision: str,
) -> Network:
    """A network of keras.applications that takes pixels, 0 to 255, and standardizes them itself.

    Args:
        name: the network, such as "MobileNet".
        weights: "imagenet", "none" or a weights file.
        arguments: the constructor's own arguments; `include_top` is true unless given.
        image_size: (height, width) of the images; None for the network's default.
        precision: the dtype policy of the layers; the last computes in float32 even so.

    Returns:
        The network, all of whose layers are the backbone's.

    Raises:
        InputError: there is no network of this name.
        ConfigError: it refuses its arguments.
        ModelFileError: the weights cannot be used.
        DownloadError: they are not at hand, and cannot be downloaded.
    """
    application = application_named(name)
    complete = {"include_top": True, **arguments}
    height, width = image_size or application.default_size
    backbone = BackboneSpec(name=name, weights=weights, arguments=complete)
    try:
        return build_network(
            ModelSpec(backbone=backbone, layers=()),
            input_shape=(height, width, 3),
            classes=int(complete.get("classes", IMAGENET_CLASSES)),
            preprocessing=own_preprocessing(application.module),
            seed=0,
            precision=precision,
        )
    except ConfigError as error:
        # There is no config whose address could be named.
        raise ConfigError([replace(problem, address="") for problem in error.problems]) from error


def own_preprocessing(module: str) -> Preprocessing:
    """What `preprocess_input` of a module of keras.applications does, and nothing else."""
    return Preprocessing(
        function=module,
        rescale=1.0,
        samplewise_center=False,
        samplewise_std_normalization=False,
        mean=None,
        std=None,
        zca_matrix=None,
    )
