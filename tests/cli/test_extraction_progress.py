"""How an extraction looks while it works: a bar on a terminal, lines elsewhere."""

import io

from rich.console import Console

from cnnrun.cli.extraction_progress import LiveBar, QuietLines, begin_line
from cnnrun.runs.events import ExtractionBegins, ImagesExtracted, Note


def console(*, is_terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=is_terminal, width=60, highlight=False)


def printed(to: Console) -> str:
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


def test_a_line_for_the_beginning_and_for_each_note(snapshot) -> None:
    to = console(is_terminal=False)
    lines = QuietLines(to)
    lines(ExtractionBegins(images=1200, finished=200))
    lines(ImagesExtracted(32))
    lines(Note("[a note] that is longer than the sixty characters of a narrow terminal"))
    assert printed(to) == snapshot


def test_a_bar_that_moves() -> None:
    to = console(is_terminal=True)
    live = LiveBar(to)
    with live.bar:
        live(ExtractionBegins(images=1200, finished=200))
        live(ImagesExtracted(32))
        live(Note("a note"))
        live.bar.refresh()
    assert "1,200 images, 200 of them finished before\n" in printed(to)
    assert "note: a note" in printed(to)
    assert "232/1200" in printed(to)


def test_one_image() -> None:
    assert begin_line(ExtractionBegins(images=1, finished=0)) == "1 image"
