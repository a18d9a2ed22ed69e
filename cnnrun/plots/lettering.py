"""Text that any font at hand can draw: names of classes and files come in every script."""

from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path

from matplotlib import font_manager

_BASE_FONT = "DejaVu Sans"  # comes with matplotlib: Latin, Greek, Cyrillic, Hebrew, symbols
# Fonts with the scripts that DejaVu Sans lacks, as Linux, macOS and Windows bring them.
_FURTHER_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Arial Unicode MS",
)


@cache
def font_families() -> tuple[str, ...]:
    """The fonts to draw text with, in the order in which a letter is looked for."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return (_BASE_FONT, *(name for name in _FURTHER_FONTS if name in installed))


def label(text: str, *, most_letters: int) -> str:
    r"""`text` as any font draws it, in one line of at most `most_letters`.

    A letter that no font has becomes `<U+732B>`: matplotlib would warn of it, and draw the same box
    for all such letters. An ellipsis stands for the middle of a long text, since names often differ
    in their ends alone. Dollar signs are escaped, which would else enclose a formula.
    """
    letters = [_printable_letter(letter) for letter in text]
    if sum(map(len, letters)) > most_letters:
        start = _fitting(letters, most_letters // 3)
        end = _fitting(letters[::-1], most_letters - 1 - most_letters // 3)[::-1]
        letters = [*start, "…", *end]
    return "".join(letters).replace("$", r"\$")


def percent(probability: float) -> str:
    """Such as `97 %`; what is not certain is not rounded to certainty, nor to impossibility."""
    if 0.995 <= probability < 1:
        return "> 99 %"
    if 0 < probability < 0.005:
        return "< 1 %"
    return f"{probability:.0%}".replace("%", " %")


def _fitting(letters: Sequence[str], room: int) -> list[str]:
    """The first of `letters` that fit into `room`."""
    widths = accumulate(map(len, letters))
    return [letter for letter, width in zip(letters, widths, strict=True) if width <= room]


def _printable_letter(letter: str) -> str:
    if letter.isspace():
        return " "
    return letter if letter.isprintable() and _has_glyph(letter) else f"<U+{ord(letter):04X}>"


@cache
def _has_glyph(letter: str) -> bool:
    return any(ord(letter) in _letters_of(family) for family in font_families())


@cache
def _letters_of(family: str) -> frozenset[int]:
    path = Path(str(font_manager.findfont(family)))
    return frozenset(font_manager.get_font(str(path)).get_charmap())
