"""What `cnnrun help TOPIC` finds: chapters, keys of files, names of Keras, words of chapters."""

import re
from collections.abc import Iterator
from typing import Final

from cnnrun.errors import InputError
from cnnrun.manual.chapters import chapters
from cnnrun.manual.keras_names import KerasTopic, all_names, find_names
from cnnrun.manual.keys import KeyTopic, find_keys, key_topics
from cnnrun.wording import nearest

_BLOCK: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def page(topic: str) -> str:
    """What the manual says of a topic, as Markdown; "" if it has no page.

    Args:
        topic: a chapter, the address of a key or the end of one, or a name of Keras.
    """
    chapter = chapters().get(topic.lower().replace("_", "-"))
    if chapter is not None:
        return chapter.text
    keys = find_keys(topic)
    pages = [_key_page(keys)] if keys else []
    pages += [each.as_markdown() for each in _names(topic)]
    return "\n".join(pages)


def mentions(word: str) -> str:
    """The paragraphs of chapters in which a word stands as code, as Markdown; "" if none."""
    pattern = re.compile(rf"`[^`\n]*(?<![\w-]){re.escape(word)}(?![\w-])[^`\n]*`")
    pages = []
    for chapter in chapters().values():
        text = _BLOCK.sub("", chapter.text)
        passages = [each for each in text.strip().split("\n\n") if pattern.search(each)]
        if word and passages and chapter.topic != "changelog":
            pages += [f"# From the chapter `{chapter.topic}`", *passages]
    return "\n\n".join(pages) + "\n" if pages else ""


def refusal(topic: str, others: tuple[str, ...]) -> InputError:
    """What to raise where nothing is known of a topic: the nearest names.

    Args:
        topic: what was asked for.
        others: more names that there is help for.
    """
    known = (*chapters(), *(each.address for each in key_topics()), *all_names(), *others)
    ends = (each.address.rpartition(".")[2] for each in key_topics())
    advice = nearest(topic, tuple(dict.fromkeys((*known, *ends))))
    return InputError.at(
        "",
        rule="must be a chapter, a key, a class of Keras or a command",
        received=f"`{topic}`, of which the manual has nothing",
        advice=advice or "`cnnrun help` lists the chapters",
    )


def topics() -> Iterator[str]:
    """Everything that has a page of its own, for a shell to offer."""
    yield from chapters()
    yield from (each.address for each in key_topics())
    yield from all_names()


def _key_page(keys: tuple[KeyTopic, ...]) -> str:
    """One key in full; of several, where each stands and what it means."""
    if len(keys) == 1:
        return keys[0].as_markdown()
    lines = [f"- `{each.address}`, of a {each.file}: {each.row.doc}" for each in keys]
    return "\n".join(("# Several keys have this name", "", *lines)) + "\n"


def _names(topic: str) -> tuple[KerasTopic, ...]:
    """Names of Keras: the topic itself, or the end of an address such as `train.optimizer.Adam`."""
    found = find_names(topic)
    parts = topic.split(".")
    while not found and len(parts) > 1:
        found = find_names(parts.pop())
    return found
