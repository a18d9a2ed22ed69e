"""`cnnrun init`: a project to begin with."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cnnrun.cli.options import Quiet


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where to write; the current folder if omitted.")
    ] = Path(),
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="PLACE",
            help="Your own images, a folder, CSV, .npz or tar file: write configs fitted to them.",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            "--layout",
            metavar="PATTERN",
            help="With --data: where in a path the class stands, such as '{group}/{label}/**'.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write a starter project: example configs and images, or configs for your own images.

    For example: `cnnrun init --data photos my-project`
    """
    if data is None:
        init_example(directory)
    else:
        init_fitted(directory, data, layout, quiet=quiet)


def init_example(directory: Path) -> None:
    """Writes the example project and says what to do with it."""
    from cnnrun.cli.output import print_sentence
    from cnnrun.starter.example import write_example

    write_example(directory)
    where = "this folder" if directory == Path() else str(directory)
    print_sentence(f"Wrote example configs and the images of digits to {where}. Next:")
    print_next_steps(directory, "configs/digits.yaml")


def init_fitted(directory: Path, data: Path, layout: str | None, *, quiet: bool) -> None:
    """Writes configs for the user's images and says what to do with it."""
    from cnnrun.cli.output import print_sentence, print_text
    from cnnrun.cli.terminal import waiting
    from cnnrun.starter.fitted import write_fitted_configs

    with waiting("looking at the images", quiet=quiet):
        written = write_fitted_configs(data, project=directory, layout=layout)
    small, variant = (config.relative_to(directory).as_posix() for config in written)
    print_sentence(
        f"Wrote {directory / small}, a small network, and {directory / variant}, a head on top of"
        " MobileNet, with each choice explained in them. Next:"
    )
    print_next_steps(directory, small)
    print_text(f"  cnnrun train {shlex.quote(variant)}")


def print_next_steps(directory: Path, config: str) -> None:
    """Prints the commands that come next, ready to be copied."""
    from cnnrun.cli.output import print_text

    if directory != Path():
        print_text(f"  cd {shlex.quote(str(directory))}")
    for command in ("check-data", "show", "train"):
        print_text(f"  cnnrun {command} {shlex.quote(config)}")
