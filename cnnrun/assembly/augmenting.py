"""From a config's `augment` to a function that reads batches and augments them."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.partners import partners_in_order
from cnnrun.augment import keras_engine
from cnnrun.augment.draws import Draws, draw
from cnnrun.config.augment_layers import faults, mixes
from cnnrun.config.augment_section import AugmentSpec
from cnnrun.config.values import KerasCall
from cnnrun.data.tensors import Array, Augment, Mixture, Rows
from cnnrun.errors import ConfigError, Problem

if TYPE_CHECKING:
    from cnnrun.augment.layers.chain import Engine

Locate = Callable[[Rows], tuple[Array, Rows]]
"""From rows to images `(any number, height, width, channels)`, and each row's place among them."""


def augment_of(
    spec: AugmentSpec,
    *,
    locate: Locate,
    ids: NDArray[np.uint64],
    training: Rows,
    seed: int,
    image_shape: tuple[int, int, int],
    threads: int,
) -> Augment | None:
    """The function that augments batches; None if the config changes no pixel.

    Args:
        spec: the config's section.
        locate: where images are, such as `ImageStore.locate`.
        ids: the manifest's ids, `(images,)`.
        training: the manifest's rows that train.
        seed: the run's seed.
        image_shape: (height, width, channels).
        threads: how many threads share the work; no pixel depends on it.

    Raises:
        ConfigError: a layer of `augment.layers` cannot take images of this size and colours.
    """
    geometry = _geometry(
        spec, locate=locate, ids=ids, seed=seed, image_shape=image_shape, threads=threads
    )
    if spec.layers is None:
        return geometry
    _refuse_unfit_layers(spec.layers, image_shape)
    # Their compiler is for those who use them, as below.
    from cnnrun.augment.layers.chain import Chain, links_of

    def unchanged(rows: Rows, epoch: int) -> Array:
        images, places = locate(rows)
        return images[places].astype(np.float32)

    return Chain(
        links_of(spec.layers, image_shape),
        engine=_layers_engine(spec),
        read=geometry or unchanged,
        partners=partners_in_order(training, ids, seed=seed),
        ids=ids,
        seed=seed,
        threads=1 if spec.engine == "keras" else threads,
    )


def mixture_of(
    spec: AugmentSpec,
    *,
    ids: NDArray[np.uint64],
    training: Rows,
    seed: int,
    image_shape: tuple[int, int, int],
) -> Mixture | None:
    """The function to what each image is mixed of; None if no layer mixes.

    For arguments see `augment_of`.
    """
    if spec.layers is None or not mixes(spec.layers):
        return None
    from cnnrun.augment.layers.chain import links_of, parts_of

    links = links_of(spec.layers, image_shape)
    partners = partners_in_order(training, ids, seed=seed)
    return lambda rows, epoch: parts_of(
        links, rows, epoch=epoch, partners=partners, ids=ids, seed=seed
    )


def _layers_engine(spec: AugmentSpec) -> "Engine":
    """Whose code applies the layers."""
    if spec.engine == "keras":
        from cnnrun.augment.layers.keras_engine import KERAS

        return KERAS
    from cnnrun.augment.layers.chain import FAST

    return FAST


def _refuse_unfit_layers(layers: Sequence[KerasCall], image_shape: tuple[int, int, int]) -> None:
    """Raise what only the images themselves tell, where the config does not."""
    height, width, channels = image_shape
    problems = []
    for fault in faults(layers, image_size=(height, width), channels=channels):
        address = f"augment.layers[{fault.index}].{layers[fault.index].name}"
        if fault.argument:
            address = f"{address}.{fault.argument}"
        problems.append(Problem(None, address, fault.rule, fault.received, fault.advice))
    if problems:
        raise ConfigError(problems)


def _geometry(
    spec: AugmentSpec,
    *,
    locate: Locate,
    ids: NDArray[np.uint64],
    seed: int,
    image_shape: tuple[int, int, int],
    threads: int,
) -> Augment | None:
    """What ImageDataGenerator's parameters do; None if nothing of them is on."""
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
