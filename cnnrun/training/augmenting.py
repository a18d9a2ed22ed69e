"""From a config's `augment` to a function that batches pass through."""

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment import fast_engine, keras_engine
from cnnrun.augment.draws import Draws, draw
from cnnrun.config.values import AugmentSpec
from cnnrun.data.tensors import Array, Augment, Rows

# What `draw` does not need: these say how pixels are moved, not by how much.
_OF_THE_ENGINE = ("engine", "fill_mode", "cval", "interpolation_order")


def augment_of(
    spec: AugmentSpec,
    *,
    ids: NDArray[np.uint64],
    seed: int,
    image_size: tuple[int, int],
    threads: int,
) -> Augment | None:
    """The function that augments batches; None if the config changes no pixel.

    Args:
        spec: the config's section.
        ids: the manifest's ids, `(images,)`.
        seed: the run's seed.
        image_size: (height, width).
        threads: how many threads share the work; no pixel depends on it.
    """
    if _ranges(spec) == _ranges(AugmentSpec()):
        return None
    return _Augmenter(spec, ids, seed, image_size, threads)


def _ranges(spec: AugmentSpec) -> AugmentSpec:
    defaults = AugmentSpec()
    return replace(spec, **{name: getattr(defaults, name) for name in _OF_THE_ENGINE})


@dataclass(frozen=True, eq=False)
class _Augmenter:
    spec: AugmentSpec
    ids: NDArray[np.uint64]
    seed: int
    image_size: tuple[int, int]
    threads: int

    def __call__(self, pixels: Array, rows: Rows, epoch: int) -> Array:
        return augmented(pixels, self._draws(rows, epoch), self.spec, threads=self.threads)

    def _draws(self, rows: Rows, epoch: int) -> Draws:
        ranges = {
            name: value for name, value in asdict(self.spec).items() if name not in _OF_THE_ENGINE
        }
        return draw(
            self.ids[rows], seed=self.seed, epoch=epoch, image_size=self.image_size, **ranges
        )


def augmented(pixels: Array, draws: Draws, spec: AugmentSpec, *, threads: int) -> Array:
    """Images `(images, height, width, channels)` after their draws, by the config's engine."""
    if spec.engine == "keras":
        return keras_engine.apply(
            pixels,
            draws,
            fill_mode=spec.fill_mode,
            cval=spec.cval,
            interpolation_order=spec.interpolation_order,
        )
    return fast_engine.apply(
        pixels,
        draws,
        fill_mode=spec.fill_mode,
        cval=spec.cval,
        interpolation_order=spec.interpolation_order,
        threads=threads,
    )
