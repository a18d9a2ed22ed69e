"""The text of a config file or a study file, or why there is none."""

from pathlib import Path
from typing import Final

from cnnrun.errors import ConfigError, Position, Problem
from cnnrun.file_kinds import not_a_file
from cnnrun.wording import closest

_LARGEST: Final = 2**20
_FIRST_STEP: Final = "`cnnrun init` writes configs to begin with"


def read_config_text(path: Path, *, what: str = "config") -> str:
    """The text of a config file, without a byte order mark.

    Args:
        path: the file.
        what: what messages call it.

    Raises:
        ConfigError: there is no such file, or it cannot be read, or is no text.
    """
    if (kind := not_a_file(path)) not in (None, "nothing", "a folder"):
        raise _refused(f"a {what} must be a file", f"{kind}: `{path}`", _FIRST_STEP)
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError as error:
        raise _refused(f"no such {what} file", f"`{path}`", _near(path)) from error
    except IsADirectoryError as error:
        advice = _near(path / "config.yaml")
        raise _refused(f"a {what} must be a file", f"the folder `{path}`", advice) from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise _refused(f"the {what} cannot be read: {reason}", f"`{path}`", _FIRST_STEP) from error
    if len(content) > _LARGEST:
        raise _refused(
            f"a {what} must be smaller than a megabyte", f"`{path}`", f"is it a {what} at all?"
        )
    return _decoded(content, path, what)


def _decoded(content: bytes, path: Path, what: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", errors="replace")
        line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
        text = content.split(b"\n")[line - 1].decode("utf-8", errors="replace")
        shown = text.rstrip("\r") if text.isprintable() else ""
        problem = Problem(
            Position(str(path), line, column, shown),
            "",
            f"a {what} must be UTF-8 text",
            f"the byte 0x{content[error.start]:02x}",
            "save the file as UTF-8",
        )
        raise ConfigError([problem]) from error


def _near(path: Path) -> str:
    """The config in the same folder that was probably meant."""
    try:
        names = sorted(each.name for each in path.parent.iterdir() if each.suffix == ".yaml")
    except OSError:
        return _FIRST_STEP
    meant = closest(path.name, names)
    if meant is not None:
        return f"did you mean `{path.parent / meant}`?"
    return _FIRST_STEP


def _refused(rule: str, received: str, advice: str) -> ConfigError:
    return ConfigError([Problem(None, "", rule, received, advice)])
