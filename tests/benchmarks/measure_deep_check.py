"""What `check-data --deep` finds of planted faults, and what it costs beside extracting features.

Run `python tests/benchmarks/measure_deep_check.py [images]`, 3,000 unless told. The photographs are
CIFAR-10's in ../shared/data beside the project; MobileNet's weights come from KERAS_HOME. One label
in twenty is changed, and copies are planted that were mirrored, brightened, turned, cropped or
saved again. Bounds: of the first 50 suspicious labels .9 are wrong; of the pairs of copies none is
wrong, and .9 of the planted ones are found; the command takes 1.3 times the processor time of the
features alone.
"""

import io
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from cnnrun.assembly.feature_networks import application_source
from cnnrun.config.applications import application_named
from cnnrun.data.check import look_at_images
from cnnrun.data.decoding import Decoding
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.manifest import Manifest
from cnnrun.evaluation.deep_check import deeper, features_of
from cnnrun.features.inference import one_thread_a_call

ARCHIVE = Path(__file__).parents[2].parent / "shared" / "data" / "cifar10-small.zip"
PHOTOGRAPHS = 3000
WRONG = 0.05
COPIES = 0.02  # of the photographs, by each change
TOP = 50
DECODING = Decoding((32, 32), "rgb", "bilinear", keep_aspect=False)
# By their number among the images drawn; looked at by eye: the same aeroplane, car, deer and frog.
CIFARS_OWN = ({1287, 1517}, {613, 753}, {256, 2649}, {146, 2703})
Change = Callable[[Image.Image], Image.Image]


def cropped(image: Image.Image) -> Image.Image:
    """Two pixels less on each side, enlarged again."""
    return image.crop((2, 2, 30, 30)).resize((32, 32), Image.Resampling.BICUBIC)


def saved_again(image: Image.Image) -> Image.Image:
    """The image after JPEG at quality 30."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=30)
    return Image.open(io.BytesIO(content.getvalue())).convert("RGB")


CHANGES: dict[str, Change] = {
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "brightness by 1.3": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "turned by 5 degrees": lambda image: image.rotate(5, Image.Resampling.BICUBIC),
    "cropped to 28 of 32": cropped,
    "JPEG at quality 30": saved_again,
}


def main() -> None:
    """Print precisions, recalls and the ratio of processor times."""
    one_thread_a_call()
    with tempfile.TemporaryDirectory() as folder:
        wrong, copies = plant(Path(folder), int(sys.argv[1]) if len(sys.argv) > 1 else PHOTOGRAPHS)
        measure(manifest_from_directory(Path(folder), classes=None, partial=False), wrong, copies)


def plant(folder: Path, photographs: int) -> tuple[set[str], dict[frozenset[str], str]]:
    """Write the images; returns those of a wrong class, and each pair of copies with its change."""
    archive = zipfile.ZipFile(ARCHIVE)
    names = sorted(n for n in archive.namelist() if n.startswith("train/") and n.endswith(".jpg"))
    draws = np.random.default_rng(0)
    names = [names[each] for each in draws.permutation(len(names))[:photographs]]
    classes = sorted({name.split("/")[1] for name in names})
    is_wrong = draws.random(len(names)) < WRONG
    places = []
    for number, name in enumerate(names):
        label = name.split("/")[1]
        if is_wrong[number]:
            label = str(draws.choice([each for each in classes if each != label]))
        places.append(f"{label}/{number:05}.png")
        (folder / label).mkdir(exist_ok=True)
        Image.open(io.BytesIO(archive.read(name))).convert("RGB").save(folder / places[-1])
    sound = np.flatnonzero(~is_wrong)[: round(COPIES * len(names)) * len(CHANGES)]
    copies = {}
    for each, row in enumerate(sound.tolist()):
        change = list(CHANGES)[each % len(CHANGES)]
        copy = f"{places[row][:-4]}_copy.png"
        with Image.open(folder / places[row]) as image:
            CHANGES[change](image).save(folder / copy)
        copies[frozenset((places[row], copy))] = change
    return {places[row] for row in np.flatnonzero(is_wrong).tolist()}, copies


def measure(manifest: Manifest, wrong: set[str], copies: dict[frozenset[str], str]) -> None:
    """Look as the command does, and compare with what was planted."""
    application = application_named("MobileNet")
    source = application_source(
        application, weights="imagenet", image_size=application.default_size, include_top=False
    )
    began = time.process_time()
    look = look_at_images(manifest, None, DECODING)
    looked = time.process_time()
    features = features_of(source, manifest, DECODING)
    extracted = time.process_time()
    look, findings = deeper(look, manifest, features, suspicions=None)
    ended = time.process_time()
    ratio = (ended - began) / (extracted - looked)
    print(f"{len(manifest):,} images: features {extracted - looked:.0f} s, all {ratio:.2f}x")

    labels = next(each for each in findings if each.kind == "suspicious_labels")
    first = [paths[0] for paths in labels.paths[:TOP]]
    print(f"suspicious labels: {np.mean([each in wrong for each in first]):.2f} of {len(first)}")

    pairs = {frozenset((manifest.paths[one], manifest.paths[other])) for one, other in look.near}
    found = Counter(copies[pair] for pair in pairs if pair in copies)
    planted = Counter(copies.values())
    for change in CHANGES:
        print(f"{change}: recall {found[change] / planted[change]:.2f} of {planted[change]}")
    others = sorted(sorted(pair) for pair in pairs if pair not in copies)
    right = len(pairs) - sum(not are_cifars(*pair) for pair in others)
    print(
        f"all: recall {found.total() / planted.total():.3f}, "
        f"precision {right / max(1, len(pairs)):.3f} of {len(pairs)}"
    )
    for pair in others:
        known = "CIFAR-10's own" if are_cifars(*pair) else "WRONG"
        print(f"not planted: {' = '.join(pair)} ({known})")


def are_cifars(one: str, other: str) -> bool:
    """Whether two images are copies of each other in CIFAR-10 itself, or copies of such."""
    numbers = [int(path.rpartition("/")[2][:5]) for path in (one, other)]
    return set(numbers) in CIFARS_OWN


if __name__ == "__main__":
    main()
