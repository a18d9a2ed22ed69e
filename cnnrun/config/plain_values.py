"""A plain value (what YAML and JSON hold) in YAML's one-line form."""

from collections.abc import Mapping
from typing import Any


def flow_text(value: Any) -> str:
    """A plain value in YAML's one-line form, for messages: `{monitor: val_loss, mode: auto}`."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {flow_text(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow_text, value))}]"
    words = {None: "null", True: "true", False: "false"}
    is_word = value is None or isinstance(value, bool)
    return words[value] if is_word else str(value)
