"""`cnnrun help`: the manual's chapters, listed and shown."""

import json
import re
import shlex
import sys

import pytest
from syrupy.assertion import SnapshotAssertion
from typer.main import get_command

from cnnrun.cli.app import app
from cnnrun.manual.chapters import Chapter, chapters

COMMANDS = get_command(app).commands
CHAPTERS = {
    "data-sets": Chapter("data-sets", "Data", "# Data\n\nWhere *images* come from.\n\nSee `a`.\n"),
    "studies": Chapter("studies", "Studies", "# Studies\n\nHow to ask. And more.\n"),
}


@pytest.fixture
def two_chapters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnrun.manual.topics.chapters", lambda: CHAPTERS)
    monkeypatch.setattr("cnnrun.manual.chapters.chapters", lambda: CHAPTERS)


@pytest.mark.usefixtures("two_chapters")
def test_chapters_are_listed_with_title_and_first_sentence(command, snapshot) -> None:
    ended = command("help")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == snapshot


@pytest.mark.usefixtures("two_chapters")
def test_the_list_is_there_as_json(command) -> None:
    first, _ = json.loads(command("help", "--json").stdout)["chapters"]
    assert first == {"topic": "data-sets", "title": "Data", "summary": "Where *images* come from."}


@pytest.mark.parametrize("topic", chapters())
def test_every_chapter_is_printed_as_it_is_where_no_terminal_is(command, topic: str) -> None:
    ended = command("help", topic)
    assert (ended.exit_code, ended.stderr) == (0, "")
    beside = ended.stdout.removeprefix(chapters()[topic].text)
    assert beside in ("", f"\n`cnnrun {topic} --help` explains the command of this name.\n")


@pytest.mark.usefixtures("two_chapters")
@pytest.mark.parametrize("topic", ["data-sets", "data_sets", "Data-Sets"])
def test_a_topic_may_be_written_as_its_file_is(command, topic: str) -> None:
    assert command("help", topic).stdout == CHAPTERS["data-sets"].text


@pytest.mark.usefixtures("two_chapters")
def test_a_chapter_is_rendered_on_a_terminal(
    command, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: True)
    assert command("help", "data-sets").stdout == snapshot


@pytest.mark.parametrize("topic", chapters())
def test_no_word_of_a_chapter_is_cut_off_on_a_narrow_terminal(
    command, monkeypatch: pytest.MonkeyPatch, topic: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: True)
    shown = command("help", topic).stdout
    assert shown.count("…") == chapters()[topic].text.count("…")


@pytest.mark.usefixtures("two_chapters")
@pytest.mark.parametrize("topic", ["studys", "Conv2d", "train.bets", "vlidate", "zzzz", ""])
def test_an_unknown_topic_is_refused_with_the_nearest(command, snapshot, topic: str) -> None:
    ended = command("help", topic)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


@pytest.mark.parametrize(
    "topic",
    [
        "train.best",
        "epochs",
        "resplit",
        "model.layers[2].conv_block.depth_multiplier",
        "Rescaling",
        "kld",
        "train.optimizer.SGD.momentum",
        "train",
    ],
)
def test_keys_and_names_of_keras_are_explained(command, snapshot, topic: str) -> None:
    ended = command("help", topic)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == snapshot


@pytest.mark.parametrize(
    "topic",
    [
        "resplit",
        "diagnostics",
        "target",
        "class_weight",
        "on_bad_image",
        "keep_aspect",
        "val_loss_area",
        "generalization_gap",
        "macro_f1",
        "--resume",
        "state.json",
    ],
)
def test_words_of_the_program_are_found(command, topic: str) -> None:
    ended = command("help", "--", topic)
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert topic in ended.stdout


def test_a_command_without_a_page_of_its_own_shows_its_help(command) -> None:
    assert "Usage: cnnrun runs" in command("help", "runs").stdout


def test_a_page_is_there_as_json(command) -> None:
    document = json.loads(command("help", "train.best", "--json").stdout)
    assert document["topic"] == "train.best"
    assert document["text"].startswith("# train.best, a key of a config")


@pytest.mark.parametrize("name", [*COMMANDS])
def test_a_command_s_help_has_an_example_with_words_and_options_that_it_takes(name: str) -> None:
    help_text = COMMANDS[name].help
    (example,) = re.findall(r"For example: `cnnrun (.*?)`", help_text)
    first, *arguments = shlex.split(example.partition(" > ")[0])
    assert first == name
    COMMANDS[name].make_context(name, arguments)
