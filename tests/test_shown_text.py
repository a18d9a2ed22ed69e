"""Text that a terminal may get. Oracle: what terminals obey, from the ECMA-48 standard."""

import unicodedata
from pathlib import Path

import pytest

from cnnrun.shown_text import harmless, shown


@pytest.mark.parametrize(
    ("text", "harmless_text"),
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
def test_what_commands_a_terminal_is_written_out(text: str, harmless_text: str) -> None:
    assert harmless(text) == harmless_text


def test_no_control_character_is_left() -> None:
    everything = "".join(map(chr, range(0x3000)))
    left = {each for each in harmless(everything) if unicodedata.category(each) == "Cc"}
    assert left == {"\n", "\t"}


def test_paths_below_the_current_folder_are_shown_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "pets" / "1.png") == "pets/1.png"
    assert shown(Path("pets/1.png")) == "pets/1.png"
    assert shown(Path("/elsewhere/1.png")) == "/elsewhere/1.png"
