"""Takes out of a text what looks like a password or a key, by its name or by its form."""

import re
from typing import Final

MASKED: Final = "***"

_NAMED: Final = re.compile(
    r"(?i)((?:[\w-]*(?:passw|passphrase|pwd|secret|token|credential|api_?-?key|access_?-?key"
    r"|private_?-?key|auth(?!or))[\w-]*|(?:[\w-]*[_-])?pat|pass)"
    r"[\"']?\s*(?:[:=]|=>)\s*)([^\s,}\])].*?)(?=$|[\r\n])",
    re.MULTILINE,
)
_FORMS: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # Amazon
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{20,}"
    r"|\bxox[abeprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|\bsk-[A-Za-z0-9_-]{20,}|\bhf_[A-Za-z0-9]{20,}|\bAIza[\w-]{35}"
    r"|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"  # JSON web tokens
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)",  # user and password of an address
    re.DOTALL,
)
_NAMES: Final = re.compile(
    r"(?i)passw|passphrase|pwd|secret|token|credential|key|auth(?!or)|(?:^|_)pat(?:$|_)|pass$"
)


def without_secrets(text: str) -> str:
    """The text with `***` in the place of what is likely a secret.

    It is no guarantee: a password under an innocent name looks like any other word.
    """
    return _NAMED.sub(rf"\g<1>{MASKED}", _FORMS.sub(MASKED, text))


def is_secret_name(name: str) -> bool:
    """Whether the value of a variable of this name is likely a secret."""
    return _NAMES.search(name) is not None
