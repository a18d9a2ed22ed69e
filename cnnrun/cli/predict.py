"""`cnnrun predict`: what a run, or a network of keras.applications, takes images for."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnrun.cli import completion
from cnnrun.cli.options import (
    AsJson,
    Calibrated,
    OnBadImage,
    OnBadImageOption,
    Quiet,
    refuse_two_forms,
)
from cnnrun.cli.prediction_shards import names_of, place_of, share_of_file, tell_merged
from cnnrun.cli.work_shares import Shard
from cnnrun.errors import InputError

if TYPE_CHECKING:
    from cnnrun.config.applications import Application
    from cnnrun.data.packed_images import ImageFile
    from cnnrun.evaluation.predict_to_file import Wanted
    from cnnrun.evaluation.prediction import Classifier, Prediction, Skipped
    from cnnrun.export.folder import Exported
    from cnnrun.runs.folder import RunFolder

HEADINGS = ("image", "class", "probability")
ANSWERED = "answered"
IN_SET = "in its set"
SAID = "said"


def predict(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A run's folder, an exported one, or a network of keras.applications by name.",
            autocompletion=completion.runs_or_networks,
        ),
    ],
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE",
            help="Image files, folders, tables that name them, .npz files of arrays, tar files.",
        ),
    ],
    top: Annotated[int, typer.Option("--top", min=1, help="How many classes of each.")] = 5,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="FILE",
            help="A network's weights: imagenet, as when nothing is said, or a file.",
        ),
    ] = None,
    image_size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            "--image-size",
            metavar="HEIGHT WIDTH",
            help="What a network's images are brought to, instead of its default.",
        ),
    ] = None,
    calibrated: Calibrated = False,
    on_bad_image: OnBadImageOption = OnBadImage.ERROR,
    csv_file: Annotated[
        Path | None,
        typer.Option(
            "--csv", metavar="FILE", help="Write a line an image to FILE instead of printing."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with FILE: predict only what is missing.")
    ] = False,
    shard: Shard = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Make FILE of the predictions of its shares.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Print the most probable classes of images, by a run's model or with ImageNet's classes.

    For example: `cnnrun predict experiments/first photos/cat.jpg --top 3`
    """
    from cnnrun.cli.terminal import waiting

    share = share_of_file(csv_file, shard=shard, merge=merge)
    place = place_of(csv_file, share)
    refuse_unfit_file(place, resume=resume, as_json=as_json)
    with waiting("listing the images", quiet=quiet):
        from cnnrun.cli.output import print_note
        from cnnrun.cli.sources import opened_export, run_or_application
        from cnnrun.cli.tensorflow_chatter import load_tensorflow
        from cnnrun.data.given_images import given_images
        from cnnrun.export.folder import looks_like_export

        is_export = looks_like_export(Path(source))
        opened = (
            opened_export(Path(source), calibrated) if is_export else run_or_application(source)
        )
        refuse_what_does_not_fit(
            opened, weights=weights, image_size=image_size, calibrated=calibrated
        )
        value_range = range_of_arrays(opened)
        given = given_images(images, value_range=value_range)
    if csv_file is not None and merge:
        tell_merged(given.names, csv_file)
        return
    load_tensorflow(quiet=quiet)
    from cnnrun.evaluation.prediction import predict as predict_images
    from cnnrun.evaluation.prediction import with_arrays

    with waiting("opening the network", quiet=quiet):
        classifier = opened_classifier(
            opened, weights=weights, image_size=image_size, calibrated=calibrated
        )
    classifier = with_arrays(classifier, given.arrays, value_range=value_range)
    for note in (*classifier.notes, *given.notes):
        print_note(note, quiet=quiet)
    if place is not None:
        from cnnrun.evaluation.predict_to_file import Wanted

        wanted = Wanted(
            source,
            exported_hash(opened),
            names_of(given.names, share, batch_size=classifier.batch_size),
            given.arrays,
            value_range,
            top,
            on_bad_image.value,
            together=None if share is None else len(given.names),
        )
        write_predictions(classifier, wanted, place, resume=resume, quiet=quiet)
        return
    files = given.names
    predictions = predict_images(classifier, files, top=top, on_bad_image=on_bad_image.value)
    if as_json:
        print_document(source, predictions, quiet=quiet)
    else:
        print_predictions(files, classifier, predictions, quiet=quiet)


def refuse_unfit_file(csv_file: Path | None, *, resume: bool, as_json: bool) -> None:
    """Refuses a file that is not to be written to, before anything heavy is loaded."""
    refuse_two_forms(json=as_json, csv=csv_file is not None)
    if csv_file is not None:
        from cnnrun.evaluation.prediction_file import refuse_used_file

        refuse_used_file(csv_file, resume=resume)
    elif resume:
        raise InputError.at(
            "--resume",
            rule="goes with --csv, whose file it goes on with",
            received="no --csv",
            advice="add `--csv FILE`, or leave --resume out",
        )


def exported_hash(opened: "RunFolder | Application | Exported") -> str | None:
    """The hash of an exported network; None for what Keras computes."""
    from cnnrun.export.folder import Exported, network_hash

    return network_hash(opened.network) if isinstance(opened, Exported) else None


def write_predictions(
    classifier: "Classifier", wanted: "Wanted", csv_file: Path, *, resume: bool, quiet: bool
) -> None:
    """Writes a line an image, told of on standard error, and prints what there is."""
    from cnnrun.cli.extraction_progress import extraction_progress
    from cnnrun.cli.output import print_text
    from cnnrun.evaluation.predict_to_file import predict_to_file
    from cnnrun.wording import counted

    with extraction_progress(quiet=quiet) as listener:
        written = predict_to_file(classifier, wanted, csv_file, resume=resume, listener=listener)
    left_out = f", {written.skipped:,} of them skipped" if written.skipped else ""
    print_text(f"{counted(written.images, 'image')}{left_out} -> {csv_file}")


def refuse_what_does_not_fit(
    opened: "RunFolder | Application | Exported",
    *,
    weights: str | None,
    image_size: tuple[int, int] | None,
    calibrated: bool,
) -> None:
    """Refuses options that a run or a network has no use for, and sizes that one cannot take."""
    from cnnrun.cli.sources import refuse_options_of_networks, refuse_unfit_size
    from cnnrun.config.applications import Application
    from cnnrun.runs.folder import RunFolder

    if isinstance(opened, Application):
        if calibrated:
            raise InputError.at(
                "--calibrated",
                rule="is for a run, which `cnnrun calibrate` has seen",
                received=f"the network {opened.name}",
                advice="leave it out",
            )
        refuse_unfit_size(opened, image_size, weights=weights, include_top=True)
    else:
        what = "a run" if isinstance(opened, RunFolder) else "an exported network"
        refuse_options_of_networks(what, weights=weights, image_size=image_size)


def range_of_arrays(opened: "RunFolder | Application | Exported") -> tuple[float, float] | None:
    """The values of black and white in the arrays that a run was trained on; None for 0 and 255."""
    from cnnrun.config.applications import Application
    from cnnrun.runs.folder import RunFolder, require_files
    from cnnrun.runs.made_by import load_resolved

    if isinstance(opened, Application):
        return None
    if not isinstance(opened, RunFolder):
        return opened.rule.array_range
    require_files(opened, opened.resolved_yaml)
    data = load_resolved(opened).data
    return data.arrays.value_range if data.arrays else None


def opened_classifier(
    opened: "RunFolder | Application | Exported",
    *,
    weights: str | None,
    image_size: tuple[int, int] | None,
    calibrated: bool,
) -> "Classifier":
    """The network that predicts."""
    from cnnrun.config.applications import Application
    from cnnrun.evaluation.prediction import application_classifier, run_classifier
    from cnnrun.runs.folder import RunFolder

    if isinstance(opened, RunFolder):
        return run_classifier(opened, calibrated=calibrated)
    if not isinstance(opened, Application):
        from cnnrun.cli.tensorflow_chatter import standard_error_discarded
        from cnnrun.export.exported_network import exported_classifier

        with standard_error_discarded():  # LiteRT says how it computes
            return exported_classifier(opened)
    return application_classifier(
        opened.name,
        weights="imagenet" if weights in (None, "imagenet") else Path(weights),
        image_size=image_size or opened.default_size,
    )


def print_predictions(
    files: "tuple[ImageFile, ...]",
    classifier: "Classifier",
    predictions: "Iterator[Prediction | Skipped]",
    *,
    quiet: bool,
) -> None:
    """Prints a table, image by image as they are predicted."""
    from cnnrun.cli.output import print_table_in_parts

    further = further_headings(classifier)
    print_table_in_parts(
        (*HEADINGS, *further),
        (rows_of(prediction, further) for prediction in without_skipped(predictions, quiet=quiet)),
        widths=(
            max(len(str(file)) for file in files),
            max(len(each.name) for each in classifier.classes),
            len("0.1234"),
            *map(len, further),
        ),
        numeric=frozenset({"probability"}),
    )


def further_headings(classifier: "Classifier") -> tuple[str, ...]:
    """The headings of what thresholds or a calibration say beside the probabilities."""
    if classifier.thresholds is not None:
        return (SAID,)
    if classifier.calibration is None:
        return ()
    said = {ANSWERED: classifier.calibration.abstention, IN_SET: classifier.calibration.sets}
    return tuple(heading for heading, rule in said.items() if rule is not None)


def print_document(
    source: str, predictions: "Iterator[Prediction | Skipped]", *, quiet: bool
) -> None:
    """Prints one JSON document, written as it comes to be; one cut short is a command's failed."""
    from cnnrun.cli.output import print_json_in_parts

    skipped: list[dict[str, Any]] = []
    print_json_in_parts(
        {"source": source},
        "predictions",
        map(document_of, without_skipped(predictions, skipped, quiet=quiet)),
        after=lambda: {"skipped": skipped},
    )


def without_skipped(
    predictions: "Iterator[Prediction | Skipped]",
    skipped: list[dict[str, Any]] | None = None,
    *,
    quiet: bool,
) -> "Iterator[Prediction]":
    """The predictions; what was skipped is told and counted on standard error, and listed."""
    from cnnrun.cli.output import print_note
    from cnnrun.evaluation.prediction import Prediction

    predicted = left_out = 0
    for each in predictions:
        if isinstance(each, Prediction):
            predicted += 1
            yield each
            continue
        left_out += 1
        print_note(f"skipped {each.image}: {each.reason}", quiet=quiet)
        if skipped is not None:
            skipped.append({"image": str(each.image), "reason": each.reason})
    if left_out:
        print_note(f"{left_out:,} of {predicted + left_out:,} images were skipped", quiet=quiet)


def rows_of(prediction: "Prediction", further: tuple[str, ...]) -> list[tuple[str, ...]]:
    """A row a class; the image, and whether it is answered, stand in the first one."""
    named = zip(prediction.classes, prediction.probabilities, strict=True)
    rows = []
    for place, (each, probability) in enumerate(named):
        cells = {
            ANSWERED: ("yes" if prediction.answered else "no") if place == 0 else "",
            IN_SET: "yes" if each in (prediction.members or ()) else "",
            SAID: "yes" if each in (prediction.said or ()) else "",
        }
        image = str(prediction.image) if place == 0 else ""
        rows.append((image, each.name, f"{probability:.4f}", *(cells[name] for name in further)))
    return rows


def document_of(prediction: "Prediction") -> dict[str, Any]:
    """A prediction as JSON has it; ImageNet's classes with their synsets.

    What a calibration says stands there where there is one: `answered`, and the names of `set`.
    """
    return {
        "image": str(prediction.image),
        "classes": [
            {"class": each.name}
            | ({"wnid": each.wnid} if each.wnid is not None else {})
            | {"probability": probability}
            for each, probability in zip(prediction.classes, prediction.probabilities, strict=True)
        ],
        **({} if prediction.answered is None else {"answered": prediction.answered}),
        **(
            {}
            if prediction.members is None
            else {"set": [each.name for each in prediction.members]}
        ),
        **({} if prediction.said is None else {"labels": [each.name for each in prediction.said]}),
    }
