"""Which version of cnnrun made a run, and what that means for going on with it."""

from pathlib import Path

from cnnrun import __version__
from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.errors import ConfigError, RunError
from cnnrun.runs.files import read_json
from cnnrun.runs.folder import RunFolder


def version_of(run: RunFolder) -> str | None:
    """The version that made a run; None where environment.json does not say it."""
    try:
        environment = read_json(run.environment_json)
    except RunError:
        return None
    packages = environment.get("packages") if isinstance(environment, dict) else None
    version = packages.get("cnnrun") if isinstance(packages, dict) else None
    return version if isinstance(version, str) else None


def refuse_other_version(run: RunFolder, *, config: Path) -> None:
    """Raise unless this version computes what the one computes that began the run.

    Args:
        run: a run that is to go on.
        config: its config, for the advice.

    Raises:
        RunError: another version began it, whose loss, default split or hashes may be others.
    """
    version = version_of(run)
    if version is not None and _series(version) != _series(__version__):
        raise RunError.at(
            run.path,
            rule=f"a run goes on with the version that it was begun with, cnnrun {version}",
            received=f"{__version__}, which may split, compute and record otherwise",
            advice=f"begin anew with `cnnrun train {config}`, without --resume, or go on with"
            f" cnnrun {version}",
        )


def load_resolved(run: RunFolder) -> Config:
    """The checked config of a run, whatever version made it.

    Raises:
        RunError: an earlier version made it, whose config this one does not accept.
        ConfigError: this version made it, and it was changed since.
    """
    try:
        return load_config(run.resolved_yaml)
    except ConfigError as error:
        version = version_of(run)
        if version is None or version == __version__:
            raise
        raise RunError.at(
            run.path,
            rule=f"must have a config that cnnrun {__version__} accepts",
            received=f"one of cnnrun {version} that it does not",
            advice=f"train it anew, or use cnnrun {version}:\n{error}",
        ) from error


def _series(version: str) -> tuple[str, ...]:
    """Versions of one series go on with each other's runs."""
    return tuple(version.split(".")[:2])
