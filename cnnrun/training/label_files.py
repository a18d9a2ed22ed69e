"""What a run whose images have several labels leaves of its test: predictions and pictures."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.preparing import Prepared
from cnnrun.data.manifest import Manifest
from cnnrun.evaluation.evaluate import LabelEvaluation
from cnnrun.plots.label_grids import co_occurrence_grid, label_confusion_grid
from cnnrun.plots.mistakes import Mistake, mistakes
from cnnrun.plots.save import save_figure
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.predictions import LABELS_HEADER, PROBABILITY_OF, TRUTH_OF
from cnnrun.runs.tables import csv_table

_MISTAKES_SHOWN: Final = 24
_TRUTHS: Final = {1: "1", 0: "0", -1: ""}


def label_predictions_csv(manifest: Manifest, evaluation: LabelEvaluation) -> str:
    """The predictions as CSV text: the labels that an image has and those said, and each label.

    Of each label there is a column `probability of <label>` and a column `truth of <label>` of 1, 0
    and, for unknown, nothing.
    """
    names = manifest.classes
    rows = (
        [manifest.paths[row], manifest.label_text(row), _text_of_said(names, said)]
        + [f"{probability:.6g}" for probability in probabilities]
        + [_TRUTHS[truth] for truth in manifest.labels[row].tolist()]
        for row, probabilities, said in zip(
            evaluation.rows, evaluation.probabilities, evaluation.said, strict=True
        )
    )
    columns = [f"{kind}{name}" for kind in (PROBABILITY_OF, TRUTH_OF) for name in names]
    return csv_table([*LABELS_HEADER, *columns], rows)


def _text_of_said(names: tuple[str, ...], said: NDArray[np.bool_]) -> str:
    return "|".join(name for name, is_said in zip(names, said, strict=True) if is_said)


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
