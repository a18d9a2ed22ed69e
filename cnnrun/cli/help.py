"""`cnnrun help`: the manual, a topic at a time."""

from typing import Annotated, Any

import typer

from cnnrun.cli import completion
from cnnrun.cli.options import AsJson


def help_(
    context: typer.Context,
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="TOPIC",
            help="A chapter, a key such as train.best, a class of Keras such as Conv2D, or any"
            " word of the manual. Without one, the chapters are listed.",
            autocompletion=completion.topics,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain a topic: a chapter of the manual, a key of a file, a class of Keras, a command.

    For example: `cnnrun help train.best`
    """
    if topic is None:
        list_chapters(as_json=as_json)
        return
    from cnnrun.cli.output import print_json, print_markdown, print_text
    from cnnrun.manual.topics import mentions, page, refusal

    commands: dict[str, Any] = getattr(context.find_root().command, "commands", {})
    text = page(topic)
    if topic in commands and not text:
        inner = commands[topic].make_context(f"cnnrun {topic}", [], resilient_parsing=True)
        print_text(inner.get_help())
        return
    text = text or mentions(topic)
    if not text:
        raise refusal(topic, tuple(commands))
    if topic in commands:
        text += f"\n`cnnrun {topic} --help` explains the command of this name.\n"
    if as_json:
        print_json({"topic": topic, "text": text})
    else:
        print_markdown(text)


def list_chapters(*, as_json: bool) -> None:
    """Prints every chapter's topic, title and first sentence."""
    from cnnrun.cli.output import print_json, print_table
    from cnnrun.manual.chapters import chapters

    found = chapters().values()
    if as_json:
        described = [
            {"topic": each.topic, "title": each.title, "summary": each.summary} for each in found
        ]
        print_json({"chapters": described})
        return
    rows = [(each.topic, f"{each.title}. {each.summary}") for each in found]
    print_table(("topic", "what it is about"), rows)
    typer.echo(
        "\n`cnnrun help TOPIC` shows one of them, or explains a key (train.best), a class of Keras"
        "\n(Conv2D) or a word of the manual."
    )
