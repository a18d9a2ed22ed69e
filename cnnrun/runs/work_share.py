"""A share of some work that is done by several processes, on one machine or many."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cnnrun.errors import InputError
from cnnrun.shown_text import shown
from cnnrun.wording import listed

SHARDS_FOLDER: Final = "shards"
"""The folder of the shares of what stands beside it when they are merged."""

_NAME: Final = re.compile(r"([1-9]\d*)-of-([1-9]\d*)")
_DIGEST_BYTES: Final = 8


@dataclass(frozen=True)
class WorkShare:
    """The share `number` of `total`, counted from 1."""

    number: int
    total: int

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"

    @property
    def file_name(self) -> str:
        """What the file or folder of this share is called, such as `2-of-3`."""
        return f"{self.number}-of-{self.total}"

    def distance(self, place: int) -> int:
        """How many shares after this one is the share that has a place, counted from 0; 0: this."""
        return (place - (self.number - 1)) % self.total

    def holds(self, name: str) -> bool:
        """Whether a name is of this share."""
        return share_of(name, total=self.total) == self.number


def share_of(name: str, *, total: int) -> int:
    """The number of the share that a name is of: by its hash, whatever other names there are."""
    content = name.encode("utf-8", errors="surrogateescape")
    digest = hashlib.blake2b(content, digest_size=_DIGEST_BYTES).digest()
    return int.from_bytes(digest, "big") % total + 1


def shares_found(place: Path, *, suffix: str) -> list[WorkShare]:
    """The shares that lie in a folder, by their names, which end with a suffix."""
    entries = place.iterdir() if place.is_dir() else ()
    names = (each.name for each in entries if each.name.endswith(suffix))
    found = (_NAME.fullmatch(name.removesuffix(suffix)) for name in names)
    return [WorkShare(int(each[1]), int(each[2])) for each in found if each]


def shares_in(place: Path, *, suffix: str) -> list[WorkShare]:
    """The shares that lie in a folder, the first first; all that there are to be.

    Args:
        place: the folder.
        suffix: of their names, after `WorkShare.file_name`.

    Raises:
        InputError: there are none, or not all, or those of more than one division.
    """
    there = sorted((each.total, each.number) for each in shares_found(place, suffix=suffix))
    divisions = sorted({total for total, _ in there})
    if not there:
        raise InputError.at(
            shown(place),
            rule="must hold the shares that are to be merged",
            received="none",
            advice="make them with `--shard 1/N` to `--shard N/N`, and the same options for all",
        )
    if len(divisions) > 1:
        raise InputError.at(
            shown(place),
            rule="must hold the shares of one division",
            received=f"shares of {' and of '.join(map(str, divisions))}",
            advice="take away those that are not meant",
        )
    total = divisions[0]
    absent = sorted(set(range(1, total + 1)) - {number for _, number in there})
    if absent:
        names_of_absent = listed([f"{each}/{total}" for each in absent])
        raise InputError.at(
            shown(place),
            rule=f"must hold all {total} shares",
            received=f"{len(there)} of them, without {names_of_absent}",
            advice=f"make it with `--shard {absent[0]}/{total}`",
        )
    return [WorkShare(number, total) for number in range(1, total + 1)]
