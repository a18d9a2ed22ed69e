"""Gives out the cells of a study that no other process has, and keeps what these have begun.

A process of a shared study trains a cell in a folder of its own beside the cell's place, and moves
it there when the cell has ended. So two that have a cell by mischance do not disturb each other:
the first to come is kept, and the other's is the same. What a process that died has come to is gone
on with from a copy.
"""

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from cnnrun.ablation.execution.schedule import Numbered, outcome_at
from cnnrun.ablation.execution.tasks import Failed
from cnnrun.runs.claims import Claim, Holder, work_folder
from cnnrun.runs.files import PARTIAL_PREFIX, json_text, storage_errors
from cnnrun.runs.folder import RunFolder

_ASIDE: Final = "aside"


class SharedDesk:
    """The cells of a study, to this process as far as no other has them; see `Desk`.

    Attributes:
        here: the numbers of the cells that this process has ended.
    """

    def __init__(self, holder: Holder, *, in_place: bool) -> None:
        """Who takes cells, and whether it trains them where they are to lie."""
        self.here: set[int] = set()
        self._holder = holder
        self._in_place = in_place
        self._taken: dict[int, tuple[Numbered, Path]] = {}

    def take(self, each: Numbered) -> Path | None:
        """The folder to train a cell in; None where another process has it, or has done it.

        Raises:
            StorageError: the study's folder cannot be written to.
        """
        if each.number in self._taken:
            return self._taken[each.number][1]
        if any(other.task.key == each.task.key for other, _ in self._taken.values()):
            return None  # one cell under two names
        if not self._holder.take(each.task.key):
            return None
        # Between the last look and the claim, another process may have ended it.
        if self.failure(each) or outcome_at(each, each.task.folder, is_reused=True):
            self._holder.release(each.task.key)
            return None
        folder = self._begin(each)
        if folder is None:
            self._holder.release(each.task.key)
        else:
            self._taken[each.number] = each, folder
        return folder

    def give_back(self, each: Numbered, *, failed: Failed | None) -> None:
        """A cell has ended, and lies in its place.

        Raises:
            StorageError: the study's folder cannot be written to.
        """
        _, folder = self._taken.pop(each.number)
        _place(each, folder)
        self.here.add(each.number)
        if failed is not None and not outcome_at(each, each.task.folder, is_reused=True):
            self._holder.fail(each.task.key, json_text(vars(failed), indent=None))
        self._holder.release(each.task.key)

    def put_back(self) -> None:
        """What this process has begun and not ended lies in its place, for whoever goes on."""
        for each, folder in self._taken.values():
            with suppress(OSError):
                _place(each, folder)
            self._holder.release(each.task.key)
        self._taken.clear()

    def failure(self, each: Numbered) -> Failed | None:
        """Why a process that works beside this one got no result for a cell; None if none did."""
        try:
            return Failed(**json.loads(self._holder.failure(each.task.key) or ""))
        except (ValueError, TypeError):
            return None

    def of_others(self, each: Numbered) -> Claim | None:
        """Who else has a cell; None where nobody has."""
        return self._holder.of_others(each.task.key)

    def _begin(self, each: Numbered) -> Path | None:
        """A folder with the most that anybody has come to; None where that turns out to be all."""
        place = each.task.folder
        own = work_folder(place, self._holder.name)
        furthest = max((place, *_begun(place)), key=_progress)
        with storage_errors(place):
            if furthest != place:
                _copy(furthest, own)
                if self._in_place or outcome_at(each, own, is_reused=True):
                    _put(own, place)
            elif not self._in_place and _progress(place):
                _copy(place, own)
            folder = place if self._in_place else own
            folder.mkdir(parents=True, exist_ok=True)
        return None if outcome_at(each, place, is_reused=True) else folder


def _begun(place: Path) -> Iterator[Path]:
    """The folders in which processes have begun a cell that lies elsewhere when it has ended."""
    return place.parent.glob(f".{place.name}.*")


def _progress(folder: Path) -> str:
    """A text that is greater, the further a cell has come; empty where nothing is to be kept."""
    if (folder / "cell.json").exists():
        return "finished"
    return max((path.name for path in (folder / "checkpoints").glob("epoch-*.npz")), default="")


def _copy(source: Path, target: Path) -> None:
    """A folder of a cell, whose process may live: checkpoints first, for it writes rows meanwhile.

    It appears whole or not at all.
    """
    run = RunFolder(source)
    partial = target.with_name(f"{PARTIAL_PREFIX}{secrets.token_hex(4)}{target.name}")
    files = [path for path in source.rglob("*") if path.is_file()]
    for path in sorted(files, key=lambda path: path.parent != run.checkpoints):
        if path == run.lock or path.name.startswith(PARTIAL_PREFIX):
            continue
        copy = partial / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(path, copy)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def _place(each: Numbered, folder: Path) -> None:
    """A cell lies in its place, unless another process has put it there; the rest is removed."""
    place = each.task.folder
    if folder != place and not outcome_at(each, place, is_reused=True):
        with storage_errors(place):
            _put(folder, place)
    if outcome_at(each, place, is_reused=True):
        for left in (*_begun(place), *place.parent.glob(f"{PARTIAL_PREFIX}*.{place.name}.*")):
            shutil.rmtree(left, ignore_errors=True)


def _put(folder: Path, place: Path) -> None:
    """A folder in the place of what was there, unless another process has just done the same."""
    aside = work_folder(place, f"{_ASIDE}-{secrets.token_hex(4)}")
    if place.exists():
        place.rename(aside)
    try:
        folder.rename(place)
    except OSError:
        if not place.exists():
            raise
    shutil.rmtree(aside, ignore_errors=True)
