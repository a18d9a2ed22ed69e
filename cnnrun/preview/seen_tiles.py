"""Which pixels of an image one number of a layer sees, as the images of a contact sheet."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.models.network import Network
from cnnrun.models.receptive_field import receptive_fields
from cnnrun.models.seen_pixels import Mask, UntracedLayerError, seen_pixels
from cnnrun.plots.contact_sheet import Block, Group, Tile
from cnnrun.plots.figures import showable

_LOOKING: Final = frozenset(
    {"Conv2D", "SeparableConv2D", "DepthwiseConv2D", "MaxPooling2D", "AveragePooling2D"}
)
"""Layers whose numbers look at several places."""

_MOST_LAYERS: Final = 7
_ORANGE: Final = np.array([224.0, 112.0, 26.0])
_TINT: Final = 0.75
_FADED: Final = 0.75


def seen_blocks(network: Network, name: str, image: NDArray[Any]) -> Iterator[Block]:
    """What one number of a layer sees, and of the layers before it: in the middle and in a corner.

    Nothing for layers that look at a single place each.

    Args:
        network: a built network.
        name: the layer.
        image: `(height, width, channels)` from 0 to 255.
    """
    shown = _layers_until(network, name)
    if not shown or shown[-1] != name:
        return
    sizes = receptive_fields(network)
    for where in ("middle", "top left corner"):
        try:
            tiles = [
                _tile(network, each, image, where, size=sizes[each])
                for each in shown[-_MOST_LAYERS:]
            ]
        except UntracedLayerError as error:
            reason = f"not drawn, for a layer on the way ({error.kind}) cannot be traced"
            yield Block("which pixels one number sees", reason, (_plain(image),))
            return
        yield Block(
            f"which pixels the number in the {where} sees",
            "orange: seen; faded: not",
            (Group("", "", (*_plain(image).tiles, *tiles)),),
        )


def _layers_until(network: Network, name: str) -> list[str]:
    """The layers that look around and lead to one, that one last if it is one of them."""
    by_output = {id(built.layer.output): built for built in network.layers}
    found: list[str] = []
    waiting = [built.layer.output for built in network.layers if built.name == name]
    visited = set()
    while waiting:
        built = by_output.get(id(waiting.pop()))
        if built is None or built.name in visited:
            continue
        visited.add(built.name)
        if type(built.layer).__name__ in _LOOKING:
            found.append(built.name)
        taken = built.layer.input
        waiting += taken if isinstance(taken, list) else [taken]
    return [built.name for built in network.layers if built.name in found]


def _tile(
    network: Network,
    name: str,
    image: NDArray[Any],
    where: str,
    *,
    size: tuple[int, int] | None,
) -> Tile:
    layer = network.model.get_layer(name)
    height, width = layer.output.shape[1:3]
    row, column = (height // 2, width // 2) if where == "middle" else (0, 0)
    seen = seen_pixels(network, name, row=row, column=column)
    beyond = f"{size[0]} x {size[1]}" if size else "size varies"
    pixels = int(seen.sum())
    return Tile(_tinted(image, seen), (name, f"{beyond}: {pixels:,} pixels"), outline=None)


def _plain(image: NDArray[Any]) -> Group:
    pixels = 255 * _in_colour(image)
    return Group("", "", (Tile(pixels, ("the image",), outline=None),))


def _tinted(image: NDArray[Any], seen: Mask) -> NDArray[np.float64]:
    pixels = 255 * _in_colour(image)
    tinted = (1 - _TINT) * pixels + _TINT * _ORANGE
    faded = (1 - _FADED) * pixels + _FADED * 255
    return np.where(seen[..., None], tinted, faded)


def _in_colour(image: NDArray[Any]) -> NDArray[np.float64]:
    shown = showable(image)
    return np.repeat(shown[..., None], 3, axis=-1) if shown.ndim == 2 else shown[..., :3]
