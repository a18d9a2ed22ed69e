"""Lines of YAML that a person is to read."""

import json
import textwrap

COMMENT_WIDTH = 96


def comment(text: str, *, indent: int = 0) -> list[str]:
    """Text as YAML comment lines."""
    prefix = f"{' ' * indent}# "
    return textwrap.wrap(
        text,
        COMMENT_WIDTH,
        initial_indent=prefix,
        subsequent_indent=prefix,
        break_on_hyphens=False,
        break_long_words=False,
    )


def quoted(text: str) -> str:
    """Text as a YAML scalar that nothing can mistake for anything else."""
    return json.dumps(text, ensure_ascii=False)
