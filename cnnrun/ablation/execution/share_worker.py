"""Extracts the features of shares of images, in a process of a worker that has one thread."""

import os
from dataclasses import dataclass
from typing import Any, Final

from filelock import FileLock, Timeout

from cnnrun.ablation.execution.share_schedule import hash_of_names
from cnnrun.ablation.execution.tasks import ShareTask, WantedFeatures
from cnnrun.ablation.execution.versions import refuse_other_versions
from cnnrun.assembly.feature_networks import (
    FeatureSource,
    application_source,
    config_source,
    run_source,
)
from cnnrun.config.applications import Application
from cnnrun.config.sections import Config
from cnnrun.data.sources import read_manifest
from cnnrun.errors import WorkError
from cnnrun.features.extract import Wanted, extract_features, float32_inference
from cnnrun.features.folder import FeatureFolder
from cnnrun.features.inference import Infer
from cnnrun.features.shards import images_of_share, shard_folder
from cnnrun.features.sources import Images, images_of, list_images
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.made_by import load_resolved

_DEATH_S: Final = 60.0
"""How long the process may take to end whose machine Ray has lost, and which held a share."""


class ShareWorker:
    """What a worker keeps from one share to the next: the network, and the list of all images."""

    def __init__(self, versions: dict[str, str]) -> None:
        """The packages of this process."""
        self._versions = versions
        self._wanted: WantedFeatures | None = None
        self._opened: _Opened | None = None

    def extract(self, task: ShareTask) -> None:
        """Compute a share, or what of it is not there yet.

        Raises:
            CnnrunError: see `extract_features`; or this machine has other packages or images.
        """
        opened = self._opened_for(task.wanted)
        network, wanted = opened.network, task.wanted
        folder = shard_folder(wanted.out, task.share)
        _wait_until_free(FeatureFolder(folder))
        extract_features(
            network.model,
            images_of_share(opened.images, task.share),
            Wanted(
                title=network.title,
                layers=_layers(network, wanted),
                pooling=wanted.pooling,
                precision=wanted.precision,
                decoding=network.decoding,
            ),
            out=folder,
            batch_size=wanted.batch_size,
            resume=True,
            on_bad_image=wanted.on_bad_image,
            listener=silent,
            together=wanted.images,
            threads=1,
            infer=opened.infer,
        )

    def _opened_for(self, wanted: WantedFeatures) -> "_Opened":
        if self._opened is None or wanted != self._wanted:
            refuse_other_versions(self._versions, wanted.versions)
            os.chdir(wanted.folder)
            images = _images(wanted)
            _refuse_others(images, wanted)
            network = _network(wanted)
            infer = (
                float32_inference(network.model, _layers(network, wanted), pooling=wanted.pooling)
                if wanted.precision == "float32"
                else None
            )
            self._opened, self._wanted = _Opened(network, images, infer), wanted
        return self._opened


@dataclass(frozen=True, eq=False)
class _Opened:
    """What a command wants, opened.

    Attributes:
        network: the network.
        images: all images.
        infer: what computes in float32, traced once for all shares; None in bfloat16, whose
            error is measured on images of each share.
    """

    network: FeatureSource
    images: Images
    infer: Infer | None


def _layers(network: FeatureSource, wanted: WantedFeatures) -> tuple[str, ...]:
    return wanted.layers or (network.default_layer,)


def _network(wanted: WantedFeatures) -> FeatureSource:
    opened = wanted.opened
    if isinstance(opened, RunFolder):
        return run_source(opened)
    if isinstance(opened, Application):
        return application_source(
            opened,
            weights=wanted.weights,
            image_size=wanted.image_size or opened.default_size,
            include_top=wanted.include_top,
        )
    shape: Any = wanted.input_shape
    return config_source(opened, input_shape=shape, classes=wanted.classes)


def _images(wanted: WantedFeatures) -> Images:
    if wanted.data:
        return list_images(wanted.data)
    opened = wanted.opened
    config = load_resolved(opened) if isinstance(opened, RunFolder) else opened
    return images_of([read_manifest(config.data)] if isinstance(config, Config) else [])


def _refuse_others(images: Images, wanted: WantedFeatures) -> None:
    if hash_of_names(images) != wanted.names:
        raise WorkError.at(
            wanted.out,
            rule="the workers must find the same images as the command",
            received=f"others: {len(images.listed):,} in place of {wanted.images:,}, or by other"
            " names",
            advice="copy them again, or share their disk",
        )


def _wait_until_free(folder: FeatureFolder) -> None:
    """Wait for the end of a process that had the share before, where that was lost."""
    if not folder.lock.exists():
        return
    lock = FileLock(folder.lock, timeout=_DEATH_S)
    try:
        lock.acquire()
    except Timeout:
        return  # what extracts says that it is busy
    lock.release()
