"""Real photographs and digits from file to pixels. Oracles: Pillow; scikit-learn's arrays.

CIFAR-10's JPEGs lie beside the repository, in ../shared/data; without them these tests are skipped.
"""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

from cnnrun.data.check import look_at_images, report_on
from cnnrun.data.decode import decode_image
from cnnrun.data.decoding import Decoding
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.image_facts import Said
from cnnrun.data.images import open_images
from cnnrun.data.splits import split_rows

REPOSITORY = Path(__file__).parents[2]
CIFAR10 = REPOSITORY.parent / "shared" / "data" / "cifar10-small.zip"
DIGITS = REPOSITORY / "datasets" / "digits"


def test_the_digits_are_scikit_learns() -> None:
    manifest = manifest_from_directory(DIGITS, classes=10, partial=False)
    store = open_images(
        manifest,
        np.arange(len(manifest)),
        Decoding((8, 8), "grayscale", "bilinear", keep_aspect=False),
        memory_bytes=2**20,
        on_bad_image="error",
        cache_folder=Path("unused"),
    )
    digits = load_digits()

    indices = [int(Path(path).stem.removeprefix("digit_")) for path in manifest.paths]

    assert sorted(indices) == list(range(1797))
    assert manifest.labels.tolist() == digits.target[indices].tolist()
    images = store.read(np.arange(len(manifest)))[..., 0]
    assert np.array_equal(images, np.rint(digits.images[indices] * 255 / 16))
    assert manifest.notes == (), "the licence beside them is no news"


def test_photographs_are_pillows(tmp_path: Path) -> None:
    for name, picture in zip(("a", "b"), load_sample_images().images, strict=True):
        Image.fromarray(picture).save(tmp_path / f"{name}.jpg")
        height, width = picture.shape[:2]

        pixels = decode_image(
            tmp_path / f"{name}.jpg",
            Decoding((height, width), "rgb", "bilinear", keep_aspect=False),
        )

        assert np.array_equal(pixels, np.asarray(Image.open(tmp_path / f"{name}.jpg")))


@pytest.mark.skipif(not CIFAR10.exists(), reason=f"needs {CIFAR10.name} in ../shared/data")
def test_cifar10_from_folder_to_splits(tmp_path: Path) -> None:
    with zipfile.ZipFile(CIFAR10) as archive:
        archive.extractall(tmp_path)

    manifest = manifest_from_directory(tmp_path, classes=None, partial=False)
    splits = split_rows(manifest, validation=0.15, test=0.15, seed=0)
    decoding = Decoding((32, 32), "rgb", "bilinear", keep_aspect=False)
    report = report_on(look_at_images(manifest, splits, decoding), manifest, Said())

    assert len(manifest) == 4000
    assert manifest.classes[:3] == ("airplane", "automobile", "bird")
    assert [len(splits.train), len(splits.validation), len(splits.test)] == [2550, 450, 1000]
    assert all(manifest.paths[row].startswith("test/") for row in splits.test)
    assert report.unreadable == 0
    assert report.sizes["median"] == (32, 32)
