"""What check-data writes. Oracle: the copies that each test makes, and the table read again."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnrun.config.data_section import DataSpec
from cnnrun.config.data_sources import CsvSource
from cnnrun.data.check import look_at_images, report_on
from cnnrun.data.decoding import Decoding
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.image_facts import Said
from cnnrun.data.manifest import Manifest
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import split_rows
from cnnrun.preview.findings_folder import write_findings

DECODING = Decoding((8, 8), "rgb", "bilinear", keep_aspect=False)


@pytest.fixture
def leaking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """Thirty images a class, of which ten are there twice."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name in "ab":
        (Path("images") / name).mkdir(parents=True)
        for number in range(30):
            pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(f"images/{name}/{number:02}.png")
            if number < 10:
                Image.fromarray(pixels).save(f"images/{name}/copy{number:02}.png")
    return manifest_from_directory(Path("images"), classes=None, partial=False)


def write(manifest: Manifest) -> tuple[Path, ...]:
    splits = split_rows(manifest, validation=0.2, test=0.2, seed=0)
    look = look_at_images(manifest, splits, DECODING)
    return write_findings(
        Path("found"), report_on(look, manifest, Said()), look, manifest, DECODING
    )


def test_the_groups_mend_the_leak(leaking: Manifest) -> None:
    assert [path.name for path in write(leaking)] == [
        "findings.csv",
        "groups.csv",
        "duplicates_across_splits.png",
    ]

    table = CsvSource(file=Path("found/groups.csv"), group="group")
    mended = read_manifest(DataSpec(csv=table, image_size=(8, 8)))
    look = look_at_images(mended, split_rows(mended, validation=0.2, test=0.2, seed=0), DECODING)

    kinds = {finding.kind for finding in report_on(look, mended, Said()).findings}
    assert len(mended) == 80
    assert "duplicates_across_splits" not in kinds
    assert "duplicates" in kinds


def test_the_table_names_every_image_of_a_finding(leaking: Manifest) -> None:
    write(leaking)

    with Path("found/findings.csv").open() as file:
        rows = list(csv.DictReader(file))

    copies = [row for row in rows if row["finding"].startswith("duplicates")]
    assert {row["path"] for row in copies} == {
        f"{name}/{copy}{number:02}.png"
        for name in "ab"
        for copy in ("", "copy")
        for number in range(10)
    }

    assert {row["class"] for row in rows} == {"a", "b"}


def test_a_sheet_is_a_picture(leaking: Manifest) -> None:
    sheet = write(leaking)[2]

    with Image.open(sheet) as image:
        assert image.format == "PNG"
        assert np.asarray(image.convert("L")).std() > 10
