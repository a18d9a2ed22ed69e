"""Everything that a run needs before its first epoch, and with it every refusal of bad input."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cnnrun.assembly.augmenting import augment_of, mixture_of
from cnnrun.assembly.automatic_choices import (
    choose_steps_per_execution,
    fused_batch_norm_of,
    use_threads,
    with_threads,
)
from cnnrun.assembly.building import Build, Built, build_and_try
from cnnrun.assembly.devices import devices_of, with_devices
from cnnrun.assembly.image_stores import open_store, readable_splits
from cnnrun.assembly.monitor import Monitor, monitor_of
from cnnrun.assembly.stages import plan_stages, with_schedules_in_steps
from cnnrun.assembly.standardizing import fit_preprocessing, written_preprocess
from cnnrun.assembly.targets import class_weights, encode_labels, label_weights, target_form
from cnnrun.assembly.without_effect import endless_warmups, idle_groups
from cnnrun.config.data_section import COLOR_MODES, DataSpec
from cnnrun.config.metric_names import metric_names
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.sections import Config
from cnnrun.config.values import KerasCall
from cnnrun.data.content_hashes import content_hashes
from cnnrun.data.decoding import decoding_of
from cnnrun.data.fingerprint import fingerprint_of
from cnnrun.data.images import ImageStore
from cnnrun.data.manifest import Manifest
from cnnrun.data.places import data_as_read
from cnnrun.data.sample_weights import refuse_weightless_classes
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import Splits, left_out_note, refuse_untrained_classes
from cnnrun.data.tensors import Feed
from cnnrun.data.used_range import refuse_unused_range
from cnnrun.errors import ConfigError, Problem
from cnnrun.models.cost import Costs, network_costs
from cnnrun.runs.events import Note, NoteListener
from cnnrun.runs.folder import HASHES

WHERE_IMAGES_ARE: Mapping[str, str] = {
    "file": "the decoded images exceed data.cache_memory_mb and are kept in a temporary file",
    "nothing": (
        "the decoded images exceed data.cache_memory_mb and the disk's free space: they are"
        " decoded again in each epoch, which is slow; free some space or raise the limit"
    ),
}


@dataclass(frozen=True, eq=False)
class Images:
    """The images of a config's `data` section.

    Attributes:
        manifest: every image.
        store: their pixels.
        cache_folder: where what is computed from them may be kept for other runs.
    """

    manifest: Manifest
    store: ImageStore
    cache_folder: Path

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """What tells this state of the data from another; see fingerprint_of."""
        return fingerprint_of(self.manifest, self.contents)

    @cached_property
    def contents(self) -> tuple[str, ...]:
        """The hash of each image's content; see content_hashes."""
        return content_hashes(self.manifest, notes_folder=self.cache_folder / HASHES)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run that is ready to begin.

    Attributes:
        config: the config with every choice made.
        images: every image.
        splits: the rows that train, validate and test.
        built: the network with its initial weights, and its loss.
        costs: its parameters and multiply-adds.
        feed: the decoded images with their labels and sample weights.
        monitor: what decides the best epoch, or None.
    """

    config: Config
    images: Images
    splits: Splits
    built: Built
    costs: Costs
    feed: Feed
    monitor: Monitor | None

    @property
    def manifest(self) -> Manifest:
        """The list of every image."""
        return self.images.manifest


def prepare(
    config: Config, *, earlier: Config | None, cache_folder: Path, listener: NoteListener
) -> Prepared:
    """Read the images, split them, build the network and try one step of it.

    Args:
        config: a checked config.
        earlier: the resolved config of the run that goes on, whose automatic choices are kept.
        cache_folder: where decoded images go that do not fit into memory.
        listener: who listens.

    Raises:
        ConfigError: the network cannot be built or trained.
        DataError: the data cannot be used.
    """
    config = with_threads(config, earlier)
    use_threads(config.train.threads or 1)
    config = with_devices(config, earlier, listener=listener)
    keras.utils.set_random_seed(config.seed)
    images = read_images(config.data, cache_folder=cache_folder, listener=listener)
    build = partial(build_and_try, devices=devices_of(config))
    return split_and_build(config, images, build=build, listener=listener)


def read_images(data: DataSpec, *, cache_folder: Path, listener: NoteListener) -> Images:
    """The images of a config's `data` section, all of them decoded.

    Args:
        data: the section; how it splits the images does not matter here.
        cache_folder: where decoded images that exceed the memory go, and a backbone's features.
        listener: who listens.

    Raises:
        DataError: the data cannot be used.
    """
    manifest = read_manifest(data)
    for note in manifest.notes:
        listener(Note(note))
    store = open_store(data, manifest, cache_folder=cache_folder)
    refuse_unused_range(manifest, store, decoding_of(data))
    for path, reason in store.skipped:
        listener(Note(f"skipped {path}: {reason}"))
    if store.kept_in in WHERE_IMAGES_ARE:
        listener(Note(WHERE_IMAGES_ARE[store.kept_in]))
    return Images(manifest, store, cache_folder)


def split_and_build(
    config: Config, images: Images, *, build: Build, listener: NoteListener
) -> Prepared:
    """Cut the splits, fit what has to be fitted to them, build the network.

    Args:
        config: a checked config, whose `train.threads` this process uses.
        images: what `read_images` made of its `data`.
        build: `build_and_try`, or `build` where such a network has been tried before.
        listener: who listens.

    Raises:
        ConfigError: the network cannot be built or trained.
        DataError: the splits cannot be cut.
    """
    manifest, store, threads = images.manifest, images.store, config.train.threads or 1
    splits = readable_splits(config.data, manifest, store)
    if note := left_out_note(manifest, config.data, splits):
        listener(Note(note))
    refuse_untrained_classes(manifest, splits)
    refuse_weightless_classes(manifest, splits)
    steps_per_epoch = _steps_per_epoch(config, splits)
    config = with_schedules_in_steps(config, steps_per_epoch=steps_per_epoch)
    _refuse_absent_validation(config, splits)  # before statistics of all images are taken
    built = build(
        config,
        input_shape=store.shape,
        classes=len(manifest.classes),
        preprocessing=fit_preprocessing(
            config, store, splits.train, threads=threads, listener=listener
        ),
    )
    for note in (
        *(built.network.backbone.notes if built.network.backbone else ()),
        *idle_groups(config, built.network),
        *endless_warmups(config, steps_per_epoch=steps_per_epoch),
    ):
        listener(Note(note))
    costs = network_costs(built.network)
    form = target_form(built.loss, built.output)
    return Prepared(
        config=_with_choices(config, manifest, splits, store, loss=built.loss, costs=costs),
        images=images,
        splits=splits,
        built=built,
        costs=costs,
        feed=Feed(
            store=store,
            targets=encode_labels(manifest.labels, form=form, classes=len(manifest.classes)),
            weights=_sample_weights(config, manifest, splits),
            batch_size=config.train.batch_size,
            augment=augment_of(
                config.augment,
                locate=store.locate,
                ids=manifest.ids,
                training=splits.train,
                seed=config.seed,
                image_shape=store.shape,
                threads=threads,
            ),
            mixture=mixture_of(
                config.augment,
                ids=manifest.ids,
                training=splits.train,
                seed=config.seed,
                image_shape=store.shape,
            ),
            targets_are_labels=manifest.is_multi_label,
        ),
        monitor=_monitor(config, splits, outputs=built.output.units),
    )


def _with_choices(
    config: Config,
    manifest: Manifest,
    splits: Splits,
    store: ImageStore,
    *,
    loss: KerasCall,
    costs: Costs,
) -> Config:
    """The config with everything written out that follows from data and network."""
    height, width, channels = store.shape
    data = replace(
        data_as_read(config.data, manifest),
        image_size=(height, width),
        color_mode=config.data.color_mode or COLOR_MODES.get(channels),
    )
    train = replace(
        config.train,
        loss=loss,
        steps_per_execution=_steps_per_execution(config, splits, costs),
        fused_batch_norm=fused_batch_norm_of(config.train),
    )
    preprocess = written_preprocess(config)
    model = _with_batch_norm_said(config)
    return replace(config, data=data, preprocess=preprocess, model=model, train=train)


def _steps_per_execution(config: Config, splits: Splits, costs: Costs) -> int:
    if devices_of(config) > 1:
        return 1
    return config.train.steps_per_execution or choose_steps_per_execution(
        multiply_adds=costs.multiply_adds,
        batch_size=config.train.batch_size,
        steps_per_epoch=_steps_per_epoch(config, splits),
    )


def _steps_per_epoch(config: Config, splits: Splits) -> int:
    return math.ceil(len(splits.train) / config.train.batch_size)


def _with_batch_norm_said(config: Config) -> ModelSpec:
    """The model section with what becomes of a backbone's batch norm, where its layers learn."""
    backbone = config.model.backbone
    if backbone is None or all(stage.trainable == "none" for stage in plan_stages(config)):
        return config.model
    return replace(config.model, backbone=replace(backbone, batch_norm=backbone.learns_batch_norm))


def _sample_weights(config: Config, manifest: Manifest, splits: Splits) -> np.ndarray | None:
    """How much each image counts in the training loss: its own weight times its class's."""
    wanted = config.train.class_weight
    if manifest.is_multi_label:
        return _label_sample_weights(manifest, splits, are_balanced=wanted == "balanced")
    if wanted is None:
        return manifest.weights
    if wanted != "balanced":
        _refuse_unknown_classes(wanted, manifest.classes)
    weights = class_weights(wanted, manifest.labels[splits.train], manifest.classes)
    by_class = weights[manifest.labels]
    return by_class if manifest.weights is None else by_class * manifest.weights


def _label_sample_weights(
    manifest: Manifest, splits: Splits, *, are_balanced: bool
) -> np.ndarray | None:
    """How much each label of each image counts in the training loss, `(images, labels)`."""
    if not are_balanced and manifest.weights is None:
        return None
    weights = np.ones(manifest.labels.shape, np.float32)
    if are_balanced:
        weights = label_weights(manifest.labels, splits.train)
    return weights if manifest.weights is None else weights * manifest.weights[:, None]


def _refuse_unknown_classes(wanted: Mapping[str, float], classes: tuple[str, ...]) -> None:
    problems = [
        Problem(
            position=None,
            address=f"train.class_weight.{name}",
            rule="must name a class of the data",
            received=repr(name),
            advice=f"the classes are {', '.join(classes[:12])}" + (" ..." if classes[12:] else ""),
        )
        for name in wanted
        if name not in classes
    ]
    if problems:
        raise ConfigError(problems)


def _refuse_absent_validation(config: Config, splits: Splits) -> None:
    best = config.train.best
    if best is not None and best.monitor.startswith("val_") and not len(splits.validation):
        raise ConfigError(
            [
                Problem(
                    position=None,
                    address="train.best.monitor",
                    rule="must name a number that every epoch has",
                    received=f"{best.monitor}, without validation images",
                    advice="hold some out (data.split.validation), or write `best: last`, which "
                    "keeps the last epoch",
                )
            ]
        )


def _monitor(config: Config, splits: Splits, *, outputs: int) -> Monitor | None:
    best = config.train.best
    if best is None:
        return None
    metrics = metric_names(config.train.metrics, outputs=outputs)
    names = ["loss", *(name for metric in metrics for name in metric.in_lines)]
    if len(splits.validation):
        names += [f"val_{name}" for name in names]
    if best.monitor in names:
        return monitor_of(best.monitor, best.mode)
    raise ConfigError(
        [
            Problem(
                position=None,
                address="train.best.monitor",
                rule="must name a number that every epoch has",
                received=best.monitor,
                advice=f"this run has {', '.join(names)}; `best: last` keeps the last epoch"
                + ("" if len(splits.validation) else "; there are no validation images"),
            )
        ]
    )
