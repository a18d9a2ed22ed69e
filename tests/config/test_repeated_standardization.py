"""Images that are standardized twice, by the section `preprocess` and by the network."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.load import load_config
from cnnrun.config.repeated_standardization import standardized_twice

CONFIG = """\
data: {keras_dataset: cifar10, image_size: [64, 64]}
preprocess: %s
model: {backbone: %s, layers: [%s]}
"""
HEAD = "GlobalAveragePooling2D, classifier"
DIVIDED = "{Rescaling: {scale: 0.00392156862745098}}"
TWICE = {
    "before EfficientNet": ("{rescale: 0.00392156862745098}", "EfficientNetB0", HEAD),
    "by default beside another key": ("{samplewise_center: true}", "EfficientNetV2B0", HEAD),
    "means before EfficientNet": ("{preprocessing_function: densenet}", "EfficientNetB0", HEAD),
    "caffe's means": ("{preprocessing_function: resnet50}", "MobileNet", HEAD),
    "on MobileNet's own": (
        "{preprocessing_function: mobilenet, rescale: 0.0039}",
        "MobileNet",
        HEAD,
    ),
    "a layer": ("{}", "none", f"{DIVIDED}, Flatten, classifier"),
}
TWICE["a layer behind a function"] = (
    "{preprocessing_function: densenet}",
    "none",
    f"{DIVIDED}, Flatten, classifier",
)
TWICE |= {
    "a later layer": (
        "{}",
        "none",
        f"RandomFlip, {{Resizing: {{height: 9, width: 9}}}}, {DIVIDED}, Flatten, classifier",
    ),
    "two layers": ("{rescale: 1}", "none", f"{DIVIDED}, {DIVIDED}, Flatten, classifier"),
    "three times": ("{}", "none", f"{DIVIDED}, {DIVIDED}, Flatten, classifier"),
    "means of pixels": (
        "{}",
        "none",
        "{Normalization: {mean: [123.7, 116.8, 103.9], variance: [3409, 3262, 3291]}}, Flatten",
    ),
}
ONCE = {
    "a layer of features": ("{}", "none", f"{{Conv2D: {{filters: 2, kernel_size: 3}}}}, {DIVIDED}"),
    "means of small numbers": (
        "{}",
        "none",
        "{Normalization: {mean: 0.45, variance: 0.05}}, Flatten, classifier",
    ),
    "nothing said": ("{}", "EfficientNetB0", HEAD),
    "its own": ("{preprocessing_function: mobilenet}", "MobileNet", HEAD),
    "the same form": ("{preprocessing_function: xception}", "MobileNet", HEAD),
    "another way": ("{samplewise_center: true}", "MobileNet", HEAD),
    "no factor": ("{rescale: 1, samplewise_center: true}", "EfficientNetB0", HEAD),
    "left out by the network": (
        "{rescale: 0.0039}",
        "{name: EfficientNetV2B0, include_preprocessing: false}",
        HEAD,
    ),
    "a layer alone": ("{rescale: 1}", "none", f"{DIVIDED}, Flatten, classifier"),
}


def _note(folder: Path, texts: tuple[str, str, str]) -> str | None:
    path = folder / "config.yaml"
    path.write_text(CONFIG % texts)
    return standardized_twice(load_config(path))


@pytest.mark.parametrize("case", TWICE)
def test_what_is_done_twice_is_noted(
    case: str, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    assert _note(tmp_path, TWICE[case]) == snapshot


@pytest.mark.parametrize("case", ONCE)
def test_what_is_done_once_is_not(case: str, tmp_path: Path) -> None:
    assert _note(tmp_path, ONCE[case]) is None


RUN = """\
data: {keras_dataset: cifar10, image_size: [64, 64]}
preprocess: {rescale: %s}
model: {layers: [%s, Flatten, classifier]}
"""


@pytest.mark.parametrize("own", ["1/255", "none, and a layer"])
@pytest.mark.parametrize("written", ["0.00392156862745098", "1"])
def test_an_earlier_run_knows_its_own_standardization(
    own: str, written: str, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    run = tmp_path / "first"
    run.mkdir()
    factor, layer = ("0.00392156862745098", "ReLU") if own == "1/255" else ("1", DIVIDED)
    (run / "resolved.yaml").write_text(RUN % (factor, layer))
    assert (
        _note(tmp_path, (f"{{rescale: {written}}}", f"{{weights: {run}}}", "classifier"))
        == snapshot
    )
    assert _note(tmp_path, ("{}", f"{{weights: {run}}}", "classifier")) is None
