"""The pictures of a tested run whose images have several labels."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.preparing import Prepared
from cnnrun.evaluation.evaluate import LabelEvaluation
from cnnrun.plots.label_grids import co_occurrence_grid, label_confusion_grid
from cnnrun.plots.mistakes import Mistake, mistakes
from cnnrun.plots.save import save_figure
from cnnrun.runs.folder import RunFolder

_MISTAKES_SHOWN: Final = 24


def write_label_plots(run: RunFolder, prepared: Prepared, evaluation: LabelEvaluation) -> None:
    """Write what is said of each label, which labels stand together, and the mistakes."""
    names, scores = prepared.manifest.classes, evaluation.scores
    figure = label_confusion_grid(scores.confusion, labels=names)
    save_figure(figure, run.plots / "label_confusion.png")
    figure = co_occurrence_grid(scores.together, labels=names)
    save_figure(figure, run.plots / "co_occurrence.png")
    labels = prepared.manifest.labels[evaluation.rows]
    wrong = ((evaluation.said != (labels == 1)) & (labels >= 0)).any(axis=1)
    figure = mistakes(
        list(_mistakes(prepared, evaluation)), wrong=int(wrong.sum()), images=len(labels)
    )
    save_figure(figure, run.plots / "mistakes.png")


def _mistakes(prepared: Prepared, evaluation: LabelEvaluation) -> Iterator[Mistake]:
    manifest = prepared.manifest
    labels = manifest.labels[evaluation.rows]
    for image, label in worst_label_mistakes(evaluation, labels, most=_MISTAKES_SHOWN):
        name, has_it = manifest.classes[label], bool(labels[image, label] == 1)
        probability = float(evaluation.probabilities[image, label])
        row = evaluation.rows[[image]]
        yield Mistake(
            pixels=prepared.images.store.read(row)[0],
            name=manifest.paths[row[0]],
            truth=name if has_it else f"not {name}",
            prediction=f"not {name}" if has_it else name,
            probability=1 - probability if has_it else probability,
        )


def worst_label_mistakes(
    evaluation: LabelEvaluation, labels: NDArray[np.int32], *, most: int
) -> list[tuple[int, int]]:
    """(image, label) of what is said wrongly: of each label in turn the most certain one left.

    Args:
        evaluation: what is said of the images.
        labels: what is true of them, `(images, labels)`.
        most: how many are wanted.
    """
    wrong = (evaluation.said != (labels == 1)) & (labels >= 0)
    beyond = np.where(wrong, np.abs(evaluation.probabilities - evaluation.scores.thresholds), -1)
    order = np.argsort(-beyond, axis=0, kind="stable")
    turns = (
        (int(image), label)
        for turn in order
        for label, image in enumerate(turn)
        if wrong[image, label]
    )
    return [pair for pair, _ in zip(turns, range(most), strict=False)]
