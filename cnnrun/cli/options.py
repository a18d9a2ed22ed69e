"""Options and arguments that several commands share, so that they read alike everywhere."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="A config file.")]
RunFolderPath = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Replace one value of the config, such as train.epochs=5. Repeatable.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, and nothing else, on stdout.")
]
