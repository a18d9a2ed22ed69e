"""What stands in a page. Oracle: html.parser."""

from html.parser import HTMLParser

REFERRING = ("src", "href", "action")


class Page(HTMLParser):
    """The elements of a page, its texts, and what its attributes refer to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.references += [value or "" for name, value in attrs if name in REFERRING]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
