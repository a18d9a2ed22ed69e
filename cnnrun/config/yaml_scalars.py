"""What a plain scalar means in YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema).

PyYAML follows YAML 1.1, in which `1e-3` is text and `no` is false.
"""

import re

ScalarValue = None | bool | int | float | str

INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_INFINITY = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
# Python refuses to convert longer ones, and nothing in a config counts that far.
MOST_DIGITS = 100
_WORDS: dict[str, ScalarValue] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    ".nan": float("nan"),
    ".NaN": float("nan"),
    ".NAN": float("nan"),
}


def plain_value(text: str) -> ScalarValue:
    """The value that unquoted `text` stands for."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > MOST_DIGITS:
        return text
    if INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return int(text, base=0)
    if FLOAT.fullmatch(text) and not has_leading_zero(text):
        return float(text)
    if _INFINITY.fullmatch(text):
        return float("-inf") if text.startswith("-") else float("inf")
    return text


def has_leading_zero(text: str) -> bool:
    """Whether unquoted `text` is an integer such as 010: 8 in YAML 1.1, and 10 in YAML 1.2."""
    return _LEADING_ZERO.fullmatch(text) is not None
