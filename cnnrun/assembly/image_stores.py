"""The images of a config's `data` section, decoded and cut into splits."""

from pathlib import Path

import numpy as np

from cnnrun.config.data_section import DataSpec
from cnnrun.data.decoding import decoding_of
from cnnrun.data.images import ImageStore, Rows, open_images
from cnnrun.data.manifest import Manifest
from cnnrun.data.splits import Splits, cut_splits


def open_store(data: DataSpec, manifest: Manifest, *, cache_folder: Path) -> ImageStore:
    """All images of a manifest, decoded as a config's `data` section says.

    Raises:
        DataError: images cannot be decoded.
    """
    return open_rows(data, manifest, np.arange(len(manifest)), cache_folder=cache_folder)


def open_rows(data: DataSpec, manifest: Manifest, rows: Rows, *, cache_folder: Path) -> ImageStore:
    """The images of some rows of a manifest, decoded as a config's `data` section says.

    Raises:
        DataError: images cannot be decoded.
    """
    return open_images(
        manifest,
        rows,
        decoding_of(data),
        memory_bytes=data.cache_memory_mb * 2**20,
        on_bad_image=data.on_bad_image,
        cache_folder=cache_folder,
    )


def readable_splits(data: DataSpec, manifest: Manifest, store: ImageStore) -> Splits:
    """The splits without the images that could not be read.

    Raises:
        DataError: the splits cannot be cut.
    """
    splits = cut_splits(manifest, data)
    return Splits(
        train=np.intersect1d(splits.train, store.rows),
        validation=np.intersect1d(splits.validation, store.rows),
        test=np.intersect1d(splits.test, store.rows),
    )
