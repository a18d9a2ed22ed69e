"""`cnnrun explain`: what a network looks at, as a picture."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnrun.cli import completion
from cnnrun.cli.options import AsJson, OnBadImage, OnBadImageOption, Quiet
from cnnrun.errors import InputError

if TYPE_CHECKING:
    from cnnrun.config.applications import Application
    from cnnrun.data.given_images import GivenImages
    from cnnrun.data.packed_images import ImageFile
    from cnnrun.evaluation.prediction import Classifier
    from cnnrun.explanation.explanation import Explanation
    from cnnrun.export.folder import Exported
    from cnnrun.runs.folder import RunFolder

    Opened = RunFolder | Application | Exported

MOST_IMAGES = 60  # a picture of more could not be looked at
CHANNELS = 11


class What(StrEnum):
    """What is drawn."""

    GRAD_CAM = "grad-cam"
    OCCLUSION = "occlusion"
    MAPS = "maps"
    FILTERS = "filters"


OF_KINDS: Mapping[str, tuple[What, ...]] = {
    "--class": (What.GRAD_CAM, What.OCCLUSION),
    "--layer": (What.GRAD_CAM, What.MAPS, What.FILTERS),
    "--check": (What.GRAD_CAM,),
    "--square": (What.OCCLUSION,),
    "--channels": (What.MAPS, What.FILTERS),
}
"""What each option goes with."""


def explain(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A run's folder, an exported one (for --what occlusion), or a network of"
            " keras.applications by name.",
            autocompletion=completion.runs_or_networks,
        ),
    ],
    images: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="IMAGE",
            help="Image files, folders, tables that name them, .npz files of arrays, tar files;"
            " for --what filters, those to search: a run's training images when omitted.",
            show_default=False,
        ),
    ] = None,
    what: Annotated[
        What,
        typer.Option(
            "--what",
            help="Where it looks (grad-cam), what it cannot do without (occlusion), what layers"
            " make of the image (maps), what channels look for (filters).",
        ),
    ] = What.GRAD_CAM,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--class",
            metavar="NAME",
            help="A class to explain beside the most probable one. Repeatable.",
        ),
    ] = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(
            "--layer",
            metavar="NAME",
            help="Which layer; the last with height and width when omitted. Repeatable for maps"
            " and filters.",
            autocompletion=completion.layers,
        ),
    ] = None,
    channels: Annotated[
        int | None,
        typer.Option(
            "--channels",
            min=1,
            max=100,
            help=f"How many channels of a layer to draw; {CHANNELS} when omitted.",
        ),
    ] = None,
    square: Annotated[
        int | None,
        typer.Option(
            "--square",
            metavar="PIXELS",
            min=1,
            help="The side of the square that covers; a sixth of the image when omitted.",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Draw also how the maps change as the weights are shuffled, layer by layer.",
        ),
    ] = False,
    top: Annotated[int, typer.Option("--top", min=1, max=10, help="How many classes to list.")] = 3,
    out: Annotated[
        Path, typer.Option(metavar="FILE.png", help="Where to write the picture.")
    ] = Path("explain.png"),
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
    on_bad_image: OnBadImageOption = OnBadImage.ERROR,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Draw what a network looks at in images, beside what it takes them for.

    For example: `cnnrun explain experiments/first photos/cat.jpg --class dog --out cat.png`
    """
    from cnnrun.cli.picture_file import refuse_other_endings
    from cnnrun.cli.terminal import waiting

    refuse_other_endings(out, option="--out", endings=(".png",), example="explain.png")
    wanted, named = tuple(dict.fromkeys(classes or ())), tuple(dict.fromkeys(layers or ()))
    given_options = {
        "--class": wanted,
        "--layer": named,
        "--check": check,
        "--square": square,
        "--channels": channels,
    }
    refuse_options_of_other_kinds(what, given_options)
    with waiting("listing the images", quiet=quiet):
        from cnnrun.cli.predict import range_of_arrays, refuse_what_does_not_fit
        from cnnrun.cli.tensorflow_chatter import load_tensorflow
        from cnnrun.data.given_images import given_images

        opened = opened_source(source, what)
        refuse_what_does_not_fit(opened, weights=weights, image_size=image_size, calibrated=False)
        refuse_unknown_names(opened, wanted, named)
        refuse_absent_images(opened, what, images)
        value_range = range_of_arrays(opened)
        given = given_images(images or (), value_range=value_range)
        refuse_too_many(given, what)
    load_tensorflow(quiet=quiet)
    from cnnrun.cli.predict import opened_classifier
    from cnnrun.evaluation.prediction import with_arrays

    with waiting("opening the network", quiet=quiet):
        classifier = opened_classifier(
            opened, weights=weights, image_size=image_size, calibrated=False
        )
    classifier = with_arrays(classifier, given.arrays, value_range=value_range)
    with waiting("looking at the images", quiet=quiet):
        from cnnrun.explanation.places import (
            Asked,
            explain_by_grad_cam,
            explain_by_occlusion,
        )

        asked = Asked(title_of(opened), given.names, wanted, top, on_bad_image.value)
        if what is What.GRAD_CAM:
            layer = named[0] if named else None
            explanation = explain_by_grad_cam(classifier, asked, layer_name=layer, check=check)
        elif what is What.OCCLUSION:
            explanation = explain_by_occlusion(classifier, asked, square=square)
        else:
            explanation = by_channels(
                classifier, opened, asked, what, layers=named, channels=channels or CHANNELS
            )
    notes = (*classifier.notes, *given.notes, *explanation.notes)
    tell(explanation, source, what, out, notes=notes, as_json=as_json, quiet=quiet)


def refuse_options_of_other_kinds(what: What, given: Mapping[str, Any]) -> None:
    """Refuses options that this kind of picture has no use for."""
    for option, value in given.items():
        kinds = OF_KINDS[option]
        if value and what not in kinds:
            raise InputError.at(
                option,
                rule=f"goes with --what {' and --what '.join(kinds)}",
                received=f"--what {what}",
                advice="leave it out",
            )
    if what is What.GRAD_CAM and len(given["--layer"]) > 1:
        raise InputError.at(
            "--layer",
            rule="must name one layer for --what grad-cam",
            received=", ".join(given["--layer"]),
            advice="leave all but one out",
        )


def opened_source(source: str, what: What) -> "Opened":
    """The run, the network or the exported folder of a name; refused where it has no gradients."""
    from cnnrun.cli.sources import opened_export, run_or_application
    from cnnrun.export.folder import looks_like_export

    path = Path(source)
    if not looks_like_export(path):
        return run_or_application(source)
    if what is not What.OCCLUSION:
        raise InputError.at(
            f"--what {what}",
            rule="needs the layers of a Keras network",
            received=f"the exported folder {source}",
            advice="give the run that was exported, or `--what occlusion`, which needs none",
        )
    return opened_export(path, calibrated=False)


def refuse_unknown_names(opened: "Opened", classes: Sequence[str], layers: Sequence[str]) -> None:
    """Refuses classes and layers that the network's files do not know, without loading it."""
    from cnnrun.config.applications import Application, layer_refusal
    from cnnrun.explanation.class_names import class_number
    from cnnrun.runs.files import read_json
    from cnnrun.runs.folder import RunFolder, require_files

    if isinstance(opened, Application):
        for layer in layers:
            if refusal := layer_refusal(opened, layer, include_top=True):
                rule, received, advice = refusal
                raise InputError.at("--layer", rule=rule, received=received, advice=advice)
        return
    if isinstance(opened, RunFolder):
        require_files(opened, opened.resolved_yaml, opened.classes_json, opened.model_keras)
        names = tuple(read_json(opened.classes_json))
    else:
        names = opened.classes
    for name in classes:
        class_number(name, names)


def refuse_absent_images(
    opened: "Opened", what: What, images: "Sequence[ImageFile] | None"
) -> None:
    """Refuses a command without images, which only the filters of a run can do without."""
    from cnnrun.runs.folder import RunFolder

    if images or (what is What.FILTERS and isinstance(opened, RunFolder)):
        return
    raise InputError.at(
        "IMAGE",
        rule="must name images, or a folder of them",
        received="none",
        advice="only `--what filters` of a run has images without being given some",
    )


def refuse_too_many(given: "GivenImages", what: What) -> None:
    """Refuses more images than a picture can show; filters only search them."""
    if what is not What.FILTERS and len(given.names) > MOST_IMAGES:
        raise InputError.at(
            "IMAGE",
            rule=f"one picture shows at most {MOST_IMAGES} images",
            received=f"{len(given.names):,}",
            advice="name fewer; `cnnrun report RUN --maps` draws all mistakes of a run",
        )


def by_channels(
    classifier: "Classifier",
    opened: "Opened",
    asked: Any,
    what: What,
    *,
    layers: tuple[str, ...],
    channels: int,
) -> "Explanation":
    """What layers make of images, or what their channels look for."""
    from cnnrun.explanation.channels import explain_by_filters, explain_by_maps
    from cnnrun.explanation.searched_images import given_searched_images, training_images
    from cnnrun.runs.folder import RunFolder

    if what is What.MAPS:
        return explain_by_maps(classifier, asked, layer_names=layers, channels=channels)
    if asked.images or not isinstance(opened, RunFolder):
        skip = asked.on_bad_image == OnBadImage.SKIP.value
        searched = given_searched_images(classifier, asked.images, skip=skip)
    else:
        searched = training_images(opened)
    return explain_by_filters(
        classifier, searched, title=asked.title, layer_names=layers, channels=channels
    )


def title_of(opened: "Opened") -> str:
    """What a picture calls the network."""
    from cnnrun.config.applications import Application
    from cnnrun.runs.folder import RunFolder

    if isinstance(opened, Application):
        return opened.name
    path = opened.path if isinstance(opened, RunFolder) else opened.folder.path
    return path.absolute().name


def tell(
    explanation: "Explanation",
    source: str,
    what: What,
    out: Path,
    *,
    notes: Sequence[str],
    as_json: bool,
    quiet: bool,
) -> None:
    """Writes the pictures, and prints where they are, or the same in numbers."""
    from cnnrun.cli.output import print_json, print_note, print_sentence, print_text
    from cnnrun.explanation.explanation import write_arrays
    from cnnrun.plots.save import save_figure

    for note in notes:
        print_note(note, quiet=quiet)
    for each in explanation.skipped:
        print_note(f"skipped {each.image}: {each.reason}", quiet=quiet)
    save_figure(explanation.figure, out)
    written: dict[str, Any] = {"picture": out}
    if explanation.check is not None:
        written["check_picture"] = out.with_stem(f"{out.stem}-check")
        save_figure(explanation.check.figure, written["check_picture"])
    if not as_json:
        for picture in written.values():
            print_text(str(picture))
        if explanation.check is not None:
            print_sentence(explanation.check.sentence)
        return
    if explanation.arrays:
        written["arrays"] = out.with_suffix(".npz")
        write_arrays(explanation.arrays, written["arrays"])
    skipped = [{"image": str(each.image), "reason": each.reason} for each in explanation.skipped]
    head = {"source": source, "what": what.value} | written
    print_json(head | dict(explanation.document) | {"skipped": skipped})
