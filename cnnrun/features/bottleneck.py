"""The bottleneck cache: what a frozen part of a network makes of images, computed once."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from cnnrun.data.images import ImageStore, Rows
from cnnrun.features.inference import own_inference
from cnnrun.features.network_hash import network_hash
from cnnrun.runs.disk_room import require_room
from cnnrun.runs.files import json_text, replacing, storage_errors

Features = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class FeatureStore:
    """The features of some rows of a manifest.

    Attributes:
        features: `(images, ...)`, a memory map of `file`.
        file: an array that numpy.load opens.
        from_cache: whether the file was there before.
    """

    features: Features
    file: Path
    from_cache: bool
    _slots: Rows  # for every row of the manifest, its place in `features`, or -1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an image's features."""
        return self.features.shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the features' numbers, float32."""
        return self.features.dtype

    def in_memory(self, at_most_bytes: int) -> Features | None:
        """All features at their rows of the manifest, zeros where there are none.

        Returns:
            `(rows of the manifest, ...)`; or None if they take more than so many bytes.
        """
        if len(self._slots) * self.features[:1].nbytes > at_most_bytes:
            return None
        placed = np.zeros((len(self._slots), *self.shape), dtype=self.dtype)
        placed[self._slots >= 0] = self.features[self._slots[self._slots >= 0]]
        return placed

    def read(self, rows: Rows) -> Features:
        """The features of some of the manifest's rows, `(rows, ...)`, in their order.

        Raises:
            KeyError: one of the rows was never asked for.
        """
        slots = self._slots[rows]
        if slots.size and slots.min() < 0:
            raise KeyError(f"no features in the store for row {rows[int(np.argmin(slots))]}")
        return self.features[slots]


def cached_features(
    model: Any,
    output: Any,
    *,
    store: ImageStore,
    rows: Rows,
    images: Mapping[str, Any],
    folder: Path,
    batch_size: int,
    progress: Callable[[int], None],
) -> FeatureStore:
    """What a layer makes of images in inference mode, from the cache or computed into it.

    Features equal `model(images, training=False)` to 1e-5 of their norm, and are kept in float32;
    those of a model of half precision are its own, as a test of the whole model has them.

    Args:
        model: a functional Keras model that takes raw pixels.
        output: a layer's name, or a tensor that Keras computes from the model's input.
        store: the decoded images.
        rows: rows of the store's manifest, each once, `(images,)`.
        images: what tells these images from others: the data's fingerprint, and how they were
            decoded. Part of the cache's key beside the rows, the layers and their weights.
        folder: where the cache's files lie; made where it is absent.
        batch_size: images at a time; it changes speed and memory alone.
        progress: is told the number of images done, before the first and after each batch;
            nothing where the features are in the cache.

    Raises:
        StorageError: there is no room for the features, or the folder cannot be written to. The
            cache then holds what it held before.
        DataError: an image cannot be read any longer.
    """
    tensor = model.get_layer(output).output if isinstance(output, str) else output
    key = _key(keras.Model(model.inputs[0], [tensor]), rows, store, images)
    file = folder / f"{key}.npy"
    shape = (len(rows), *tensor.shape[1:])
    features = _opened(file, shape)
    from_cache = features is not None
    if features is None:
        infer = own_inference(model, tensor)
        batches = (rows[start : start + batch_size] for start in range(0, len(rows), batch_size))
        _write(file, shape, (infer(store.read(batch))[0] for batch in batches), progress)
        features = np.load(file, mmap_mode="r")
    slots = np.full(int(rows.max(initial=-1)) + 1, -1, dtype=np.int64)
    slots[rows] = np.arange(len(rows))
    return FeatureStore(features, file, from_cache, slots)


def _key(network: Any, rows: Rows, store: ImageStore, images: Mapping[str, Any]) -> str:
    described = {
        "network": network_hash(network),
        "images": images,
        "rows": blake2b(rows.astype("<i8").tobytes(), digest_size=16).hexdigest(),
        "shape": store.shape,
    }
    text = json_text(described, indent=None)
    return blake2b(text.encode("utf-8", errors="backslashreplace"), digest_size=16).hexdigest()


def _opened(file: Path, shape: tuple[int, ...]) -> Features | None:
    """The cached features, or None where there are none or a file is not what it was."""
    try:
        features: Features = np.load(file, mmap_mode="r")
    except (OSError, ValueError):  # absent, or cut off by somebody else: it can be made again
        return None
    return features if features.shape == shape else None


def _write(
    file: Path, shape: tuple[int, ...], batches: Iterable[Features], progress: Callable[[int], None]
) -> None:
    with storage_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    what = f"the features of {shape[0]:,} images"
    require_room(file.parent, 4 * math.prod(shape), what=what)
    done = 0
    progress(done)
    # Not a memory map, in which a disk that fills up would kill the process.
    with replacing(file) as partial, partial.open("wb") as written:
        np.lib.format.write_array_header_1_0(
            written, {"descr": "<f4", "fortran_order": False, "shape": shape}
        )
        for features in batches:
            written.write(np.ascontiguousarray(features, "<f4").data)
            done += len(features)
            progress(done)
