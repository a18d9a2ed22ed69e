"""From a config's `augment` to a function that batches pass through."""

from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment import keras_engine
from cnnrun.augment.draws import Draws, draw
from cnnrun.augment.fast_engine import FastEngine
from cnnrun.config.values import AugmentSpec
from cnnrun.data.tensors import Array, Augment, Rows

# What says how pixels are moved, not by how much.
_OF_THE_ENGINE = ("engine", "fill_mode", "cval", "interpolation_order")


def augment_of(
    spec: AugmentSpec,
    *,
    ids: NDArray[np.uint64],
    seed: int,
    image_shape: tuple[int, int, int],
    threads: int,
) -> Augment | None:
    """The function that augments batches; None if the config changes no pixel.

    Args:
        spec: the config's section.
        ids: the manifest's ids, `(images,)`.
        seed: the run's seed.
        image_shape: (height, width, channels).
        threads: how many threads share the work; no pixel depends on it.
    """
    ranges = _ranges(spec)
    if ranges == _ranges(AugmentSpec()):
        return None
    apply = _engine(spec, image_shape=image_shape, threads=threads)

    # An epoch's table, and the next one's while its first batches are read ahead.
    @lru_cache(maxsize=2)
    def draws_of(epoch: int) -> Draws:
        return draw(ids, seed=seed, epoch=epoch, image_size=image_shape[:2], **ranges)

    def augment(pixels: Array, rows: Rows, epoch: int) -> Array:
        return apply(pixels, draws_of(epoch).take(rows))

    return augment


def _ranges(spec: AugmentSpec) -> dict[str, Any]:
    return {name: value for name, value in asdict(spec).items() if name not in _OF_THE_ENGINE}


def _engine(
    spec: AugmentSpec, *, image_shape: tuple[int, int, int], threads: int
) -> Callable[[Array, Draws], Array]:
    how: dict[str, Any] = {
        "fill_mode": spec.fill_mode,
        "cval": spec.cval,
        "interpolation_order": spec.interpolation_order,
    }
    if spec.engine == "keras":
        return partial(keras_engine.apply, **how)
    return FastEngine(image_shape, threads=threads, **how)
