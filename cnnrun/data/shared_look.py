"""A look at images that several processes share: each keeps what it saw until all is merged."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnrun.data.check import Look, look_at_rows, look_of
from cnnrun.data.decoding import Decoding
from cnnrun.data.image_facts import ImageFacts
from cnnrun.data.manifest import Manifest
from cnnrun.data.splits import Splits
from cnnrun.errors import DataError
from cnnrun.runs.files import json_text, replacing, storage_errors
from cnnrun.runs.work_share import SHARDS_FOLDER, WorkShare, share_of, shares_in
from cnnrun.shown_text import shown

_SUFFIX = ".npz"


@dataclass(frozen=True)
class Seen:
    """What a process has seen of its share: where it is kept, and of how many images."""

    file: Path
    images: int


@dataclass(frozen=True, eq=False)
class _Part:
    """The content of such a file.

    Attributes:
        file: which one.
        decoding: how images were to become pixels, as text.
        facts: of its images, by path.
        thumbnails: theirs.
    """

    file: Path
    decoding: str
    facts: Mapping[str, ImageFacts]
    thumbnails: Mapping[str, npt.NDArray[np.uint8]]


def look_at_share(
    manifest: Manifest, splits: Splits | None, decoding: Decoding, *, share: WorkShare, out: Path
) -> Seen:
    """Look at the images of a share, which follows from their paths, and keep what was seen.

    Args:
        manifest: all images.
        splits: their splits; None where they could not be cut.
        decoding: how they will become pixels.
        share: which of them.
        out: the folder that findings are to be written to.

    Raises:
        StorageError: it cannot be written to.
    """
    rows = [row for row, path in enumerate(manifest.paths) if share.holds(path)]
    facts, thumbnails = look_at_rows(manifest, splits, decoding, rows)
    file = _file(out, share)
    with storage_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    kept = {
        "decoding": _text(decoding),
        "facts": [asdict(fact) | {"digest": fact.digest.hex()} for fact in facts],
    }
    # Exactly as they are: names that are no UTF-8, infinities.
    content = json.dumps(kept, default=float).encode("ascii")
    with replacing(file) as partial:
        np.savez(partial, facts=np.frombuffer(content, np.uint8), thumbnails=thumbnails)
    return Seen(file, len(rows))


def merged_look(
    manifest: Manifest, splits: Splits | None, decoding: Decoding, *, out: Path
) -> Look:
    """What looking at every image told, from what the processes of all shares have seen.

    Args:
        manifest: all images, as each of them was given them.
        splits: their splits; None where they could not be cut.
        decoding: how they will become pixels.
        out: the folder that each was given.

    Raises:
        InputError: a share is absent.
        DataError: one is damaged, of another config or of other images.
    """
    shares = shares_in(out / SHARDS_FOLDER, suffix=_SUFFIX)
    parts = [_opened(_file(out, share)) for share in shares]
    names = [""] * len(manifest) if splits is None else splits.names(images=len(manifest))
    facts, thumbnails = [], []
    for path, label, split in zip(manifest.paths, manifest.labels, names, strict=True):
        share = shares[share_of(path, total=len(shares)) - 1]
        part = parts[share.number - 1]
        fact = part.facts.get(path)
        now = manifest.classes[label], split, _text(decoding)
        if fact is None or (fact.label, fact.split, part.decoding) != now:
            raise DataError.at(
                shown(part.file),
                rule=f"must be of the images and the config that there are now, here of {path}",
                received="no such image" if fact is None else "another class, split or size of it",
                advice=f"look again with `--shard {share}`, and the same config for all",
            )
        facts.append(fact)
        thumbnails.append(part.thumbnails[path])
    return look_of(tuple(facts), np.stack(thumbnails))


def remove_parts(out: Path) -> None:
    """Take away what the processes have kept."""
    shutil.rmtree(out / SHARDS_FOLDER, ignore_errors=True)


def _file(out: Path, share: WorkShare) -> Path:
    return out / SHARDS_FOLDER / f"{share.file_name}{_SUFFIX}"


def _opened(file: Path) -> _Part:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            content: dict[str, Any] = json.loads(arrays["facts"].tobytes())
            thumbnails = arrays["thumbnails"]
        facts = [
            ImageFacts(**fields | {"digest": bytes.fromhex(fields["digest"])})
            for fields in content["facts"]
        ]
        small = dict(zip((fact.path for fact in facts), thumbnails, strict=True))
        return _Part(file, content["decoding"], {fact.path: fact for fact in facts}, small)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError.at(
            shown(file),
            rule="must be what `cnnrun check-data --shard` wrote",
            received="a damaged file",
            advice="take it away, and look again",
        ) from error


def _text(decoding: Decoding) -> str:
    return json_text(decoding.described(), indent=None)
