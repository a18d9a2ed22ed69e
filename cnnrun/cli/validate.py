"""`cnnrun validate`: every problem of configs that can be found without building the network."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnrun.cli import completion
from cnnrun.cli.options import AsJson, Overrides, Quiet

if TYPE_CHECKING:
    from cnnrun.config.sections import Config
    from cnnrun.errors import ConfigError, Problem


def validate(
    configs: Annotated[
        list[Path],
        typer.Argument(metavar="CONFIG", help="Config files.", autocompletion=completion.configs),
    ],
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Report every problem of configs, each at its line, without loading TensorFlow.

    Problems that only a build of the network finds are reported by `cnnrun show`.

    For example: `cnnrun validate configs/*.yaml`
    """
    from cnnrun.cli.output import print_json, print_note, print_text
    from cnnrun.cli.terminal import say
    from cnnrun.config.repeated_standardization import standardized_twice
    from cnnrun.errors import ConfigError

    checked = {path: checked_or_refused(path, overrides or []) for path in configs}
    refusals = {
        path: each if isinstance(each, ConfigError) else None for path, each in checked.items()
    }
    if as_json:
        print_json({"configs": [described(path, found) for path, found in refusals.items()]})
    else:
        for path, found in refusals.items():
            if found:
                say(str(found))
            else:
                print_text(f"{path}: OK")
            config = checked[path]
            if not isinstance(config, ConfigError) and (twice := standardized_twice(config)):
                print_note(f"{path}: {twice}", quiet=quiet)
    if any(refusals.values()):
        raise typer.Exit(2)


def checked_or_refused(path: Path, overrides: list[str]) -> "Config | ConfigError":
    """A config, or why it cannot be used.

    Problems are this command's result, which is why it alone takes them from their exception.
    """
    from cnnrun.config.load import load_config
    from cnnrun.errors import ConfigError

    try:
        return load_config(path, overrides=overrides)
    except ConfigError as error:
        return error


def described(path: Path, refusal: "ConfigError | None") -> dict[str, Any]:
    """A config and its problems as JSON."""
    problems = refusal.problems if refusal else ()
    return {
        "config": str(path),
        "ok": not problems,
        "problems": [described_problem(problem) for problem in problems],
        "more_problems": refusal.more if refusal else 0,
    }


def described_problem(problem: "Problem") -> dict[str, Any]:
    """A problem as JSON; file, line and column are null where no text stands behind it."""
    place = problem.position
    return {
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "address": problem.address,
        "rule": problem.rule,
        "received": problem.received,
        "advice": problem.advice,
    }
