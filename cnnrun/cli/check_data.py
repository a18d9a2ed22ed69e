"""`cnnrun check-data`: what is wrong with a config's images."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnrun.cli.options import AsJson, ConfigFile, Overrides, Quiet
from cnnrun.cli.work_shares import Shard, refuse_unfit_shards, work_share
from cnnrun.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cnnrun.config.sections import Config
    from cnnrun.data.check import DataReport, Look
    from cnnrun.data.image_facts import Finding, Said
    from cnnrun.data.manifest import Manifest
    from cnnrun.data.splits import Splits
    from cnnrun.errors import DataError
    from cnnrun.features.two_samples import Apart
    from cnnrun.runs.work_share import WorkShare

COUNTS = ("images", "train", "validation", "test")
IMAGES_NAMED = 5  # of each finding; --json names them all


def check_data(
    config: ConfigFile,
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FOLDER",
            help="Write the findings there: findings.csv, contact sheets, and groups.csv, which"
            " keeps copies together.",
        ),
    ] = None,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep",
            help="Look with a network as well: labels that are probably wrong, images unlike all"
            " others, copies that were cropped or turned.",
        ),
    ] = False,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="RUN_OR_BACKBONE",
            help="Whose features --deep takes: a run, or a network of keras.applications. MobileNet"
            " if none is named, or without its weights the config's own network, trained on folds"
            " of the images.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN_OR_FOLDER",
            help="How far these images are from those that a run was trained on, or that a folder"
            " holds. With --deep.",
        ),
    ] = None,
    shard: Shard = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Report what the shares in --out have seen.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Look at every image: unreadable, copies across splits, odd sizes and depths, imbalance.

    Copies are found also where they were saved again, brightened, mirrored or turned.
    Ends with exit code 2 if something was found that stops training or spoils its results.

    For example: `cnnrun check-data configs/digits.yaml`
    """
    from cnnrun.cli.terminal import waiting

    if against is not None and not deep:
        raise InputError.at(
            "--against",
            rule="looks with a network, as --deep does",
            received="no --deep",
            advice="add --deep",
        )
    refuse_unfit_shards(shard, merge=merge, whole={"--deep": deep, "--json": as_json})
    place = place_of_shares(out, shard=shard, merge=merge)
    share = None if shard is None else work_share(shard, option="--shard")
    with waiting("reading the config", quiet=quiet):
        from cnnrun.config.load import load_config

        checked = load_config(config, overrides=overrides or [])
    if share is not None:
        tell_share_of_look(checked, share, place, quiet=quiet)
        return
    looked = look_at(checked, merged=place if merge else None, quiet=quiet)
    apart: Apart | None = None
    if deep:
        from cnnrun.cli.tensorflow_chatter import load_tensorflow

        load_tensorflow(quiet=quiet)
        looked, apart = look_deeper(checked, looked, network=network, against=against, quiet=quiet)
    written: tuple[Path, ...] = ()
    if out is not None:
        from cnnrun.data.decoding import decoding_of
        from cnnrun.preview.findings_folder import write_findings

        decoding = decoding_of(checked.data)
        written = write_findings(out, looked.report, looked.look, looked.manifest, decoding)
    if merge:
        from cnnrun.data.shared_look import remove_parts

        remove_parts(place)
    if as_json:
        print_as_json(looked.report, apart, written)
    else:
        print_report(looked.report, is_multi_label=looked.manifest.is_multi_label)
        print_besides(apart, against, written)
    if looked.no_splits is not None:
        raise looked.no_splits
    if any(finding.severity == "error" for finding in looked.report.findings):
        raise typer.Exit(2)


@dataclass(frozen=True)
class Looked:
    """What a look at a config's images told.

    Attributes:
        manifest: the images.
        look: what was seen of each.
        report: what it comes to.
        no_splits: why they cannot be split, which is told last: there may be more to find.
    """

    manifest: "Manifest"
    look: "Look"
    report: "DataReport"
    no_splits: "DataError | None"


def place_of_shares(out: Path | None, *, shard: str | None, merge: bool) -> Path:
    """The folder of the shares.

    Raises:
        InputError: there has to be one, and none is named.
    """
    if out is None and (shard is not None or merge):
        raise InputError.at(
            "--shard" if shard is not None else "--merge",
            rule="goes with --out, the folder in which shares are kept",
            received="no --out",
            advice="add `--out FOLDER`, the same for all shares",
        )
    return out or Path()


def tell_share_of_look(config: "Config", share: "WorkShare", out: Path, *, quiet: bool) -> None:
    """Looks at a share of a config's images, and prints where it is kept what was seen."""
    from cnnrun.cli.output import print_text
    from cnnrun.cli.terminal import waiting
    from cnnrun.data.decoding import decoding_of
    from cnnrun.data.shared_look import look_at_share
    from cnnrun.wording import counted

    manifest, splits, _ = manifest_and_splits(config)
    with waiting(f"looking at share {share} of {len(manifest):,} images", quiet=quiet):
        seen = look_at_share(manifest, splits, decoding_of(config.data), share=share, out=out)
    print_text(f"share {share}: looked at {counted(seen.images, 'image')} -> {seen.file}")


def manifest_and_splits(
    config: "Config",
) -> "tuple[Manifest, Splits | None, DataError | None]":
    """A config's images and their splits, or why there are none."""
    from cnnrun.data.sources import read_manifest
    from cnnrun.data.splits import cut_splits
    from cnnrun.errors import DataError

    manifest = read_manifest(config.data)
    try:
        return manifest, cut_splits(manifest, config.data), None
    except DataError as error:
        return manifest, None, error


def look_at(config: "Config", *, merged: Path | None = None, quiet: bool) -> Looked:
    """What there is to see of a config's images without a network.

    Args:
        config: the config.
        merged: the folder in which the processes of shares have kept what they saw; None to look.
        quiet: whether nothing is said meanwhile.
    """
    from cnnrun.cli.terminal import waiting
    from cnnrun.data.check import look_at_images, report_on
    from cnnrun.data.decoding import decoding_of
    from cnnrun.data.shared_look import merged_look
    from cnnrun.data.splits import left_out_note

    manifest, splits, no_splits = manifest_and_splits(config)
    with waiting(f"looking at {len(manifest):,} images", quiet=quiet):
        decoding = decoding_of(config.data)
        look = (
            look_at_images(manifest, splits, decoding)
            if merged is None
            else merged_look(manifest, splits, decoding, out=merged)
        )
    if splits is not None and (left_out := left_out_note(manifest, config.data, splits)):
        look = replace(look, notes=(*look.notes, left_out))
    return Looked(manifest, look, report_on(look, manifest, said_by(config)), no_splits)


def look_deeper(
    config: "Config", looked: Looked, *, network: str | None, against: Path | None, quiet: bool
) -> "tuple[Looked, Apart | None]":
    """What was looked at with what features tell, and how far the images are from others."""
    from cnnrun.cli.deep_check import look_deeper

    report, look, apart = look_deeper(
        config,
        looked.look,
        looked.manifest,
        said=said_by(config),
        network=network,
        against=against,
        quiet=quiet,
    )
    return replace(looked, report=report, look=look), apart


def said_by(config: "Config") -> "Said":
    """What a config says that advice would else tell to write."""
    from cnnrun.data.image_facts import Said

    data = config.data
    given = data.value_range if data.arrays is None else data.arrays.value_range
    return Said(
        image_size=data.image_size,
        color_mode=data.color_mode,
        keep_aspect=data.resize.keep_aspect,
        value_range=given,
        takes_bands=data.bands is not None,
        skips_bad_images=data.on_bad_image == "skip",
        weighs_classes=config.train.class_weight is not None,
    )


def print_as_json(report: "DataReport", apart: "Apart | None", written: tuple[Path, ...]) -> None:
    """Prints the report as one JSON document."""
    from cnnrun.cli.output import print_json

    more = {"written": [path.as_posix() for path in written]}
    print_json(report.as_dict() | more | {"against": asdict(apart) if apart else None})


def print_besides(apart: "Apart | None", against: Path | None, written: tuple[Path, ...]) -> None:
    """Prints what was looked at beside the images, and what was written."""
    from cnnrun.cli.output import print_text

    if apart is not None and against is not None:
        print_text("")
        print_text(apart_line(apart, against))
    for path in written:
        print_text(path.as_posix())


def print_report(report: "DataReport", *, is_multi_label: bool) -> None:
    """Prints the classes or labels, the sizes, and what was found."""
    from cnnrun.cli.output import print_sentence, print_table, print_text

    rows = [
        (each.name, each.images, each.train, each.validation, each.test) for each in report.classes
    ]
    totals = [sum(column) for column in list(zip(*rows, strict=True))[1:]]
    shown = len(COUNTS) if any(totals[1:]) else 1  # no splits could be cut
    print_table(
        ("label" if is_multi_label else "class", *COUNTS[:shown]),
        [(name, *(f"{count:,}" for count in counts[:shown])) for name, *counts in rows],
        numeric=frozenset(COUNTS),
        # An image of two labels would count twice.
        totals=None if is_multi_label else ("total", *(f"{total:,}" for total in totals[:shown])),
    )
    if is_multi_label:
        print_sentence(f"{report.images:,} images, of several labels or none each.")
    for line in (*size_lines(report), *mode_lines(report), *note_lines(report)):
        print_sentence(line)
    for finding in report.findings:
        print_text("")
        for line in finding_lines(finding):
            print_text(line)
    if not report.findings:
        print_text("Nothing wrong was found.")


def apart_line(apart: "Apart", against: Path) -> str:
    """How far the images are from others."""
    return (
        f"A classifier tells these images from those of {against} with an AUC of {apart.auc:.3f} "
        f"(95 % interval {apart.low:.3f} to {apart.high:.3f}; {apart.images[0]:,} and "
        f"{apart.images[1]:,} images). 0.5 is alike, 1 wholly different; below 0.5 the same "
        "images are in both."
    )


def size_lines(report: "DataReport") -> "Iterator[str]":
    """The sizes of the images, height by width."""
    sizes = {name: f"{height} x {width}" for name, (height, width) in report.sizes.items()}
    if len(set(sizes.values())) == 1:
        yield f"Every image is {sizes['median']} (height x width)."
    elif sizes:
        listed = ", ".join(f"{name} {size}" for name, size in sizes.items())
        yield f"Sizes (height x width): {listed}."


def mode_lines(report: "DataReport") -> "Iterator[str]":
    """How the images store their colours, in Pillow's words."""
    if report.modes:
        listed = ", ".join(f"{mode} ({count:,})" for mode, count in report.modes.items())
        yield f"Colour modes: {listed}."


def note_lines(report: "DataReport") -> "Iterator[str]":
    """What was left out or assumed, as train says it."""
    yield from (f"note: {note}" for note in report.notes)


def finding_lines(finding: "Finding") -> "Iterator[str]":
    """A finding, what to do about it, and the first of the images that it concerns."""
    yield f"{finding.severity}: {finding.message}"
    yield from (f"    {image}" for image in finding.images[:IMAGES_NAMED])
    more = len(finding.images) - IMAGES_NAMED
    if more > 0:
        yield f"    and {more:,} more; --json names them all"
    yield f"  {finding.advice}"
