"""The first training batch as the network sees it, as a contact sheet."""

import math
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.augmenting import augment_of
from cnnrun.assembly.automatic_choices import with_threads
from cnnrun.assembly.building import fitted_preprocessing
from cnnrun.assembly.standardizing import unfitted_preprocessing
from cnnrun.config.augment_layers import images_in_one
from cnnrun.config.sections import Config
from cnnrun.models.backbone_sources import channels_standardized
from cnnrun.models.layer_factory import LayerFactory
from cnnrun.models.network import INPUT_PATH
from cnnrun.models.preprocessing import Preprocessing, preprocess
from cnnrun.plots.contact_sheet import Block, ContactSheet, Group, Tile
from cnnrun.preview.augmented_images import TrainingImages, parameters_on, read_training_images
from cnnrun.wording import counted

MOST_SHOWN = 60
_WIDER_THAN_HIGH = 1.6
_COLOURS = 3


def first_batch_sheet(config: Config) -> ContactSheet:
    """The first batch of epoch 1, augmented and preprocessed, with its range of values.

    Args:
        config: a checked config.

    Raises:
        ConfigError: the images are not of the colours or the size that `preprocess` is for.
        DataError: the data cannot be used.
    """
    config = with_threads(config, None)
    size = config.train.batch_size
    # The last image of the batch may be mixed with those behind it.
    behind = images_in_one(config.augment.layers or ()) - 1
    known = read_training_images(config, lambda _, rows: rows[: size + behind])
    batch = known.first(size)
    shape = batch.pixels.shape[1:]
    preprocessing = fitted_preprocessing(config)
    values, steps = preprocessed(
        augmented(config, batch, known),
        preprocessing or unfitted_preprocessing(config, shape),
        channels=channels_standardized(config.model, shape[-1]),
    )
    return ContactSheet(
        title=f"{config.source.stem}: the first batch of epoch 1, as the network sees it",
        caption=_caption(config, batch, values, steps),
        columns=(),
        blocks=(Block("", "", _lines(batch, displayed(values[:MOST_SHOWN], values))),),
    )


def augmented(config: Config, batch: TrainingImages, known: TrainingImages) -> NDArray[Any]:
    """The batch's pixels as epoch 1 augments them, `(images, height, width, channels)`.

    Args:
        config: a checked config.
        batch: the images.
        known: these, and behind them those that they are mixed with.
    """
    place_of = {int(row): place for place, row in enumerate(known.rows)}
    augment = augment_of(
        config.augment,
        locate=lambda rows: (known.pixels, np.array([place_of[row] for row in rows.tolist()])),
        ids=batch.manifest.ids,
        training=batch.training,
        seed=config.seed,
        image_shape=batch.pixels.shape[1:],
        threads=config.train.threads or 1,
    )
    return augment(batch.rows, 0) if augment else batch.pixels


def preprocessed(
    pixels: NDArray[Any], preprocessing: Preprocessing, *, channels: int
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """What the first layer of the config gets, and the names of the layers that led to it.

    Args:
        pixels: `(images, height, width, channels)` from 0 to 255.
        preprocessing: what happens to them.
        channels: how many the network takes.

    Raises:
        ConfigError: the images are not of the colours that the preprocessing is for.
    """
    factory = LayerFactory(0, "float32")  # nothing here is drawn at random
    tensor = factory.input(INPUT_PATH, pixels.shape[1:])
    output, steps = preprocess(tensor, preprocessing, channels=channels, factory=factory)
    if not steps:
        return pixels.astype(np.float32), ()
    values = keras.Model(tensor, output).predict_on_batch(pixels.astype(np.float32))
    return values, tuple(step.name for step in steps)


def displayed(shown: NDArray[np.float32], batch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values as pixels from 0 to 255: the least of the batch is black, the greatest white.

    What stands for opacity in the originals is left out, for it is none any more.
    """
    least, greatest = batch.min(), batch.max()
    spread = greatest - least if greatest > least else 1
    pixels: NDArray[np.float32] = 255 * (shown - least) / spread
    return pixels[..., :_COLOURS] if pixels.shape[-1] > _COLOURS else pixels


def _lines(batch: TrainingImages, pixels: NDArray[np.float32]) -> tuple[Group, ...]:
    """The images in lines that make the sheet wider than high."""
    classes = [batch.manifest.label_text(row) for row in batch.rows]
    tiles = [
        Tile(image, (name,), outline=None)
        for image, name in zip(pixels, classes[: len(pixels)], strict=True)
    ]
    length = math.ceil(math.sqrt(_WIDER_THAN_HIGH * len(tiles)))
    return tuple(
        Group("", "", tuple(tiles[first : first + length]))
        for first in range(0, len(tiles), length)
    )


def _caption(
    config: Config, batch: TrainingImages, values: NDArray[np.float32], steps: tuple[str, ...]
) -> tuple[str, ...]:
    images, height, width, channels = values.shape
    batches = math.ceil(len(batch.training) / config.train.batch_size)
    layers = config.augment.layers or ()
    parameters = (*parameters_on(config.augment), *(layer.name for layer in layers))
    rest = f"; the first {MOST_SHOWN} are shown" if images > MOST_SHOWN else ""
    return (
        f"Batch 1 of {batches:,}, seed {config.seed}: {counted(images, 'image')} of"
        f" {height} x {width} x {channels}{rest}.",
        f"Augmented by {', '.join(parameters) or 'nothing'}; standardized by"
        f" {', '.join(steps) or 'nothing'}.",
        f"Values from {values.min():.4g} (shown black) to {values.max():.4g} (shown white),"
        f" mean {values.mean():.4g}.",
    )
