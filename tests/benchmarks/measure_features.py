"""How fast features are extracted, against ImageDataGenerator and `model.predict`; and how much
memory that takes.

Run `python tests/benchmarks/measure_features.py`, or with names of networks and `memory` for these
alone. The images are 640x427 JPEGs, which both sides decode and bring to 224x224 by the same
interpolation. Each side is a process that has imported TensorFlow and built the network, and they
take turns. A ratio is of whole calls: ours begins each round by folding and tracing the network,
and writes arrays and a manifest; theirs begins by tracing `predict`. On a machine that others use,
the ratio of processor times says more. Bounds: 1.4 in float32 with vectors equal to 1e-4 of their
norm; in bfloat16, on a processor with matrix units for it, 5 for VGG16 and 2.5 for ResNet50 with
vectors within 1 %; and a peak memory that does not grow by more than 10 % from 1,000 images to
10,000.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from cnnrun.config.applications import application_named
from cnnrun.data.decoding import Decoding
from cnnrun.features.extract import Wanted, extract_features
from cnnrun.features.inference import one_thread_a_call
from cnnrun.features.sources import list_images
from cnnrun.models.whole_networks import open_application
from cnnrun.runs.environment import processor
from cnnrun.runs.events import silent

COMMAND = Path(sysconfig.get_path("scripts")) / "cnnrun"
ROUNDS = 3
PRECISIONS = ("float32", "bfloat16")
SIDE = 224
DECODING = Decoding((SIDE, SIDE), "rgb", "bilinear", keep_aspect=False)
MEMORY_IMAGES = (1_000, 10_000)
IMAGES = {"MobileNet": 1536, "MobileNetV2": 1536, "ResNet50": 256, "VGG16": 96}


def main() -> None:
    """Print each ratio with its range, and the peaks."""
    units = [name for name in processor()["instruction_sets"] if "bf16" in name or "amx" in name]
    print(f"the processor has of bfloat16: {', '.join(units) or 'nothing'}")
    wanted = set(sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        for name in IMAGES:
            if not wanted or name in wanted:
                measure_network(name, Path(folder))
        if not wanted or "memory" in wanted:
            measure_memory(Path(folder) / "memory")


def measure_network(name: str, folder: Path) -> None:
    """Alternate between both sides, and compare what they give."""
    images = IMAGES[name]
    photos = write_photos(folder / f"photos-{images}", images, size=(427, 640))
    weights = folder / f"{name}.weights.h5"
    keras_model(name).save_weights(weights)
    with ExitStack() as stack:
        sides = {
            side: stack.enter_context(Side(side, name, photos, weights))
            for side in ("keras", *PRECISIONS)
        }
        rounds = [{side: call() for side, call in sides.items()} for _ in range(ROUNDS)]
        vectors = {side: np.load(call.vectors) for side, call in sides.items()}
    for precision in PRECISIONS:
        walls, processors = (
            sorted(each["keras"][clock] / each[precision][clock] for each in rounds)
            for clock in ("wall", "processor")
        )
        before, now = (
            images / median(each[side]["wall"] for each in rounds) for side in ("keras", precision)
        )
        print(
            f"{name:12} {precision:9} {median(walls):5.2f} times ({walls[0]:.2f} to"
            f" {walls[-1]:.2f} in {ROUNDS} rounds; {before:.0f} -> {now:.0f} images/s;"
            f" {median(processors):.2f} by processor time), vectors within"
            f" {relative_error(vectors[precision], vectors['keras']):.1e}",
            flush=True,
        )


class Side:
    """A process that computes the features each time it is asked to, and says how long it took."""

    def __init__(self, side: str, name: str, photos: Path, weights: Path) -> None:
        self.vectors = weights.with_name(f"{name}-{side}.npy")
        command = [sys.executable, __file__, "side", side, name, photos, weights, self.vectors]
        self._process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> "Side":
        return self

    def __call__(self) -> dict[str, float]:
        """Seconds of the wall and of processors."""
        self._process.stdin.write("again\n")
        self._process.stdin.flush()
        while (line := self._process.stdout.readline()) and not line.startswith("{"):
            pass  # Keras's "Found 96 images"
        if not line:
            raise RuntimeError(f"{' '.join(self._process.args)} failed")
        return json.loads(line)

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def answer(side: str, name: str, photos: Path, weights: Path, vectors: Path) -> None:
    """Be one side: compute once for each line of standard input."""
    compute = (
        keras_side(name, photos, weights)
        if side == "keras"
        else our_side(side, name, photos, weights)
    )
    for _ in sys.stdin:
        wall, processor_time = time.perf_counter(), time.process_time()
        features = compute()
        took = {
            "wall": time.perf_counter() - wall,
            "processor": time.process_time() - processor_time,
        }
        np.save(vectors, features)
        print(json.dumps(took), flush=True)


def our_side(
    precision: str, name: str, photos: Path, weights: Path
) -> Callable[[], NDArray[np.float32]]:
    """What `cnnrun extract-features` does once the network is there."""
    one_thread_a_call()
    network = open_application(
        name,
        weights=weights,
        arguments={"include_top": False},
        image_size=(SIDE, SIDE),
        precision="float32",
    )
    layer = network.model.layers[-1].name
    wanted = Wanted(name, (layer,), "avg", precision, DECODING)

    def compute() -> NDArray[np.float32]:
        extraction = extract_features(
            network.model,
            list_images([photos]),
            wanted,
            out=Path(tempfile.mkdtemp(dir=weights.parent)) / "features",
            batch_size=8,
            resume=False,
            on_bad_image="error",
            listener=silent,
        )
        return np.load(extraction.folder.array(layer))

    return compute


def keras_side(name: str, photos: Path, weights: Path) -> Callable[[], NDArray[np.float32]]:
    """What a user does today."""
    model = keras_model(name)
    model.load_weights(weights)
    module = getattr(keras.applications, application_named(name).module)
    return lambda: with_keras(model, module.preprocess_input, photos)


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


def with_keras(model: Any, preprocess: Callable[..., Any], photos: Path) -> NDArray[np.float32]:
    """The features by ImageDataGenerator and `predict`, traced anew."""
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
    if sys.argv[1:2] == ["side"]:
        answer(*sys.argv[2:4], *map(Path, sys.argv[4:]))
    else:
        main()
