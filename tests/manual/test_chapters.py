"""The manual's chapters: what a new one has to have."""

import subprocess
import sys

import pytest

from cnnrun.manual.chapters import Chapter, chapters


@pytest.mark.parametrize("chapter", chapters().values(), ids=lambda each: each.topic)
def test_a_chapter_begins_with_a_title_and_says_what_it_is_for(chapter: Chapter) -> None:
    first, second, third, *_ = chapter.text.splitlines()
    assert first == f"# {chapter.title}"
    assert second == ""
    assert third
    assert chapter.title[0].isupper()
    assert chapter.summary.endswith("."), "the second paragraph begins with one sentence"
    assert len(chapter.summary) <= 150


def test_the_first_sentence_is_found_over_line_ends() -> None:
    chapter = Chapter("a", "A", "# A\n\nReads\nwell. And more.\n\nThen this.\n")
    assert chapter.summary == "Reads well."


def test_the_manual_is_read_without_tensorflow_or_numpy() -> None:
    script = (
        "import sys; from cnnrun.cli.app import app; from typer.testing import CliRunner\n"
        "for topic in ('changelog', 'train.best', 'Conv2D', 'resplit', 'state.json'):\n"
        "    ended = CliRunner().invoke(app, ['help', topic])\n"
        "    assert ended.exit_code == 0, ended.output\n"
        "print([name for name in ('tensorflow', 'keras', 'numpy') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("[]\n", "")
