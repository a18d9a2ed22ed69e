"""What the last layer gives against what loss, metrics and callbacks take, told at its line."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.load import load_config
from cnnrun.errors import ConfigError

CONFIG = """\
data: {keras_dataset: mnist, classes: 3}
model: {layers: [Flatten, %s]}
train: %s
"""
BAD = {
    "softmax into logits": (
        "classifier",
        "{loss: {SparseCategoricalCrossentropy: {from_logits: true}}}",
    ),
    "sigmoid into logits": (
        "{Dense: {units: 1, activation: sigmoid}}",
        "{loss: {BinaryFocalCrossentropy: {from_logits: true}}}",
    ),
    "logits into probabilities": ("{classifier: {activation: none}}", "{loss: bce}"),
    "tanh into a divergence": ("{Dense: {units: 3, activation: tanh}}", "{loss: KLDivergence}"),
    "softmax on one unit": ("{Dense: {units: 1, activation: softmax}}", "{}"),
    "softmax as a layer of its own on one unit": ("{Dense: {units: 1}}, Softmax", "{}"),
    "softmax after dropout on one unit": (
        "{Dense: {units: 1}}, {Dropout: {rate: 0.1}}, {Activation: {activation: softmax}}",
        "{}",
    ),
    "a unit a class": ("{Dense: {units: 1}}", "{loss: CategoricalHinge}"),
    "logits of a metric": (
        "{Dense: {units: 3}}, Softmax",
        "{metrics: [{CategoricalCrossentropy: {from_logits: true}}]}",
    ),
    "threshold": ("{Dense: {units: 1}}", "{metrics: [{BinaryAccuracy: {threshold: 0}}]}"),
    "a number an image": (
        "classifier",
        "{loss: {SparseCategoricalCrossentropy: {reduction: none}}}",
    ),
    "null reduction": ("{Dense: {units: 1}}", "{loss: {Hinge: {reduction: null}}}"),
    "an ignored class": (
        "classifier",
        "{loss: {SparseCategoricalCrossentropy: {ignore_class: 1}}}",
    ),
    "the axis of the images": (
        "classifier",
        "{loss: {CategoricalCrossentropy: {axis: 0}}}",
    ),
    "both axes": ("classifier", "{loss: {Dice: {axis: [0, 1]}}}"),
    "best by penalty": ("classifier", "{best: {monitor: val_penalty}}"),
    "stopped by penalty": ("classifier", "{callbacks: [{EarlyStopping: {monitor: penalty}}]}"),
    "a score of two classes": (
        "{Dense: {units: 1, activation: sigmoid}}",
        "{metrics: [F1Score], best: {monitor: val_f1_score}}",
    ),
    "a schedule": (
        "classifier",
        "{optimizer: {SGD: {learning_rate: {ExponentialDecay: {initial_learning_rate: 0.1,"
        " decay_steps: 9, decay_rate: 0.5}}}}, callbacks: [ReduceLROnPlateau]}",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_contradictions_are_told_at_their_line(
    case: str, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG % BAD[case])
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    assert str(raised.value).replace(f"{tmp_path}/", "") == snapshot


@pytest.mark.parametrize(
    ("last", "train"),
    [
        ("{classifier: {activation: none}}", "{}"),
        ("{Dense: {units: 1}}", "{loss: Hinge, metrics: [AUC]}"),
        ("{Dense: {units: 1}}", "{loss: mse}"),
        ("{Dense: {units: 3}}", "{loss: {CategoricalCrossentropy: {from_logits: true}}}"),
    ],
)
def test_what_fits_is_taken(last: str, train: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG % (last, train))
    load_config(path)
