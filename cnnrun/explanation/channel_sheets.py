"""What channels see as contact sheets: feature maps, filters, the images that excite a channel."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import matplotlib
import numpy as np
from numpy.typing import NDArray

from cnnrun.evaluation.prediction import Prediction
from cnnrun.explanation.feature_maps import Values, by_variation, constant_channels
from cnnrun.explanation.filters import Box, Excitement
from cnnrun.explanation.network import MapLayer
from cnnrun.plots.contact_sheet import Block, ContactSheet, Group, Tile
from cnnrun.plots.heat import COLOUR_MAPS
from cnnrun.plots.lettering import percent
from cnnrun.wording import counted

_OF_FILTERS: Final = (
    "Filters are drawn as the picture that they answer to most: grey is 0, and the weight that is"
    " farthest from it is black or white."
)
_WHITE: Final = 255.0


def feature_map_sheet(
    title: str,
    predictions: Sequence[Prediction],
    pixels: Sequence[NDArray[Any]],
    outputs: Mapping[MapLayer, Values],
    *,
    channels: int,
) -> ContactSheet:
    """Images beside what the channels of some layers make of them.

    Args:
        title: what the network is called.
        predictions: what the images are taken for.
        pixels: the images.
        outputs: of each layer, `(images, height, width, channels)`.
        channels: how many of each layer are shown.
    """
    return ContactSheet(
        title=f"What the layers of {title} make of an image",
        caption=(
            "Feature maps of the channels that vary most from place to place. Dark is the lowest"
            " value of the layer's channels that are shown, bright the highest.",
        ),
        columns=(),
        blocks=tuple(
            Block(
                title=f"{prediction.image}: {layer.name}",
                remark=_remark(layer, values[number]),
                groups=(
                    Group(
                        "",
                        "",
                        (_original(prediction, pixels[number]), *_maps(values[number], channels)),
                    ),
                ),
            )
            for number, prediction in enumerate(predictions)
            for layer, values in outputs.items()
        ),
    )


def filter_sheet(
    title: str,
    drawn: Mapping[MapLayer, NDArray[np.float32]],
    exciting: Mapping[MapLayer, Sequence[tuple[int, Sequence[Tile]]]],
    *,
    looked_at: str,
    shape: tuple[int, int],
    columns: int,
) -> ContactSheet:
    """Filters, and for each channel the images that excite it.

    Args:
        title: what the network is called.
        drawn: filters by layer, `(filters, height, width, channels)`.
        exciting: by layer (number of a channel, its images).
        looked_at: which images were looked at.
        shape: (height, width) of an image.
        columns: how many images a channel has.
    """
    return ContactSheet(
        title=f"What the channels of {title} look for",
        caption=(
            *((_OF_FILTERS,) if drawn else ()),
            f"A channel's images are those, of {looked_at}, in which its value is highest at one"
            " place. The outline holds nine tenths of what moved it there (of its gradient).",
        ),
        columns=(),
        blocks=(
            *(_filters(layer, filters, shape, columns) for layer, filters in drawn.items()),
            *(
                Block(
                    f"{layer.name}: what excites its channels",
                    _size(layer),
                    tuple(Group(f"channel {number}", "", tuple(tiles)) for number, tiles in found),
                )
                for layer, found in exciting.items()
            ),
        ),
    )


def exciting_tile(pixels: NDArray[Any], name: str, excitement: Excitement, box: Box) -> Tile:
    """An image that excites a channel, with the outline of what did."""
    top, left, bottom, right = box
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return Tile(pixels, (f"{excitement.value:.3g}", name), np.array(corners, np.float64))


def _original(prediction: Prediction, pixels: NDArray[Any]) -> Tile:
    words = f"{prediction.classes[0].name} {percent(prediction.probabilities[0])}"
    return Tile(pixels, ("the image", words), None)


def _remark(layer: MapLayer, values: Values) -> str:
    constant = constant_channels(values)
    silent = f"; {constant:,} of them the same everywhere" if constant else ""
    return f"{_size(layer)}{silent}"


def _size(layer: MapLayer) -> str:
    return f"{layer.height}x{layer.width}, {counted(layer.channels, 'channel')}"


def _maps(values: Values, channels: int) -> Iterator[Tile]:
    shown = by_variation(values)[:channels]
    lowest, highest = values[..., shown].min(), values[..., shown].max()
    colours = matplotlib.colormaps[COLOUR_MAPS["share"]]
    for channel in shown:
        of_channel = values[..., channel]
        shares = (of_channel - lowest) / max(float(highest - lowest), np.finfo(np.float32).tiny)
        span = f"{of_channel.min():.2g} to {of_channel.max():.2g}"
        yield Tile(255 * colours(shares)[..., :3], (f"channel {channel}", span), None)


def _filters(
    layer: MapLayer, filters: NDArray[np.float32], shape: tuple[int, int], columns: int
) -> Block:
    tiles = [
        Tile(_on_canvas(_as_picture(each), *shape), (f"channel {number}",), None)
        for number, each in enumerate(filters)
    ]
    groups = [tuple(tiles[begin : begin + columns]) for begin in range(0, len(tiles), columns)]
    height, width = filters.shape[1:3]
    return Block(
        f"{layer.name}: its filters",
        f"{height}x{width}, {counted(len(filters), 'channel')}",
        tuple(Group("", "", group) for group in groups),
    )


def _as_picture(weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """A filter as pixels: 0 in the middle of the scale."""
    most = float(np.abs(weights).max()) or 1.0
    pixels: NDArray[np.float64] = 127.5 * (1 + weights.astype(np.float64) / most)
    return pixels


def _on_canvas(picture: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """A picture in the middle of a white one of another shape."""
    rows, columns, channels = picture.shape
    scale = max(rows / height, columns / width)
    canvas = np.full((round(height * scale), round(width * scale), channels), _WHITE)
    top, left = (canvas.shape[0] - rows) // 2, (canvas.shape[1] - columns) // 2
    canvas[top : top + rows, left : left + columns] = picture
    return canvas
