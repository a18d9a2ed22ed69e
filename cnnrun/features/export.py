"""A folder of features as one file of another format, written from its arrays at the end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from cnnrun.errors import FeaturesError
from cnnrun.features.folder import COLUMNS, FeatureFolder, ManifestRow
from cnnrun.runs.files import replacing

Format = Literal["h5", "parquet"]
_AT_ONCE_BYTES: Final = 16 * 2**20


def refuse_absent_writer(form: Format) -> None:
    """Raise unless the package that writes a format is installed.

    Raises:
        FeaturesError: it is not.
    """
    if form == "parquet" and find_spec("pyarrow") is None:
        raise FeaturesError.at(
            "--format parquet",
            rule="needs the package pyarrow",
            received="a Python without it",
            advice="`pip install 'cnnrun[parquet]'` installs it",
        )


def export_features(
    folder: FeatureFolder, layers: Sequence[str], rows: Sequence[ManifestRow], *, form: Format
) -> Path:
    """The file `features.h5` or `features.parquet` beside the arrays, whole or as it was.

    In HDF5, `file`, `label` and `content_hash` are text, and `features/LAYER` is the layer's array.
    In Parquet those are columns, and each layer is one of lists, its array's rows made flat.

    Args:
        folder: a complete folder of features.
        layers: the layers whose arrays are in it.
        rows: its manifest, sorted by row.
        form: which one.

    Raises:
        StorageError: no space is left, or the folder cannot be written to.
    """
    path = folder.path / f"features.{form}"
    arrays = {layer: np.load(folder.array(layer), mmap_mode="r") for layer in layers}
    write: Mapping[Format, Callable[..., None]] = {"h5": _write_h5, "parquet": _write_parquet}
    with replacing(path) as partial:
        write[form](partial, arrays, rows)
    return path


def _write_h5(path: Path, arrays: Mapping[str, NDArray[Any]], rows: Sequence[ManifestRow]) -> None:
    with h5py.File(path, "w") as file:
        for column, values in _columns(rows).items():
            file.create_dataset(column, data=values, dtype=h5py.string_dtype())
        for layer, array in arrays.items():
            written = file.create_dataset(f"features/{layer}", array.shape, array.dtype)
            for part in _parts([array]):
                written[part] = array[part]


def _write_parquet(
    path: Path, arrays: Mapping[str, NDArray[Any]], rows: Sequence[ManifestRow]
) -> None:
    import pyarrow
    import pyarrow.parquet

    columns = _columns(rows)
    sizes = {layer: int(np.prod(array.shape[1:])) for layer, array in arrays.items()}
    fields = [(column, pyarrow.string()) for column in columns]
    fields += [(layer, pyarrow.list_(pyarrow.float32(), size)) for layer, size in sizes.items()]
    with pyarrow.parquet.ParquetWriter(path, pyarrow.schema(fields)) as writer:
        for part in _parts(list(arrays.values())):
            texts = [pyarrow.array(values[part], pyarrow.string()) for values in columns.values()]
            lists = [
                pyarrow.FixedSizeListArray.from_arrays(array[part].reshape(-1), sizes[layer])
                for layer, array in arrays.items()
            ]
            writer.write_table(pyarrow.Table.from_arrays([*texts, *lists], schema=writer.schema))


def _columns(rows: Sequence[ManifestRow]) -> dict[str, list[str]]:
    """The manifest's columns of text."""
    texts = zip(*((row.file, row.label, row.content) for row in rows), strict=True)
    return dict(zip(COLUMNS[1:], map(list, texts), strict=True))


def _parts(arrays: Sequence[NDArray[Any]]) -> Iterator[slice]:
    """Slices of rows, which together cover all of them and are small enough for the memory."""
    row_bytes = sum(array.itemsize * int(np.prod(array.shape[1:])) for array in arrays)
    step = max(1, _AT_ONCE_BYTES // row_bytes)
    return (slice(start, start + step) for start in range(0, len(arrays[0]), step))
