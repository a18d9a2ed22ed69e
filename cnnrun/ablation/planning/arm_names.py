"""What arms are called: by factor and value, without what all of them share."""

from collections.abc import Mapping
from typing import Final

_BARE: Final = ("true", "false", "yes", "no", "null")


def arm_name(levels: Mapping[str, str]) -> str:
    """The name of an arm, such as "dropout 0.3, width 32".

    Where a single factor is varied, all arms share its name, and a value that is a word says enough
    alone: "after_activation".

    Args:
        levels: factor -> the label of its value, of the factors that are varied.
    """
    if len(levels) == 1:
        ((factor, label),) = levels.items()
        return level_name(factor, label) if _is_bare(label) else _words(label)
    return ", ".join(level_name(factor, label) for factor, label in levels.items())


def level_name(factor: str, label: str) -> str:
    """A value with its factor, such as "dropout 0.3"."""
    words = _words(label)
    return words if words.startswith(f"{factor} ") else f"{factor} {words}"


def _words(label: str) -> str:
    """A value without YAML's signs: `{RandomNormal: {stddev: 0.5}}` is RandomNormal stddev 0.5."""
    return " ".join(label.replace("{", " ").replace("}", " ").replace(":", " ").split())


def _is_bare(label: str) -> bool:
    """Whether a value says nothing without its factor: a number, a list, yes or no."""
    return label.lower() in _BARE or label[:1] in "[+-.0123456789"
