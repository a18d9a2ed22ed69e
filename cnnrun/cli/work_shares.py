"""Options of commands whose work several processes share, and what such a process says."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnrun.errors import InputError, WorkError
from cnnrun.runs.work_share import WorkShare

if TYPE_CHECKING:
    from cnnrun.ablation.execution.run_cells import ShareDone

Cells = Annotated[
    str | None,
    typer.Option(
        "--cells",
        metavar="I/N",
        help="Do share I of N of the cells, beside other processes on a shared disk; the command"
        " without it reports.",
    ),
]
Shard = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Take share I of N of the images alone; `--merge` puts the shares together.",
    ),
]


def work_share(text: str, *, option: str) -> WorkShare:
    """The share that an option names, such as 2/3.

    Raises:
        InputError: it names none.
    """
    number, slash, total = text.partition("/")
    are_numbers = all(each.isascii() and each.isdigit() for each in (number, total))
    if slash and are_numbers and 1 <= int(number) <= int(total):
        return WorkShare(int(number), int(total))
    advice = f"write for example `{option} 1/3` for the first of three"
    if slash and are_numbers and int(total) >= 1:
        advice = f"the shares of {int(total)} are 1/{int(total)} to {int(total)}/{int(total)}"
        if int(number) == 0:
            advice += "; where a scheduler counts from 0, add 1"
    raise InputError.at(
        option,
        rule="must be I/N, a share I from 1 to N of N shares",
        received=text,
        advice=advice,
    )


def refuse_with_shares(cells: str | None, **others: bool) -> None:
    """Refuses options that a share of the cells has no use for.

    Raises:
        InputError: one of them is given beside `--cells`.
    """
    for name, is_given in others.items():
        if cells is not None and is_given:
            option = f"--{name.replace('_', '-')}"
            raise InputError.at(
                "--cells",
                rule="goes with one study or search that is run",
                received=f"{option} as well",
                advice=f"leave {option} out, or --cells",
            )


def refuse_unfit_shards(shard: str | None, *, merge: bool, whole: dict[str, bool]) -> None:
    """Refuses a share that is merged at once, and options that need all images beside one.

    Args:
        shard: what `--shard` says.
        merge: whether `--merge` is given.
        whole: such options, and whether they are given.

    Raises:
        InputError: they do not go together.
    """
    if shard is None:
        return
    given = ["--merge"] * merge + [option for option, is_given in whole.items() if is_given]
    if given:
        raise InputError.at(
            "--shard",
            rule="computes a share of the images, and nothing of all",
            received=f"{given[0]} as well",
            advice=f"leave {given[0]} out, and give it with `--merge` when all shares are there"
            if given[0] != "--merge"
            else "compute all shares first, and then give the command with --merge alone",
        )


def tell_share(done: "ShareDone", folder: Path, *, command: str, as_json: bool) -> None:
    """Prints what a process has done of the cells of a study.

    Raises:
        WorkError: some of its cells failed.
    """
    from cnnrun.cli.output import print_json, print_sentence, print_text
    from cnnrun.wording import counted

    left = done.cells - done.done
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "share": str(done.share),
                "trained_here": done.trained,
                "cells": done.cells,
                "done": done.done,
                "left": left,
            }
        )
    else:
        print_sentence(
            f"share {done.share}: {counted(done.trained, 'cell')} trained by this process;"
            f" {done.done} of the {counted(done.cells, 'cell')} that are compared are done"
            + (f", and other processes hold {left}" if left else "")
        )
        print_sentence(f"the same `cnnrun {command}` without --cells collects and reports")
        print_text(f"\n{folder}")
    if done.failed:
        first = done.failed[0]
        raise WorkError.at(
            first.folder / "log.txt",
            rule="each cell of a share must come to a result",
            received=f"{counted(len(done.failed), 'cell')} that did not, the first ({first.name})"
            f" since {first.why}",
            advice="the same command tries these again, and nothing else",
        )
