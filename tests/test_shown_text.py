"""Text that a terminal may get. Oracle: what terminals obey, from the ECMA-48 standard."""

import unicodedata

import pytest

from cnnrun.shown_text import harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07cat", r"\x1b[2J\x1b]0;title\x07cat"),
        ("\x9b31mcat", r"\x9b31mcat"),
        ("cat\rdog", r"cat\x0ddog"),
        ("cat\x08\x08dog", r"cat\x08\x08dog"),
        ("\u202egnp.tac", r"\u202egnp.tac"),
        ("cat\n\tdog", "cat\n\tdog"),
        ("Müsli, 猫, 🐈", "Müsli, 猫, 🐈"),
    ],
)
def test_what_commands_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_no_control_character_is_left() -> None:
    everything = "".join(map(chr, range(0x3000)))
    left = {each for each in harmless(everything) if unicodedata.category(each) == "Cc"}
    assert left == {"\n", "\t"}
