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

from cnnrun.data.shards import damaged_shard, refuse_compressed, unreadable_shard

BLOCK: Final = 512
_ZEROS: Final = bytes(BLOCK)
_RECORD_BLOCKS: Final = 20  # tar fills its last record of 10 KiB with zeros
_BUFFER_BYTES: Final = 2 * BLOCK  # a header, and what a small file has behind it
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
            for member in _members(file, stream, end, others, links):
                yield member, stream
            for member in _linked(file, stream, end, others, links):
                yield member, stream
    except OSError as error:
        raise unreadable_shard(file, error, kind=_KIND) from error


def _members(
    file: Path, stream: BinaryIO, end: int, others: Others, links: dict[str, str]
) -> Iterator[Member]:
    """The plain files; hard links, by name, go with the name of what they link to to `links`."""
    position = 0
    while position < end:
        stream.seek(position)
        header = stream.read(BLOCK)
        if header == _ZEROS:
            others.is_ended = True
            others.has_more = _has_more(stream)
            return
        plain = _plain(header)
        if plain is not None:
            member = Member(_without_dot(plain[0]), position + BLOCK, plain[1])
            position = member.position + -(-member.size // BLOCK) * BLOCK
        else:
            info, position = _by_tarfile(file, stream, position)
            if info.islnk():
                links[_without_dot(info.name)] = _without_dot(info.linkname)
            if not info.isreg() or info.issparse():
                _count(info, others)
                continue
            member = Member(_without_dot(info.name), info.offset_data, info.size)
        if member.position + member.size > end:
            missing = member.position + member.size - end
            received = f"{member.name}, of whose {member.size:,} bytes {missing:,} are missing"
            raise damaged_shard(file, kind=_KIND, received=received)
        yield member


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

    The fields are those of POSIX.1-1988 (ustar), which GNU tar writes as well.
    """
    if len(header) < BLOCK or header[156] not in b"0\0":
        return None
    magic = header[257:263]
    if magic not in (b"ustar\0", b"ustar "):
        return None
    try:
        size = int(header[124:136].strip(b" \0"), 8)
        checksum = int(header[148:156].strip(b" \0"), 8)
        name = header[:100].partition(b"\0")[0].decode()
        folder = header[345:500].partition(b"\0")[0].decode() if magic == b"ustar\0" else ""
    except ValueError:
        return None
    if sum(header) - sum(header[148:156]) + 8 * 0x20 != checksum:
        return None
    if not name or name.endswith("/") or size < 0:
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
