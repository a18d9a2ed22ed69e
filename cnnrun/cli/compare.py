"""`cnnrun compare`: runs side by side, grouped over seeds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnrun.cli import completion
from cnnrun.cli.options import AsCsv, AsJson, AsMarkdown, refuse_two_forms

if TYPE_CHECKING:
    from cnnrun.runs.comparing import Comparison

EXPENDABLE = ("seconds", "parameters", "macro F1", "balanced accuracy")


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN",
            help="Runs, or folders that hold runs.",
            autocompletion=completion.runs,
        ),
    ],
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    as_markdown: AsMarkdown = False,
) -> None:
    """Compare finished runs: mean and spread over seeds, and where their configs differ.

    For example: `cnnrun compare experiments/digits`
    """
    from cnnrun.cli.output import print_json, print_text
    from cnnrun.runs.comparing import compare_runs, comparison_csv, comparison_markdown

    refuse_two_forms(json=as_json, csv=as_csv, markdown=as_markdown)
    comparison = compare_runs(runs)
    if as_json:
        print_json(comparison.as_json())
    elif as_csv:
        print_text(comparison_csv(comparison).rstrip("\n"))
    elif as_markdown:
        print_text(comparison_markdown(comparison).rstrip("\n"))
    else:
        print_comparison(comparison)


def print_comparison(comparison: "Comparison") -> None:
    """Prints the groups, what differs between their configs, and what was left out."""
    from cnnrun.cli.output import print_table, print_text
    from cnnrun.runs.comparing import GROUP_COLUMNS, difference_cells, group_cells

    groups = comparison.groups
    print_table(
        GROUP_COLUMNS,
        [group_cells(number, group) for number, group in enumerate(groups, 1)],
        numeric=frozenset(GROUP_COLUMNS) - {"group", "config"},
        expendable=EXPENDABLE,
    )
    if comparison.differing:
        print_text("")
        print_table(
            ("address", *(f"group {number}" for number in range(1, len(groups) + 1))),
            [difference_cells(address, groups) for address in comparison.differing],
        )
    for left_out in comparison.left_out:
        typer.echo(f"left out: {left_out.run}: {left_out.why}", err=True)
