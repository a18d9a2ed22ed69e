"""Writes datasets/fashion_mnist.npz: 70,000 images of clothes, 28x28 grey pixels, 10 classes.

Run it with `python datasets/get_fashion_mnist.py`. The images are those of Debian's package
(`apt-get install dataset-fashion-mnist`), or of the folder that is given, which holds the four idx
files of <https://github.com/zalandoresearch/fashion-mnist>, packed with gzip or not. The file is
not part of the repository.
"""

import argparse
import gzip
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

FILE = Path(__file__).parent / "fashion_mnist.npz"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
SPLITS = {"train": "train", "test": "t10k"}
# The first two bytes of an idx file are 0, the third is the type of its numbers, 8 for whole
# numbers from 0 to 255, the fourth says how many dimensions follow, each as four bytes.
UNSIGNED_BYTES = 8


def main() -> None:
    """Write the images and labels of both splits, in the order of the idx files."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument(
        "folder", type=Path, nargs="?", default=DEBIAN_FOLDER, help="where the idx files are"
    )
    folder = parser.parse_args().folder
    arrays = {}
    for split, prefix in SPLITS.items():
        arrays[f"x_{split}"] = numbers_of_idx_file(folder / f"{prefix}-images-idx3-ubyte")
        arrays[f"y_{split}"] = numbers_of_idx_file(folder / f"{prefix}-labels-idx1-ubyte")
    np.savez_compressed(FILE, **arrays)
    print(f"{len(arrays['x_train']):,} and {len(arrays['x_test']):,} images in {FILE}")


def numbers_of_idx_file(path: Path) -> npt.NDArray[np.uint8]:
    """The numbers of an idx file, (images, height, width) or (labels,), from it or its `.gz`."""
    packed = path.with_name(f"{path.name}.gz")
    if path.exists():
        content = path.read_bytes()
    elif packed.exists():
        content = gzip.decompress(packed.read_bytes())
    else:
        sys.exit(
            f"There is neither {path.name} nor {packed.name} in {path.parent}; "
            "run: apt-get install dataset-fashion-mnist, or give the folder that holds the files"
        )
    if len(content) < 4 or content[:3] != bytes([0, 0, UNSIGNED_BYTES]):
        sys.exit(f"{path} is no idx file of whole numbers from 0 to 255; download it again")
    dimensions = content[3]
    begin = 4 + 4 * dimensions
    shape = tuple(np.frombuffer(content[4:begin], ">u4").tolist())
    if len(content) - begin != np.prod(shape):
        sys.exit(f"{path} is cut off or torn: {shape} numbers are promised; download it again")
    return np.frombuffer(content[begin:], np.uint8).reshape(shape)


if __name__ == "__main__":
    main()
