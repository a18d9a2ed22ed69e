"""An array on disk that grows, and opens with numpy.load at any time."""

import io
import os
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.runs.positions import open_at_positions, read_into, write_at

Rows = NDArray[np.int64]


class ArrayFile:
    """An `.npy` file of float32, one row an image, that is written to and never mapped.

    A full disk then is an error that can be told, where a write to a mapped page would kill the
    process. NumPy's header leaves room for the number of rows to grow, so it is written over.

    Attributes:
        path: the file.
        row_shape: the shape of one row.
    """

    def __init__(self, path: Path, row_shape: tuple[int, ...]) -> None:
        """Open the file, or make it with no rows."""
        self.path = path
        self.row_shape = row_shape
        self._row_bytes = 4 * int(np.prod(row_shape))
        self._begin = len(self._header(0))
        self._descriptor = open_at_positions(path, flags=os.O_CREAT)

    def __enter__(self) -> "ArrayFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def whole_rows(self) -> int:
        """How many rows the file has room for; those that were written last may be torn."""
        return max(0, (os.fstat(self._descriptor).st_size - self._begin) // self._row_bytes)

    def set_rows(self, rows: int) -> None:
        """Make the file, header and all, one of so many rows: the first of those it has."""
        os.ftruncate(self._descriptor, self._begin + rows * self._row_bytes)
        self.show_rows(rows)

    def show_rows(self, rows: int) -> None:
        """Say in the header that there are so many rows, and have the disk keep what was written.

        Raises:
            OSError: the disk is full or fails.
        """
        os.fsync(self._descriptor)  # the rows first, so that the header never names absent ones
        write_at(self._descriptor, self._header(rows), 0)
        os.fsync(self._descriptor)

    def write(self, rows: Rows, values: NDArray[Any]) -> None:
        """Put `(rows, ...)` values at some rows.

        Raises:
            OSError: the disk is full or fails.
        """
        values = np.ascontiguousarray(values, "<f4")
        if len(rows) and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
            write_at(self._descriptor, values.data, self._place(int(rows[0])))
            return
        for row, value in zip(rows.tolist(), values, strict=True):
            write_at(self._descriptor, value.data, self._place(row))

    def read(self, row: int) -> NDArray[np.float32]:
        """The values of one row."""
        content = bytearray(self._row_bytes)
        count = read_into(self._descriptor, content, self._place(row))
        return np.frombuffer(content[:count], "<f4").reshape(self.row_shape)

    def _place(self, row: int) -> int:
        return self._begin + row * self._row_bytes

    def _header(self, rows: int) -> bytes:
        stream = io.BytesIO()
        described = {"descr": "<f4", "fortran_order": False, "shape": (rows, *self.row_shape)}
        np.lib.format.write_array_header_1_0(stream, described)
        return stream.getvalue()
