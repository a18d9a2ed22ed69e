"""What a trained network leaves in its run: the model and its predictions."""

import keras

from cnnrun.data.manifest import Manifest
from cnnrun.evaluation.evaluate import Evaluated, LabelEvaluation
from cnnrun.models.penalties import plain_model
from cnnrun.runs.files import replacing, write_text
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.tables import csv_table
from cnnrun.training.label_files import label_predictions_csv


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
