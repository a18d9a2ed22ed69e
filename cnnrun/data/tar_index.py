"""What a tar file holds and where, read from its headers alone.

Headers of plain files are read here, for a million of them in seconds; all others (long names,
sizes beyond 8 GB, links, sparse files) by the standard library's tarfile. Nothing is unpacked:
names are data, wherever they would lead.
"""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import numpy as np

from cnnrun.data.shards import damaged_shard, refuse_compressed, unreadable_shard

BLOCK: Final = 512
_ZEROS: Final = bytes(BLOCK)
_RECORD_BLOCKS: Final = 20  # tar fills its last record of 10 KiB with zeros
_BUFFER_BYTES: Final = 2 * BLOCK  # a header, and what a small file has behind it
_HEADERS_AT_ONCE: Final = 256
_EXTENSIONS: Final = b"xgLKXN"
_EXTENSIONS_AT_MOST: Final = 16  # that describe one member
_EXTENSION_BYTES_AT_MOST: Final = 2**20
_KIND: Final = "tar"


class Member(NamedTuple):
    """A file in a tar file.

    Attributes:
        name: with its folders, as the tar file has it but for a `./` before it.
        position: where its bytes begin.
        size: how many they are.
    """

    name: str
    position: int
    size: int


@dataclass
class Others:
    """What a tar file holds beside plain files and folders: how many of each kind.

    `is_ended` says whether its end is marked, `has_more` whether something follows the mark.
    """

    links: int = 0
    devices: int = 0
    sparse: int = 0
    is_ended: bool = False
    has_more: bool = False


def members_of(file: Path, others: Others) -> Iterator[tuple[Member, BinaryIO]]:
    """The plain files in a tar file, in their order, each with the open file to read it from.

    A hard link to one of them, as tar writes for files with several names, is that file again.

    Args:
        file: the tar file.
        others: gets what is not among them.

    Raises:
        DataError: it is compressed, cut off, damaged or no tar file.
    """
    try:
        with file.open("rb", buffering=_BUFFER_BYTES) as stream:
            refuse_compressed(file, stream.read(8), kind=_KIND)
            end = os.fstat(stream.fileno()).st_size
            if end == 0:
                raise damaged_shard(file, kind=_KIND, received="an empty file")
            links: dict[str, str] = {}
            for members in (_members, _linked):
                for member in members(file, stream, end, others, links):
                    yield member, stream
    except OSError as error:
        raise unreadable_shard(file, error, kind=_KIND) from error


def _members(
    file: Path, stream: BinaryIO, end: int, others: Others, links: dict[str, str]
) -> Iterator[Member]:
    """The plain files; hard links, by name, go with the name of what they link to to `links`."""
    position, headers = 0, _Headers(file)
    while position < end:
        stream.seek(position)
        header = stream.read(BLOCK)
        if header == _ZEROS:
            others.is_ended = True
            others.has_more = _has_more(stream)
            break
        plain = _plain(header)
        if plain is not None:
            headers.add(header, position)
            name, size = plain
            start = position + BLOCK
            position = start + -(-size // BLOCK) * BLOCK
        else:
            headers.check()
            info, position = _by_tarfile(file, stream, position)
            if info.islnk():
                links[_without_dot(info.name)] = _without_dot(info.linkname)
            if not info.isreg() or info.issparse():
                _count(info, others)
                continue
            name, start, size = info.name, info.offset_data, info.size
        if name[:2] == "./":
            name = _without_dot(name)
        if start + size > end:
            headers.check()
            received = f"{name}, of whose {size:,} bytes {start + size - end:,} are missing"
            raise damaged_shard(file, kind=_KIND, received=received)
        yield Member(name, start, size)
    headers.check()


class _Headers:
    """Headers whose checksums are compared many at a time: a member each would take as long again.

    As in tarfile, bytes may have been added up with signs, as some programs did.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._whole = bytearray()
        self._positions: list[int] = []

    def add(self, header: bytes, position: int) -> None:
        """One more, and the comparison where there are enough."""
        self._whole += header
        self._positions.append(position)
        if len(self._positions) >= _HEADERS_AT_ONCE:
            self.check()

    def check(self) -> None:
        """Raise unless every header adds up.

        Raises:
            DataError: one does not.
        """
        if not self._positions:
            return
        headers = np.frombuffer(bytes(self._whole), np.uint8).reshape(-1, BLOCK)
        said = [_number(header[148:156].tobytes()) for header in headers]
        sums = [
            each.sum(axis=1, dtype=np.int64) - each[:, 148:156].sum(axis=1, dtype=np.int64)
            for each in (headers, headers.view(np.int8))
        ]
        fits = np.any([total + 8 * 0x20 == said for total in sums], axis=0)
        if not fits.all():
            position = self._positions[int(np.argmin(fits))]
            received = f"no header of a member at byte {position:,}"
            raise damaged_shard(self._file, kind=_KIND, received=received)
        self._whole.clear()
        self._positions.clear()


def _number(text: bytes) -> int:
    try:
        return int(text.strip(b" \0"), 8)
    except ValueError:
        return -1


def _linked(
    file: Path, stream: BinaryIO, end: int, others: Others, links: dict[str, str]
) -> Iterator[Member]:
    """The hard links whose file is in the tar file; the rest is counted."""
    if not links:
        return
    wanted = set(links.values())
    found = {
        member.name: member
        for member in _members(file, stream, end, Others(), {})
        if member.name in wanted
    }
    for name, target in links.items():
        if target in found:
            yield found[target]._replace(name=name)
        else:
            others.links += 1


def _plain(header: bytes) -> tuple[str, int] | None:
    """Name and size of a plain file, by its header; None where tarfile has to look at it.

    Its checksum is compared with those of others, see _Headers.

    The fields are those of POSIX.1-1988 (ustar), which GNU tar writes as well.
    """
    if len(header) < BLOCK or header[156] not in b"0\0":
        return None
    magic = header[257:263]
    if magic not in (b"ustar\0", b"ustar "):
        return None
    try:
        size = int(header[124:136].strip(b" \0"), 8)
        name = header[: header.find(0, 0, 100) if header[99] == 0 else 100].decode()
        folder = ""
        if header[345] and magic == b"ustar\0":
            folder = header[345:500].partition(b"\0")[0].decode()
    except ValueError:
        return None
    if not name or name[-1] == "/" or size < 0:
        return None
    return f"{folder}/{name}" if folder else name, size


def _by_tarfile(file: Path, stream: BinaryIO, position: int) -> tuple[tarfile.TarInfo, int]:
    """A member as tarfile reads it, and where the next one begins."""
    _refuse_long_descriptions(file, stream, position)
    stream.seek(0)
    try:
        archive = tarfile.TarFile(fileobj=stream, mode="r", errors="strict")
        stream.seek(position)
        info = tarfile.TarInfo.fromtarfile(archive)
    except (tarfile.TarError, ValueError, OverflowError, RecursionError, AttributeError) as error:
        received = f"no header of a member at byte {position:,}"
        if isinstance(error, UnicodeError):
            received = f"a member at byte {position:,} whose name is not in UTF-8"
        if position == 0:
            received = "no tar file"
        raise damaged_shard(file, kind=_KIND, received=received) from error
    if info.size < 0 or archive.offset <= position or info.offset_data <= position:
        received = f"a member at byte {position:,} of {info.size:,} bytes"
        raise damaged_shard(file, kind=_KIND, received=received)
    return info, archive.offset


def _refuse_long_descriptions(file: Path, stream: BinaryIO, position: int) -> None:
    """Raise if what describes a member is longer than names and times can be.

    tarfile would read all of it into memory, and call itself for each such header.
    """
    for _ in range(_EXTENSIONS_AT_MOST):
        stream.seek(position)
        header = stream.read(BLOCK)
        if len(header) < BLOCK or header[156] not in _EXTENSIONS:
            return
        try:
            size = tarfile.TarInfo.frombuf(header, "utf-8", "replace").size
        except (tarfile.TarError, ValueError):
            return  # what tarfile says of it is said
        if not 0 <= size <= _EXTENSION_BYTES_AT_MOST:
            break
        position += BLOCK + -(-size // BLOCK) * BLOCK
    received = f"a description of a member, before byte {position:,}, that is too long to be one"
    raise damaged_shard(file, kind=_KIND, received=received)


def _count(info: tarfile.TarInfo, others: Others) -> None:
    others.links += info.issym()
    others.devices += info.isdev()
    others.sparse += info.issparse()


def _has_more(stream: BinaryIO) -> bool:
    """Whether another member follows where a tar file ends, as where two were joined."""
    return any(stream.read(BLOCK).strip(b"\0") for _ in range(_RECORD_BLOCKS))


def _without_dot(name: str) -> str:
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name
