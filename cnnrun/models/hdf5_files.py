"""HDF5 files of weights, opened only if all that they hold lies within themselves.

HDF5 can say of a data set that its numbers stand in any other file of this machine: in a raw file
(external storage), or in a data set of another HDF5 file (virtual data sets, external links). Who
reads such a file copies those bytes into the model. Keras refuses them; here it is done before
the first number is read, for every reader.

The library also trusts the sizes and addresses that stand in a file: a damaged one makes it read
for ever, in C code that not even Ctrl-C ends (HDFGroup/hdf5#1707), or outside of its memory. So
each file is read once in a process of its own, which may end as it likes.
"""

import io
import lzma
import os
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import h5py

from cnnrun.errors import ModelFileError

WEIGHTS_MEMBER: Final = "model.weights.h5"
"""The HDF5 file within a `.keras` file, which is a zip archive."""

UNREADABLE_ZIP: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,  # encrypted
    NotImplementedError,  # a compression that Python does not know
    ValueError,  # an offset outside of the file
)
"""What reading a member of a damaged zip archive raises."""

UNREADABLE_HDF5: Final = (
    OSError,
    KeyError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What h5py raises for a damaged file, by where the damage is."""

_ADVICE: Final = (
    "cnnrun reads no file that a weights file names; copy the values into it (in Python"
    " `dataset[()]`, written to a new file), and only if you trust its author"
)

_FIRST_READER: Final = "cnnrun.models.hdf5_first_reader"
_LIMIT_S: Final = 60
_BYTES_A_SECOND: Final = 5 * 2**20  # of the slowest disk that has to do


@contextmanager
def open_weights(path: Path) -> Iterator[h5py.File]:
    """The HDF5 file at a path, or that within a `.keras` file, for the time of a block.

    Raises:
        ModelFileError: the file is damaged, or what it holds lies in other files.
    """
    _refuse_harm(path)
    with open_unread(path) as file:
        yield file


@contextmanager
def open_unread(path: Path) -> Iterator[h5py.File]:
    """An open file of weights, without knowing whether the library survives it."""
    try:
        file = h5py.File(_content(path))
    except (*UNREADABLE_ZIP, *UNREADABLE_HDF5) as error:
        raise damaged(path, error) from error
    with file:
        _refuse_other_files(path, file)
        yield file


def _refuse_harm(path: Path) -> None:
    """Raise if the library crashes over the file or does not come to its end."""
    limit_s = _LIMIT_S + path.stat().st_size / _BYTES_A_SECOND
    reader = [sys.executable, "-P", "-m", _FIRST_READER, str(path)]
    try:
        ended = subprocess.run(reader, timeout=limit_s, capture_output=True)
    except subprocess.TimeoutExpired as error:
        told = f"the HDF5 library did not come to its end in {limit_s:.0f} s"
        raise damaged(path, OSError(told)) from error
    if ended.returncode:
        raise damaged(path, OSError("the HDF5 library crashes over it"))


def damaged(path: Path, error: BaseException) -> ModelFileError:
    """The refusal of a file whose content cannot be read."""
    reason = str(error).strip("'\"") or type(error).__name__
    return ModelFileError.at(
        path,
        rule="must be a file of weights",
        received=f"a damaged file: {reason}",
        advice="copy it again",
    )


def _content(path: Path) -> Any:
    if path.suffix != ".keras":
        return path
    with zipfile.ZipFile(path) as archive:
        return io.BytesIO(archive.read(WEIGHTS_MEMBER))


def _refuse_other_files(path: Path, file: h5py.File) -> None:
    """Raise at the first link or data set that leads out of the file."""
    seen: set[int] = set()
    groups = [file]
    try:
        while groups:
            group = groups.pop()
            if (address := h5py.h5o.get_info(group.id).addr) in seen:
                continue
            seen.add(address)
            for name in group:
                _refuse_link(path, group, name)
                member = group.get(name)
                if isinstance(member, h5py.Group):
                    groups.append(member)
                elif isinstance(member, h5py.Dataset):
                    _refuse_storage(path, member)
    except UNREADABLE_HDF5 as error:
        raise damaged(path, error) from error


def _refuse_link(path: Path, group: h5py.Group, name: str | bytes) -> None:
    kind = group.id.links.get_info(os.fsencode(name)).type
    if kind not in (h5py.h5l.TYPE_HARD, h5py.h5l.TYPE_SOFT):
        place = f"{group.name.rstrip('/')}/{os.fsdecode(name)}"
        raise _elsewhere(path, f"{place}, a link to another file")


def _refuse_storage(path: Path, dataset: h5py.Dataset) -> None:
    properties = dataset.id.get_create_plist()
    if properties.get_external_count():
        raise _elsewhere(path, f"{dataset.name}, whose values are in another file")
    if properties.get_layout() == h5py.h5d.VIRTUAL:
        raise _elsewhere(path, f"{dataset.name}, which is put together from other data sets")


def _elsewhere(path: Path, received: str) -> ModelFileError:
    return ModelFileError.at(
        path,
        rule="a weights file must hold its values itself",
        received=received,
        advice=_ADVICE,
    )
