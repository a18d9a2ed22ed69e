"""`cnnrun evaluate`: a run's model on its test images, or on others."""

from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnrun.cli.options import AsJson, Calibrated, Quiet, RunPath, refuse_two_forms
from cnnrun.errors import InputError

if TYPE_CHECKING:
    from cnnrun.evaluation.baselines import Baselines
    from cnnrun.evaluation.evaluate import LabelEvaluation
    from cnnrun.evaluation.finished_runs import RunEvaluation
    from cnnrun.evaluation.label_scores import LabelScores
    from cnnrun.export.folder import Exported
    from cnnrun.runs.folder import RunFolder

MATRIX_CLASSES = 10  # more do not fit a terminal: then the most frequent confusions are printed
CONFUSIONS_PRINTED = 10


def evaluate(
    run: RunPath,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="PLACE",
            help="Other images instead of the run's: a folder, a CSV, .npz or tar file.",
        ),
    ] = None,
    calibrated: Calibrated = False,
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines", help="Add chance, the commonest class, and nearest neighbours on pixels."
        ),
    ] = False,
    augment: Annotated[
        str | None,
        typer.Option(
            "--augment",
            metavar="WAYS",
            help="Average over views of each image: flip, shift, or flip,shift.",
        ),
    ] = None,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print the prediction of every image as CSV instead.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Print a run's metrics with 95 % intervals, and which classes it confuses.

    For example: `cnnrun evaluate experiments/first --data photos`
    """
    from cnnrun.cli.terminal import waiting

    refuse_two_forms(json=as_json, csv=as_csv)
    if baselines:
        refuse_two_forms(baselines=True, csv=as_csv)
    with waiting("opening the run", quiet=quiet):
        from cnnrun.cli.output import print_document, print_json, print_note
        from cnnrun.cli.sources import opened_export
        from cnnrun.cli.tensorflow_chatter import load_tensorflow
        from cnnrun.export.folder import looks_like_export
        from cnnrun.runs.folder import open_run

        is_export = looks_like_export(run)
        if is_export and augment is not None:
            raise InputError.at(
                "--augment",
                rule="is for a run, whose network is at hand",
                received=f"the exported folder {run}",
                advice="give the run that was exported, or leave it out",
            )
        if is_export and baselines:
            raise InputError.at(
                "--baselines",
                rule="is for a run, which names the images that it was trained on",
                received=f"the exported folder {run}",
                advice="give the run that was exported, or leave it out",
            )
        opened = opened_export(run, calibrated) if is_export else open_run(run)
    load_tensorflow(quiet=quiet)
    from cnnrun.training.run_files import predictions_csv

    with waiting("looking at the images", quiet=quiet):
        evaluated = evaluation_of(
            opened, data=data, calibrated=calibrated, baselines=baselines, augment=augment
        )
    for note in evaluated.notes:
        print_note(note, quiet=quiet)
    for note in evaluated.baselines.notes if evaluated.baselines else ():
        print_note(note, quiet=quiet)
    for path, reason in evaluated.skipped:
        print_note(f"skipped {path}: {reason}", quiet=quiet)
    if as_json:
        print_json(evaluation_document(run, evaluated))
    elif as_csv:
        print_document(predictions_csv(evaluated.manifest, evaluated.evaluation).rstrip("\n"))
    else:
        print_evaluation(evaluated)


def evaluation_of(
    opened: "RunFolder | Exported",
    *,
    data: Path | None,
    calibrated: bool,
    baselines: bool,
    augment: str | None,
) -> "RunEvaluation":
    """What a run's model, or an exported network, makes of images."""
    from cnnrun.runs.folder import RunFolder

    if isinstance(opened, RunFolder):
        from cnnrun.evaluation.finished_runs import evaluate_run
        from cnnrun.evaluation.views import named_views

        return evaluate_run(
            opened,
            data=data,
            calibrated=calibrated,
            baselines=baselines,
            augment=() if augment is None else named_views(augment),
        )
    from cnnrun.cli.tensorflow_chatter import standard_error_discarded
    from cnnrun.export.exported_network import evaluate_exported

    with standard_error_discarded():  # LiteRT says how it computes
        return evaluate_exported(opened, data=data)


def print_evaluation(evaluated: "RunEvaluation") -> None:
    """Prints the metrics, each class's own, and the confusions."""
    from cnnrun.cli.output import print_sentence, print_table, print_text
    from cnnrun.evaluation.label_scores import LabelScores

    scores, classes = evaluated.evaluation.scores, evaluated.manifest.classes
    noun = "labels" if isinstance(scores, LabelScores) else "classes"
    print_text(f"{scores.images:,} images of {len(classes)} {noun}")
    if evaluated.seen is not None:
        print_sentence(
            f"{evaluated.seen:,} of them are, byte for byte, images that it was trained on"
        )
    if evaluated.averaged:
        print_sentence(evaluated.averaged)
    print_text("")
    values = scores.as_json()
    print_table(
        ("metric", "value", "95 % interval"),
        [
            (name.replace("_", " "), f"{values[name]:.4f}", f"{low:.4f} to {high:.4f}")
            for name, (low, high) in scores.intervals.items()
        ],
        numeric=frozenset({"value"}),
    )
    print_text("")
    if evaluated.baselines is not None:
        print_baselines(evaluated.baselines)
        print_text("")
    if isinstance(scores, LabelScores):
        print_labels(scores, classes)
        return
    print_table(
        ("class", "precision", "recall", "F1", "images"),
        [
            (*(f"{cell:.3f}" if isinstance(cell, float) else f"{cell}" for cell in row.values()),)
            for row in scores.classes_as_json(classes)
        ],
        numeric=frozenset({"precision", "recall", "F1", "images"}),
    )
    print_text("")
    confusion = scores.confusion.tolist()
    if len(classes) <= MATRIX_CLASSES:
        print_matrix(confusion, classes)
    else:
        print_confusions(confusion, classes)


def print_labels(scores: "LabelScores", classes: tuple[str, ...]) -> None:
    """Prints the averages of precision, recall and F1, and each label's numbers."""
    from cnnrun.cli.output import print_table, print_text

    rates = ("precision", "recall", "f1")
    print_table(
        ("average", *rates),
        [
            (kind, *(f"{values[name]:.3f}" for name in rates))
            for kind, values in scores.averages.items()
        ],
        numeric=frozenset(rates),
    )
    print_text("")
    numbers = ("average_precision", "roc_auc", *rates)
    print_table(
        ("label", "AP", "95 % interval", "ROC-AUC", "precision", "recall", "F1", "from", "images"),
        [
            (
                row["label"],
                *(
                    cell
                    for name in numbers
                    for cell in (
                        "" if row[name] is None else f"{row[name]:.3f}",
                        *(
                            [" to ".join(f"{end:.3f}" for end in row["intervals"].get(name, ()))]
                            if name == "average_precision"
                            else []
                        ),
                    )
                ),
                f"{row['threshold']:.3f}",
                f"{row['images']:,}",
            )
            for row in scores.classes_as_json(classes)
        ],
        numeric=frozenset({"AP", "ROC-AUC", "precision", "recall", "F1", "from", "images"}),
        expendable=("95 % interval",),
    )


def print_baselines(baselines: "Baselines") -> None:
    """Prints what any network has to beat, and what the neighbours are."""
    from cnnrun.cli.output import print_sentence, print_table

    names = {"majority": "commonest training class"}
    print_table(
        ("baseline", baselines.measure, "95 % interval"),
        [
            (
                names.get(name, name.replace("_", " ")),
                f"{each.value:.4f}",
                " to ".join(f"{end:.4f}" for end in each.interval),
            )
            for name, each in baselines.each.items()
        ],
        numeric=frozenset({baselines.measure}),
    )
    print_sentence(baselines.sentence)


def print_matrix(confusion: list[list[int]], classes: tuple[str, ...]) -> None:
    """Prints a row for each true class, a column for each predicted one."""
    from cnnrun.cli.output import print_table

    rows = [(name, *map(str, counts)) for name, counts in zip(classes, confusion, strict=True)]
    print_table(("truth \\ prediction", *classes), rows, numeric=frozenset(classes))


def print_confusions(confusion: list[list[int]], classes: tuple[str, ...]) -> None:
    """Prints the pairs of classes that are confused most often."""
    from cnnrun.cli.output import print_table, print_text

    pairs = [
        (count, truth, prediction)
        for truth, counts in zip(classes, confusion, strict=True)
        for prediction, count in zip(classes, counts, strict=True)
        if count and truth != prediction
    ]
    if not pairs:
        print_text("No class is taken for another.")
        return
    most = sorted(pairs, key=lambda pair: -pair[0])[:CONFUSIONS_PRINTED]
    rows = [(truth, prediction, str(count)) for count, truth, prediction in most]
    print_table(("truth", "taken for", "images"), rows, numeric=frozenset({"images"}))


def evaluation_document(run: Path, evaluated: "RunEvaluation") -> dict[str, Any]:
    """The evaluation as JSON."""
    from cnnrun.evaluation.evaluate import LabelEvaluation

    manifest, evaluation = evaluated.manifest, evaluated.evaluation
    if isinstance(evaluation, LabelEvaluation):
        return label_document(run, evaluated, evaluation)
    best = evaluation.probabilities.argmax(axis=1)
    return {
        "run": run,
        "test": {**evaluation.metrics, **evaluation.scores.as_json()},
        "classes": evaluation.scores.classes_as_json(manifest.classes),
        "confusion": evaluation.scores.confusion.tolist(),
        "predictions": [
            {
                "path": manifest.paths[row],
                "label": manifest.classes[manifest.labels[row]],
                "prediction": manifest.classes[index],
                "probability": float(probabilities[index]),
            }
            for row, index, probabilities in zip(
                evaluation.rows.tolist(), best.tolist(), evaluation.probabilities, strict=True
            )
        ],
        **({} if evaluated.baselines is None else {"baselines": evaluated.baselines.as_json()}),
        **({"averaged": evaluated.averaged} if evaluated.averaged else {}),
        "trained_on": evaluated.seen,
        "skipped": [{"image": path, "reason": reason} for path, reason in evaluated.skipped],
    }


def label_document(
    run: Path, evaluated: "RunEvaluation", evaluation: "LabelEvaluation"
) -> dict[str, Any]:
    """The evaluation of images with several labels as JSON."""
    manifest, scores = evaluated.manifest, evaluation.scores
    return {
        "run": run,
        "test": {**evaluation.metrics, **scores.as_json()},
        "labels": scores.classes_as_json(manifest.classes),
        "confusion": scores.confusion.tolist(),
        "together": scores.together.tolist(),
        "predictions": [
            {
                "path": manifest.paths[row],
                "labels": list(compress(manifest.classes, truth)),
                "said": list(compress(manifest.classes, said)),
                "probabilities": dict(zip(manifest.classes, probabilities.tolist(), strict=True)),
            }
            for row, truth, said, probabilities in zip(
                evaluation.rows.tolist(),
                (manifest.labels[evaluation.rows] == 1).tolist(),
                evaluation.said.tolist(),
                evaluation.probabilities,
                strict=True,
            )
        ],
        "trained_on": evaluated.seen,
        "skipped": [{"image": path, "reason": reason} for path, reason in evaluated.skipped],
        **({} if evaluated.baselines is None else {"baselines": evaluated.baselines.as_json()}),
    }
