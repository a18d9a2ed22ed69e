"""From a config's `augment` to a function that reads batches and augments them."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment import keras_engine
from cnnrun.augment.draws import Draws, draw
from cnnrun.config.augment_section import AugmentSpec
from cnnrun.data.tensors import Array, Augment, Rows

# What says how pixels are moved, not by how much.
Locate = Callable[[Rows], tuple[Array, Rows]]
"""From rows to images `(any number, height, width, channels)`, and each row's place among them."""


def augment_of(
    spec: AugmentSpec,
    *,
    locate: Locate,
    ids: NDArray[np.uint64],
    seed: int,
    image_shape: tuple[int, int, int],
    threads: int,
) -> Augment | None:
    """The function that augments batches; None if the config changes no pixel.

    Args:
        spec: the config's section.
        locate: where images are, such as `ImageStore.locate`.
        ids: the manifest's ids, `(images,)`.
        seed: the run's seed.
        image_shape: (height, width, channels).
        threads: how many threads share the work; no pixel depends on it.
    """
    ranges = spec.ranges
    if ranges == AugmentSpec().ranges:
        return None
    take = _engine(spec, image_shape=image_shape, threads=threads)

    # An epoch's table, and the next one's while its first batches are read ahead.
    @lru_cache(maxsize=2)
    def draws_of(epoch: int) -> Draws:
        return draw(ids, seed=seed, epoch=epoch, image_size=image_shape[:2], **ranges)

    def augment(rows: Rows, epoch: int) -> Array:
        images, places = locate(rows)
        return take(images, places, draws_of(epoch).take(rows))

    return augment


def _engine(
    spec: AugmentSpec, *, image_shape: tuple[int, int, int], threads: int
) -> Callable[[Array, Rows, Draws], Array]:
    how: dict[str, Any] = {
        "fill_mode": spec.fill_mode,
        "cval": spec.cval,
        "interpolation_order": spec.interpolation_order,
    }
    if spec.engine == "keras":
        return lambda images, places, draws: keras_engine.apply(images[places], draws, **how)
    # Its compiler takes 50 MB and a fraction of a second, which only those who augment should pay.
    from cnnrun.augment.fast_engine import FastEngine

    return FastEngine(image_shape, threads=threads, **how).take
