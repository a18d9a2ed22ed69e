"""`cnnrun calibrate`: a run's probabilities made to mean what they say."""

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnrun.cli.calibration_words import MEASURES, change_words, measured_cells
from cnnrun.cli.options import AsJson, Quiet, RunPath
from cnnrun.errors import InputError, WorkError

if TYPE_CHECKING:
    from cnnrun.calibration.calibration_file import Calibration
    from cnnrun.calibration.probability_scores import ProbabilityScores
    from cnnrun.evaluation.calibrate import CalibratedRun, Share, TestedCalibration
    from cnnrun.runs.folder import RunFolder


class MethodOption(StrEnum):
    """How probabilities are changed."""

    TEMPERATURE = "temperature"
    VECTOR = "vector"


def calibrate(
    run: RunPath,
    method: Annotated[
        MethodOption,
        typer.Option(
            "--method",
            help="One number for all classes, or two for each; of labels, one or two each.",
        ),
    ] = MethodOption.TEMPERATURE,
    accuracy: Annotated[
        float | None,
        typer.Option(
            "--accuracy",
            metavar="SHARE",
            help="Leave images unanswered, so that answers are this accurate, such as 0.98.",
        ),
    ] = None,
    sets: Annotated[
        float | None,
        typer.Option(
            "--sets",
            metavar="SHARE",
            help="Sets of classes that hold the true one this often, such as 0.95.",
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fit a run's probabilities to its validation images, and say how good they are.

    For example: `cnnrun calibrate experiments/first --accuracy 0.98`
    """
    from cnnrun.cli.terminal import waiting

    for option, share in {"--accuracy": accuracy, "--sets": sets}.items():
        refuse_no_share(option, share)
    with waiting("opening the run", quiet=quiet):
        from cnnrun.cli.output import print_json, print_note
        from cnnrun.cli.tensorflow_chatter import load_tensorflow
        from cnnrun.runs.files import read_json
        from cnnrun.runs.folder import open_run

        opened = open_run(run)
        is_multi_label = refuse_unfit_promises(opened, accuracy=accuracy, sets=sets)
    load_tensorflow(quiet=quiet)
    if is_multi_label:
        from cnnrun.cli.label_calibration import print_calibrated_labels
        from cnnrun.evaluation.calibrate_labels import calibrate_labels

        with waiting("looking at the images", quiet=quiet):
            labels = calibrate_labels(opened, method.value)
        for note in labels.notes:
            print_note(note, quiet=quiet)
        if as_json:
            print_json({"run": run, **read_json(opened.calibration_json)})
        else:
            print_calibrated_labels(run, labels)
        return
    from cnnrun.evaluation.calibrate import Wanted, calibrate_run

    wanted = Wanted(method.value, accuracy, sets)
    with waiting("looking at the images", quiet=quiet):
        calibrated = calibrate_run(opened, wanted)
    for note in calibrated.notes:
        print_note(note, quiet=quiet)
    if as_json:
        print_json({"run": run, **read_json(opened.calibration_json)})
    else:
        print_calibration(run, calibrated)
    if accuracy is not None and calibrated.calibration.abstention is None:
        raise no_threshold(accuracy, calibrated)


def refuse_no_share(option: str, share: float | None) -> None:
    """Refuses what is not between 0 and 1."""
    if share is not None and not 0 < share < 1:
        advice = f"write {share / 100:g}" if 1 < share < 100 else "write 0.95, say"
        raise InputError.at(
            option, rule="must be above 0 and below 1", received=f"{share:g}", advice=advice
        )


def refuse_unfit_promises(
    opened: "RunFolder", *, accuracy: float | None, sets: float | None
) -> bool:
    """Whether images may have several labels, of which nothing can be promised so."""
    from cnnrun.runs.folder import require_files
    from cnnrun.runs.made_by import load_resolved

    require_files(opened, opened.resolved_yaml)
    if not load_resolved(opened).data.is_multi_label:
        return False
    reasons = {
        "--accuracy": "there is no one answer to leave out, but one for each label; `train` chooses"
        " rarely wrong ones by `train.thresholds: {by: precision, at_least: 0.98}`",
        "--sets": "a set holds the one class of an image, and here it may have several or none",
    }
    for option, share in {"--accuracy": accuracy, "--sets": sets}.items():
        if share is not None:
            raise InputError.at(
                option,
                rule="does not go with images of several labels",
                received=f"`task: multi_label`: {reasons[option]}",
                advice="leave it out",
            )
    return True


def no_threshold(accuracy: float, calibrated: "CalibratedRun") -> WorkError:
    """That the images cannot promise what is wanted."""
    return WorkError.at(
        "--accuracy",
        rule="must be one that a threshold can be told to keep, with 95 % confidence",
        received=f"{accuracy:g}, which none is by {calibrated.images:,} validation images",
        advice="ask for less, or train with a larger `data.split.validation`; all is answered now",
    )


def print_calibration(run: Path, calibrated: "CalibratedRun") -> None:
    """Prints what was fitted, the scores before and after, and what is promised."""
    from cnnrun.cli.output import print_sentence, print_table, print_text

    print_sentence(fitted_sentence(calibrated))
    tested = calibrated.tested
    if tested is None:
        print_sentence("no test images, so that nothing tells how good it is")
    else:
        print_text("")
        print_table(
            ("measure", "before", "after"),
            list(
                zip(
                    (*MEASURES, "accuracy"),
                    cells_of(tested.before),
                    cells_of(tested.after),
                    strict=True,
                )
            ),
            numeric=frozenset({"before", "after"}),
        )
        print_text("")
        print_sentence(change_words(tested.change, images=tested.before.images))
    for sentence in promises(calibrated.calibration, tested):
        print_sentence(sentence)
    print_text(f"{run / 'calibration.json'}")


def cells_of(scores: "ProbabilityScores") -> tuple[str, ...]:
    """The cells of MEASURES, and the accuracy."""
    return (*measured_cells(scores), f"{scores.accuracy:.4f}")


def fitted_sentence(calibrated: "CalibratedRun") -> str:
    """What was fitted to what."""
    fitted = calibrated.calibration.map
    on = f"fitted to {calibrated.images:,} validation images"
    if fitted.method == "vector":
        return f"a scale and a bias for each of {len(fitted.scale)} classes, {on}"
    if calibrated.temperature_interval is None:
        return f"temperature 1, as {calibrated.images:,} validation images tell none"
    low, high = calibrated.temperature_interval
    return f"temperature {fitted.temperature:.3f} (95 % interval {low:.3f} to {high:.3f}), {on}"


def promises(calibration: "Calibration", tested: "TestedCalibration | None") -> list[str]:
    """What is promised of answers and sets, and what the test images say of it."""
    sentences = []
    if calibration.abstention is not None:
        what = calibration.abstention
        sentences.append(
            f"answered is what has {threshold_words(what.above)}: with 95 % confidence at least"
            f" {what.accuracy:.1%} of such answers are right"
        )
        if tested is not None and tested.answered is not None and tested.right is not None:
            sentences.append(
                f"of the test images {share_words(tested.answered)} are answered, and of these"
                f" {share_words(tested.right)} right"
            )
    if calibration.sets is not None:
        sentences.append(
            f"sets hold the true class of {calibration.sets.coverage:.1%} of images or more, on"
            " average over images and calibrations"
        )
        if tested is not None and tested.covered is not None:
            sentences.append(
                f"of the test images {share_words(tested.covered)} do, with {tested.set_size:.2f}"
                " classes a set"
            )
    return sentences


def threshold_words(above: float) -> str:
    """A threshold as its reader compares it with a probability."""
    if above == -math.inf:
        return "any probability"
    return f"a probability above {math.exp(above):.6g} before it is calibrated"


def share_words(share: "Share") -> str:
    """A share with its interval."""
    if share.value is None:
        return "none"
    written = share.as_json()
    low, high = written["interval"]
    return f"{share.count:,} ({share.value:.1%}, 95 % interval {low:.1%} to {high:.1%})"
