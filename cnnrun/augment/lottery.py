"""Draws for images, each column from a stream of its own name."""

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cnnrun.randomness import random_bits, uniform_numbers

Numbers: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Bits: TypeAlias = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Lottery:
    """Draws of an epoch for the same images; no column moves another one.

    Attributes:
        ids: `(images,)`, what `image_ids` makes of their paths.
        seed: the run's seed.
        epoch: the epoch's number, from 0.
        stream: what the columns' names begin with.
    """

    ids: NDArray[np.uint64]
    seed: int
    epoch: int
    stream: str

    def __len__(self) -> int:
        return len(self.ids)

    def uniform(self, column: str, low: float, high: float) -> Numbers:
        """Numbers from `low` up to, not including, `high`, `(images,)`."""
        if low == high:
            return np.full(len(self.ids), low + 0.0)  # 0, not -0
        return low + (high - low) * self._numbers(column)

    def coin(self, column: str, is_thrown: bool) -> Flags:
        """Whether each image is one of the half; none if no coin is thrown."""
        if not is_thrown:
            return np.zeros(len(self.ids), np.bool_)
        return self._numbers(column) < 0.5

    def choice(self, column: str, values: NDArray[Any]) -> NDArray[Any]:
        """One of some values for each image."""
        return values[(self._numbers(column) * len(values)).astype(np.int64)]

    def bits(self, column: str) -> Bits:
        """64 random bits for each image, such as the seed of its noise."""
        return random_bits(
            self.ids, seed=self.seed, epoch=self.epoch, stream=f"{self.stream}.{column}"
        )

    def within(self, name: str) -> "Lottery":
        """Draws for the same images below a name."""
        return replace(self, stream=f"{self.stream}.{name}")

    def of(self, rows: NDArray[Any]) -> "Lottery":
        """The same draws for some of the images."""
        return replace(self, ids=self.ids[rows])

    def _numbers(self, column: str) -> Numbers:
        return uniform_numbers(
            self.ids, seed=self.seed, epoch=self.epoch, stream=f"{self.stream}.{column}"
        )
