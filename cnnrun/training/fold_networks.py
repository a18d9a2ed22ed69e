"""A config's own network trained on folds of its images: what it makes of those it has not seen.

For a look at labels where no other network is at hand. The networks are not kept.
"""

import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.automatic_choices import with_threads
from cnnrun.assembly.building import build
from cnnrun.assembly.compiling import compile_anew
from cnnrun.assembly.feature_networks import FeatureSource, trained_source
from cnnrun.assembly.preparing import Images, Prepared, read_images, split_and_build
from cnnrun.assembly.stages import plan_stages
from cnnrun.assembly.targets import class_probabilities
from cnnrun.config.data_section import SplitSpec
from cnnrun.config.sections import Config
from cnnrun.data.label_splits import label_fold_numbers
from cnnrun.data.manifest import TEST, TRAIN, Manifest
from cnnrun.models.trainable import apply_trainable
from cnnrun.runs.events import silent

FOLDS: Final = 3
# A network that trains for long learns wrong labels by heart; this many epochs tell them.
EPOCHS_AT_MOST: Final = 15
_ALWAYS_TRAINS: Final = -1


@dataclass(frozen=True, eq=False)
class FoldNetworks:
    """What networks say of images that they were not trained on.

    Attributes:
        rows: `(images,)`, the manifest's rows that some network was not trained on, ascending.
        probabilities: `(images, classes)`, of each row by that network.
        source: the first of the networks.
        unseen: the rows that it was not trained on.
    """

    rows: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    source: FeatureSource
    unseen: NDArray[np.int64]


def train_on_folds(config: Config) -> FoldNetworks:
    """Train a config's network once for each fold of its images.

    All images take part, whatever splits they have, and groups are kept together. Each network
    trains in one stage, without callbacks, and for a few epochs.

    Args:
        config: a checked config.

    Raises:
        ConfigError: the network cannot be built.
        DataError: the images cannot be used.
        DownloadError: the network has a backbone whose weights are not at hand.
    """
    config = with_threads(_of_one_stage(config), None)
    with tempfile.TemporaryDirectory() as folder:
        images = read_images(config.data, cache_folder=Path(folder), listener=silent)
        try:
            folds = fold_of_rows(images.manifest, images.store.rows)
            fitted = [_fitted(config, images, folds == fold) for fold in range(FOLDS)]
            unseen = [np.flatnonzero(folds == fold) for fold in range(FOLDS)]
            told = [_probabilities(*each) for each in zip(fitted, unseen, strict=True)]
        finally:
            images.store.close()
    rows = np.concatenate(unseen)
    order = np.argsort(rows)
    source = trained_source(config, fitted[0].built.network.model)
    return FoldNetworks(rows[order], np.concatenate(told)[order], source, unseen[0])


def _of_one_stage(config: Config) -> Config:
    """The config with a short training of which every epoch counts, and no split of its own."""
    train = replace(
        config.train,
        epochs=min(config.train.epochs, EPOCHS_AT_MOST),
        stages=(),
        best=None,
        callbacks=(),
    )
    split = SplitSpec(validation=0.0, test=0.0)
    return replace(config, train=train, data=replace(config.data, split=split))


def fold_of_rows(manifest: Manifest, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold of each row of a manifest: dealt out by class or labels, and id, groups as one.

    Args:
        manifest: the images.
        rows: those that can be read.

    Returns:
        `(images,)`: from 0 on; -1 for what is in no fold, as a class of one image or group.
    """
    folds = np.full(len(manifest), _ALWAYS_TRAINS, np.int64)
    if manifest.is_multi_label:
        folds[rows] = label_fold_numbers(manifest, rows, folds=FOLDS, seed=0)
        return folds
    units: dict[str, list[int]] = defaultdict(list)
    for row in rows[np.argsort(manifest.ids[rows], kind="stable")].tolist():
        units[manifest.groups[row] if manifest.groups else manifest.paths[row]].append(row)
    labels = manifest.labels.tolist()
    label_of_unit = [
        Counter(labels[row] for row in unit).most_common(1)[0][0] for unit in units.values()
    ]
    times = Counter(label_of_unit)
    dealt: Counter[int] = Counter()
    for unit, label in zip(units.values(), label_of_unit, strict=True):
        if times[label] > 1:
            folds[unit] = dealt[label] % FOLDS
            dealt[label] += 1
    return folds


def _fitted(config: Config, images: Images, is_left_out: NDArray[np.bool_]) -> Prepared:
    """The network, trained on all other images."""
    given = tuple(TEST if left_out else TRAIN for left_out in is_left_out.tolist())
    manifest = replace(images.manifest, splits=given)
    prepared = split_and_build(
        config, replace(images, manifest=manifest), build=build, listener=silent
    )
    (stage,) = plan_stages(prepared.config)
    network = prepared.built.network
    apply_trainable(network, stage.trainable, batch_norm=stage.batch_norm)
    compile_anew(
        network.model,
        prepared.config,
        network=network,
        loss=prepared.built.loss,
        optimizer=stage.optimizer,
    )
    train = prepared.splits.train
    batches = prepared.feed.training(train, manifest.ids[train], seed=config.seed, first_epoch=0)
    with prepared.feed.naming_failures():
        network.model.fit(batches, epochs=stage.last_epoch, shuffle=False, verbose=0)
    return prepared


def _probabilities(fitted: Prepared, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """What a network says of rows, `(rows, classes)`."""
    if not len(rows):
        return np.empty((0, len(fitted.manifest.classes)))
    model = fitted.built.network.model
    predictions = [  # Keras's `predict` warns where several models are asked one after the other
        np.asarray(model(images, training=False)) for images, _ in fitted.feed.evaluation(rows)
    ]
    probabilities: NDArray[np.float64] = class_probabilities(
        np.concatenate(predictions), fitted.built.output
    )
    return probabilities
