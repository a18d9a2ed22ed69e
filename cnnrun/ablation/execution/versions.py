"""Whether a worker has the packages that the command has which it works for."""

from collections.abc import Mapping

from cnnrun.errors import WorkError


def refuse_other_versions(here: Mapping[str, str], there: Mapping[str, str]) -> None:
    """Raise where a worker would come to another result than the command's process.

    Args:
        here: package -> version, of the worker.
        there: those of the command.

    Raises:
        WorkError: they differ.
    """
    if here != there:
        raise WorkError.at(
            "",
            rule="the workers must have the same packages as the command",
            received=_differences(here, there),
            advice="install the same versions",
        )


def _differences(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    names = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
    return ", ".join(
        f"{name} is {here.get(name, 'absent')} here and {there.get(name, 'absent')} there"
        for name in names
    )
