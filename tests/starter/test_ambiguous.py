"""What is not certain: refused with lines that hold when pasted, or written as it was recognized.

Oracle: the classes, splits and images that the folders and tables below were made with.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.load import load_config
from cnnrun.data.manifest import Manifest
from cnnrun.data.places import read_images_at
from cnnrun.errors import DataError
from cnnrun.starter.fitted import write_fitted_configs
from cnnrun.starter.survey import survey_images

LAYERS = "model: {layers: [GlobalAveragePooling2D, classifier]}\n"
MARK = "    # "


def write(root: Path, names: Sequence[str], *, highest: int = 255) -> None:
    """Grey images of random pixels, one a name, of which some reach the highest value."""
    for number, name in enumerate(names):
        pixels = np.random.default_rng(number).integers(0, highest + 1, (9, 9), dtype=np.uint8)
        pixels[0, 0] = highest
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / name)


def birds(number: int) -> str:
    return ("wren", "crow", "tern")[number % 3]


FLAT = [
    f"{part}/{bird}_{n}.png"
    for part in ("alfa", "beta")
    for bird in ("wren", "crow")
    for n in range(9)
]
PATIENTS = [
    f"{who}/{label}/{who}{label}{n}.png"
    for who in ("anke", "bo", "cem", "dov")
    for label in (0, 1)
    for n in range(5)
]
PETS = [
    f"{split}/{pet}/{split}{pet}{n}.png"
    for split in ("lernen", "prüfen")
    for pet in ("hund", "katze")
    for n in range(5)
]
BOTH = [
    f"{split}_{pet}/{n}.png"
    for split in ("train", "test")
    for pet in ("hund", "katze")
    for n in range(5)
]
DEEP = [
    *(f"labeled/{pet}/x{n}.png" for pet in ("hund", "katze") for n in range(7)),
    "unlabeled/y1.png",
]
PARTS = [
    f"part{n}/{split}/{pet}/{n}{split}{pet}{k}.png"
    for n in (1, 2)
    for split in ("train", "test")
    for pet in ("a", "b")
    for k in range(4)
]
NAMED = [
    f"{split}_{bird}_{n}.png"
    for split in ("train", "test")
    for bird in ("wren", "crow")
    for n in range(5)
]
PICTURES = [f"pictures/{n:03}.png" for n in range(24)]
TWO_COLUMNS = "\n".join(
    [
        "file,bird,the weather",
        *(f"{n:03}.png,{birds(n)},{('dry', 'wet')[n // 5 % 2]}" for n in range(24)),
    ]
)
FOLDERS: Mapping[str, tuple[list[str], dict[str, str]]] = {
    "classes in names": (FLAT, {}),
    "patients": (PATIENTS, {}),
    "splits in German": (PETS, {}),
    "split and class in one name": (BOTH, {}),
    "class folders in one of two": (DEEP, {}),
    "parts with splits": (PARTS, {}),
    "split and class in the names of images": (NAMED, {}),
    "two columns that can be the class": (PICTURES, {"list.csv": TWO_COLUMNS}),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_each_line_of_a_refusal_can_be_pasted(
    name: str, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    images, tables = FOLDERS[name]
    write(tmp_path / "birds", images)
    for table, text in tables.items():
        (tmp_path / "birds" / table).write_text(text)
    with pytest.raises(DataError) as refusal:
        write_fitted_configs(tmp_path / "birds", project=tmp_path, layout=None)
    message = str(refusal.value)
    assert message.replace(str(tmp_path), "HERE") == snapshot

    choices = pasted(message)

    assert choices
    for number, (lines, meaning) in enumerate(choices):
        config = tmp_path / f"{number}.yaml"
        config.write_text(
            "\n".join(["data:", "  directory: birds", *lines, "  image_size: [9, 9]", LAYERS])
        )
        manifest = read_images_at(load_config(config).data, partial=False)
        assert f"{len(manifest.classes)} classes" in meaning
        if "split: {" in "".join(lines) and "csv" not in lines[0]:
            assert "train" in set(manifest.splits or ())


def pasted(message: str) -> list[tuple[list[str], str]]:
    """The lines of each choice in a refusal, and what is said of it."""
    choices: list[tuple[list[str], str]] = []
    for line in message.splitlines()[1:]:
        if MARK in line:
            text, _, meaning = line.partition(MARK)
            choices.append(([text], meaning))
        elif line.startswith("  "):
            choices[-1][0].append(line)
    return choices


def test_init_takes_a_choice_s_pattern_with_its_words_for_splits(tmp_path: Path) -> None:
    write(tmp_path / "birds", FLAT)

    config, _ = write_fitted_configs(
        tmp_path / "birds", project=tmp_path, layout="{split}/{label}_[0-9]*"
    )

    assert splits_of(read(config)) == {"train": 18, "test": 18}


def test_a_choice_s_exclusions_go_with_its_pattern(tmp_path: Path) -> None:
    mask = [f"{kind}/{n}{end}.png" for kind in "ab" for n in range(1, 6) for end in ("", "_mask")]
    write(tmp_path / "cells", mask)

    config, _ = write_fitted_configs(tmp_path / "cells", project=tmp_path, layout="{label}/**")

    assert len(read(config)) == 10


def splits_of(manifest: Manifest) -> dict[str, int]:
    return dict(Counter(manifest.splits or ()))


def read(config: Path) -> Manifest:
    return read_images_at(load_config(config).data, partial=False)


@pytest.mark.parametrize("place", ["birds", "birds/list.csv"])
@pytest.mark.parametrize("separator", [",", " ", "\t"])
def test_the_first_line_of_a_table_may_be_an_image(
    place: str, separator: str, tmp_path: Path
) -> None:
    write(tmp_path / "birds", PICTURES)
    lines = [f"{n:03}.png{separator}{birds(n)}" for n in range(24)]
    (tmp_path / "birds" / "list.csv").write_text("\n".join(lines))

    config, _ = write_fitted_configs(tmp_path / place, project=tmp_path, layout=None)

    manifest = read(config)
    assert len(manifest) == 24
    assert manifest.classes == ("crow", "tern", "wren")


def test_the_first_line_may_be_pixels(tmp_path: Path) -> None:
    lines = [
        f"{birds(n)},{' '.join(str((n * 40 + k) % 256) for k in range(64))}" for n in range(24)
    ]
    (tmp_path / "faces.csv").write_text("\n".join(lines))

    config, _ = write_fitted_configs(tmp_path / "faces.csv", project=tmp_path, layout=None)

    assert len(read(config)) == 24


@pytest.mark.parametrize("place", ["birds", "birds/train.csv"])
def test_tables_that_are_named_after_splits_are_read_together(place: str, tmp_path: Path) -> None:
    write(tmp_path / "birds", PICTURES)
    for split, numbers in (
        ("train", range(16)),
        ("validation", range(16, 20)),
        ("test", range(20, 24)),
    ):
        rows = [f"{n:03}.png;{birds(n)}" for n in numbers]
        (tmp_path / "birds" / f"{split}.csv").write_text("\n".join(["file;bird", *rows]))

    config, _ = write_fitted_configs(tmp_path / place, project=tmp_path, layout=None)

    assert splits_of(read(config)) == {"train": 16, "validation": 4, "test": 4}


def test_a_table_of_two_columns_that_can_be_the_class(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    write(tmp_path / "birds", PICTURES)
    (tmp_path / "birds" / "list.csv").write_text(TWO_COLUMNS)
    with pytest.raises(DataError) as refusal:
        write_fitted_configs(tmp_path / "birds" / "list.csv", project=tmp_path, layout=None)
    assert str(refusal.value).replace(str(tmp_path), "HERE") == snapshot
    assert len(pasted(str(refusal.value))) == 2


@pytest.mark.parametrize(
    ("highest", "expected"), [(1, (0, 1)), (16, (0, 16)), (40, (0, 40)), (200, None)]
)
def test_files_of_eight_bits_that_use_few_of_their_values(
    highest: int, expected: tuple[float, float] | None, tmp_path: Path
) -> None:
    write(
        tmp_path / "birds",
        [f"{bird}/{bird}{n}.png" for bird in "ab" for n in range(6)],
        highest=highest,
    )

    config, _ = write_fitted_configs(tmp_path / "birds", project=tmp_path, layout=None)

    assert load_config(config).data.value_range == expected
    assert ("with values from 0 to" in config.read_text()) is (expected is not None)


def test_one_bright_image_outside_of_the_sample_is_enough(tmp_path: Path) -> None:
    write(tmp_path / "birds", [f"a/a{n:03}.png" for n in range(301)], highest=9)
    write(tmp_path / "birds", ["b/b1.png", "b/b2.png", "b/b3.png", "a/a300.png"], highest=255)

    assert survey_images(tmp_path / "birds", layout=None).data.value_range is None
