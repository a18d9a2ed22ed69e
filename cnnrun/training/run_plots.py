"""The pictures of a finished run.

They stand apart from what every training writes: a study's cells draw nothing, and need not load
Matplotlib.
"""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnrun.assembly.preparing import Prepared
from cnnrun.data.images import ImageStore
from cnnrun.data.manifest import Manifest
from cnnrun.evaluation.evaluate import Evaluated, Evaluation, LabelEvaluation
from cnnrun.evaluation.scores import most_confident_mistakes
from cnnrun.pages.layer_figures import figures_of_run
from cnnrun.pages.page_files import CURVES
from cnnrun.plots.confusion import confusion_matrix
from cnnrun.plots.curves import learning_curves
from cnnrun.plots.mistakes import Mistake, mistakes
from cnnrun.plots.save import save_figure
from cnnrun.runs.diagnostics import read_diagnostics
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import read_epochs
from cnnrun.training.label_plots import write_label_plots

MISTAKES_SHOWN = 24
_FILES = {CURVES: "learning_curves"}


def write_plots(
    run: RunFolder, prepared: Prepared, evaluation: Evaluated | None, *, best_epoch: int
) -> dict[str, Figure]:
    """Write learning curves, diagnostics, and, when images were tested, confusion and mistakes.

    Returns:
        What the run's page shows as well, by the names of page_files.py.
    """
    run.plots.mkdir(exist_ok=True)
    figures = {CURVES: learning_curves(read_epochs(run), best_epoch=best_epoch)}
    looks = read_diagnostics(run.path)
    figures |= figures_of_run(looks) if looks else {}
    for name, figure in figures.items():
        save_figure(figure, run.plots / f"{_FILES.get(name, name)}.png")
    if isinstance(evaluation, LabelEvaluation):
        write_label_plots(run, prepared, evaluation)
    elif evaluation is not None:
        _write_plots_of_tested(run, prepared, evaluation)
    return figures


def _write_plots_of_tested(run: RunFolder, prepared: Prepared, evaluation: Evaluation) -> None:
    manifest = prepared.manifest
    save_figure(
        confusion_matrix(evaluation.scores.confusion, classes=manifest.classes),
        run.plots / "confusion_matrix.png",
    )
    wrong = evaluation.probabilities.argmax(axis=1) != _labels(manifest, evaluation)
    shown = _mistakes_of(prepared.images.store, manifest, evaluation)
    figure = mistakes(shown, wrong=int(wrong.sum()), images=len(evaluation.rows))
    save_figure(figure, run.plots / "mistakes.png")


def _mistakes_of(store: ImageStore, manifest: Manifest, evaluation: Evaluation) -> list[Mistake]:
    labels = _labels(manifest, evaluation)
    worst = most_confident_mistakes(evaluation.probabilities, labels, count=MISTAKES_SHOWN)
    return [
        Mistake(
            pixels=store.read(evaluation.rows[[index]])[0],
            name=manifest.paths[evaluation.rows[index]],
            truth=manifest.classes[labels[index]],
            prediction=manifest.classes[int(evaluation.probabilities[index].argmax())],
            probability=float(evaluation.probabilities[index].max()),
        )
        for index in worst
    ]


def _labels(manifest: Manifest, evaluation: Evaluation) -> NDArray[np.int32]:
    labels: NDArray[np.int32] = manifest.labels[evaluation.rows]
    return labels
