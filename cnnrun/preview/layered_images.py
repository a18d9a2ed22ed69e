"""What `augment.layers` does to training images, tile by tile."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.partners import partners_in_order
from cnnrun.augment.draws import UNCHANGED
from cnnrun.augment.layers.chain import Chain, Engine, Link, links_of
from cnnrun.augment.layers.layer import Read
from cnnrun.config.augment_layers import IMAGE_LAYERS, MIXING, images_in_one
from cnnrun.config.plain_values import flow_text
from cnnrun.config.values import KerasCall
from cnnrun.data.images import Array, Rows
from cnnrun.data.manifest import Manifest
from cnnrun.plots.contact_sheet import Tile


@dataclass(frozen=True, eq=False)
class Layered:
    """Layers of a config with what is needed to apply them to some training images.

    Attributes:
        links: the layers.
        calls: the same, as the config has them.
        engine: whose code applies them.
        manifest: every image of the config's data.
        training: the manifest's rows that train.
        seed: the run's.
    """

    links: tuple[Link, ...]
    calls: tuple[KerasCall, ...]
    engine: Engine
    manifest: Manifest
    training: Rows
    seed: int

    def tiles(self, rows: Rows, *, epoch: int, read: Read) -> list[Tile]:
        """Each of some images as the layers make it in an epoch."""
        chain = Chain(
            self.links,
            engine=self.engine,
            read=read,
            partners=partners_in_order(self.training, self.manifest.ids, seed=self.seed),
            ids=self.manifest.ids,
            seed=self.seed,
            threads=1,
        )
        pixels = chain(rows, epoch)
        words = [self._words(rows, link, epoch=epoch) for link in self.links]
        lines = [tuple(word for each in said for word in each) for said in zip(*words, strict=True)]
        return [
            Tile(image, said or (UNCHANGED,), outline=None)
            for image, said in zip(pixels, lines, strict=True)
        ]

    def _words(self, rows: Rows, link: Link, *, epoch: int) -> Iterator[tuple[str, ...]]:
        """What a layer does to each image, a line for each thing."""
        draws = link.draw(self.manifest.ids[rows], seed=self.seed, epoch=epoch)
        for row in range(len(rows)):
            said = tuple(word for word in link.words(draws, row).split(", ") if word)
            if link.places is not None:
                said = (f"{link.name}: {said[0]}", self._partner(rows[row], link, epoch=epoch))
            yield said

    def _partner(self, row: np.int64, link: Link, *, epoch: int) -> str:
        find = partners_in_order(self.training, self.manifest.ids, seed=self.seed)
        partner = find(np.array([row]), epoch, link.places or 0).item()
        return f"with {self.manifest.label_text(partner)}"


def layered(
    calls: Sequence[KerasCall],
    shape: tuple[int, int, int],
    *,
    engine: Engine,
    manifest: Manifest,
    training: Rows,
    seed: int,
) -> Layered:
    """All layers of a config; for arguments see Layered."""
    links = links_of(calls, shape)
    return Layered(links, tuple(calls), engine, manifest, training, seed)


def steps_of(whole: Layered) -> Iterator[tuple[str, str, Layered]]:
    """The layers one by one, each with a title and a remark.

    Those that change the size of images stay with the ones that bring it back.
    """
    size = whole.links[0].shape
    first = 0
    for place in range(len(whole.links)):
        is_last = place + 1 == len(whole.links)
        if not is_last and whole.links[place + 1].shape != size:
            continue
        part = slice(first, place + 1)
        first = place + 1
        some = replace(whole, links=whole.links[part], calls=whole.calls[part])
        yield ", ".join(map(_as_yaml, some.calls)), _remark(some.calls), some


def with_partners(
    calls: Sequence[KerasCall],
    rows: Rows,
    *,
    manifest: Manifest,
    training: Rows,
    seed: int,
    epochs: int,
) -> Rows:
    """Some images, and behind them those that they are mixed with in some epochs, each once."""
    find = partners_in_order(training, manifest.ids, seed=seed)
    others = [
        find(rows, epoch, places)
        for epoch in range(epochs)
        for places in range(1, images_in_one(calls))
    ]
    return np.concatenate([rows, np.setdiff1d(np.concatenate([*others, rows]), rows)])


def reading(rows: Rows, pixels: Array) -> Callable[[Rows, int], NDArray[np.float32]]:
    """A function to some of the images that were read, as they are.

    Args:
        rows: the manifest's rows of those that were read.
        pixels: `(rows, height, width, channels)`.
    """
    order = np.argsort(rows)
    return lambda wanted, _: pixels[order[np.searchsorted(rows[order], wanted)]].astype(np.float32)


def _as_yaml(call: KerasCall) -> str:
    written = IMAGE_LAYERS.item.write(call, relative_to=Path())
    return written if isinstance(written, str) else flow_text(written)[1:-1]


def _remark(calls: Sequence[KerasCall]) -> str:
    is_mixing = any(call.name in MIXING for call in calls)
    return "with the next image in the epoch's order; labels are mixed by the share" * is_mixing
