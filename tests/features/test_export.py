"""HDF5 and Parquet hold what the arrays and the manifest hold."""

import importlib.util
from pathlib import Path

import h5py
import numpy as np
import pytest

from cnnrun.errors import FeaturesError
from cnnrun.features import export
from cnnrun.features.export import export_features, refuse_absent_writer
from cnnrun.features.folder import FeatureFolder, ManifestRow

LAYERS = {"vector": (5,), "map": (2, 3, 4)}
ROWS = [
    ManifestRow(row, name, "ab"[row % 2], f"{row:032}")
    for row, name in enumerate(["one.png", "Ünï.png", "a, b.png"])
]


@pytest.fixture(params=[16 * 2**20, 1], ids=["at once", "row by row"])
def folder(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> FeatureFolder:
    """Three images of two layers, to be written in one part or in three."""
    monkeypatch.setattr(export, "_AT_ONCE_BYTES", request.param)
    folder = FeatureFolder(tmp_path)
    for layer, shape in LAYERS.items():
        values = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
        np.save(folder.array(layer), values)
    return folder


def test_hdf5(folder: FeatureFolder) -> None:
    path = export_features(folder, list(LAYERS), ROWS, form="h5")
    with h5py.File(path) as file:
        assert file["file"].asstr()[:].tolist() == [row.file for row in ROWS]
        assert file["label"].asstr()[:].tolist() == ["a", "b", "a"]
        assert file["content_hash"].asstr()[0] == "0" * 32
        for layer in LAYERS:
            assert np.array_equal(file[f"features/{layer}"], np.load(folder.array(layer)))


def test_parquet(folder: FeatureFolder) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(export_features(folder, list(LAYERS), ROWS, form="parquet"))
    assert table["file"].to_pylist() == [row.file for row in ROWS]
    assert table["label"].to_pylist() == ["a", "b", "a"]
    for layer in LAYERS:
        rows = np.array(table[layer].to_pylist(), np.float32)
        assert np.array_equal(rows, np.load(folder.array(layer)).reshape(3, -1))


def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch, snapshot) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(FeaturesError) as refused:
        refuse_absent_writer("parquet")
    assert str(refused.value) == snapshot
    refuse_absent_writer("h5")
    assert importlib.util.find_spec("h5py")
