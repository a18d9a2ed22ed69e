"""`cnnrun runs`: the runs in a folder."""

from pathlib import Path
from typing import Annotated

import typer

from cnnrun.cli.options import AsCsv, AsJson, AsMarkdown, refuse_two_forms

NUMERIC = frozenset(
    {"epochs", "best epoch", "test accuracy (95 %)", "test loss", "parameters", "seconds", "seed"}
)
EXPENDABLE = ("started", "seed", "seconds", "parameters", "test loss", "best epoch")


def runs(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder of runs, searched to any depth.")
    ] = Path("experiments"),
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """List runs, oldest first: their state, test accuracy with its interval, size and time.

    For example: `cnnrun runs experiments/digits`
    """
    from cnnrun.cli.output import print_json, print_table, print_text
    from cnnrun.runs.listing import RUN_COLUMNS, list_runs, run_cells, runs_csv, runs_markdown

    refuse_two_forms(json=as_json, csv=as_csv, markdown=as_markdown)
    summaries = list_runs(directory)
    if as_json:
        print_json({"runs": [summary.as_json() for summary in summaries]})
    elif as_csv:
        print_text(runs_csv(summaries).rstrip("\n"))
    elif as_markdown:
        print_text(runs_markdown(summaries).rstrip("\n"))
    elif not summaries:
        print_text(f"{directory} holds no runs; `cnnrun train CONFIG` makes the first.")
    else:
        rows = map(run_cells, summaries)
        print_table(RUN_COLUMNS, rows, numeric=NUMERIC, expendable=EXPENDABLE)
