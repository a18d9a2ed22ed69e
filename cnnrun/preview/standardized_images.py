"""Training images beside what the config's `preprocess` makes of them, as a block of a sheet."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.building import fitted_preprocessing
from cnnrun.assembly.standardizing import unfitted_preprocessing
from cnnrun.config.sections import Config
from cnnrun.models.backbone_sources import channels_standardized
from cnnrun.plots.contact_sheet import Block, Group, Tile
from cnnrun.preview.augmented_images import TrainingImages, class_heading, images_of_classes
from cnnrun.preview.first_batch import displayed, preprocessed


def standardized_block(config: Config, *, images: int) -> Block:
    """Some training images, each beside its standardized self with the range of its values.

    Args:
        config: a checked config.
        images: how many images; see `first_of_classes`.

    Raises:
        ConfigError: the images are not of the colours or the size that `preprocess` is for.
        DataError: the data cannot be used.
    """
    shown = images_of_classes(config, images=images)
    shape = shown.pixels.shape[1:]
    values, steps = preprocessed(
        shown.pixels,
        fitted_preprocessing(config) or unfitted_preprocessing(config, shape),
        channels=channels_standardized(config.model, shape[-1]),
    )
    return Block(
        title=f"standardized: {', '.join(step.removeprefix('preprocess_') for step in steps)}",
        remark="each image's least value is shown black, its greatest one white",
        groups=tuple(_group(shown, number, values[number]) for number in range(len(values))),
    )


def _group(shown: TrainingImages, number: int, values: NDArray[Any]) -> Group:
    pixels = shown.pixels[number]
    return Group(
        heading=class_heading(shown, number),
        origin=shown.manifest.paths[shown.rows[number]],
        tiles=(
            Tile(pixels, ("original", _range(pixels)), outline=None),
            Tile(displayed(values, values), ("standardized", _range(values)), outline=None),
        ),
    )


def _range(values: NDArray[Any]) -> str:
    return f"{np.min(values):.3g} to {np.max(values):.3g}"
