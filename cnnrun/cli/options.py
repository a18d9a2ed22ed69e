"""Options and arguments that several commands share, so that they read alike everywhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cnnrun.cli import completion
from cnnrun.errors import InputError


class OnBadImage(StrEnum):
    """What happens when an image cannot be read."""

    ERROR = "error"
    SKIP = "skip"


ConfigFile = Annotated[
    Path,
    typer.Argument(metavar="CONFIG", help="A config file.", autocompletion=completion.configs),
]
RunPath = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run's folder.", autocompletion=completion.runs)
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Replace one value of the config, such as train.epochs=5. Repeatable.",
    ),
]
OnBadImageOption = Annotated[
    OnBadImage,
    typer.Option("--on-bad-image", help="What happens when an image cannot be read."),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, and nothing else, on stdout.")
]
Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Say nothing beside the result: no progress, no notes."),
]
Calibrated = Annotated[
    bool,
    typer.Option("--calibrated", help="Take the probabilities that `cnnrun calibrate` made."),
]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV, numbers in full.")]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")]


def refuse_two_forms(**asked: bool) -> None:
    """Ends the command, as any wrong usage does, when more than one form of output is asked for."""
    forms = [f"--{name}" for name, wanted in asked.items() if wanted]
    if len(forms) > 1:
        raise InputError.at(
            forms[0],
            rule="must be the only form that is asked for",
            received=f"{' and '.join(forms[1:])} as well",
            advice="leave all but one out",
        )


NoGit = Annotated[bool, typer.Option("--no-git", help="Keep nothing of git in environment.json.")]
