"""Text and tables as LaTeX."""

import re
from collections.abc import Sequence
from typing import Final

_SPECIAL: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    "≠": r"$\neq$",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
}
_ANY_SPECIAL: Final = re.compile("|".join(map(re.escape, _SPECIAL)))
_NUMBER: Final = re.compile(r"[+-]?[\d.,]+(e[+-]?\d+)?( ± [\d.,]+)?( %)?")


def latex_text(text: str) -> str:
    """Text with what LaTeX would take for commands escaped; letters of any script stay."""
    return _ANY_SPECIAL.sub(lambda found: _SPECIAL[found[0]], " ".join(text.split()))


def latex_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A `tabular` with booktabs' rules; columns of numbers are set to the right."""
    columns = list(zip(*rows, strict=True)) or [()] * len(header)
    places = "".join("r" if column and all(map(_is_number, column)) else "l" for column in columns)
    return "\n".join(
        [
            r"% \usepackage{booktabs}",
            rf"\begin{{tabular}}{{{places}}}",
            r"\toprule",
            _line(header),
            r"\midrule",
            *map(_line, rows),
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


def _is_number(cell: str) -> bool:
    return not cell or bool(_NUMBER.fullmatch(cell))


def _line(cells: Sequence[str]) -> str:
    return rf"{' & '.join(map(latex_text, cells))} \\"
