"""`cnnrun runs`: the runs in a folder."""

from datetime import UTC, datetime
from enum import StrEnum
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnrun.cli.options import AsCsv, AsJson, AsMarkdown, Quiet, refuse_two_forms
from cnnrun.errors import InputError

if TYPE_CHECKING:
    from cnnrun.runs.listing import RunSummary


class State(StrEnum):
    """What `--state` takes."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    DAMAGED = "damaged"


class Sort(StrEnum):
    """What `--sort` takes."""

    STARTED = "started"
    ACCURACY = "accuracy"
    MEAN_AVERAGE_PRECISION = "mean_average_precision"
    LOSS = "loss"
    SECONDS = "seconds"
    PARAMETERS = "parameters"
    EPOCHS = "epochs"
    RUN = "run"


def runs(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder of runs, searched to any depth.")
    ] = Path("experiments"),
    cells: Annotated[
        bool, typer.Option("--cells", help="List the cells of studies, too, with their arms.")
    ] = False,
    state: Annotated[
        list[State] | None, typer.Option("--state", help="Only runs in this state. Repeatable.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DATE", help="Only runs begun then or later (UTC)."),
    ] = None,
    sort: Annotated[
        Sort, typer.Option("--sort", help="The oldest, best or largest first; by path with `run`.")
    ] = Sort.STARTED,
    delete: Annotated[
        bool,
        typer.Option(
            "--delete", help="Show what taking these runs and all leftovers away would free."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --delete: take them away.")] = False,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    as_markdown: AsMarkdown = False,
    quiet: Quiet = False,
) -> None:
    """List runs, oldest first: their state, what they came to with its interval, size and time.

    What they came to is the test accuracy, of several labels an image the mean average precision.

    For example: `cnnrun runs experiments/digits`
    """
    from cnnrun.cli.output import print_document, print_json, print_note, print_sentence
    from cnnrun.runs.listing import list_runs, select_runs
    from cnnrun.runs.run_table import runs_csv, runs_markdown

    refuse_two_forms(json=as_json, csv=as_csv, markdown=as_markdown)
    every = list_runs(directory)
    summaries = select_runs(
        every,
        cells=cells,
        states=[each.value for each in state or ()],
        since=None if since is None else moment(since),
        sort=sort.value,
    )
    if yes and not delete:
        raise InputError.at(
            "--yes",
            rule="goes with --delete",
            received="no --delete",
            advice="add --delete, or leave --yes out",
        )
    if delete:
        delete_runs(directory, [summary.run for summary in summaries], yes=yes, as_json=as_json)
    elif as_json:
        print_json({"runs": [summary.as_json() for summary in summaries]})
    elif as_csv:
        print_document(runs_csv(summaries).rstrip("\n"))
    elif as_markdown:
        print_document(runs_markdown(summaries, cells=cells).rstrip("\n"))
    elif not every:
        print_sentence(f"{directory} holds no runs; `cnnrun train CONFIG` makes the first.")
    else:
        print_runs(summaries, cells=cells)
    studies = {each.study for each in every if each.study is not None}
    if studies and not cells and not delete:
        number = sum(each.study is not None for each in every)
        print_note(
            f"{number:,} cells of {', '.join(sorted(studies))} are left out: `--cells` lists them",
            quiet=quiet,
        )


def delete_runs(directory: Path, chosen: list[Path], *, yes: bool, as_json: bool) -> None:
    """Shows what can be taken away and how much room it takes; and takes it away if told so."""
    from cnnrun.cli.output import print_json, print_table, print_text
    from cnnrun.runs.deleting import removals, remove
    from cnnrun.runs.disk_room import size_text

    found = removals(directory, chosen)
    total = sum(each.size_bytes for each in found)
    if yes:
        for each in found:
            remove(each)
    if as_json:
        listed = [each.as_json() for each in found]
        print_json({"removals": listed, "bytes": total, "removed": yes})
        return
    if not found:
        print_text(f"{directory} holds nothing to take away.")
        return
    rows = [(str(each.path), each.what, size_text(each.size_bytes)) for each in found]
    print_table(
        ("path", "what", "size"),
        rows,
        numeric=frozenset({"size"}),
        totals=("taken away" if yes else "in all", "", size_text(total)),
    )
    if not yes:
        print_text("Nothing was taken away; `--yes` does it.")


def moment(since: str) -> str:
    """A date, or a date with a time, in the form in which runs keep when they began."""
    try:
        given = datetime.fromisoformat(since)
    except ValueError as error:
        raise InputError.at(
            "--since",
            rule="must be a date, or a date with a time",
            received=repr(since),
            advice="write it like 2026-01-31 or 2026-01-31T18:00",
        ) from error
    return given.replace(tzinfo=given.tzinfo or UTC).astimezone(UTC).isoformat(timespec="seconds")


def print_runs(summaries: "tuple[RunSummary, ...]", *, cells: bool) -> None:
    """Prints a line a run."""
    from cnnrun.cli.output import print_table, print_text
    from cnnrun.runs.run_table import run_columns

    if not summaries:
        print_text("no run is as asked for")
        return
    columns = run_columns(summaries, cells=cells)
    leaving = sorted((column for column in columns if column.leaves), key=attrgetter("leaves"))
    print_table(
        [column.heading for column in columns],
        [[column.cell(summary) for column in columns] for summary in summaries],
        numeric=frozenset(column.heading for column in columns if column.is_number),
        expendable=[column.heading for column in leaving],
    )
