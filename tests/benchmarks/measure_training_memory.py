"""Peak memory while training on folders of 3,125 to 50,000 JPEGs.

Run `python tests/benchmarks/measure_training_memory.py`. The images are 96x96 photographs, far more
than `data.cache_memory_mb` holds from 12,500 on; the bound: the peak does not grow with the folder.
"""

import json
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

COMMAND = Path(sysconfig.get_path("scripts")) / "cnnrun"
SIZES = (3_125, 12_500, 50_000)
CLASSES = 10
PICTURES = 100
CONFIG = """\
data:
  directory: images
  image_size: [96, 96]
  split: {validation: 0.01, test: 0.01}
model:
  layers:
    - conv_block: {filters: 4, kernel_size: 3, strides: 4}
    - GlobalAveragePooling2D
    - classifier
train: {epochs: 1, batch_size: 128}
"""


def main() -> None:
    """Print the peak for each size of the folder."""
    for images in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            write_project(Path(folder), images)
            peak = train(Path(folder))
        print(f"{images:>7,} JPEGs: peak {peak / 2**20:,.0f} MiB", flush=True)


def write_project(folder: Path, images: int) -> None:
    """A config and class folders of JPEGs; every 100th picture is new, the others are copies."""
    (folder / "config.yaml").write_text(CONFIG)
    random = np.random.default_rng(0)
    pictures = []
    for number in range(PICTURES):
        coarse = random.integers(0, 256, size=(12, 12, 3), dtype=np.uint8)
        pictures.append(folder / f"{number}.jpg")
        Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC).save(pictures[-1])
    for label in range(CLASSES):
        (folder / "images" / f"class{label}").mkdir(parents=True)
    for number in range(images):
        destination = folder / "images" / f"class{number % CLASSES}" / f"{number:06}.jpg"
        shutil.copyfile(pictures[number % PICTURES], destination)


def train(folder: Path) -> int:
    """The peak resident memory of `cnnrun train`, in bytes."""
    command = [COMMAND, "train", "config.yaml", "--into", "run", "--json"]
    ended = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return int(json.loads(ended.stdout)["peak_memory_bytes"])


if __name__ == "__main__":
    main()
