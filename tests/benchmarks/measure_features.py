"""How fast features are extracted, against ImageDataGenerator and `model.predict`; and how much
memory that takes.

Run `python tests/benchmarks/measure_features.py`. The images are 640x427 JPEGs, which both sides
decode and bring to 224x224 by the same interpolation; rounds of both sides alternate. A ratio is
of whole calls: ours begins each round by freezing the graph, and writes arrays and a manifest;
theirs begins by tracing `predict`. On a machine that others use, the ratio of processor times says
more. Bounds: 1.4 in float32 with vectors equal to 1e-4 of their norm; in bfloat16, on a processor
with matrix units for it, 5 for VGG16 and 2.5 for ResNet50 with vectors within 1 %; and a peak
memory that does not grow by more than 10 % from 1,000 images to 10,000.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from cnnrun.config.applications import application_named
from cnnrun.features.extract import Wanted, extract_features
from cnnrun.features.sources import Decoding, list_images
from cnnrun.models.standalone import open_application
from cnnrun.runs.environment import processor

COMMAND = Path(sysconfig.get_path("scripts")) / "cnnrun"
ROUNDS = 5
PRECISIONS = ("float32", "bfloat16")
SIDE = 224
DECODING = Decoding((SIDE, SIDE), "rgb", "bilinear", keep_aspect=False)
MEMORY_IMAGES = (1_000, 10_000)


@dataclass(frozen=True)
class Case:
    """A network, and how many images it gets."""

    name: str
    images: int


CASES = (
    Case("MobileNet", 768),
    Case("MobileNetV2", 768),
    Case("ResNet50", 256),
    Case("VGG16", 64),
)


def main() -> None:
    """Print each ratio with its range, and the peaks."""
    units = [name for name in processor()["instruction_sets"] if "bf16" in name or "amx" in name]
    print(f"the processor has of bfloat16: {', '.join(units) or 'nothing'}")
    wanted = set(sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            if not wanted or case.name in wanted:
                measure_network(case, Path(folder))
        if not wanted or "memory" in wanted:
            measure_memory(Path(folder) / "memory")


def measure_network(case: Case, folder: Path) -> None:
    """Alternate between both sides, and compare what they give."""
    photos = write_photos(folder / f"photos-{case.images}", case.images, size=(427, 640))
    theirs = keras_model(case.name)
    weights = folder / f"{case.name}.weights.h5"
    theirs.save_weights(weights)
    network = open_application(
        case.name,
        weights=weights,
        arguments={"include_top": False},
        image_size=(SIDE, SIDE),
        precision="float32",
    )
    module = getattr(keras.applications, application_named(case.name).module)
    expected = with_keras(theirs, module.preprocess_input, photos)
    number = 0

    def ours(precision: str) -> np.ndarray:
        nonlocal number
        number += 1
        layer = network.model.layers[-1].name
        wanted = Wanted(case.name, (layer,), "avg", precision, DECODING)
        extraction = extract_features(
            network.model,
            list_images([photos]),
            wanted,
            out=folder / f"features-{case.name}-{number}",
            batch_size=32,
            resume=False,
            on_bad_image="error",
            reporter=Silent(),
        )
        return np.load(extraction.folder.array(layer))

    sides: dict[str, Callable[[], np.ndarray]] = {
        precision: lambda precision=precision: ours(precision) for precision in PRECISIONS
    }
    errors = {name: relative_error(call(), expected) for name, call in sides.items()}
    sides["keras"] = lambda: with_keras(theirs, module.preprocess_input, photos)
    rounds = [{name: measured(call) for name, call in sides.items()} for _ in range(ROUNDS)]
    for precision in PRECISIONS:
        walls, processors = (
            sorted(each["keras"][clock] / each[precision][clock] for each in rounds)
            for clock in (0, 1)
        )
        before, now = (
            case.images / median(each[name][0] for each in rounds) for name in ("keras", precision)
        )
        print(
            f"{case.name:12} {precision:9} {median(walls):5.2f} times ({walls[0]:.2f} to"
            f" {walls[-1]:.2f} in {ROUNDS} rounds; {before:.0f} -> {now:.0f} images/s;"
            f" {median(processors):.2f} by processor time), vectors within"
            f" {errors[precision]:.1e}",
            flush=True,
        )
    keras.backend.clear_session()


class Silent:
    """A reporter that tells nobody."""

    def begin(self, *, images: int, finished: int) -> None:
        """Nothing."""

    def advance(self, images: int) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


def keras_model(name: str) -> Any:
    """The network as its users build it, with weights like those of one that has learnt."""
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    model = getattr(keras.applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=(SIDE, SIDE, 3)
    )
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for weight in layer.weights:
                positive = weight.name in ("gamma", "moving_variance")
                weight.assign(
                    random.uniform(*((0.5, 1.5) if positive else (-0.1, 0.1)), weight.shape)
                )
    return model


def with_keras(model: Any, preprocess: Callable[..., Any], photos: Path) -> np.ndarray:
    """What a user does today."""
    generator = ImageDataGenerator(preprocessing_function=preprocess).flow_from_directory(
        photos,
        target_size=(SIDE, SIDE),
        interpolation="bilinear",
        class_mode=None,
        shuffle=False,
        batch_size=32,
    )
    model.make_predict_function(force=True)
    return model.predict(generator, verbose=0)


def write_photos(folder: Path, images: int, *, size: tuple[int, int]) -> Path:
    """Class folders of JPEGs of (height, width), cut from scikit-learn's two photographs."""
    if folder.exists():
        return folder
    random = np.random.default_rng(0)
    photographs = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    for number in range(images):
        photograph = photographs[number % 2]
        left, top = random.integers(0, 200), random.integers(0, 100)
        cut = photograph.crop((left, top, left + 400, top + 300)).resize(size[::-1])
        path = folder / ("china", "flower")[number % 2] / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        cut.save(path, quality=90)
    return folder


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest relative norm of an image's difference."""
    off = np.linalg.norm(found - expected, axis=1)
    return float(np.max(off / np.linalg.norm(expected, axis=1)))


def measured(call: Callable[[], object]) -> tuple[float, float]:
    """How long a call takes, and the processor time of all its threads."""
    wall, processor_time = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - processor_time


def measure_memory(folder: Path) -> None:
    """The peak of the installed command for each number of images."""
    peaks = []
    for images in MEMORY_IMAGES:
        photos = write_photos(folder / f"photos-{images}", images, size=(128, 128))
        command = [COMMAND, "extract-features", "MobileNet", "--weights", "none"]
        command += [
            "--image-size",
            "128",
            "128",
            "--data",
            photos,
            "--out",
            folder / f"out-{images}",
        ]
        peaks.append(peak_bytes(command))
        print(f"{images:>7,} images: peak {peaks[-1] / 2**20:,.0f} MiB", flush=True)
    print(f"peak memory grows by {peaks[1] / peaks[0] - 1:+.1%}")


def peak_bytes(command: list[str | Path]) -> int:
    """The peak resident memory of a command."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} failed")
    return usage.ru_maxrss * 1024


if __name__ == "__main__":
    main()
