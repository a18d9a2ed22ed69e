"""report.md as sections of HTML: the page of a study says what its report says, in its words."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import count
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from cnnrun.shown_text import harmless

# Names of arms stand in the text as they are: what looks like emphasis or a link is none.
_NOT_MEANT: Final = ("emphasis", "link", "autolink", "html_inline", "html_block", "entity")

ImageOf = Callable[[str, str], Markup]
"""From the name of a figure's file and its caption to the HTML that stands for it."""


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        title: its heading; empty for what stands before the first one.
        body: what stands below, as HTML.
    """

    title: str
    body: Markup


@dataclass(frozen=True)
class Report:
    """A report as HTML.

    Attributes:
        title: its first heading, without markup; empty without one.
        sections: what stands before the first heading of the second level, and each below one.
    """

    title: str
    sections: tuple[Section, ...]


def report_sections(text: str, *, image: ImageOf) -> Report:
    """Markdown of ours as sections of HTML.

    Args:
        text: report.md.
        image: what stands for a figure.
    """
    parser = _parser()
    tokens = parser.parse(harmless(text))
    title, tokens = _title_of(tokens)
    parts: list[tuple[str, list[Token]]] = [("", [])]
    number = 0
    while number < len(tokens):
        token = tokens[number]
        if token.type == "heading_open" and token.tag == "h2":
            parts.append((tokens[number + 1].content, []))
            number += 3
            continue
        parts[-1][1].append(token)
        number += 1
    render = _Renderer(parser, image)
    sections = (Section(name, render.section(name, its)) for name, its in parts)
    return Report(title, tuple(each for each in sections if each.title or each.body.strip()))


@dataclass(frozen=True)
class ReportTable:
    """A table of a report, its cells as plain text.

    Attributes:
        section: the heading that it stands below.
        header: the headings of its columns.
        rows: the cells.
    """

    section: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def report_tables(text: str) -> list[ReportTable]:
    """The tables of report.md, in their order."""
    found: list[ReportTable] = []
    section = ""
    rows: list[list[str]] = []
    tokens = _parser().parse(harmless(text))
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            section = tokens[number + 1].content
        elif token.type == "table_open":
            rows = []
        elif token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open"):
            rows[-1].append(_plain_text(tokens[number + 1]))
        elif token.type == "table_close":
            header, *others = [tuple(row) for row in rows]
            found.append(ReportTable(section, header, tuple(others)))
    return found


def report_paragraphs(text: str, section: str) -> list[str]:
    """The paragraphs of a section of report.md as plain text; figures and captions left out."""
    here, found = "", []
    tokens = _parser().parse(harmless(text))
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            here = tokens[number + 1].content
        elif token.type == "paragraph_open" and here == section and not token.hidden:
            inside = tokens[number + 1]
            is_figure = any(child.type == "image" for child in inside.children or ())
            # A figure's caption stands below it in italics.
            if not is_figure and not inside.content.startswith("*"):
                found.append(_plain_text(inside))
    return found


def _plain_text(token: Token) -> str:
    breaks = ("softbreak", "hardbreak")
    return "".join(" " if child.type in breaks else child.content for child in token.children or ())


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    return parser.disable(_NOT_MEANT)


class _Renderer:
    """Renders tokens; tables and listings in frames that scroll, figures as the page has them."""

    def __init__(self, parser: MarkdownIt, image: ImageOf) -> None:
        self._parser = parser
        self._image = image
        self._frames = count(1)

    def section(self, title: str, tokens: Sequence[Token]) -> Markup:
        """The HTML of a section."""
        parts: list[str] = []
        plain: list[Token] = []
        number = 0
        while number < len(tokens):
            token = tokens[number]
            figures = _images_of(tokens, number)
            if figures:
                parts += [self._plain(title, plain), *map(self._figure, figures)]
                plain = []
                number += 3
                number += 3 if _is_caption(tokens, number, figures) else 0
                continue
            plain.append(token)
            number += 1
        parts.append(self._plain(title, plain))
        return Markup("".join(parts))  # noqa: S704 the parser has escaped it

    def _figure(self, token: Token) -> str:
        file = os.path.basename(str(token.attrGet("src") or ""))
        return str(self._image(file, token.content))

    def _plain(self, title: str, tokens: Sequence[Token]) -> str:
        if not tokens:
            return ""
        for token in _with_children(tokens):
            token.attrs.pop("style", None)
            if token.type == "image":  # a name that looks like one, for figures stand alone
                token.type = "text"
                token.content = f"![{token.content}]({token.attrGet('src')})"
        html = str(self._parser.renderer.render(list(tokens), self._parser.options, {}))
        for tag, name in (("table", "table"), ("pre", "listing")):
            opened, *parts = html.split(f"<{tag}>")
            for part in parts:
                said = escape(f"{title or 'Results'}, {name} {next(self._frames)}")
                opened += f'<div class="wide" tabindex="0" role="region" aria-label="{said}">'
                opened += f"<{tag}>{part}"
            html = opened.replace(f"</{tag}>", f"</{tag}></div>")
        return html.replace("<th>", '<th scope="col">')


def _title_of(tokens: list[Token]) -> tuple[str, list[Token]]:
    is_title = bool(tokens) and tokens[0].type == "heading_open" and tokens[0].tag == "h1"
    return (tokens[1].content, tokens[3:]) if is_title else ("", tokens)


def _images_of(tokens: Sequence[Token], number: int) -> list[Token]:
    """The images of a paragraph that begins here and consists of nothing else."""
    if tokens[number].type != "paragraph_open":
        return []
    children = tokens[number + 1].children or []
    figures = [child for child in children if child.type == "image"]
    rest = [child for child in children if child.type not in ("image", "softbreak")]
    return [] if any(child.content.strip() for child in rest) else figures


def _is_caption(tokens: Sequence[Token], number: int, figures: Sequence[Token]) -> bool:
    """Whether a paragraph repeats the figure's caption in italics."""
    if number + 1 >= len(tokens) or tokens[number].type != "paragraph_open":
        return False
    return any(tokens[number + 1].content == f"*{figure.content}*" for figure in figures)


def _with_children(tokens: Sequence[Token]) -> list[Any]:
    return [each for token in tokens for each in (token, *(token.children or ()))]
