"""What the channels of layers see: their maps of an image, and what they look for."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from cnnrun.errors import InputError
from cnnrun.evaluation.prediction import Classifier, batches
from cnnrun.explanation.channel_sheets import exciting_tile, feature_map_sheet, filter_sheet
from cnnrun.explanation.explanation import Explanation, classes_document
from cnnrun.explanation.feature_maps import by_variation, constant_channels, feature_maps
from cnnrun.explanation.filters import (
    Excitement,
    drawable_filters,
    most_exciting,
    moving_boxes,
)
from cnnrun.explanation.network import ExplainedNetwork, MapLayer, explained_network
from cnnrun.explanation.places import Asked
from cnnrun.explanation.searched_images import SearchedImages
from cnnrun.explanation.subjects import read_subjects
from cnnrun.plots.contact_sheet import Tile, draw_contact_sheet

MOST_ROWS: Final = 60
IMAGES_EACH: Final = 5
_FIRST: Final = 3
"""Among so many layers the first convolution is, behind a padding or an activation perhaps."""


def explain_by_maps(
    classifier: Classifier, asked: Asked, *, layer_names: Sequence[str], channels: int
) -> Explanation:
    """What the channels of layers make of images.

    Args:
        classifier: the network; all of it computes in float32 afterwards.
        asked: about which images.
        layer_names: of which layers; none for the last of each height and width.
        channels: how many channels of a layer are drawn.

    Raises:
        InputError: there is no such layer, or more than a picture can show.
        DataError: an image cannot be read, and is not to be skipped; or none can.
    """
    subjects, skipped = read_subjects(classifier, asked.images, (), on_bad_image=asked.on_bad_image)
    network = explained_network(classifier.model, of_labels=classifier.output.is_multi_label)
    layers = tuple(map(network.layer, layer_names)) or network.last_of_each_size
    _refuse_too_many(len(subjects), layers)
    parts = [
        feature_maps(network, layers, np.stack([each.pixels for each in batch]))
        for batch in batches(subjects, classifier.batch_size)
    ]
    outputs = {
        layer: np.concatenate(of)
        for layer, of in zip(layers, zip(*parts, strict=True), strict=True)
    }
    predictions = [each.prediction for each in subjects]
    sheet = feature_map_sheet(
        asked.title,
        predictions,
        [each.pixels for each in subjects],
        outputs,
        channels=channels,
    )
    return Explanation(
        figure=draw_contact_sheet(sheet),
        document={
            "layers": list(map(layer_document, layers)),
            "images": [
                {
                    "image": str(prediction.image),
                    "classes": classes_document(prediction, top=asked.top),
                    "layers": {
                        layer.name: {
                            "drawn": by_variation(values[number])[:channels].tolist(),
                            "constant": constant_channels(values[number]),
                        }
                        for layer, values in outputs.items()
                    },
                }
                for number, prediction in enumerate(predictions)
            ],
        },
        skipped=skipped,
        arrays={layer.name: values for layer, values in outputs.items()},
    )


def explain_by_filters(
    classifier: Classifier,
    searched: SearchedImages,
    *,
    title: str,
    layer_names: Sequence[str],
    channels: int,
) -> Explanation:
    """What channels look for: the first convolution's filters, and images that excite others.

    Args:
        classifier: the network; all of it computes in float32 afterwards.
        searched: the images to look through.
        title: what the network is called.
        layer_names: which layers' channels are shown by images; none for the last with places.
        channels: how many channels of each: those that are excited most.

    Raises:
        InputError: there is no such layer, or more than a picture can show.
    """
    network = explained_network(classifier.model, of_labels=classifier.output.is_multi_label)
    layers = tuple(map(network.layer, layer_names)) or network.layers[-1:]
    _refuse_too_many(1, layers)
    shown = layers if layer_names else (*network.layers[:_FIRST], *layers)
    drawn = {layer: filters for layer in shown if (filters := drawable_filters(layer)) is not None}
    found = {
        layer: most_exciting(
            network,
            layer,
            map(searched.read, batches(range(len(searched.names)), classifier.batch_size)),
            images_each=min(IMAGES_EACH, len(searched.names)),
        )
        for layer in layers
    }
    chosen = {layer: _most_excited(of_layer, channels) for layer, of_layer in found.items()}
    height, width = network.pixels.shape[1:3]
    sheet = filter_sheet(
        title,
        drawn,
        {
            layer: [
                (number, list(_tiles(network, layer, number, found[layer][number], searched)))
                for number in numbers
            ]
            for layer, numbers in chosen.items()
        },
        looked_at=searched.described,
        shape=(int(height), int(width)),
        columns=min(IMAGES_EACH, len(searched.names)),
    )
    return Explanation(
        figure=draw_contact_sheet(sheet),
        document={
            "images_searched": len(searched.names),
            "filters": [layer_document(layer) for layer in drawn],
            "layers": [
                layer_document(layer)
                | {
                    "channels": {
                        number: [
                            {
                                "image": searched.names[each.image],
                                "value": each.value,
                                "row": each.row,
                                "column": each.column,
                            }
                            for each in found[layer][number]
                        ]
                        for number in chosen[layer]
                    }
                }
                for layer in layers
            ],
        },
        skipped=searched.skipped,
        notes=searched.notes,
        arrays={layer.name: filters for layer, filters in drawn.items()},
    )


def layer_document(layer: MapLayer) -> dict[str, Any]:
    """A layer as JSON has it."""
    return {
        "name": layer.name,
        "height": layer.height,
        "width": layer.width,
        "channels": layer.channels,
    }


def _most_excited(found: Sequence[Sequence[Excitement]], channels: int) -> list[int]:
    order = sorted(range(len(found)), key=lambda number: -found[number][0].value)
    return sorted(order[:channels])


def _tiles(
    network: ExplainedNetwork,
    layer: MapLayer,
    channel: int,
    found: Sequence[Excitement],
    searched: SearchedImages,
) -> Iterator[Tile]:
    pixels = searched.read([each.image for each in found])
    boxes = moving_boxes(
        network, layer, pixels, [(each.row, each.column, channel) for each in found]
    )
    for image, each, box in zip(pixels, found, boxes, strict=True):
        yield exciting_tile(image, searched.names[each.image], each, box)


def _refuse_too_many(images: int, layers: Sequence[MapLayer]) -> None:
    rows = images * len(layers)
    if rows > MOST_ROWS:
        raise InputError.at(
            "--layer",
            rule=f"one picture shows at most {MOST_ROWS} rows, one for each image and layer",
            received=f"{rows:,}",
            advice="name fewer images, or layers with `--layer`",
        )
