"""What a stage is fitted to: images, or features of them that were computed once."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnrun.assembly.preparing import Prepared
from cnnrun.assembly.stages import Stage
from cnnrun.data.tensors import Feed
from cnnrun.errors import RunError
from cnnrun.features.bottleneck import FeatureStore, cached_features
from cnnrun.runs.disk_room import size_text
from cnnrun.runs.events import FeaturesComputed, Note, RunListener
from cnnrun.runs.files import read_json, write_json
from cnnrun.runs.folder import FEATURES
from cnnrun.training.bottleneck_head import features_of
from cnnrun.training.sitting import Sitting
from cnnrun.wording import counted


@dataclass(frozen=True)
class Batches:
    """What a stage is fitted to.

    Attributes:
        training: makes the dataset whose first iteration is the epoch of a number from 0.
        validation: a dataset, or None.
    """

    training: Callable[[int], Any]
    validation: Any | None


@contextmanager
def batches_of(stage: Stage, prepared: Prepared, sitting: Sitting) -> Iterator[Batches]:
    """The batches of a stage, for the time of its `fit`.

    Args:
        stage: the stage; the network has the weights that it begins with.
        prepared: the run.
        sitting: hears what a bottleneck stage has cost, and what it has saved; features that are
            computed count as time of `fit`.

    Raises:
        StorageError: there is no room for the features.
        DataError: an image cannot be read any longer.
    """
    feed = replace(prepared.feed, waits=sitting.watch.waits)
    if not stage.bottleneck:
        yield _in_order(prepared, feed)
        return
    progress = sitting.progress
    name = f"stage {stage.number + 1}"
    features = _features(prepared, name=name, listener=sitting.listener)
    progress.fit_seconds += features.seconds
    done, began = progress.epoch, time.perf_counter()
    yield _in_order(prepared, replace(feed, store=features.store, augment=None))
    seconds = time.perf_counter() - began
    savings = _savings(features, epochs=progress.epoch - done, seconds=seconds)
    sitting.listener(Note(f"{name}: {savings}"))


def _in_order(prepared: Prepared, feed: Feed) -> Batches:
    """The training and validation images of a feed, in the run's order."""
    splits, seed = prepared.splits, prepared.config.seed
    ids = prepared.manifest.ids[splits.train]
    return Batches(
        training=lambda epoch: feed.training(splits.train, ids, seed=seed, first_epoch=epoch),
        validation=feed.evaluation(splits.validation) if len(splits.validation) else None,
    )


@dataclass(frozen=True, eq=False)
class _Features:
    """Features with what they cost.

    Attributes:
        store: the features.
        seconds: what they took now.
        pass_seconds: what the images' pass through the backbone took when they were computed; None
            where that is not known any more.
    """

    store: FeatureStore
    seconds: float
    pass_seconds: float | None


def _features(prepared: Prepared, *, name: str, listener: RunListener) -> _Features:
    """The features of the training and validation images, from the cache or computed into it."""
    network, splits = prepared.built.network, prepared.splits
    rows = np.union1d(splits.train, splits.validation)
    output = features_of(network)
    what = f"what {output._keras_history.operation.name} gives for {counted(len(rows), 'image')}"
    size_bytes = 4 * len(rows) * math.prod(output.shape[1:])  # float32
    watch = _Watch(
        f"{name}: computing {what}, once for all epochs, {size_text(size_bytes)} on the disk",
        images=len(rows),
        listener=listener,
    )
    began = time.perf_counter()
    store = cached_features(
        network.model,
        output,
        store=prepared.images.store,
        rows=rows,
        images=_key(prepared),
        folder=prepared.images.cache_folder / FEATURES,
        batch_size=prepared.config.train.batch_size,
        progress=watch.see,
    )
    seconds = time.perf_counter() - began
    note = store.file.with_suffix(".json")
    if store.from_cache:
        listener(Note(f"{name}: {what} was computed before, and is read from {store.file}"))
        return _Features(store, seconds, _noted_seconds(note))
    write_json(note, {"pass_seconds": watch.seconds, "images": len(rows)})
    listener(Note(f"{name}: it took {seconds:.1f} s, and is kept in {store.file}"))
    return _Features(store, seconds, watch.seconds)


class _Watch:
    """Says that features are being computed, and takes the time of it."""

    def __init__(self, announcement: str, *, images: int, listener: RunListener) -> None:
        self._announcement = announcement
        self._images = images
        self._listener = listener
        self._first: tuple[int, float] | None = None
        self.seconds: float | None = None

    def see(self, done: int) -> None:
        """So many images are done."""
        now = time.perf_counter()
        if done == 0:
            self._listener(Note(self._announcement))
            return
        if self._first is None:
            self._first = done, now
        else:
            # The first batch also waits for the graph: it is taken to be as fast as the others.
            first, began = self._first
            self.seconds = (now - began) * done / (done - first)
        self._listener(FeaturesComputed(done, self._images))


def _key(prepared: Prepared) -> dict[str, Any]:
    """What features depend on beside network and rows; threads and batches change the last bits."""
    config = prepared.config
    return {
        "data": prepared.images.fingerprint,
        "color_mode": config.data.color_mode,
        "resize": asdict(config.data.resize),
        "threads": config.train.threads,
        "batch_size": config.train.batch_size,
    }


def _noted_seconds(note: Path) -> float | None:
    """How long the images' pass took when the features were computed."""
    try:
        return float(read_json(note)["pass_seconds"])
    except (RunError, KeyError, TypeError, ValueError):
        return None


def _savings(features: _Features, *, epochs: int, seconds: float) -> str:
    """What a stage took, and about what it saved: the images' passes but for the one."""
    took = f"{counted(epochs, 'epoch')} over them took {seconds:.1f} s"
    if features.pass_seconds is None:
        return took
    saved = epochs * features.pass_seconds - features.seconds
    return (
        f"{took}; with the images' pass through the backbone each would have taken about"
        f" {features.pass_seconds:.1f} s more: {max(saved, 0):.1f} s saved"
    )
