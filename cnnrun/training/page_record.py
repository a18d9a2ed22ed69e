"""What a run leaves for its page while network and pixels are in memory: the folder `page/`."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnrun.assembly.drawn_layers import drawn_layers
from cnnrun.assembly.preparing import Prepared
from cnnrun.config.augment_section import DRAWN, AugmentSpec
from cnnrun.data.order import epoch_order
from cnnrun.evaluation.evaluate import Evaluated, Evaluation, LabelEvaluation
from cnnrun.pages.figures import svg
from cnnrun.pages.page_files import (
    LabelPicture,
    LabelTested,
    Picture,
    SeenData,
    Tested,
    in_base64,
    write_page_files,
)
from cnnrun.pages.pictured_images import least_certain, shown_mistakes
from cnnrun.pages.thumbnails import MOST_PICTURES, thumbnail
from cnnrun.plots.label_grids import co_occurrence_grid, label_confusion_grid
from cnnrun.runs.folder import RunFolder
from cnnrun.training.label_plots import worst_label_mistakes

_LEAST_CERTAIN: Final = 60
_FIRST_BATCH: Final = 32
_LABEL_MISTAKES: Final = 60
_LEFT_OUT: Final = 200


def record_page(
    run: RunFolder, prepared: Prepared, tested: Evaluated | None, *, figures: Mapping[str, Figure]
) -> None:
    """Write `page/`: pictures of test images, the layers, the images that there were.

    Args:
        run: the run, trained.
        prepared: what it was made of.
        tested: what the network made of the test images; None without any.
        figures: those that `write_plots` gave.

    Raises:
        StorageError: it cannot be written.
    """
    write_page_files(
        run,
        tested=_tested(prepared, tested) if isinstance(tested, Evaluation) else None,
        labels=_label_tested(prepared, tested) if isinstance(tested, LabelEvaluation) else None,
        network=drawn_layers(prepared.built.network, prepared.costs),
        data=_data(prepared),
        drawings={name: svg(figure) for name, figure in figures.items()},
    )


def _tested(prepared: Prepared, tested: Evaluation) -> Tested:
    probabilities = tested.probabilities
    labels: NDArray[np.int32] = prepared.manifest.labels[tested.rows]
    confusion = tested.scores.confusion
    chosen = np.concatenate(
        [
            shown_mistakes(probabilities, labels, most=MOST_PICTURES - _LEAST_CERTAIN),
            least_certain(probabilities, labels, most=_LEAST_CERTAIN),
        ]
    )
    predicted = probabilities.argmax(axis=1)
    return Tested(
        confusion=tuple(
            (int(true), int(taken_for), int(confusion[true, taken_for]))
            for true, taken_for in zip(*np.nonzero(confusion), strict=True)
        ),
        pictures=tuple(
            Picture(
                path=prepared.manifest.paths[tested.rows[index]],
                truth=int(labels[index]),
                prediction=int(predicted[index]),
                # Six digits, as in predictions.csv.
                probability=float(f"{probabilities[index].max():.6g}"),
                webp=in_base64(thumbnail(pixels, of=len(chosen))),
            )
            for index in chosen
            for pixels in prepared.images.store.read(tested.rows[[index]])
        ),
    )


def _label_tested(prepared: Prepared, tested: LabelEvaluation) -> LabelTested:
    manifest, scores = prepared.manifest, tested.scores
    labels = manifest.labels[tested.rows]
    chosen = worst_label_mistakes(tested, labels, most=_LABEL_MISTAKES)
    figures = (
        label_confusion_grid(scores.confusion, labels=manifest.classes),
        co_occurrence_grid(scores.together, labels=manifest.classes),
    )
    return LabelTested(
        rows=tuple(scores.classes_as_json(manifest.classes)),
        pictures=tuple(
            LabelPicture(
                path=manifest.paths[tested.rows[image]],
                label=label,
                has_it=bool(labels[image, label] == 1),
                probability=float(f"{tested.probabilities[image, label]:.6g}"),
                webp=in_base64(thumbnail(pixels, of=len(chosen))),
            )
            for image, label in chosen
            for pixels in prepared.images.store.read(tested.rows[[image]])
        ),
        confusion=in_base64(svg(figures[0])),
        together=in_base64(svg(figures[1])),
    )


def _data(prepared: Prepared) -> SeenData:
    manifest = prepared.manifest
    return SeenData(
        counts=prepared.splits.counts(manifest),
        left_out=prepared.images.store.skipped[:_LEFT_OUT],
        notes=manifest.notes,
        first_batch=_first_batch(prepared),
        augmented_by=_augmented_by(prepared.config.augment),
        totals={name: len(rows) for name, rows in prepared.splits.by_name.items()}
        if manifest.is_multi_label
        else None,
    )


def _first_batch(prepared: Prepared) -> tuple[tuple[str, int | str], ...]:
    """The first images of epoch 1, augmented as it augments them."""
    manifest = prepared.manifest
    ids = prepared.manifest.ids[prepared.splits.train]
    order = epoch_order(ids, seed=prepared.config.seed, epoch=0)
    rows = prepared.splits.train[order[: min(prepared.config.train.batch_size, _FIRST_BATCH)]]
    augment = prepared.feed.augment
    pixels = augment(rows, 0) if augment else prepared.images.store.read(rows)
    return tuple(
        (
            in_base64(thumbnail(image, of=MOST_PICTURES)),
            manifest.label_text(row) if manifest.is_multi_label else int(manifest.labels[row]),
        )
        for image, row in zip(pixels, rows.tolist(), strict=True)
    )


def _augmented_by(spec: AugmentSpec) -> tuple[str, ...]:
    defaults = AugmentSpec()
    names = (name for name in DRAWN if getattr(spec, name) != getattr(defaults, name))
    return (*names, *(layer.name for layer in spec.layers or ()))
