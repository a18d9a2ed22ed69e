"""`cnnrun init --data` for images with several labels. Oracle: the config that it writes, read."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import cut_splits
from cnnrun.starter.fitted import write_fitted_configs


def write_images(folder: Path, images: int) -> None:
    """Grey images of random pixels: `0.png` and so on."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(images):
        pixels = generator.integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def fitted(place: Path, project: Path) -> tuple[Config, str]:
    config, variant = write_fitted_configs(place, project=project, layout=None)
    load_config(variant)
    return load_config(config), config.read_text()


def test_a_table_of_joined_labels(tmp_path: Path) -> None:
    cells = ["Mass|Edema", "Edema", "No Finding", "Mass", "Mass|Nodule", "Nodule|Edema"] * 12
    write_images(tmp_path / "scans", 72)
    rows = [f"{row}.png,{cell},p{row // 2}" for row, cell in enumerate(cells)]
    table = tmp_path / "scans" / "xrays.csv"
    table.write_text("\n".join(["Image Index,Finding Labels,Patient ID", *rows]))

    config, text = fitted(table, tmp_path)

    assert config.data.is_multi_label
    assert config.data.csv is not None
    assert config.data.csv.label == "Finding Labels"
    assert config.data.csv.group == "Patient ID"
    assert config.data.classes == ("Edema", "Mass", "No Finding", "Nodule")
    assert "72 images of 4 labels, several or none an image" in text
    manifest = read_manifest(config.data)
    assert len(cut_splits(manifest, config.data).train) > 40


def test_a_table_of_columns_of_0_and_1(tmp_path: Path) -> None:
    write_images(tmp_path / "scans", 60)
    rows = [
        f"{row}.png,{40 + row},{row % 2}.0,{row % 3 - 1},{'1' * (row % 4 == 1)}"
        for row in range(60)
    ]
    table = tmp_path / "scans" / "train.csv"
    table.write_text("\n".join(["Path,Age,Mass,Edema,Nodule", *rows]))

    config, _ = fitted(table, tmp_path)

    assert config.data.csv is not None
    assert config.data.csv.label == ("Mass", "Edema", "Nodule")


def test_an_array_of_0_and_1(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    np.savez(
        tmp_path / "pairs.npz",
        images=generator.integers(0, 256, (50, 8, 8), dtype=np.uint8),
        labels=(generator.random((50, 3)) < 0.4).astype(np.uint8),
    )

    config, _ = fitted(tmp_path / "pairs.npz", tmp_path)

    assert config.data.is_multi_label
    assert config.data.classes == ("0", "1", "2")


@pytest.mark.parametrize("others", ["male,blurred,old", "a,b,c"])
def test_a_class_beside_facts_of_0_and_1_is_the_class(others: str, tmp_path: Path) -> None:
    write_images(tmp_path / "photos", 40)
    kinds = ("dog", "cat")
    rows = [f"{row}.png,{kinds[row % 2]},{row % 2},{row % 3 % 2},1" for row in range(40)]
    table = tmp_path / "photos" / "photos.csv"
    table.write_text("\n".join([f"file,species,{others}", *rows]))

    config, _ = fitted(table, tmp_path)

    assert not config.data.is_multi_label
    assert config.data.classes == ("cat", "dog")
