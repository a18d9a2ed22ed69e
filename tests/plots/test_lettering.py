"""Labels can be drawn, keep to their room and stay apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from cnnrun.plots.figures import house_style
from cnnrun.plots.lettering import font_families, label


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat", "cat"),
        ("Größe", "Größe"),
        ("собака", "собака"),
        ("two\nlines\tand", "two lines and"),
        ("$5$", r"\$5\$"),
        ("\x07", "<U+0007>"),
        ("\ud800", "<U+D800>"),
        ("", ""),
        ("0123456789abcdefghij", "0123456789abcdefghij"),
        ("0123456789abcdefghijk", "012345…89abcdefghijk"),
    ],
)
def test_labels(text: str, expected: str) -> None:
    assert label(text, most_letters=20) == expected


def test_letters_that_no_font_has_stay_apart() -> None:
    # Private use: no font at hand has them, whatever the machine.
    assert label("\U000f1234", most_letters=20) == "<U+F1234>"
    assert label("\U000f1234", most_letters=20) != label("\U000f1235", most_letters=20)


@given(st.text(), st.integers(3, 40))
def test_a_label_keeps_to_its_room(text: str, most: int) -> None:
    assert len(label(text, most_letters=most).replace(r"\$", "$")) <= most


@given(st.text(max_size=12))
def test_a_label_is_drawn_without_a_warning_and_as_it_is(text: str) -> None:
    with house_style():
        figure = Figure(figsize=(4, 1), dpi=20)
        drawn = figure.text(0, 0, label(text, most_letters=30))
        figure.canvas.draw()
    assert drawn.get_text().count("\n") == 0


def test_the_base_font_comes_first() -> None:
    assert font_families()[0] == "DejaVu Sans"
