"""Reads all of an HDF5 file of weights, in a process that may crash over it or never end.

`python -m cnnrun.models.hdf5_first_reader FILE`: what is wrong with the file otherwise is found,
and told, by the process that asked.
"""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import h5py

from cnnrun.errors import ModelFileError
from cnnrun.models.hdf5_files import UNREADABLE_HDF5, open_unread

_LARGEST: Final = 16
"""An array of more bytes than so many times the file's is not read: nor is it by who asked, who
compares its shape with the network's first."""


def read_all(path: Path) -> None:
    """Read every attribute and every array, to see whether the library survives it."""
    largest = _LARGEST * path.stat().st_size

    def read(_: str, found: Any) -> None:
        _read_attributes(found)
        if isinstance(found, h5py.Dataset) and found.nbytes <= largest:
            with suppress(*UNREADABLE_HDF5):
                found[()]

    with suppress(ModelFileError, MemoryError, *UNREADABLE_HDF5), open_unread(path) as file:
        _read_attributes(file)
        file.visititems(read)


def _read_attributes(found: Any) -> None:
    for name in found.attrs:
        with suppress(*UNREADABLE_HDF5):
            found.attrs[name]


if __name__ == "__main__":
    read_all(Path(sys.argv[1]))
