"""TFRecord files of images as a manifest, without TensorFlow: each record is an Example.

The framing of a record is from TensorFlow's documentation ("TFRecord and tf.train.Example"): its
length in 8 bytes, 4 of a checksum, the record, 4 of a checksum. Checksums are not compared: damaged
images are found when they are decoded.
"""

import os
import struct
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np

from cnnrun.config.data_sources import TfrecordSource
from cnnrun.data.image_rows import classes_in_order, manifest_of_rows
from cnnrun.data.layouts import Placed, SplitNames
from cnnrun.data.manifest import Manifest
from cnnrun.data.packed_images import PackedImage, Packing
from cnnrun.data.shards import (
    Shard,
    damaged_shard,
    paths_of,
    refuse_compressed,
    shards_of,
    unreadable_shard,
    with_packing,
)
from cnnrun.errors import DataError
from cnnrun.shown_text import shown
from cnnrun.wording import counted, listed, nearest

TFRECORD_SUFFIXES: Final = (".tfrecord", ".tfrecords", ".tfrec")

_KIND: Final = "TFRecord"
_LENGTH: Final = struct.Struct("<Q")
_HEADER_BYTES: Final = 12
_FOOTER_BYTES: Final = 4
_RECORD_BYTES_AT_MOST: Final = 2**28
_LOOKED_AT_FIRST: Final = 20
_TEXT_BYTES_AT_MOST: Final = 2**12
_IMAGE_NAMES: Final = ("image/encoded", "image", "image_raw", "img", "jpeg", "encoded")
_LABEL_NAMES: Final = ("image/class/label", "label", "class", "target", "image/class/text")
_PATH_NAMES: Final = ("image/filename", "filename")
_BEGINNINGS: Final = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")


class _Record(NamedTuple):
    """A record: its number in the file, where its bytes begin, and these."""

    number: int
    position: int
    content: bytes


@dataclass
class _Found:
    """What the files hold: a place for each image, and what is said of it."""

    names: list[str] = field(default_factory=list)
    file_of: "array[int]" = field(default_factory=lambda: array("i"))
    positions: "array[int]" = field(default_factory=lambda: array("q"))
    sizes: "array[int]" = field(default_factory=lambda: array("q"))
    said: list[tuple[str, str, str]] = field(default_factory=list)  # label, split, group

    @property
    def has_twins(self) -> bool:
        """Whether two images of one file have the same name."""
        return len(set(zip(self.file_of, self.names, strict=True))) < len(self.names)


def manifest_from_tfrecord(
    source: TfrecordSource,
    *,
    words: Mapping[str, tuple[str, ...]],
    classes: tuple[str, ...] | int | None,
    partial: bool,
) -> Manifest:
    """The images in TFRecord files.

    An image's path is what the feature `path` says, or else its file and number there:
    `train-00001-of-00010[17]`. A feature that is found and calls two images of a file the same says
    no path.

    Args:
        source: the files, and the features of their records.
        words: for a split, what the feature `split` calls it.
        classes: what `data.classes` says: names in their order, their number, or None.
        partial: whether classes may be without images.

    Returns:
        A manifest whose rows are sorted by path; no image has been looked at.

    Raises:
        DataError: a file is absent, cut off or compressed, or a record lacks a feature.
    """
    shards = shards_of(source.file, kind=_KIND, key="tfrecord")
    named, source = source.path, _with_features(source, shards)
    notes: list[str] = [
        f"images are what feature {source.image} holds, labels what {source.label} does"
    ]
    found = _found(shards, source, SplitNames(words))
    if named is None and found.has_twins:
        notes.append(
            f"feature {source.path} calls images of one file the same: they go by file and number"
        )
        source = replace(source, path=None)
        found = _found(shards, source, SplitNames(words))
    packing = _packing(found, shards, source)
    paths = paths_of(found.names, shards, packing.file_of, notes, kind=_KIND)
    rows = [Placed(path, *said) for path, said in zip(paths, found.said, strict=True)]
    manifest = manifest_of_rows(
        shards[0].file.parent,
        rows,
        classes=classes_in_order(rows, classes),
        partial=partial,
        place=_place(shards),
        layout=None,
        notes=notes,
    )
    return with_packing(manifest, paths, packing)


def tfrecord_images(source: TfrecordSource) -> list[PackedImage]:
    """The images in TFRecord files, file by file, without their labels.

    Raises:
        DataError: see manifest_from_tfrecord.
    """
    shards = shards_of(source.file, kind=_KIND, key="tfrecord")
    source = _with_features(source, shards, labelled=False)
    found = _found(shards, replace(source, label=None), SplitNames({}))
    packing = _packing(found, shards, source)
    return [packing.image(row, name) for row, name in enumerate(found.names)]


def _packing(found: _Found, shards: Sequence[Shard], source: TfrecordSource) -> Packing:
    read_as = {"image": source.image, "label": source.label, "path": source.path}
    return Packing(
        tuple(shard.file for shard in shards),
        np.array(found.file_of, dtype=np.int32),
        np.array(found.positions, dtype=np.int64),
        np.array(found.sizes, dtype=np.int64),
        read_as,
    )


def _place(shards: Sequence[Shard]) -> str:
    return shown(shards[0].file if len(shards) == 1 else shards[0].file.parent)


def _records(file: Path) -> Iterator[_Record]:
    """The records of a file, one at a time.

    Raises:
        DataError: it is compressed, cut off or of another kind.
    """
    try:
        with file.open("rb") as stream:
            refuse_compressed(file, stream.read(8), kind=_KIND)
            yield from _framed(file, stream)
    except OSError as error:
        raise unreadable_shard(file, error, kind=_KIND) from error


def _framed(file: Path, stream: BinaryIO) -> Iterator[_Record]:
    end = os.fstat(stream.fileno()).st_size
    if end == 0:
        raise damaged_shard(file, kind=_KIND, received="an empty file")
    position = number = 0
    stream.seek(0)
    while position < end:
        header = stream.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES:
            received = f"record {number}, which is cut off in its length"
            raise damaged_shard(file, kind=_KIND, received=received)
        length = _LENGTH.unpack(header[:8])[0]
        start = position + _HEADER_BYTES
        position = start + length + _FOOTER_BYTES
        if length > _RECORD_BYTES_AT_MOST and (number == 0 or position <= end):
            received = f"a first record of {length:,} bytes, which no image has"
            if number:
                received = f"record {number} of {length:,} bytes, which no image has"
            raise damaged_shard(file, kind=_KIND, received=received)
        if position > end:
            received = f"record {number}, of whose bytes {position - end:,} are missing"
            raise damaged_shard(file, kind=_KIND, received=received)
        content = stream.read(length)
        stream.seek(_FOOTER_BYTES, os.SEEK_CUR)
        yield _Record(number, start, content)
        number += 1


def _features(file: Path, record: _Record) -> Any:
    """A record's features, a map from name to value."""
    example = _example()()
    try:
        example.ParseFromString(record.content)
    except _decode_error() as error:
        raise DataError.at(
            f"{shown(file)}[{record.number}]",
            rule="must be a tf.train.Example",
            received=f"{len(record.content):,} bytes that are none",
            advice="write it with tf.train.Example, or copy the file again",
        ) from error
    return example.features.feature


@cache
def _decode_error() -> type[Exception]:
    from google.protobuf.message import DecodeError

    error: type[Exception] = DecodeError
    return error


@cache
def _example() -> Any:
    """The class of tf.train.Example, after TensorFlow's example.proto and feature.proto."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="t", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto

    def add(name: str, *fields: tuple[str, int, int, int, str]) -> Any:
        message = file.message_type.add(name=name)
        for field_name, number, label, kind, of in fields:
            made = message.field.add(name=field_name, number=number, label=label, type=kind)
            if of:
                made.type_name = of
        return message

    many, one = kinds.LABEL_REPEATED, kinds.LABEL_OPTIONAL
    add("BytesList", ("value", 1, many, kinds.TYPE_BYTES, ""))
    add("FloatList", ("value", 1, many, kinds.TYPE_FLOAT, ""))
    add("Int64List", ("value", 1, many, kinds.TYPE_INT64, ""))
    feature = add(
        "Feature",
        ("bytes_list", 1, one, kinds.TYPE_MESSAGE, ".t.BytesList"),
        ("float_list", 2, one, kinds.TYPE_MESSAGE, ".t.FloatList"),
        ("int64_list", 3, one, kinds.TYPE_MESSAGE, ".t.Int64List"),
    )
    feature.oneof_decl.add(name="kind")
    for each in feature.field:
        each.oneof_index = 0
    features = add("Features", ("feature", 1, many, kinds.TYPE_MESSAGE, ".t.Features.Entry"))
    entry = features.nested_type.add(name="Entry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=one, type=kinds.TYPE_STRING)
    entry.field.add(
        name="value", number=2, label=one, type=kinds.TYPE_MESSAGE, type_name=".t.Feature"
    )
    add("Example", ("features", 1, one, kinds.TYPE_MESSAGE, ".t.Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Example"))


def _with_features(
    source: TfrecordSource, shards: Sequence[Shard], *, labelled: bool = True
) -> TfrecordSource:
    """The source with the names of its features, where the first records show them."""
    first = list(islice(_records(shards[0].file), _LOOKED_AT_FIRST))
    if not first:
        raise damaged_shard(shards[0].file, kind=_KIND, received="no record")
    features = _features(shards[0].file, first[0])
    image = source.image or _image_feature(features)
    label = source.label or _label_feature(features)
    for key, name in (("image", image), ("label", label if labelled else "")):
        if name is None:
            raise DataError.at(
                f"{shown(shards[0].file)}[0]",
                rule=f"must have one feature that can be the {key}",
                received=listed(sorted(features)) if features else "no features",
                advice=f"name it as data.tfrecord.{key}",
            )
    path = source.path or next((name for name in _PATH_NAMES if name in features), None)
    return replace(source, image=image, label=label, path=path)


def _image_feature(features: Any) -> str | None:
    """The feature that is an image file: by its name, or the only one that begins so."""
    are_images = [
        name
        for name in features
        if len(values := features[name].bytes_list.value) == 1 and values[0].startswith(_BEGINNINGS)
    ]
    named = [name for name in _IMAGE_NAMES if name in are_images]
    return named[0] if named else are_images[0] if len(are_images) == 1 else None


def _label_feature(features: Any) -> str | None:
    """The feature that is the class: by its name, or the only whole number that is alone."""
    named = [name for name in _LABEL_NAMES if name in features]
    numbers = [name for name in features if len(features[name].int64_list.value) == 1]
    return named[0] if named else numbers[0] if len(numbers) == 1 else None


def _found(shards: Sequence[Shard], source: TfrecordSource, split_of: SplitNames) -> _Found:
    found = _Found()
    for number, shard in enumerate(shards):
        _read(shard, number, source, found, split_of)
    return found


def _read(
    shard: Shard, place: int, source: TfrecordSource, found: _Found, split_of: SplitNames
) -> None:
    """Add the images of a file."""
    stem = shard.file.name
    for suffix in TFRECORD_SUFFIXES:
        stem = stem.removesuffix(suffix)
    for record in _records(shard.file):
        features = _features(shard.file, record)
        at = f"{shown(shard.file)}[{record.number}]"
        image = _image(features, source.image, at)
        found.file_of.append(place)
        found.positions.append(record.position + record.content.find(image))
        found.sizes.append(len(image))
        name = "" if source.path is None else _text(features, source.path, "path", at)
        found.names.append(name or f"{stem}[{record.number}]")
        label = "" if source.label is None else _text(features, source.label, "label", at)
        split = shard.split
        if source.split is not None:
            split = split_of(_text(features, source.split, "split", at)) or ""
        group = "" if source.group is None else _text(features, source.group, "group", at)
        found.said.append((label, split, group))


def _image(features: Any, name: str | None, at: str) -> bytes:
    if name is None or name not in features:
        raise _lacks(features, name or "", "image", at)
    values = features[name].bytes_list.value
    if len(values) != 1:
        raise DataError.at(
            at,
            rule=f"must hold one image as {name}",
            received=counted(len(values), "value"),
            advice="name another feature as data.tfrecord.image",
        )
    image: bytes = values[0]
    return image


def _text(features: Any, name: str, key: str, at: str) -> str:
    """A feature as text: a whole number, or a name; empty where it has no value."""
    if name not in features:
        raise _lacks(features, name, key, at)
    feature = features[name]
    values = feature.int64_list.value or feature.bytes_list.value
    if len(feature.float_list.value) or len(values) > 1:
        raise DataError.at(
            at,
            rule=f"must hold one whole number or text as {name}",
            received=counted(max(len(values), len(feature.float_list.value)), "value")
            + " with decimals" * bool(len(feature.float_list.value)),
            advice=f"name another feature as data.tfrecord.{key}",
        )
    if not values:
        return ""
    if isinstance(values[0], int):
        return str(values[0])
    try:
        if len(values[0]) > _TEXT_BYTES_AT_MOST:
            raise ValueError
        text: str = values[0].decode()
    except ValueError as error:
        raise DataError.at(
            at,
            rule=f"must hold text in UTF-8 as {name}, of at most {_TEXT_BYTES_AT_MOST:,} bytes",
            received=counted(len(values[0]), "byte"),
            advice=f"name another feature as data.tfrecord.{key}",
        ) from error
    return text.strip()


def _lacks(features: Any, name: str, key: str, at: str) -> DataError:
    return DataError.at(
        at,
        rule=f"must have the feature that data.tfrecord.{key} names, {name}",
        received=listed(sorted(features)) or "no features",
        advice=nearest(name, list(features)) or f"name it as data.tfrecord.{key}",
    )
