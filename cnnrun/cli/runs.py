"""`cnnrun runs`: the runs in a folder."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnrun.cli.options import AsCsv, AsJson, AsMarkdown, refuse_two_forms

if TYPE_CHECKING:
    from cnnrun.runs.listing import RunSummary

NUMERIC = frozenset(
    {
        "epochs",
        "best epoch",
        "test accuracy (95 %)",
        "chance",
        "majority",
        "test loss",
        "parameters",
        "seconds",
        "seed",
    }
)
EXPENDABLE = (
    "started",
    "seed",
    "seconds",
    "parameters",
    "chance",
    "majority",
    "test loss",
    "best epoch",
)


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
) -> None:
    """List runs, oldest first: their state, test accuracy with its interval, size and time.

    For example: `cnnrun runs experiments/digits`
    """
    from cnnrun.cli.output import print_document, print_json, print_note, print_sentence
    from cnnrun.runs.listing import list_runs, runs_csv, runs_markdown, select_runs

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
        raise typer.BadParameter("--yes goes with --delete")
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
            f"{number:,} cells of {', '.join(sorted(studies))} are left out: `--cells` lists them"
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
        raise typer.BadParameter(
            f"--since must be a date such as 2026-01-31 or 2026-01-31T18:00, received {since!r}"
        ) from error
    return given.replace(tzinfo=given.tzinfo or UTC).astimezone(UTC).isoformat(timespec="seconds")


def print_runs(summaries: "tuple[RunSummary, ...]", *, cells: bool) -> None:
    """Prints a line a run."""
    from cnnrun.cli.output import print_table, print_text
    from cnnrun.runs.listing import run_cells, run_columns

    if not summaries:
        print_text("no run is as asked for")
        return
    print_table(
        run_columns(cells=cells),
        [run_cells(summary, cells=cells) for summary in summaries],
        numeric=NUMERIC,
        expendable=EXPENDABLE,
    )
