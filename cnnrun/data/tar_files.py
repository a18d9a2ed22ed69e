"""Tar files of images as a manifest: with labels beside the images, or folders for classes.

In WebDataset's layout the members of one image share their name up to the first point:
`0001.jpg`, `0001.cls`, `0001.json`.
"""

import codecs
import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from cnnrun.config.data_sources import TarSource
from cnnrun.data.folders import read_listing
from cnnrun.data.image_files import IMAGE_SUFFIXES, SYSTEM_NAMES, FolderListing, Ignored
from cnnrun.data.image_rows import classes_in_order, manifest_of_rows
from cnnrun.data.layouts import Placed, SplitNames, place_images
from cnnrun.data.manifest import Layout, Manifest
from cnnrun.data.packed_images import PackedImage, Packing
from cnnrun.data.shards import Shard, paths_of, shards_of, with_packing
from cnnrun.data.tar_index import Member, Others, members_of
from cnnrun.errors import DataError
from cnnrun.shown_text import shown
from cnnrun.wording import counted

LABEL_ENDINGS: Final = ("cls", "json", "txt")
DEFAULT_FIELD: Final = "label"

_LOOKED_AT_FIRST: Final = 1000
_LABEL_BYTES_AT_MOST: Final = 2**10
_JSON_BYTES_AT_MOST: Final = 2**20
_CAPTIONS_FROM: Final = 20


@dataclass
class _Found:
    """What the tar files hold: a place for each image, and what is said of it by its key."""

    names: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # of each file, its first image's place
    positions: "array[int]" = field(default_factory=lambda: array("q"))
    sizes: "array[int]" = field(default_factory=lambda: array("q"))
    said: list[tuple[str, str, str]] = field(default_factory=list)  # label, split, group
    ignored: Counter[str] = field(default_factory=Counter)
    without_image: int = 0
    notes: list[str] = field(default_factory=list)


def manifest_from_tar(
    source: TarSource,
    *,
    layout: Layout,
    classes: tuple[str, ...] | int | None,
    partial: bool,
) -> Manifest:
    """The images in tar files.

    An image's path is its member's name, whichever tar file holds it, so that its id is that of
    the same file in a folder. Where several tar files have members of one name, that of the tar
    file stands before it, as a folder would.

    Args:
        source: the files, and where labels stand.
        layout: how paths are read, where it has patterns; what is left out; the words for splits.
        classes: what `data.classes` says: names in their order, their number, or None.
        partial: whether classes may be without images.

    Returns:
        A manifest whose rows are sorted by path; no image has been looked at.

    Raises:
        DataError: a tar file is absent, damaged or compressed, or images are without labels.
    """
    shards = shards_of(source.file, kind="tar", key="tar")
    place = shown(shards[0].file) if len(shards) == 1 else shown(_pattern(source, shards))
    source = _with_label(source, shards)
    found = _Found()
    for shard in shards:
        _read(shard, source, found, SplitNames(layout.words))
    if not found.names:
        raise _without_images(place, found)
    paths = paths_of(found.names, shards, _file_of(found), found.notes, kind="tar")
    notes = _notes(found, source)
    rows, read_layout = _rows(place, paths, found, source, shards, layout, notes)
    if source.label is not None:
        classes = classes_in_order(rows, classes)
        _refuse_captions(place, rows, source)
    manifest = manifest_of_rows(
        shards[0].file.parent,
        rows,
        classes=classes,
        partial=partial,
        place=place,
        layout=read_layout,
        notes=notes,
    )
    read_as = {} if source.label is None else {"label": source.label}
    return with_packing(manifest, paths, _packing(found, shards, read_as))


def tar_images(source: TarSource, notes: list[str]) -> list[PackedImage]:
    """The images in tar files, sorted by their names in each, without their labels.

    Raises:
        DataError: see manifest_from_tar.
    """
    shards = shards_of(source.file, kind="tar", key="tar")
    source, found = replace(source, label=None), _Found()
    for shard in shards:
        _read(shard, source, found, SplitNames({}))
    if not found.names:
        raise _without_images(shown(shards[0].file), found)
    notes += found.notes
    packing = _packing(found, shards, {})
    rows = range(len(found.names))
    images = [packing.image(row, found.names[row]) for row in rows]
    return sorted(images, key=lambda image: (image.file, image.name))


def _packing(found: _Found, shards: Sequence[Shard], read_as: Mapping[str, str]) -> Packing:
    return Packing(
        tuple(shard.file for shard in shards),
        _file_of(found),
        np.array(found.positions, dtype=np.int64),
        np.array(found.sizes, dtype=np.int64),
        read_as,
    )


def _pattern(source: TarSource, shards: Sequence[Shard]) -> Path:
    return source.file if isinstance(source.file, Path) else shards[0].file.parent


def _file_of(found: _Found) -> Any:
    counts = np.diff([*found.starts, len(found.names)])
    return np.repeat(np.arange(len(counts), dtype=np.int32), counts)


def _members(file: Path, others: Others) -> Iterator[tuple[Member, str, str, BinaryIO]]:
    """The members that no system left there, with their key and ending."""
    for member, stream in members_of(file, others):
        name = member.name
        base_at = name.rfind("/") + 1
        point = name.find(".", base_at)
        if point < 0:
            point = len(name)
        if (name[0] == "." or "/." in name or base_at) and _is_hidden(name):
            continue
        if name[base_at:].lower() in SYSTEM_NAMES:
            continue
        yield member, name[:point], name[point + 1 :].lower(), stream


def _is_hidden(name: str) -> bool:
    """Whether a member is what a system leaves behind."""
    parts = name.split("/")
    return "__MACOSX" in parts or any(part[:1] == "." and part != ".." for part in parts)


def _with_label(source: TarSource, shards: Sequence[Shard]) -> TarSource:
    """The source with the ending of its labels, where the first members have such.

    Fields of a .json are said to be there where one is named.
    """
    if source.label is not None:
        return source
    if source.field is not None:
        return replace(source, label="json")
    endings: set[str] = set()
    for shard in shards:
        first = islice(_members(shard.file, Others()), _LOOKED_AT_FIRST)
        for member, _, ending, stream in first:
            if ending != "json" or _has_label(shard.file, member, stream):
                endings.add(ending)
        if endings:
            break
    label = next((ending for ending in LABEL_ENDINGS if ending in endings), None)
    return replace(source, label=label)


def _has_label(file: Path, member: Member, stream: BinaryIO) -> bool:
    try:
        return DEFAULT_FIELD in _object(file, member, stream)
    except DataError:  # another kind of .json, which is nothing to go by
        return False


def _read(shard: Shard, source: TarSource, found: _Found, split_of: SplitNames) -> None:
    """Add the images of a tar file."""
    others = Others()
    found.starts.append(len(found.names))
    places: dict[str, int] = {}
    labels: dict[str, str] = {}
    objects: dict[str, dict[str, Any]] = {}
    uses_json = source.label == "json" or source.split is not None or source.group is not None
    image_ending = None if source.image is None else source.image.lower()
    label_ending = None if source.label is None else source.label.lower()
    fields = _fields(source)
    endings = {image_ending}
    if image_ending is None:
        endings = {suffix.removeprefix(".") for suffix in IMAGE_SUFFIXES}
    for member, key, ending, stream in _members(shard.file, others):
        if ending in endings:
            if key in places:
                raise _two_images(shard.file, found.names[places[key]], member.name)
            places[key] = len(found.names)
            found.names.append(member.name)
            found.positions.append(member.position)
            found.sizes.append(member.size)
        elif uses_json and ending == "json":
            whole = _object(shard.file, member, stream)
            objects[key] = {name: whole[name] for name in fields if name in whole}
        elif ending == label_ending:
            labels[key] = _text(shard.file, member, stream)
        else:
            found.ignored[f".{ending}" if ending else "without a suffix"] += 1
    found.without_image += len((labels.keys() | objects.keys()) - places.keys())
    if not uses_json:
        found.said += [(labels.get(key, ""), shard.split, "") for key in places]
    for key in places if uses_json else ():
        values = objects.get(key, {})
        if label_ending == "json":
            label = _value(values, fields[0], shard.file, key)
        else:
            label = labels.get(key, "")
        split = shard.split
        if source.split is not None:
            word = _value(values, source.split, shard.file, key)
            split = split_of(word) or ""
        group = "" if source.group is None else _value(values, source.group, shard.file, key)
        found.said.append((label, split, group))
    _note_others(shard.file, others, found)


def _fields(source: TarSource) -> tuple[str, ...]:
    """The fields of a .json that are used, the label's first."""
    named = (source.field or DEFAULT_FIELD, source.split, source.group)
    return tuple(name for name in named if name is not None)


def _content(file: Path, member: Member, stream: BinaryIO, *, at_most: int) -> str:
    if member.size > at_most:
        raise DataError.at(
            f"{shown(file)}:{member.name}",
            rule=f"must be a label, of at most {at_most:,} bytes",
            received=f"{member.size:,} bytes",
            advice="name the ending that holds the label as data.tar.label",
        )
    stream.seek(member.position)
    try:
        return stream.read(member.size).removeprefix(codecs.BOM_UTF8).decode().strip()
    except UnicodeDecodeError as error:
        raise DataError.at(
            f"{shown(file)}:{member.name}",
            rule="must be text in UTF-8",
            received=f"byte 0x{error.object[error.start]:02x}",
            advice="write it again, or name the ending that holds the label as data.tar.label",
        ) from error


def _text(file: Path, member: Member, stream: BinaryIO) -> str:
    return _content(file, member, stream, at_most=_LABEL_BYTES_AT_MOST)


def _object(file: Path, member: Member, stream: BinaryIO) -> dict[str, Any]:
    """The fields of a .json."""
    text = _content(file, member, stream, at_most=_JSON_BYTES_AT_MOST)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError.at(
            f"{shown(file)}:{member.name}",
            rule="must be JSON",
            received="text that is not",
            advice="correct it, or name the ending that holds the label as data.tar.label",
        ) from error
    return value if isinstance(value, dict) else {}


def _value(values: dict[str, Any], name: str, file: Path, key: str) -> str:
    """A field as text; empty where it is absent."""
    value = values.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise DataError.at(
            f"{shown(file)}:{key}.json",
            rule=f"must hold text or a whole number as {name}",
            received=json.dumps(value)[:100],
            advice="name another field (data.tar.field, .split and .group)",
        )
    return str(value).strip()


def _two_images(file: Path, first: str, second: str) -> DataError:
    if first == second:
        received, advice = f"{first} twice", "leave one of them out"
    else:
        received, advice = f"{first} and {second}", "name the ending that counts as data.tar.image"
    rule = "must hold one image of each name, up to its first point"
    return DataError.at(shown(file), rule=rule, received=received, advice=advice)


def _without_images(place: str, found: _Found) -> DataError:
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in found.ignored.most_common(5))
    return DataError.at(
        place,
        rule="must hold images",
        received=kinds or "none",
        advice="correct data.tar.file, or name the images' ending as data.tar.image",
    )


def _note_others(file: Path, others: Others, found: _Found) -> None:
    for number, what in (
        (others.links, "link"),
        (others.devices, "device or pipe"),
        (others.sparse, "sparse file"),
    ):
        if number:
            many = counted(number, what, "devices or pipes" if "or" in what else f"{what}s")
            found.notes.append(f"left out {many} of {shown(file)}")
    if not others.is_ended:
        found.notes.append(f"{shown(file)} has no mark of its end: it may have been cut off")
    if others.has_more:
        found.notes.append(f"left out what follows the end that {shown(file)} marks")


def _notes(found: _Found, source: TarSource) -> list[str]:
    notes = list(found.notes)
    if source.label is not None:
        what = f"field {source.field or DEFAULT_FIELD} of .json" if source.label == "json" else None
        notes.insert(0, f"labels are what {what or f'.{source.label}'} members hold")
    if found.ignored:
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in found.ignored.most_common(5))
        more = len(found.ignored) - 5
        notes.append(
            f"left out what is not an image: {kinds}" + (f" and {more} more kinds" * (more > 0))
        )
    if found.without_image:
        notes.append(f"left out {counted(found.without_image, 'label')} without an image")
    return notes


def _rows(
    place: str,
    paths: Sequence[str],
    found: _Found,
    source: TarSource,
    shards: Sequence[Shard],
    layout: Layout,
    notes: list[str],
) -> tuple[list[Placed], Layout | None]:
    """The images with what is known of them, and the layout that read their paths."""
    said = dict(zip(paths, found.said, strict=True))
    if source.label is not None and not layout.patterns and not layout.exclude:
        return [Placed(path, *values) for path, values in said.items()], None
    if source.label is None and not layout.patterns and not any("/" in path for path in paths):
        raise DataError.at(
            place,
            rule="must say the class of each image",
            received=f"{paths[0]} without a .cls, .txt or .json beside it, and in no folder",
            advice="name the ending of the labels as data.tar.label, or write data.layout",
        )
    if source.label is not None:
        patterns = layout.patterns or ("**",)
        placement = place_images(paths, replace(layout, patterns=patterns))
        read = None
        if placement.uncovered:
            left = counted(len(placement.uncovered), "image")
            notes.append(f"left out {left} that data.layout does not cover")
    else:
        listing = FolderListing(tuple(sorted(paths)), (), (), Ignored())
        read, placement, more = read_listing(_pattern(source, shards), listing, layout)
        notes += more
    rows = []
    for row in placement.images:
        label, split, group = said[row.path]
        rows.append(Placed(row.path, label or row.label, split or row.split, group or row.group))
    return rows, read


def _refuse_captions(place: str, rows: Sequence[Placed], source: TarSource) -> None:
    """Raise where a text is another one for most images: it describes them, and is no class."""
    different = len({row.label for row in rows})
    if source.label != "txt" or len(rows) < _CAPTIONS_FROM or 2 * different < len(rows):
        return
    raise DataError.at(
        place,
        rule="must hold the classes of images in .txt members, where nothing else does",
        received=f"{different:,} different texts of {len(rows):,} images, such as "
        f"{rows[0].label[:60]!r}",
        advice="name the ending or the field that holds the class (data.tar.label, .field)",
    )
