"""A bottleneck stage against the same head trained end to end under the frozen backbone.

Run `python tests/benchmarks/measure_bottleneck.py`. 2,000 training and 200 validation JPEGs of
224x224, MobileNet, 20 epochs, whole processes. Of the end-to-end training three epochs are run, and
the median of the later ones stands for the 17 that are not: its epochs are alike, each a pass of
all images through the backbone. Each process has a cache of its own, so nothing is reused. Bound:
the bottleneck takes at most an eighth of the time, its start and its features included.
"""

import json
import os
import platform
import subprocess
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image

COMMAND = Path(sysconfig.get_path("scripts")) / "cnnrun"
ROUNDS = 3
EPOCHS = 20
EPOCHS_END_TO_END = 3
CLASSES = 10
IMAGES = {"train": 2000, "validation": 200, "test": 100}
SIDE = 224

CONFIG = """
data: {directory: images, image_size: [224, 224], color_mode: rgb}
model:
  backbone: {name: MobileNet, weights: WEIGHTS, trainable: none}
  layers: [GlobalAveragePooling2D, {Dropout: {rate: 0.3}}, classifier]
train:
  stages: [{epochs: NUMBER, bottleneck: IS_BOTTLENECK}]
"""


@dataclass(frozen=True)
class Measured:
    """One training: the process, and each of its epochs."""

    total_s: float
    epochs_s: list[float]


def main() -> None:
    """Print every round and the median of the ratios."""
    print(f"{platform.processor() or platform.machine()}, {ROUNDS} rounds, weights {weights()}")
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder) / "images")
        for number in range(ROUNDS):
            once = run(Path(folder) / f"once-{number}", epochs=EPOCHS, bottleneck="true")
            whole = run(
                Path(folder) / f"whole-{number}", epochs=EPOCHS_END_TO_END, bottleneck="false"
            )
            missing = EPOCHS - EPOCHS_END_TO_END
            whole_s = whole.total_s + missing * median(whole.epochs_s[1:])
            ratios.append(whole_s / once.total_s)
            print(
                f"bottleneck {once.total_s:.1f} s, of which epochs {sum(once.epochs_s):.1f} s;"
                f" end to end {whole_s:.1f} s, an epoch {median(whole.epochs_s[1:]):.1f} s:"
                f" {ratios[-1]:.1f} times as fast"
            )
    print(f"end to end / bottleneck, {EPOCHS} epochs: {median(ratios):.1f} (bound 8)")


def weights() -> str:
    """ImageNet's weights where they are at hand; initial ones cost the same."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    return "imagenet" if (home / "models" / "mobilenet_1_0_224_tf_no_top.h5").exists() else "none"


def write_images(folder: Path) -> None:
    """Blurred noise as JPEGs, a folder a split and a class."""
    generator = np.random.default_rng(0)
    for split, images in IMAGES.items():
        for number in range(images):
            place = folder / split / f"class_{number % CLASSES}"
            place.mkdir(parents=True, exist_ok=True)
            noise = generator.integers(0, 256, size=(14, 14, 3), dtype=np.uint8)
            Image.fromarray(noise).resize((SIDE, SIDE)).save(place / f"{number:04d}.jpg")


def run(folder: Path, *, epochs: int, bottleneck: str) -> Measured:
    """One `cnnrun train`."""
    config = folder / "config.yaml"
    folder.mkdir()
    text = CONFIG.replace("NUMBER", str(epochs)).replace("IS_BOTTLENECK", bottleneck)
    config.write_text(text.replace("WEIGHTS", weights()).replace("images,", "../images,"))
    begun = time.perf_counter()
    command = [COMMAND, "train", config, "--into", folder / "run"]
    subprocess.run(command, check=True, capture_output=True)
    total = time.perf_counter() - begun
    lines = (folder / "run" / "metrics.jsonl").read_text().splitlines()
    return Measured(total, [json.loads(line)["seconds"] for line in lines])


if __name__ == "__main__":
    main()
