"""`cnnrun compare`: runs side by side, grouped over seeds."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnrun.cli import completion
from cnnrun.cli.options import AsCsv, AsJson, AsMarkdown, Quiet, refuse_two_forms

if TYPE_CHECKING:
    from cnnrun.ablation.analysis.compared_runs import ComparedGroups
    from cnnrun.runs.comparing import Comparison

EXPENDABLE = (
    "seconds",
    "parameters",
    "calibration error",
    "macro F1",
    "balanced accuracy",
    "chance",
    "majority",
    "epochs",
)


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
    quiet: Quiet = False,
) -> None:
    """Compare finished runs: mean and spread over seeds, and where their configs differ.

    For example: `cnnrun compare experiments/digits`
    """
    from cnnrun.ablation.analysis.compared_runs import compare_groups, compared_markdown
    from cnnrun.cli.output import print_document, print_json, print_note
    from cnnrun.runs.comparing import compare_runs, comparison_csv, comparison_markdown

    refuse_two_forms(json=as_json, csv=as_csv, markdown=as_markdown)
    comparison = compare_runs(runs)
    compared, not_compared = compare_groups(comparison.groups)
    if as_json:
        print_json({**comparison.as_json(), "compared": [each.as_json() for each in compared]})
    elif as_csv:
        print_document(comparison_csv(comparison).rstrip("\n"))
    elif as_markdown:
        print_document(comparison_markdown(comparison).rstrip("\n"))
        for each in compared:
            print_document(f"\n{compared_markdown(each)}".rstrip("\n"))
    else:
        print_comparison(comparison, quiet=quiet)
        for each in compared:
            print_compared(each)
    for left in not_compared:
        print_note(f"group {left.second} is not compared image by image: {left.why}", quiet=quiet)


def print_comparison(comparison: "Comparison", *, quiet: bool) -> None:
    """Prints the groups, what differs between their configs, and what was left out."""
    from cnnrun.cli.output import print_note, print_sentence, print_table, print_text
    from cnnrun.runs.comparing import (
        changed_data_lines,
        difference_cells,
        group_cells,
        group_columns,
        metrics_of,
    )

    groups = comparison.groups
    columns, metrics = group_columns(groups), metrics_of(groups)
    print_table(
        columns,
        [group_cells(number, group, metrics) for number, group in enumerate(groups, 1)],
        numeric=frozenset(columns) - {"group", "config"},
        expendable=EXPENDABLE,
    )
    if comparison.differing:
        print_text("")
        print_table(
            ("address", *(f"group {number}" for number in range(1, len(groups) + 1))),
            [difference_cells(address, groups) for address in comparison.differing],
        )
    for line in changed_data_lines(comparison):
        print_sentence(line)
    for left_out in comparison.left_out:
        print_note(f"{left_out.run} is left out: {left_out.why}", quiet=quiet)


def print_compared(compared: "ComparedGroups") -> None:
    """Prints how two groups differ on the test images that both have, and how far that reaches."""
    from cnnrun.ablation.analysis.compared_runs import (
        DIFFERENCE_COLUMNS,
        comparison_sentences,
        difference_rows,
    )
    from cnnrun.cli.output import print_sentence, print_table, print_text

    heading, *reach = comparison_sentences(compared)
    print_text("")
    print_sentence(heading)
    if compared.differences:
        print_table(
            DIFFERENCE_COLUMNS,
            difference_rows(compared),
            numeric=frozenset(DIFFERENCE_COLUMNS) - {"measure"},
        )
    for sentence in reach:
        print_sentence(sentence)
