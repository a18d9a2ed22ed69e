"""Layers of Keras that change pixels, against the range that reaches them, told at their line."""

from pathlib import Path

import keras
import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.keras_table import argument_rows
from cnnrun.config.load import load_config
from cnnrun.config.pixel_layer_rules import pixel_layers
from cnnrun.errors import ConfigError

CONFIG = """\
data: {keras_dataset: cifar10}
preprocess: %s
model:
  backbone: %s
  layers: [%s, Flatten, classifier]
"""
BRIGHTNESS = "{RandomBrightness: {factor: 0.2}}"
JITTER = "{RandomColorJitter: {value_range: [0, 255], hue_factor: 0.1}}"
UNIT = "{Solarization: {value_range: [0, 1]}}"
CONVOLUTION = "{Conv2D: {filters: 4, kernel_size: 3, padding: same}}"
BAD = {
    "the default range": ("{}", "none", BRIGHTNESS),
    "a bare name": ("{}", "none", "RandAugment"),
    "a range that is another": ("{rescale: 1}", "none", UNIT),
    "a function's range": ("{preprocessing_function: mobilenet}", "none", "AugMix"),
    "a function and a factor": (
        "{preprocessing_function: xception, rescale: 0.5}",
        "none",
        BRIGHTNESS,
    ),
    "a Rescaling before it": ("{}", "none", "{Rescaling: {scale: 2, offset: -1}}, " + UNIT),
    "an unknown Rescaling": ("{}", "none", "{Rescaling: {scale: [1, 2, 3]}}, " + UNIT),
    "statistics": ("{featurewise_center: true}", "none", BRIGHTNESS),
    "the means of caffe": ("{preprocessing_function: vgg16}", "none", "AutoContrast"),
    "above a backbone": ("{}", "{name: MobileNet, weights: none, trainable: all}", UNIT),
    "behind a convolution": ("{}", "none", f"{CONVOLUTION}, {UNIT}"),
    "in a residual": ("{}", "none", f"{{residual: {{layers: [{JITTER}]}}}}"),
    "in branches": ("{}", "none", f"{{branches: {{branches: [[Identity], [{JITTER}]]}}}}"),
    "in the second repetition": (
        "{}",
        "none",
        f"{{repeat: {{times: 2, layers: [{UNIT}, {CONVOLUTION}]}}}}",
    ),
    "in a wrapper": ("{}", "none", f"{{TimeDistributed: {{layer: {BRIGHTNESS}}}}}"),
    "an addition": (
        "{}",
        "none",
        "{branches: {branches: [[Identity], [Identity]], merge: Add}}, " + UNIT,
    ),
}
GOOD = {
    "the range is given": ("{}", UNIT),
    "pixels as they are": ("{rescale: 1}", f"RandomFlip, {BRIGHTNESS}"),
    "no factor, as Keras writes it": ("{rescale: 0}", "Solarization"),
    "a network's own preprocessing": ("{preprocessing_function: efficientnet}", "RandAugment"),
    "a range around 0": (
        "{preprocessing_function: mobilenet}",
        "{RandomContrast: {factor: 0.1, value_range: [-1, 1]}}",
    ),
    "a rounded factor": ("{rescale: 0.0039}", UNIT),
    "rescaled by a layer": ("{rescale: 1}", "{Rescaling: {scale: 0.00392156862745098}}, " + UNIT),
    "rescaled back": ("{}", f"{{Rescaling: {{scale: 255}}}}, {BRIGHTNESS}, {CONVOLUTION}"),
    "repeated": ("{}", f"{{repeat: {{times: 3, layers: [{UNIT}, RandomFlip]}}}}"),
    "joined branches": ("{}", f"{{branches: {{branches: [[Identity], [{UNIT}]]}}}}, {UNIT}"),
}


def _write(folder: Path, preprocess: str, backbone: str, layers: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(CONFIG % (preprocess, backbone, layers))
    return path


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_range_is_told_at_its_line(
    case: str, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config(_write(tmp_path, *BAD[case]))
    assert str(raised.value).replace(f"{tmp_path}/", "") == snapshot


@pytest.mark.parametrize("case", GOOD)
def test_the_right_range_is_taken(case: str, tmp_path: Path) -> None:
    preprocess, layers = GOOD[case]
    load_config(_write(tmp_path, preprocess, "none", layers))


def test_what_repeats_within_repeats_is_not_followed_again_and_again(tmp_path: Path) -> None:
    """Of nested repetitions that all change the range, the walk grows with their square."""
    layers = f"{{Rescaling: {{scale: 0.5}}}}, {UNIT}"
    for _ in range(24):
        layers = f"{{repeat: {{times: 2, layers: [{layers}]}}}}"
    with pytest.raises(ConfigError):
        load_config(_write(tmp_path, "{}", "none", layers))


ARGUMENTS = {
    "RandomColorJitter": {"brightness_factor": 0.3, "contrast_factor": 0.3},
    "RandomPosterization": {"factor": 4},
    "Solarization": {"threshold_factor": 0.5},
}


@pytest.mark.parametrize("kind", sorted(pixel_layers() - {"RandomSaturation"}))
def test_with_the_advised_range_keras_does_the_same_to_0_to_1(kind: str) -> None:
    """Oracle: Keras's own layer on the same pixels from 0 to 255.

    RandomSaturation is left out: Keras 3.15 cuts its saturation at `value_range`, and so is right
    from 0 to 1 alone.
    """
    layer = getattr(keras.layers, kind)
    rows = argument_rows("layers", kind)
    arguments = ARGUMENTS.get(
        kind, {"factor": 0.5} if rows.get("factor", {}).get("required") else {}
    )
    if "seed" in rows:
        arguments = {**arguments, "seed": 3}
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.float32)
    made = []
    for high in (255, 1):
        keras.utils.set_random_seed(0)
        changed = layer(value_range=(0, high), **arguments)(pixels / 255 * high, training=True)
        made.append(np.asarray(changed) / high)
    np.testing.assert_allclose(made[1], made[0], atol=1e-3)
    assert np.abs(made[0] - pixels / 255).max() > 1e-3
