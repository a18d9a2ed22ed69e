"""What a finished run leaves behind: the model, predictions and pictures."""

import keras
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnrun.assembly.preparing import Prepared
from cnnrun.data.images import ImageStore
from cnnrun.data.manifest import Manifest
from cnnrun.evaluation.evaluate import Evaluated, Evaluation, LabelEvaluation
from cnnrun.evaluation.scores import most_confident_mistakes
from cnnrun.models.penalties import plain_model
from cnnrun.pages.layer_figures import figures_of_run
from cnnrun.pages.page_files import CURVES
from cnnrun.plots.confusion import confusion_matrix
from cnnrun.plots.curves import learning_curves
from cnnrun.plots.mistakes import Mistake, mistakes
from cnnrun.plots.save import save_figure
from cnnrun.runs.diagnostics import read_diagnostics
from cnnrun.runs.files import replacing, write_text
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import read_epochs
from cnnrun.runs.tables import csv_table
from cnnrun.training.label_files import label_predictions_csv, write_label_plots

MISTAKES_SHOWN = 24
_FILES = {CURVES: "learning_curves"}


def write_model(run: RunFolder, model: keras.Model) -> None:
    """Save the network without its optimizer: `keras.models.load_model` opens it anywhere."""
    with replacing(run.model_keras) as partial:
        plain_model(model).save(partial)


def write_evaluation(run: RunFolder, manifest: Manifest, evaluation: Evaluated) -> None:
    """Write a row for each evaluated image: its path, its label, and what was predicted."""
    write_text(run.predictions_csv, predictions_csv(manifest, evaluation))


def predictions_csv(manifest: Manifest, evaluation: Evaluated) -> str:
    """The predictions as CSV text; a column `probability of <class>` for each class."""
    if isinstance(evaluation, LabelEvaluation):
        return label_predictions_csv(manifest, evaluation)
    classes = manifest.classes
    header = ["path", "label", "prediction", "probability"]
    rows = (
        [manifest.paths[row], classes[manifest.labels[row]], classes[int(probabilities.argmax())]]
        + [f"{probability:.6g}" for probability in (probabilities.max(), *probabilities)]
        for row, probabilities in zip(evaluation.rows, evaluation.probabilities, strict=True)
    )
    return csv_table([*header, *(f"probability of {name}" for name in classes)], rows)


def write_plots(
    run: RunFolder, prepared: Prepared, evaluation: Evaluated | None, *, best_epoch: int
) -> dict[str, Figure]:
    """Write learning curves, diagnostics, and, when images were tested, confusion and mistakes.

    Returns:
        What the run's page shows as well, by the names of page_files.py: figures whose parts have
        found their places.
    """
    run.plots.mkdir(exist_ok=True)
    figures = {CURVES: learning_curves(read_epochs(run), best_epoch=best_epoch)}
    looks = read_diagnostics(run.path)
    figures |= figures_of_run(looks) if looks else {}
    for name, figure in figures.items():
        save_figure(figure, run.plots / f"{_FILES.get(name, name)}.png")
        figure.set_layout_engine("none")
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
