"""The `cnnrun` command: its subcommands, and the one place where errors become exit codes.

Nothing heavier than typer is imported here or at the top of a command's module, so that
`cnnrun --help` answers at once. Each command imports what it works with when it is called.
"""

import os
import sys
from typing import Annotated, NoReturn

import typer

from cnnrun import __version__
from cnnrun.cli.ablate import ablate
from cnnrun.cli.bug_report import report_bug
from cnnrun.cli.calibrate import calibrate
from cnnrun.cli.check_data import check_data
from cnnrun.cli.compare import compare
from cnnrun.cli.evaluate import evaluate
from cnnrun.cli.explain import explain
from cnnrun.cli.export import export
from cnnrun.cli.extract_features import extract_features
from cnnrun.cli.find_rate import find_rate
from cnnrun.cli.help import help_
from cnnrun.cli.init import init
from cnnrun.cli.predict import predict
from cnnrun.cli.preview import preview
from cnnrun.cli.report import report
from cnnrun.cli.runs import runs
from cnnrun.cli.schema import schema
from cnnrun.cli.show import show
from cnnrun.cli.terminal import say
from cnnrun.cli.train import train
from cnnrun.cli.tune import tune
from cnnrun.cli.validate import validate
from cnnrun.errors import CnnrunError, ConfigError, FullDiskError
from cnnrun.shown_text import harmless

app = typer.Typer(
    name="cnnrun",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
PANELS = {  # in the order of the help
    "Begin": (init, check_data, validate, schema),
    "Train": (train,),
    "Look": (show, preview, runs, compare, report, explain),
    "Ask": (ablate, tune, find_rate),
    "Use": (evaluate, predict, calibrate, extract_features),
    "Hand over": (export,),
}
for panel, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
app.command("help", rich_help_panel="Begin")(help_)


AGAIN = {
    "train": ": with `--resume` it goes on from the last checkpoint",
    "ablate": ": cells that are done are not run again",
    "tune": ": cells that are done are not run again",
    "predict": ": with `--csv` and `--resume` it goes on after what is finished",
    "extract-features": ": with `--resume` it goes on after what is finished",
}
"""What a command that a full disk ended does when it is given again."""


def print_version(wanted: bool) -> None:
    """Prints the installed version and ends the command, when `--version` was given."""
    if wanted:
        typer.echo(f"cnnrun {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Experiments with convolutional networks in Keras: one YAML file in, one run folder out.

    Begin with `cnnrun init demo`, or with `cnnrun train configs/digits.yaml`.
    """


def main() -> NoReturn:
    """Runs the command line and ends the process; see `run` for the exit codes."""
    exit_code = run()
    # Everything is written by now, and TensorFlow would take up to two seconds to be torn down.
    os._exit(exit_code)


def run() -> int:
    """Runs the command line, and returns 0 done, 1 work failed, 2 bad input, 130 interrupted."""
    sys.excepthook = report_bug
    never_fail_on_encoding()
    try:
        exit_code = run_typer()
    except CnnrunError as error:
        say(error_text(error))
        exit_code = error.exit_code
    except KeyboardInterrupt:
        exit_code = 130
    return exit_code if flushed() else exit_code or 1


def run_typer() -> int:
    """Runs the command that `sys.argv` names, and returns the exit code that typer gives it.

    It is typer's command rather than `app()`, which would replace the exception hook.
    """
    try:
        typer.main.get_command(app)(prog_name="cnnrun")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    return 0


def error_text(error: CnnrunError) -> str:
    """What the user reads of an error.

    A config's problems each begin with their place (`file:line:column: `), as editors and other
    tools expect, and so stand without a prefix.
    """
    prefix = "" if isinstance(error, ConfigError) else "error: "
    again = ""
    if isinstance(error, FullDiskError):
        again = next((AGAIN[word] for word in sys.argv[1:2] if word in AGAIN), "")
    return harmless(f"{prefix}{error}{again}")


def never_fail_on_encoding() -> None:
    """Makes characters that a terminal's encoding lacks come out escaped instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def flushed() -> bool:
    """Flushes standard output and error, and returns whether output has found its reader.

    It has not where the reader went away (`cnnrun --help | head -1`) or the disk is full.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return False
    return True
