"""A folder handed to a colleague, who has neither cnnrun nor TensorFlow."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnrun.runs.folder import RunFolder

RUNTIMES = {"onnx": "onnxruntime", "litert": "ai-edge-litert"}


@pytest.mark.slow
def test_a_zipped_folder_works_in_a_fresh_environment(
    make_trained: Callable[..., RunFolder],
    exported: Callable[..., Any],
    image_folder: Path,
    tmp_path: Path,
) -> None:
    """Oracle: `cnnrun predict`'s probabilities, within 1e-5."""
    from cnnrun.evaluation.prediction import Prediction, predict, run_classifier

    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "numpy", "pillow", *RUNTIMES.values()]
    if subprocess.run(install, capture_output=True).returncode:
        pytest.skip("needs a package index")
    data = {"directory": str(image_folder), "image_size": [6, 6], "color_mode": "rgb"}
    run = make_trained(data=data)
    images = photographs(tmp_path)
    expected = {
        str(found.image): {
            each.name: probability
            for each, probability in zip(found.classes, found.probabilities, strict=True)
        }
        for found in predict(run_classifier(run), images, top=3, on_bad_image="error")
        if isinstance(found, Prediction)
    }
    for name in RUNTIMES:
        archive = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(archive, "w") as handed:
            for file in exported(run, name).folder.iterdir():
                handed.write(file, file.name)
        there = tmp_path / "colleague" / name
        zipfile.ZipFile(archive).extractall(there)
        command = [python, "-I", there / "predict.py", "--json", *images]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        assert [line["image"] for line in lines] == list(expected)
        for line in lines:
            assert line["probabilities"] == pytest.approx(expected[line["image"]], abs=1e-5)
    ended = subprocess.run(
        [python, "-c", "import tensorflow"], capture_output=True, text=True, check=False
    )
    assert "No module named 'tensorflow'" in ended.stderr


def photographs(folder: Path) -> list[Path]:
    """JPEGs turned, grey and in four inks; PNGs of a palette, of opacity, of 16 bits."""
    random = np.random.default_rng(0)
    colours = Image.fromarray(random.integers(0, 256, (40, 31, 3)).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = Image.fromarray(random.integers(0, 65536, (40, 31)).astype(np.uint16))
    made = {
        "turned.jpg": (colours, {"exif": exif}),
        "grey.jpg": (colours.convert("L"), {}),
        "inks.jpg": (colours.convert("CMYK"), {}),
        "palette.png": (colours.quantize(16), {"transparency": 3}),
        "opacity.png": (colours.convert("RGBA"), {}),
        "deep.png": (deep, {}),
    }
    for name, (image, options) in made.items():
        image.save(folder / name, **options)
    return [folder / name for name in made]
