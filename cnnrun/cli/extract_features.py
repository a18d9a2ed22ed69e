"""`cnnrun extract-features`: what the layers of a network make of images, as arrays on disk."""

import signal
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cnnrun.cli import completion
from cnnrun.cli.data_urls import local_places
from cnnrun.cli.feature_cluster import extracted_on_ray, refuse_unfit_executor
from cnnrun.cli.feature_shards import images_of_source, merged, place_of
from cnnrun.cli.options import AsJson, OnBadImage, OnBadImageOption, Quiet
from cnnrun.cli.work_shares import Shard, refuse_unfit_shards, work_share
from cnnrun.cli.workers import Address, ExecutorName

if TYPE_CHECKING:
    from cnnrun.assembly.feature_networks import FeatureSource
    from cnnrun.cli.extraction_output import LabelsByName
    from cnnrun.config.applications import Application
    from cnnrun.config.sections import Config
    from cnnrun.features.extraction import Extraction
    from cnnrun.features.sources import Images
    from cnnrun.runs.folder import RunFolder

CONFIG_SUFFIXES = (".yaml", ".yml")


class Pooling(StrEnum):
    """What becomes of outputs that have a height and a width."""

    AVG = "avg"
    MAX = "max"
    FLATTEN = "flatten"
    NONE = "none"


class Format(StrEnum):
    """What is written; h5 and parquet beside the arrays."""

    NPY = "npy"
    H5 = "h5"
    PARQUET = "parquet"


FILE_FORMATS: Mapping[Format, Literal["h5", "parquet"]] = {
    Format.H5: "h5",
    Format.PARQUET: "parquet",
}
"""Those that are one file for everything."""


class Precision(StrEnum):
    """What convolutions and products of matrices compute in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


def extract_features(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A config, a run's folder, or a network of keras.applications by name.",
            autocompletion=completion.sources,
        ),
    ],
    given: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="The images: a folder, a CSV file with path and label, an .npz or tar file, an"
            " image, or the URL of a folder (`s3://bucket/photos`). Repeatable. A config's or"
            " run's own when omitted.",
        ),
    ] = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(
            "--layer",
            metavar="NAME",
            help="Whose output to take. Repeatable; the last one before the top when omitted.",
            autocompletion=completion.layers,
        ),
    ] = None,
    list_layers: Annotated[
        bool, typer.Option("--list-layers", help="Print the layers and their shapes, and end.")
    ] = False,
    pooling: Annotated[
        Pooling, typer.Option(help="What becomes of a height and a width.")
    ] = Pooling.AVG,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where to write; a folder of its own.")
    ] = Path("features"),
    form: Annotated[
        Format, typer.Option("--format", help="What to write at the end beside the arrays.")
    ] = Format.NPY,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on in --out; computes what is new or changed.")
    ] = False,
    shard: Shard = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Make the features of --out from those of its shares.")
    ] = False,
    executor: Annotated[
        ExecutorName,
        typer.Option("--executor", help="What computes: this process, or a Ray cluster's cores."),
    ] = ExecutorName.LOCAL,
    address: Address = None,
    probe: Annotated[
        bool, typer.Option("--probe", help="Print how well simple classifiers do on the features.")
    ] = False,
    weights: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A network's weights: imagenet, none or a file."),
    ] = None,
    image_size: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="HEIGHT WIDTH", help="Of a network's images, if not its default."),
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="bfloat16 is faster where the processor has it.")
    ] = Precision.FLOAT32,
    batch_size: Annotated[int, typer.Option(min=1, help="Images a thread computes at a time.")] = 8,
    on_bad_image: OnBadImageOption = OnBadImage.ERROR,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write what layers of a network make of images: arrays, with a manifest of their rows.

    Heights and widths are averaged away unless --pooling says otherwise.
    The arrays open with numpy.load; manifest.csv names the image of each row.

    For example: `cnnrun extract-features MobileNet --data photos --out features/photos`
    """
    from cnnrun.cli.terminal import waiting

    whole = {"--probe": probe, f"--format {form.value}": form is not Format.NPY}
    refuse_unfit_shards(shard, merge=merge, whole=whole)
    refuse_unfit_executor(executor, address, shard=shard, merge=merge)
    share = None if shard is None else work_share(shard, option="--shard")
    named = tuple(dict.fromkeys(layers or ()))
    with waiting("reading the network's description", quiet=quiet):
        opened = opened_source(source)
        refuse_what_does_not_fit(opened, weights=weights, image_size=image_size, layers=named)
    if list_layers:
        tell_layers(opened, image_size, as_json=as_json, quiet=quiet)
        return
    refuse_absent_images(opened, given)
    data = local_places(given, out, quiet=quiet)
    if merge:
        images = listed(data, quiet=quiet)
        refuse_absent_form(form)
        extraction = merged(opened, images, out, quiet=quiet)
    elif executor is ExecutorName.RAY:
        refuse_absent_form(form)
        images = listed(data, quiet=quiet) or images_of_source(opened)
        if probe:
            refuse_unlabelled(images)
        extraction = extracted_on_ray(
            opened,
            images,
            data=tuple(data),
            weights=weights_named(weights),
            image_size=image_size,
            include_top=wants_top(opened, named),
            layers=named,
            pooling=pooling.value,
            precision=precision.value,
            batch_size=batch_size,
            on_bad_image=on_bad_image.value,
            out=out,
            address=address,
            resume=resume,
            quiet=quiet,
        )
    else:
        from cnnrun.cli.tensorflow_chatter import load_tensorflow
        from cnnrun.features.shards import images_of_share

        out = place_of(out, share)
        refuse_place_and_form(out, form, resume=resume)
        images = listed(data, quiet=quiet)
        # A scheduler's polite end is treated as Ctrl-C is: what was finished is kept.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        load_tensorflow(quiet=quiet)
        network = opened_network(opened, weights, image_size, layers=named, quiet=quiet)
        images = images or images_of_source(opened)
        together = None
        if share is not None:
            together, images = len(images.listed), images_of_share(images, share)
        if probe:
            refuse_unlabelled(images)
        extraction = extracted(
            network,
            images,
            layers=named or (network.default_layer,),
            pooling=pooling,
            precision=precision,
            out=out,
            batch_size=batch_size,
            resume=resume,
            on_bad_image=on_bad_image,
            together=together,
            quiet=quiet,
        )
    labels = several_labels(images or images_of_source(opened)) if probe else None
    tell_extraction(extraction, labels, form=form, with_probe=probe, as_json=as_json)


def listed(data: list[Path], *, quiet: bool) -> "Images | None":
    """The images at some places; None without any, where those of the config or run are meant."""
    from cnnrun.cli.terminal import waiting

    with waiting("listing the images", quiet=quiet):
        from cnnrun.features.sources import list_images

        return list_images(data) if data else None


def tell_layers(
    opened: "Config | RunFolder | Application",
    image_size: tuple[int, int] | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Prints the layers of a network and their shapes."""
    from cnnrun.cli.extraction_output import print_layers
    from cnnrun.cli.tensorflow_chatter import load_tensorflow

    load_tensorflow(quiet=quiet)
    print_layers(network_of(opened, "none", image_size, include_top=True), as_json=as_json)


def refuse_place_and_form(out: Path, form: Format, *, resume: bool) -> None:
    """Refuses a folder that is used otherwise, and a form of files that nothing here writes."""
    from cnnrun.features.folder import FeatureFolder, refuse_used_folder

    refuse_used_folder(FeatureFolder(out), resume=resume)
    refuse_absent_form(form)


def refuse_absent_form(form: Format) -> None:
    """Refuses a form of files that nothing here writes."""
    from cnnrun.features.export import refuse_absent_writer

    if form in FILE_FORMATS:
        refuse_absent_writer(FILE_FORMATS[form])


def opened_network(
    opened: "Config | RunFolder | Application",
    weights: str | None,
    image_size: tuple[int, int] | None,
    *,
    layers: tuple[str, ...],
    quiet: bool,
) -> "FeatureSource":
    """The network with its weights, each of whose calls takes one thread."""
    from cnnrun.cli.terminal import waiting
    from cnnrun.features.inference import one_thread_a_call

    one_thread_a_call()
    with waiting("opening the network", quiet=quiet):
        return network_of(opened, weights, image_size, include_top=wants_top(opened, layers))


def refuse_unlabelled(images: "Images") -> None:
    """Refuses images whose labels a probe could not learn, before they are computed."""
    from cnnrun.features.label_probe import refuse_unlearnable
    from cnnrun.features.probe import labelled_rows

    of_labels = [manifest for manifest in images.manifests if manifest.is_multi_label]
    for manifest in of_labels:
        refuse_unlearnable(manifest.labels, manifest.classes)
    if not of_labels:
        labelled_rows(images.listed)


def several_labels(images: "Images") -> "LabelsByName | None":
    """The labels of images that have several each; None for others."""
    from cnnrun.cli.extraction_output import LabelsByName

    for manifest in images.manifests:
        if manifest.is_multi_label:
            places = {path: row for row, path in enumerate(manifest.paths)}
            return LabelsByName(manifest.classes, manifest.labels, places)
    return None


def tell_extraction(
    extraction: "Extraction",
    labels: "LabelsByName | None",
    *,
    form: Format,
    with_probe: bool,
    as_json: bool,
) -> None:
    """Writes the file that was asked for, and prints what there is."""
    from cnnrun.cli.extraction_output import print_extraction, probed
    from cnnrun.features.export import export_features

    exported = None
    if form in FILE_FORMATS:
        exported = export_features(
            extraction.folder,
            tuple(extraction.shapes),
            extraction.rows,
            form=FILE_FORMATS[form],
        )
    print_extraction(
        extraction,
        exported=exported,
        probed=probed(extraction, labels) if with_probe else {},
        as_json=as_json,
    )


def opened_source(source: str) -> "Config | RunFolder | Application":
    """What SOURCE names.

    Raises:
        ConfigError: it is a config with problems.
        RunError: it is a folder that holds no run.
        InputError: it is nothing that is known; with the nearest names.
    """
    from cnnrun.cli.sources import run_or_application
    from cnnrun.config.load import load_config

    path = Path(source)
    return load_config(path) if path.suffix in CONFIG_SUFFIXES else run_or_application(source)


def refuse_what_does_not_fit(
    opened: "Config | RunFolder | Application",
    *,
    weights: str | None,
    image_size: tuple[int, int] | None,
    layers: tuple[str, ...],
) -> None:
    """Refuses options that a config or run has no use for, unknown layers and unfit sizes."""
    from cnnrun.cli.sources import refuse_options_of_networks, refuse_unfit_size
    from cnnrun.config.applications import Application, layer_refusal
    from cnnrun.errors import FeaturesError

    if not isinstance(opened, Application):
        refuse_options_of_networks("a config or run", weights=weights, image_size=image_size)
        return
    top = wants_top(opened, layers)
    for layer in layers:
        if refusal := layer_refusal(opened, layer, include_top=top):
            rule, received, advice = refusal
            advice += " (`--list-layers` has them all)"
            raise FeaturesError.at("--layer", rule=rule, received=received, advice=advice)
    refuse_unfit_size(opened, image_size, weights=weights, include_top=top)


def wants_top(opened: "Config | RunFolder | Application", layers: tuple[str, ...]) -> bool:
    """Whether one of the layers exists only with the top of a network of keras.applications."""
    from cnnrun.config.applications import Application

    return isinstance(opened, Application) and not set(layers).isdisjoint(opened.top_layers)


def refuse_absent_images(
    opened: "Config | RunFolder | Application", data: list[Path] | None
) -> None:
    """Refuses a network of keras.applications, which has no images of its own, without --data."""
    from cnnrun.config.applications import Application
    from cnnrun.errors import FeaturesError

    if isinstance(opened, Application) and not data:
        raise FeaturesError.at(
            "--data",
            rule=f"must name the images, for {opened.name} has none of its own",
            received="nothing",
            advice="give `--data FOLDER`",
        )


def network_of(
    opened: "Config | RunFolder | Application",
    weights: str | None,
    image_size: tuple[int, int] | None,
    *,
    include_top: bool,
) -> "FeatureSource":
    """The network, with its weights."""
    from cnnrun.assembly.feature_networks import application_source, config_source, run_source
    from cnnrun.cli.show import input_of
    from cnnrun.config.applications import Application
    from cnnrun.runs.folder import RunFolder

    if isinstance(opened, RunFolder):
        return run_source(opened)
    if isinstance(opened, Application):
        return application_source(
            opened,
            weights=weights_named(weights),
            image_size=image_size or opened.default_size,
            include_top=include_top,
        )
    input_shape, classes = input_of(opened.data)
    return config_source(opened, input_shape=input_shape, classes=classes)


def weights_named(weights: str | None) -> Literal["imagenet", "none"] | Path:
    """ImageNet's weights, none, or those of a file."""
    if weights in (None, "imagenet"):
        return "imagenet"
    return "none" if weights == "none" else Path(weights or "")


def extracted(
    network: "FeatureSource",
    images: "Images",
    *,
    layers: tuple[str, ...],
    pooling: Pooling,
    precision: Precision,
    out: Path,
    batch_size: int,
    resume: bool,
    on_bad_image: OnBadImage,
    together: int | None,
    quiet: bool,
) -> "Extraction":
    """The extraction, told of on standard error while it works."""
    from cnnrun.cli.extraction_progress import extraction_progress
    from cnnrun.features import extract
    from cnnrun.runs.events import Note

    wanted = extract.Wanted(
        title=network.title,
        layers=layers,
        pooling=pooling.value,
        precision=precision.value,
        decoding=network.decoding,
    )
    with extraction_progress(quiet=quiet) as listener:
        for note in (*network.notes, *images.notes):
            listener(Note(note))
        extraction = extract.extract_features(
            network.model,
            images,
            wanted,
            out=out,
            batch_size=batch_size,
            resume=resume,
            on_bad_image=on_bad_image.value,
            listener=listener,
            together=together,
        )
        for name, reason in extraction.skipped:
            listener(Note(f"skipped {name}: {reason}"))
    return extraction
