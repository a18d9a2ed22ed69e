"""The list `augment.layers` applied to batches: draw, then apply, in the order given.

What an image draws depends on (seed, epoch, image, layer). A layer that mixes takes as partner of
an image the one after it in the epoch's order (behind another such layer, the one two places on,
then four): which images are in a batch changes nothing, and reading a batch reads hardly more.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.layers.layer import (
    Arguments,
    Draws,
    ImageLayer,
    Images,
    Partners,
    Read,
    Rows,
    Shape,
)
from cnnrun.augment.layers.pairs import PAIR_LAYERS, PairLayer
from cnnrun.augment.layers.table import IMAGE_LAYERS
from cnnrun.augment.lottery import Lottery
from cnnrun.config.augment_layers import arguments_of, layer_paths, size_behind
from cnnrun.config.values import KerasCall

# With less to do, a thread would take as long to be handed it as to work.
_LEVELS_A_THREAD = 2**15


@dataclass(frozen=True)
class Link:
    """A layer of the list.

    Attributes:
        name: Keras's name of it.
        path: what its draws are called.
        arguments: all of them.
        shape: (height, width, channels) of the images that reach it.
        places: for one that mixes, how far behind the partner is in the epoch's order.
    """

    name: str
    path: str
    arguments: Arguments
    shape: Shape
    places: int | None

    @property
    def layer(self) -> ImageLayer | PairLayer:
        """What it does."""
        return IMAGE_LAYERS[self.name] if self.places is None else PAIR_LAYERS[self.name]

    def draw(self, ids: NDArray[np.uint64], *, seed: int, epoch: int) -> Draws:
        """What happens to some images in an epoch."""
        lottery = Lottery(ids, seed, epoch, f"augment.layers.{self.path}")
        return self.layer.draw(lottery, self.arguments, self.shape)

    def words(self, draws: Draws, row: int) -> str:
        """What happens to one image."""
        return self.layer.words(draws, row)


@dataclass(frozen=True)
class Engine:
    """Whose code applies draws to pixels.

    Attributes:
        alone: from a layer, images and draws to images; for layers that do not mix.
        pair: from a layer, images, their partners and draws to images.
    """

    alone: Callable[[Link, Images, Draws], Images]
    pair: Callable[[Link, Images, Images, Draws], Images]


FAST: Final = Engine(
    alone=lambda link, images, draws: IMAGE_LAYERS[link.name].apply(images, draws, link.arguments),
    pair=lambda link, images, partners, draws: PAIR_LAYERS[link.name].apply(
        images, partners, draws, link.arguments
    ),
)
"""cnnrun's own; it may write over the images."""


def links_of(layers: Sequence[KerasCall], shape: Shape) -> tuple[Link, ...]:
    """The layers of a list, each with what reaches it.

    Args:
        layers: the list.
        shape: (height, width, channels) of the images that reach the first.
    """
    links: list[Link] = []
    mixing = 0
    for call, path in zip(layers, layer_paths(layers), strict=True):
        is_pair = call.name in PAIR_LAYERS
        places = 2**mixing if is_pair else None
        links.append(Link(call.name, path, arguments_of(call), shape, places))
        mixing += is_pair
        shape = (*size_behind(call, shape[:2]), shape[2])
    return tuple(links)


@final
class Chain:
    """Augments batches by a list of layers; several threads may call it at once."""

    def __init__(
        self,
        links: Sequence[Link],
        *,
        engine: Engine,
        read: Read,
        partners: Partners,
        ids: NDArray[np.uint64],
        seed: int,
        threads: int,
    ) -> None:
        """Prepare for the images of a manifest.

        Args:
            links: the layers.
            engine: whose code applies them.
            read: images as they reach the first layer, in memory of their own.
            partners: see Partners; asked only where a layer mixes.
            ids: the manifest's ids, `(images,)`.
            seed: the run's seed.
            threads: how many threads share a batch; no pixel depends on it.
        """
        self._links = tuple(links)
        self._engine = engine
        self._read = read
        self._partners = partners
        self._ids = ids
        self._seed = seed
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="cnnrun-augment")

    def __call__(self, rows: Rows, epoch: int) -> Images:
        """Augmented images of some rows, `(rows, height, width, channels)` in float32."""
        return self._behind(self._links, rows, epoch)

    def _behind(self, links: Sequence[Link], rows: Rows, epoch: int) -> Images:
        """Images behind some of the layers."""
        mixing = [place for place, link in enumerate(links) if link.places is not None]
        if not mixing:
            return self._alone(links, self._read(rows, epoch), rows, epoch)
        pair = links[mixing[-1]]
        partners = self._partners(rows, epoch, pair.places or 0)
        needed, places = np.unique(np.concatenate([rows, partners]), return_inverse=True)
        images = self._behind(links[: mixing[-1]], needed, epoch)
        draws = pair.draw(self._ids[rows], seed=self._seed, epoch=epoch)
        own, others = images[places[: len(rows)]], images[places[len(rows) :]]
        mixed = self._engine.pair(pair, own, others, draws)
        return self._alone(links[mixing[-1] + 1 :], mixed, rows, epoch)

    def _alone(self, links: Sequence[Link], images: Images, rows: Rows, epoch: int) -> Images:
        """Images behind layers that change each by itself, in as many threads as are worth it."""

        def through(part: slice) -> Images:
            some, ids = images[part], self._ids[rows[part]]
            for link in links:
                draws = link.draw(ids, seed=self._seed, epoch=epoch)
                some = self._engine.alone(link, some, draws)
            return some

        if not links:
            return images
        threads = max(1, min(self._threads, len(rows), images.size // _LEVELS_A_THREAD))
        ends = [len(rows) * thread // threads for thread in range(threads + 1)]
        parts = [slice(*ends[thread : thread + 2]) for thread in range(threads)]
        others = [self._executor.submit(through, part) for part in parts[1:]]
        done = [through(parts[0]), *(future.result() for future in others)]
        return np.ascontiguousarray(np.concatenate(done) if others else done[0])


def parts_of(
    links: Sequence[Link],
    rows: Rows,
    *,
    epoch: int,
    partners: Partners,
    ids: NDArray[np.uint64],
    seed: int,
) -> tuple[Rows, NDArray[np.float32]]:
    """The images that each of some rows is mixed of, and their shares.

    Args:
        links: the layers.
        rows: rows of the manifest.
        epoch: the epoch's number, from 0.
        partners: see Partners.
        ids: the manifest's ids.
        seed: the run's seed.

    Returns:
        Rows `(rows, parts)` and shares `(rows, parts)`, which sum to 1 in each row.
    """
    mixing = [place for place, link in enumerate(links) if link.places is not None]
    if not mixing:
        return rows[:, None], np.ones((len(rows), 1), np.float32)
    pair, before = links[mixing[-1]], links[: mixing[-1]]
    others = partners(rows, epoch, pair.places or 0)
    share = pair.draw(ids[rows], seed=seed, epoch=epoch)["share"][:, None]
    both = [
        parts_of(before, each, epoch=epoch, partners=partners, ids=ids, seed=seed)
        for each in (rows, others)
    ]
    (own, own_shares), (other, other_shares) = both
    shares: NDArray[np.float32] = np.concatenate(
        [share * own_shares, (np.float32(1) - share) * other_shares], axis=1
    )
    return np.concatenate([own, other], axis=1), shares
