"""What a run's network looked at in its mistakes, for the run's page."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.image_stores import open_rows
from cnnrun.data.manifest import TEST
from cnnrun.data.sources import read_manifest
from cnnrun.evaluation.finished_runs import open_config
from cnnrun.evaluation.prediction import batches
from cnnrun.evaluation.recorded_rows import recorded_rows
from cnnrun.explanation.grad_cam import grad_cam, grad_cam_layer
from cnnrun.explanation.network import ExplainedNetwork, MapLayer, explained_network
from cnnrun.models.saved import load_model
from cnnrun.pages.page_files import (
    PicturedMistake,
    PictureMaps,
    in_base64,
    require_mistakes,
    write_maps,
)
from cnnrun.pages.thumbnails import map_thumbnail
from cnnrun.plots.heat import enlarged_pixels, overlaid
from cnnrun.runs.folder import RunFolder
from cnnrun.wording import counted

_SIDE: Final = 96


def draw_page_maps(run: RunFolder) -> tuple[str, ...]:
    """Draw a map of each mistake that has a picture, by the class that it was called.

    Of images with several labels it is by the label that was said wrongly or missed. The images are
    those that the run was tested on, as far as they are as they were.

    Args:
        run: a finished run.

    Returns:
        What a person should know about it, a sentence each.

    Raises:
        RunError: it has no model, or left no pictures.
        InputError: its network has no layer to take maps at.
        DataError: its images cannot be read.
        StorageError: the maps cannot be written.
    """
    config = open_config(run)
    mistakes = require_mistakes(run)
    of_labels = config.data.is_multi_label
    network = explained_network(load_model(run.model_keras), of_labels=of_labels)
    layer = grad_cam_layer(network, None)
    manifest = read_manifest(config.data)
    recorded = recorded_rows(run, config, manifest)
    rows = {manifest.paths[row]: int(row) for row in recorded.splits.test}
    found = [each for each in mistakes if each.path in rows]
    wanted = np.array(sorted({rows[each.path] for each in found}), np.int64)
    store = open_rows(config.data, manifest, wanted, cache_folder=Path(tempfile.gettempdir()))
    readable = set(store.rows.tolist())
    found = [each for each in found if rows[each.path] in readable]
    webps: dict[tuple[str, int], str] = {}
    for batch in batches(found, config.train.batch_size):
        pixels = store.read(np.array([rows[each.path] for each in batch]))
        webps |= _maps(network, layer, batch, pixels, of=len(found))
    write_maps(run, PictureMaps(layer.name, layer.height, layer.width, webps))
    return (*recorded.notes(TEST), *_notes(lost=len(mistakes) - len(found)))


def _notes(*, lost: int) -> Iterator[str]:
    if lost:
        yield f"without a map: {counted(lost, 'mistake')}, as the image is not what it was"


def _maps(
    network: ExplainedNetwork,
    layer: MapLayer,
    pictures: Sequence[PicturedMistake],
    pixels: NDArray[Any],
    *,
    of: int,
) -> dict[tuple[str, int], str]:
    """The map of each picture over its image, as page_files.PictureMaps has them."""
    values = grad_cam(network, layer, pixels, [each.number for each in pictures])
    return {
        (picture.path, picture.number): in_base64(
            map_thumbnail(
                overlaid(
                    enlarged_pixels(image, side=_SIDE),
                    of_image,
                    scale="share",
                    most=float(of_image.max()),
                ),
                of=of,
            )
        )
        for picture, image, of_image in zip(pictures, pixels, values, strict=True)
    }
