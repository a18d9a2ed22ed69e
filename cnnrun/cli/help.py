"""`cnnrun help`: the manual, a chapter at a time."""

from typing import Annotated, NoReturn

import typer

from cnnrun.cli.options import AsJson


def complete_topic(incomplete: str) -> list[str]:
    """The topics that a shell offers."""
    from cnnrun.manual.chapters import chapters

    return [topic for topic in chapters() if topic.startswith(incomplete)]


def help_(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="TOPIC",
            help="A chapter of the manual. Without one, the chapters are listed.",
            autocompletion=complete_topic,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read the manual: its chapters, or one of them.

    For example: `cnnrun help run-folder`
    """
    from cnnrun.cli.output import print_json
    from cnnrun.manual.chapters import chapters

    if topic is None:
        list_chapters(as_json=as_json)
        return
    found = chapters()
    chapter = found.get(topic.strip().lower().replace("_", "-"))
    if chapter is None:
        refuse_topic(topic, list(found))
    if as_json:
        print_json({"topic": chapter.topic, "title": chapter.title, "text": chapter.text})
    else:
        print_markdown(chapter.text)


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
    typer.echo("\n`cnnrun help TOPIC` shows one of them.")


def refuse_topic(topic: str, topics: list[str]) -> NoReturn:
    """Refuses what is no topic.

    Raises:
        InputError: with the nearest topics.
    """
    from cnnrun.config.places import nearest
    from cnnrun.errors import InputError

    advice = nearest(topic, topics) or "`cnnrun help` lists the topics"
    raise InputError(f"the manual has no such topic, received `{topic}`; {advice}")


def print_markdown(text: str) -> None:
    """Prints Markdown: rendered on a terminal, as it is elsewhere."""
    import sys

    from cnnrun.cli.output import print_text, result_console, results_written

    if not sys.stdout.isatty():
        print_text(text.rstrip("\n"))
        return
    from rich.markdown import Markdown
    from rich.theme import Theme

    # A colour and no background, which would suit either dark or light terminals alone.
    code = Theme({"markdown.code": "cyan"})
    with results_written():
        console = result_console()
        console.push_theme(code)
        console.print(Markdown(text, code_theme="ansi_dark", hyperlinks=False))
