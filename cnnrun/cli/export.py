"""`cnnrun export`: a run as a folder to hand over, whose network was run and compared."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnrun.cli.options import AsJson, Quiet, RunPath

if TYPE_CHECKING:
    from cnnrun.export.export_run import ExportedRun, Wanted
    from cnnrun.export.gate import Agreement, LabelAgreement
    from cnnrun.export.report import ExportReport
    from cnnrun.export.speeds import Speed


class To(StrEnum):
    """The formats."""

    ONNX = "onnx"
    LITERT = "litert"
    SAVED_MODEL = "saved_model"


class In(StrEnum):
    """The precisions."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"


def export(
    run: RunPath,
    to: Annotated[To, typer.Option("--to", help="The format.")],
    precision: Annotated[
        In,
        typer.Option(
            "--precision",
            help="float16 halves the file; int8 quarters it and answers otherwise: look.",
        ),
    ] = In.FLOAT32,
    opset: Annotated[
        int | None,
        typer.Option("--opset", help="The version of ONNX's operations, 13 to 18; else 17."),
    ] = None,
    min_agreement: Annotated[
        float,
        typer.Option(
            "--min-agreement",
            min=0.0,
            max=1.0,
            help="The least share of test images on which file and Keras must agree.",
        ),
    ] = 0.99,
    calibrated: Annotated[
        bool,
        typer.Option("--calibrated", help="Make the run's calibration the last layer."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="The new folder, instead of export/ beside the run."
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Export a run as a folder to hand over, and compare its network with Keras's.

    For example: `cnnrun export experiments/first --to onnx`
    """
    from cnnrun.cli.terminal import waiting

    with waiting("opening the run", quiet=quiet):
        from cnnrun.cli.output import print_json, print_note, print_text
        from cnnrun.cli.tensorflow_chatter import load_tensorflow
        from cnnrun.export.folder import refuse_other_content
        from cnnrun.export.formats import FORMATS, refuse_absent_packages, refuse_unfit_options
        from cnnrun.runs.folder import open_run

        form = FORMATS[to.value]
        refuse_unfit_options(form, precision=precision.value, opset=opset)
        opened = open_run(run)
        refuse_absent_packages(form, to_write=True)
        if out is not None:
            refuse_other_content(out)
    load_tensorflow(quiet=quiet)
    from cnnrun.export.export_run import Wanted, default_folder, export_run

    wanted = Wanted(form, precision.value, opset, calibrated, min_agreement)
    exported = export_run(
        opened,
        wanted,
        out=out or default_folder(opened, wanted),
        waiting=lambda what: waiting_in_silence(what, quiet=quiet),
    )
    for note in exported.notes:
        print_note(note, quiet=quiet)
    if as_json:
        print_json(export_document(run, exported))
    else:
        print_export(exported.report)
        print_text(f"{exported.folder}")
    refuse_disagreement(run, exported, wanted)


@contextmanager
def waiting_in_silence(what: str, *, quiet: bool) -> Iterator[None]:
    """While the block works, a terminal shows what it does; converters' own talk is lost."""
    from cnnrun.cli.tensorflow_chatter import standard_error_discarded
    from cnnrun.cli.terminal import waiting

    with waiting(what, quiet=quiet), standard_error_discarded():
        yield


def print_export(report: "ExportReport") -> None:
    """Prints how the file compares with the Keras network in float32."""
    from cnnrun.cli.output import print_sentence, print_table, print_text
    from cnnrun.runs.disk_room import size_text

    found = report.agreement
    print_text(f"{report.file}, {report.precision}, on {found.images:,} {found.split} images")
    print_text("")
    for line in agreement_lines(found):
        print_text(line)
    print_text("")
    print_table(
        ("network", "size", "threads", "ms alone", "ms in batches", "peak memory"),
        [
            *speed_rows(report.file, size_text(report.bytes), report.speeds),
            *speed_rows("Keras, float32", size_text(report.keras_bytes), report.keras_speeds),
        ],
        numeric=frozenset({"size", "threads", "ms alone", "ms in batches", "peak memory"}),
    )
    print_text("")
    if found.split != "test":
        print_sentence("the run has no test images: compared on those for validation")
    if report.trained_top1 is not None:
        does = "says the same labels" if report.task == "multi_label" else "names the same class"
        print_sentence(
            f"trained in {report.trained_in}, exported from its twin in float32, which {does} for"
            f" {report.trained_top1:.2%} of the images"
        )


def agreement_lines(found: "Agreement | LabelAgreement") -> Iterator[str]:
    """How far the file and the Keras network agree."""
    from cnnrun.export.gate import LabelAgreement

    low, high = found.difference_interval
    by = f"difference {found.difference:+z.4f}, 95 % interval {low:+z.4f} to {high:+z.4f}"
    if isinstance(found, LabelAgreement):
        same = interval_words(found.same_labels_interval)
        least = interval_words(found.lowest_interval)
        yield f"same labels as Keras  {found.same_labels:.4f}   {same}"
        whose = "each of them" if found.lowest == 1 else found.lowest_label
        yield f"label least alike     {found.lowest:.4f}   {whose}, {least}"
        yield (
            f"exact match           {found.exact_match:.4f}   Keras {found.keras_exact_match:.4f},"
            f" {by}"
        )
        own, keras = found.mean_average_precision, found.keras_mean_average_precision
        if own is not None and keras is not None:
            yield f"mean av. precision    {own:.4f}   Keras {keras:.4f}"
    else:
        yield f"same class as Keras   {found.top1:.4f}   {interval_words(found.top1_interval)}"
        yield f"accuracy              {found.accuracy:.4f}   Keras {found.keras_accuracy:.4f}, {by}"
    yield f"largest difference    {found.largest_difference:.2g} in a probability"


def interval_words(interval: tuple[float, float]) -> str:
    """A 95 % interval of a share."""
    low, high = interval
    return f"95 % interval {low:.4f} to {high:.4f}"


def speed_rows(name: str, size: str, speeds: "Sequence[Speed]") -> list[tuple[str, ...]]:
    """A row for each number of threads."""
    from cnnrun.runs.disk_room import size_text

    return [
        (
            name if place == 0 else "",
            size if place == 0 else "",
            str(speed.threads),
            f"{speed.one_ms:.3g}",
            f"{speed.batch_ms:.3g}",
            "" if speed.peak_memory_bytes is None else size_text(speed.peak_memory_bytes),
        )
        for place, speed in enumerate(speeds)
    ]


def export_document(run: Path, exported: "ExportedRun") -> dict[str, Any]:
    """The export as JSON."""
    return {"run": run, "folder": exported.folder, **exported.report.as_json()}


def refuse_disagreement(run: Path, exported: "ExportedRun", wanted: "Wanted") -> None:
    """Ends the command as one whose work failed where too few answers are equal.

    Raises:
        DisagreementError: they are.
    """
    from cnnrun.errors import DisagreementError
    from cnnrun.export.gate import LabelAgreement

    report = exported.report
    if report.passed:
        return
    command = f"cnnrun export {run} --to"
    instead = {
        "int8": f"`{command} {wanted.form.name} --precision float16` has half the size of float32"
        " and answers alike",
        "float16": f"`{command} {wanted.form.name}` keeps 32 bits",
        "float32": f"`{command} saved_model` computes with TensorFlow's own operations",
    }
    advice = "the file is kept under this name, to be looked at"
    if wanted.form.name != "saved_model":
        advice += f"; {instead[wanted.precision]}"
    found = report.agreement
    raise DisagreementError.at(
        exported.folder / report.file,
        rule=f"must say each label as Keras does for {wanted.min_agreement:g} of the images"
        if isinstance(found, LabelAgreement)
        else f"must name the same class as Keras for {wanted.min_agreement:g} of the images",
        received=f"{found.decisive:.4f}"
        + (f", of {found.lowest_label}" if isinstance(found, LabelAgreement) else ""),
        advice=advice,
    )
