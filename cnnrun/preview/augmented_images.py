"""What `augment` does to training images, as a contact sheet; never loads TensorFlow."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.image_stores import open_rows, open_store, readable_splits
from cnnrun.augment.corners import corners_of
from cnnrun.augment.draws import UNCHANGED, Draws, draw, words_of
from cnnrun.augment.geometry import moves_pixels
from cnnrun.augment.layers.chain import Engine as LayersEngine
from cnnrun.config.augment_section import DRAWN, AugmentSpec
from cnnrun.config.data_section import DataSpec
from cnnrun.config.sections import Config
from cnnrun.data.decoding import decoding_of
from cnnrun.data.images import Array, ImageStore, Rows
from cnnrun.data.manifest import Manifest
from cnnrun.data.order import epoch_order
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import cut_splits
from cnnrun.data.used_range import refuse_unused_range
from cnnrun.errors import ConfigError, DataError, Problem
from cnnrun.plots.contact_sheet import Block, ContactSheet, Group, Tile
from cnnrun.preview.layered_images import Layered, layered, reading, steps_of, with_partners

# What helps to read the pictures of a parameter.
_REMARKS: Final = {
    "width_shift_range": "up and down, as in Keras 3",
    "height_shift_range": "left and right, as in Keras 3",
    "zoom_range": "↕ of the height, ↔ of the width; below 1 enlarges",
}


Engine: TypeAlias = Callable[[NDArray[Any], Draws], NDArray[np.float32]]
"""From images `(images, height, width, channels)` and their draws to augmented images."""


@dataclass(frozen=True, eq=False)
class TrainingImages:
    """Some of the training images.

    Attributes:
        manifest: every image of the config's data.
        rows: the manifest's rows of those that were read, `(images,)`.
        pixels: `(images, height, width, channels)` from 0 to 255.
        training: the rows of all training images.
    """

    manifest: Manifest
    rows: Rows
    pixels: Array
    training: Rows

    def first(self, images: int) -> "TrainingImages":
        """The first of them, at most so many."""
        return replace(self, rows=self.rows[:images], pixels=self.pixels[:images])


def augmentation_sheet(
    config: Config,
    *,
    images: int,
    draws: int,
    make_engine: Callable[[tuple[int, int, int]], Engine],
    make_layers_engine: Callable[[], LayersEngine],
    standardized: Block | None,
) -> ContactSheet:
    """Training images beside their draws: each parameter and layer alone, then all together.

    The draws are the run's own: the first one is that of epoch 1, the second one that of epoch 2.

    Args:
        config: a checked config.
        images: how many images; see `first_of_classes`.
        draws: how many draws of each.
        make_engine: from (height, width, channels) of the images to the config's engine.
        make_layers_engine: whose code applies `augment.layers`; asked only where there are such.
        standardized: what `preprocess` makes of them, to stand below; None for nothing.

    Raises:
        ConfigError: nothing of `augment` is on, and nothing is to stand below.
        DataError: the data cannot be used.
    """
    names = parameters_on(config.augment)
    below = () if standardized is None else (standardized,)
    has_draws = bool(names) or config.augment.layers is not None
    if not has_draws and not below:
        raise ConfigError([_NOTHING_ON])
    if not has_draws:
        title = f"{config.source.stem}: training images, standardized"
        return ContactSheet(title, caption=(), columns=(), blocks=below)
    known = _shown_with_partners(config, images=images, epochs=draws)
    shown = known.first(images)
    apply = make_engine(shown.pixels.shape[1:])
    blocks = [
        Block(
            title=f"{name}: {_as_yaml(getattr(config.augment, name))}",
            remark=_REMARKS.get(name, ""),
            groups=_groups(shown, _alone(config.augment, name), config.seed, draws, apply),
        )
        for name in names
    ]
    if config.augment.layers is not None:
        engine = make_layers_engine()
        blocks += _layer_blocks(config, known, shown, draws=draws, apply=apply, engine=engine)
    elif len(names) > 1:
        together = _groups(shown, config.augment, config.seed, draws, apply)
        blocks.append(Block("all together", "what training sees", together))
    return ContactSheet(
        title=f"{config.source.stem}: training images, augmented",
        caption=_caption(config, draws, blocks),
        columns=("original", *(f"epoch {epoch}" for epoch in range(1, draws + 1))),
        blocks=(*blocks, *below),
    )


def _shown_with_partners(config: Config, *, images: int, epochs: int) -> TrainingImages:
    """The images to show, and behind them those that they are mixed with."""
    calls = config.augment.layers or ()

    def choose(manifest: Manifest, rows: Rows) -> Rows:
        chosen = first_of_classes(rows, manifest.first_labels(rows), images=images)
        return with_partners(
            calls, chosen, manifest=manifest, training=rows, seed=config.seed, epochs=epochs
        )

    return read_training_images(config, choose)


def _layer_blocks(
    config: Config,
    known: TrainingImages,
    shown: TrainingImages,
    *,
    draws: int,
    apply: Engine,
    engine: LayersEngine,
) -> list[Block]:
    """Each layer alone, then all together, behind the geometry."""
    spec, seed = config.augment, config.seed
    height, width, channels = shown.pixels.shape[1:]
    whole = layered(
        spec.layers or (),
        (height, width, channels),
        engine=engine,
        manifest=known.manifest,
        training=known.training,
        seed=seed,
    )
    plain = reading(known.rows, known.pixels)

    def moved(rows: Rows, epoch: int) -> NDArray[np.float32]:
        ids = known.manifest.ids[rows]
        drawn = draw(ids, seed=seed, epoch=epoch, image_size=(height, width), **spec.ranges)
        return apply(plain(rows, epoch), drawn)

    def tiles(layers: Layered, epoch: int) -> list[Tile]:
        return layers.tiles(shown.rows, epoch=epoch, read=plain)

    def together(epoch: int) -> list[Tile]:
        geometry = _tiles(shown, spec, seed=seed, epoch=epoch, apply=apply)
        made = whole.tiles(shown.rows, epoch=epoch, read=moved)
        return [
            replace(
                tile, lines=(*(line for line in before.lines if line != UNCHANGED), *tile.lines)
            )
            for before, tile in zip(geometry, made, strict=True)
        ]

    blocks = [
        Block(title, remark, _grouped(shown, draws, partial(tiles, layers)))
        for title, remark, layers in steps_of(whole)
    ]
    if len(blocks) > 1 or parameters_on(spec):
        blocks.append(Block("all together", "what training sees", _grouped(shown, draws, together)))
    return blocks


def images_of_classes(config: Config, *, images: int) -> TrainingImages:
    """The first training images of each class; see `first_of_classes`.

    Raises:
        DataError: the data cannot be used.
    """
    return read_training_images(
        config,
        lambda manifest, rows: first_of_classes(rows, manifest.first_labels(rows), images=images),
    )


def class_heading(shown: TrainingImages, number: int) -> str:
    """What stands over one of the images: its class, or its labels."""
    labels = shown.manifest.label_text(shown.rows[number])
    if shown.manifest.is_multi_label:
        return f"labels {labels}" if labels else "no label"
    return f"class {labels}"


def parameters_on(spec: AugmentSpec) -> tuple[str, ...]:
    """The parameters of `augment` that draw something, in the order of the sheet."""
    defaults = AugmentSpec()
    return tuple(name for name in DRAWN if getattr(spec, name) != getattr(defaults, name))


def read_training_images(
    config: Config, choose: Callable[[Manifest, Rows], Rows]
) -> TrainingImages:
    """Some of the training images; no others are decoded, unless bad ones are to be skipped.

    Args:
        config: a checked config.
        choose: from the manifest and the rows that train, in the order of epoch 1, to those that
            are wanted.

    Raises:
        DataError: the data cannot be used.
    """
    data = config.data
    manifest = read_manifest(data)
    with tempfile.TemporaryDirectory() as folder:
        if data.on_bad_image == "skip":  # only a look at all of them tells which ones train
            store = open_store(data, manifest, cache_folder=Path(folder))
            training = readable_splits(data, manifest, store).train
            rows = choose(manifest, _in_order(manifest, training, seed=config.seed))
        else:
            training = cut_splits(manifest, data).train
            rows = choose(manifest, _in_order(manifest, training, seed=config.seed))
            store = open_rows(data, manifest, rows, cache_folder=Path(folder))
        try:
            _refuse_unused_range(data, manifest, store, cache_folder=Path(folder))
            return TrainingImages(manifest, rows, store.read(rows), training)
        finally:
            store.close()


def _refuse_unused_range(
    data: DataSpec, manifest: Manifest, some: ImageStore, *, cache_folder: Path
) -> None:
    """Refuse images that come in almost black as training does: by all of them, not by these.

    Raises:
        DataError: they do.
    """
    try:
        refuse_unused_range(manifest, some, decoding_of(data))
    except DataError:
        whole = open_store(data, manifest, cache_folder=cache_folder)
        try:
            refuse_unused_range(manifest, whole, decoding_of(data))
        finally:
            whole.close()


def first_of_classes(rows: Rows, labels: NDArray[np.int32], *, images: int) -> Rows:
    """The first image of each class, then the second of each, and so on, until there are enough.

    Args:
        rows: rows of a manifest, in any order.
        labels: their classes.
        images: how many are wanted.

    Returns:
        At most so many rows, those of a class side by side.
    """
    nth_of_its_class = np.empty(len(rows), np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        nth_of_its_class[members] = np.arange(len(members))
    chosen = np.argsort(nth_of_its_class, kind="stable")[:images]
    return rows[chosen[np.argsort(labels[chosen], kind="stable")]]


def _in_order(manifest: Manifest, rows: Rows, *, seed: int) -> Rows:
    """Rows in the order in which epoch 1 visits them."""
    return rows[epoch_order(manifest.ids[rows], seed=seed, epoch=0)]


def _groups(
    shown: TrainingImages, spec: AugmentSpec, seed: int, epochs: int, apply: Engine
) -> tuple[Group, ...]:
    """A group an image: the original, then a draw an epoch."""
    return _grouped(
        shown, epochs, lambda epoch: _tiles(shown, spec, seed=seed, epoch=epoch, apply=apply)
    )


def _grouped(
    shown: TrainingImages, epochs: int, tiles_of: Callable[[int], list[Tile]]
) -> tuple[Group, ...]:
    """A group an image: the original, then what each epoch makes of it."""
    per_epoch = [tiles_of(epoch) for epoch in range(epochs)]
    return tuple(
        Group(
            heading=class_heading(shown, number),
            origin=shown.manifest.paths[shown.rows[number]],
            tiles=(Tile(shown.pixels[number], (), outline=None), *drawn),
        )
        for number, drawn in enumerate(zip(*per_epoch, strict=True))
    )


def _tiles(
    shown: TrainingImages, spec: AugmentSpec, *, seed: int, epoch: int, apply: Engine
) -> list[Tile]:
    """Every image as an epoch draws it."""
    height, width = shown.pixels.shape[1:3]
    draws = draw(
        shown.manifest.ids[shown.rows],
        seed=seed,
        epoch=epoch,
        image_size=(height, width),
        **spec.ranges,
    )
    corners = corners_of(draws, image_size=(height, width))
    is_moved = moves_pixels(draws)
    return [
        Tile(pixels, words_of(draws, row), outline=corners[row] if is_moved[row] else None)
        for row, pixels in enumerate(apply(shown.pixels, draws))
    ]


def _alone(spec: AugmentSpec, name: str) -> AugmentSpec:
    """The section with one parameter on, whose draws are the same as with the others."""
    return replace(spec, **(AugmentSpec().ranges | {name: getattr(spec, name)}))


def _caption(config: Config, draws: int, blocks: Sequence[Block]) -> tuple[str, ...]:
    epochs = "epoch 1" if draws == 1 else f"epochs 1 to {draws}"
    together = "all together, they are" if len(blocks) > 1 else "they are"
    source = (
        f"The draws are those of {epochs} with seed {config.seed}; {together} the pixels that"
        " training gets."
    )
    tiles = (tile for block in blocks for group in block.groups for tile in group.tiles)
    if all(tile.outline is None for tile in tiles):
        return (source,)
    fill = config.augment.fill_mode
    level = f" (cval {config.augment.cval:g})" if fill == "constant" else ""
    return (
        source,
        "The orange line is the border of the original; beyond it stands what fill_mode says:"
        f" {fill}{level}.",
    )


def _as_yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_as_yaml, value))}]"
    return str(value) if isinstance(value, int) else f"{value:g}"


_NOTHING_ON: Final = Problem(
    position=None,
    address="augment",
    rule="must have a parameter that is on, or `preprocess` a standardization, for preview to show"
    " what it does",
    received="none",
    advice="write into the config, for instance, `augment: {rotation_range: 10, zoom_range: 0.1}`,"
    " try `--set augment.rotation_range=10` or `--set preprocess.zca_whitening=true`, or see the"
    " first batch as it is with `--batch` and what a layer does with `--layer`",
)
