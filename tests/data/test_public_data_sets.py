"""What the manual says of public data sets holds for miniatures in the shape of their downloads.

Oracle: the classes, images and splits that whoever published the originals meant.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.load import load_config
from cnnrun.data.manifest import Manifest
from cnnrun.data.places import read_images_at
from cnnrun.errors import DataError
from cnnrun.starter.fitted import write_fitted_configs

from . import public_data_sets as sets

MANUAL: Final = (files("cnnrun.manual") / "data_sets.md").read_text()
Write = Callable[[Path], None]
# Of each: what writes it, its number of classes, and its images by split.
BY_INIT: Final[Mapping[str, tuple[Write, int, dict[str, int]]]] = {
    "flower_photos": (sets.flower_photos, 5, {"": 30}),
    "EuroSAT, RGB": (sets.eurosat_rgb, 5, {"": 30}),
    "Chest X-ray (pneumonia)": (sets.chest_x_ray, 2, {"train": 12, "validation": 4, "test": 8}),
    "FER2013, folders": (sets.fer2013_folders, 7, {"train": 42, "test": 21}),
    "FER2013, CSV": (sets.fer2013_csv, 7, {"train": 42, "test": 28}),
    "PetImages (Cats and Dogs)": (sets.pet_images, 2, {"": 20}),
    "Intel scenes": (sets.intel_scenes, 6, {"train": 36, "test": 18}),
    "Fruits-360": (sets.fruits_360, 3, {"train": 18, "test": 9}),
    "PlantVillage": (sets.plant_village, 3, {"": 18}),
    "Food-101": (sets.food_101, 3, {"": 24}),
    "CUB-200-2011": (sets.cub_200, 3, {"": 24}),
    "Cassava leaf disease": (sets.cassava, 5, {"": 20}),
    "Dog breed identification": (sets.dog_breeds, 3, {"": 18}),
    "Tiny ImageNet": (sets.tiny_imagenet, 3, {"train": 18}),
    "Brain tumors (MRI, 4 classes)": (sets.brain_tumors, 4, {"train": 24, "test": 12}),
    "Brain MRI (yes and no)": (sets.brain_mri, 2, {"": 14}),
    "MedMNIST": (sets.medmnist, 3, {"train": 18, "validation": 6, "test": 6}),
    "COVID-19 Radiography": (sets.covid_radiography, 4, {"": 24}),
}
BY_CONFIG: Final[Mapping[str, tuple[Write, int, dict[str, int]]]] = {
    "EuroSAT, all bands": (sets.eurosat_bands, 5, {"": 30}),
    "FER2013, three splits": (
        sets.fer2013_csv,
        7,
        {"train": 42, "validation": 14, "test": 14},
    ),
    "Dogs vs Cats": (sets.dogs_vs_cats, 2, {"": 16}),
    "Oxford Pets": (sets.oxford_pets, 3, {"": 21}),
    "HAM10000": (sets.ham10000, 3, {"": 24}),
    "IDC (breast histopathology)": (sets.idc, 2, {"": 36}),
    "C-NMC leukemia": (sets.c_nmc, 2, {"": 36}),
    "Caltech-101": (sets.caltech_101, 3, {"": 18}),
    "CUB-200-2011, its own split": (sets.cub_200, 3, {"train": 18, "test": 6}),
    "Food-101, its own split": (sets.food_101, 3, {"train": 18, "test": 6}),
    "Tiny ImageNet, its own validation images": (
        sets.tiny_imagenet,
        3,
        {"train": 18, "validation": 6},
    ),
    "GTSRB": (sets.gtsrb, 4, {"train": 16, "test": 8}),
    "ISIC 2018": (sets.isic_2018, 3, {"": 18}),
    "ImageNet, validation images": (sets.imagenet_validation, 3, {"": 18}),
    "ImageNet, a label a line": (sets.imagenet_validation, 3, {"": 18}),
    "ImageNet, training and a label a line": (
        sets.imagenet_with_training,
        3,
        {"train": 15, "validation": 9},
    ),
}
LAYERS: Final = "model: {layers: [GlobalAveragePooling2D, classifier]}\n"


def rows_of_the_table() -> dict[str, str]:
    """Data set -> the place to give to `init`, as the manual's table has them."""
    return dict(re.findall(r"^\| ([^|]+?) \| `([^`]+)` \| [^|]+\|$", MANUAL, flags=re.MULTILINE))


def configs_of_the_manual() -> dict[str, dict[str, Any]]:
    """Data set -> the lines under `data`."""
    block = MANUAL.rpartition("```yaml\n")[2].partition("```")[0]
    configs: dict[str, dict[str, Any]] = yaml.safe_load(block)
    return configs


def found(manifest: Manifest) -> tuple[int, dict[str, int]]:
    splits = manifest.splits or ("",) * len(manifest)
    return len(manifest.classes), dict(Counter(splits))


@pytest.mark.parametrize("name", BY_INIT)
def test_what_init_writes_reads_a_data_set_as_it_is_meant(name: str, tmp_path: Path) -> None:
    write, classes, splits = BY_INIT[name]
    write(tmp_path)
    place = tmp_path / rows_of_the_table()[name]

    config, _ = write_fitted_configs(place, project=tmp_path, layout=None)

    assert found(read_images_at(load_config(config).data, partial=False)) == (classes, splits)


@pytest.mark.parametrize("name", BY_CONFIG)
def test_the_manual_s_lines_read_a_data_set_as_it_is_meant(name: str, tmp_path: Path) -> None:
    if name == "EuroSAT, all bands":
        pytest.importorskip("tifffile")
    write, classes, splits = BY_CONFIG[name]
    write(tmp_path)
    text = yaml.safe_dump(configs_of_the_manual()[name] | {"image_size": [12, 12]})
    indented = "\n".join(f"  {line}" for line in text.splitlines())
    (tmp_path / "config.yaml").write_text(f"data:\n{indented}\n{LAYERS}")

    manifest = read_images_at(load_config(tmp_path / "config.yaml").data, partial=False)

    assert found(manifest) == (classes, splits)


@pytest.mark.parametrize("name", BY_CONFIG)
def test_no_data_set_is_read_wrongly_where_nothing_is_said(
    name: str, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """Without its lines, each is refused with what to write, or read with the classes it has."""
    if name == "EuroSAT, all bands":
        pytest.importorskip("tifffile")
    write, classes, _ = BY_CONFIG[name]
    write(tmp_path)
    entry = configs_of_the_manual()[name]
    place = tmp_path / entry.get("directory", entry.get("csv", {}).get("file"))
    refused, read = "", 0
    try:
        config, _ = write_fitted_configs(place, project=tmp_path, layout=None)
        read = len(read_images_at(load_config(config).data, partial=False).classes)
    except DataError as error:
        refused = str(error).replace(str(tmp_path), "HERE")

    assert refused == snapshot
    assert refused or read == classes + (name == "Caltech-101")


def test_the_manual_and_these_tests_name_the_same_data_sets() -> None:
    assert set(rows_of_the_table()) == set(BY_INIT)
    assert set(configs_of_the_manual()) == set(BY_CONFIG)
    for lines in configs_of_the_manual().values():
        assert len(lines) <= 5
