"""Every test number is the best epoch's validation number, and what stock Keras's model gives.

Validation and test hold the same images in all configs here. The oracle is `keras.Model.evaluate`
of model.keras with the resolved loss, and Keras's metrics with the labels and the scale that the
manual names for them.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations, product
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import yaml

from cnnrun.config.keras_table import class_of
from cnnrun.config.load import load_config
from cnnrun.config.metric_names import metric_name
from cnnrun.config.values import KerasCall
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import read_epochs
from cnnrun.runs.result import read_result
from cnnrun.training.train import train

pytestmark = pytest.mark.usefixtures("without_pictures")

TOLERANCE = 1e-5
IMAGES = 60
BY_DEFAULT = 4
# Those that no epoch has: they are of the test alone.
OF_THE_TEST = ("balanced_accuracy", "macro_f1", "ece", "intervals", "images")

Row = Mapping[str, str]

CLASSES = {"one": 2, "two": 2, "many": 5}

# name: (the loss, whether it takes logits, whether it smooths labels, which outputs it fits)
LOSSES: Mapping[str, tuple[bool, bool, Sequence[str]]] = {
    "default": (True, False, ("one", "two", "many")),
    "SparseCategoricalCrossentropy": (True, False, ("two", "many")),
    "CategoricalCrossentropy": (True, True, ("two", "many")),
    "CategoricalFocalCrossentropy": (True, True, ("two", "many")),
    "BinaryCrossentropy": (True, True, ("one", "two", "many")),
    "BinaryFocalCrossentropy": (True, True, ("one", "two", "many")),
    "MeanSquaredError": (False, False, ("one", "two", "many")),
    "Hinge": (False, False, ("one", "two", "many")),
    "CategoricalHinge": (False, False, ("two", "many")),
    "KLDivergence": (False, False, ("one", "two", "many")),
    "Dice": (False, False, ("one", "two", "many")),
}
OF_VALUES = ("MeanSquaredError", "Hinge", "CategoricalHinge")

METRICS: Mapping[str, list[Any]] = {
    "cuts": [
        "AUC",
        {"AUC": {"curve": "PR", "num_thresholds": 50, "name": "pr"}},
        "Precision",
        {"Recall": {"thresholds": 0.4}},
        "TruePositives",
        "FalseNegatives",
        {"SensitivityAtSpecificity": {"specificity": 0.5}},
        {"PrecisionAtRecall": {"recall": 0.5}},
    ],
    "f": [
        "F1Score",
        {"FBetaScore": {"beta": 2.0, "average": "macro"}},
        {"F1Score": {"threshold": 0.4, "average": "micro", "name": "cut"}},
    ],
    "accuracies": [
        "CategoricalAccuracy",
        {"TopKCategoricalAccuracy": {"k": 2}},
        "SparseCategoricalAccuracy",
        {"SparseTopKCategoricalAccuracy": {"k": 2}},
        "Accuracy",
        "BinaryAccuracy",
        {"BinaryAccuracy": {"threshold": 0.3, "name": "low"}},
    ],
    "overlap and errors": [
        {"MeanIoU": {"num_classes": 5}},
        {"IoU": {"num_classes": 5, "target_class_ids": [0, 1], "sparse_y_pred": False}},
        {"OneHotMeanIoU": {"num_classes": 5}},
        {"BinaryIoU": {"threshold": 0.4}},
        *["MeanSquaredError", "mae", "CosineSimilarity", "R2Score", "KLDivergence"],
    ],
    "entropies and text": [
        *["BinaryCrossentropy", "CategoricalCrossentropy", "SparseCategoricalCrossentropy"],
        *["acc", "categorical_accuracy", "binary_accuracy"],
    ],
}
"""Several at a time: each of them meets every value of the other axes all the same."""

BOUND: Mapping[str, Sequence[str]] = {
    "loss": list(LOSSES),
    "last": ["softmax", "sigmoid", "linear", "layer"],
    "output": list(CLASSES),
    "from_logits": ["away", "said"],
    "smoothing": ["0", "0.1"],
}
"""The axes that exclude each other in places."""

FREE: Mapping[str, Sequence[str]] = {
    "metrics": list(METRICS),
    "penalty": ["none", "l2", "activity", "both"],
    "averaging": ["none", "ema", "swap", "swap on epoch"],
    "precision": ["float32", "mixed_bfloat16", "mixed_float16"],
    "classes": ["alike", "balanced"],
    "images": ["alike", "weighed"],
    "course": ["plain", "two optimizers", "from head", "frozen, then all", "bottleneck, then all"],
    "best": ["val_loss", "last", "val_accuracy", "worst"],
}
BEST: Mapping[str, Any] = {
    "val_loss": {"monitor": "val_loss"},
    "last": "last",
    "val_accuracy": {"monitor": "val_accuracy"},
    "worst": {"monitor": "val_loss", "mode": "max"},  # often of the first stage
}
COURSES: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "two optimizers": ({}, {}),
    "from head": ({}, {"trainable": {"from": "head"}}),
    "frozen, then all": ({}, {"trainable": "all"}),
    "bottleneck, then all": ({"bottleneck": True}, {"trainable": "all"}),
}
ON_A_RUN = ("frozen, then all", "bottleneck, then all")
"""Courses over the network of an earlier run, whose layers are penalized themselves."""


class Files(NamedTuple):
    """What the configs are about: images by output, and a run whose network becomes a backbone."""

    arrays: Mapping[str, Path]
    earlier: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Sixty images for training, and thirty that are validation and test, by output."""
    folder, random = tmp_path_factory.mktemp("arrays"), np.random.default_rng(0)
    arrays = {output: _write(folder / f"{output}.npz", output, random) for output in CLASSES}
    convolution = {"filters": 4, "kernel_size": 3, "strides": 2, **_penalties("l2")}
    layers = [{"Conv2D": convolution}, "BatchNormalization", "ReLU", "GlobalAveragePooling2D"]
    config = {
        "seed": 0,
        "data": _data(arrays["many"], "alike"),
        "model": {"layers": [*layers, "classifier"]},
        "train": {"epochs": 1},
    }
    return Files(arrays, _run_of(config, folder).path)


def _write(path: Path, output: str, random: np.random.Generator) -> Path:
    labels = np.arange(IMAGES) % CLASSES[output]
    labels[: IMAGES // 3] = 0  # a class that is more frequent, for the weights
    centres = 40 + 180 * labels / CLASSES[output]
    noise = random.normal(0, 50, (IMAGES, 6, 6, 1))
    images = (centres[:, None, None, None] + noise).clip(0, 255).astype(np.uint8)
    held_out = slice(0, IMAGES, 2)
    same = {"x_validation": images[held_out], "y_validation": labels[held_out]}
    same |= {"x_test": images[held_out], "y_test": labels[held_out]}
    weights = random.integers(0, 4, IMAGES) / 2
    weights[: CLASSES[output]] = weights[-CLASSES[output] :] = 1  # of every class some count
    np.savez(path, x_train=images, y_train=labels, w_train=weights, **same)
    return path


@pytest.mark.parametrize("half", range(2))  # for tests that run in several processes
def test_a_sample_of_the_grid_agrees(
    half: int,
    files: Files,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    seed = request.config.getoption("randomly_seed", 0)
    chosen = Random(seed).sample(rows(), BY_DEFAULT)[half::2]
    of = f"the sample of --randomly-seed={seed}"
    _refuse_differences(chosen, files, tmp_path, of=of)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))  # for tests that run in several processes
def test_the_whole_grid_agrees(part: int, files: Files, tmp_path: Path) -> None:
    _refuse_differences(rows()[part::4], files, tmp_path, of="the whole grid")


def _refuse_differences(
    chosen: Sequence[Row],
    files: Files,
    tmp_path: Path,
    *,
    of: str,
) -> None:
    wrong = []
    for number, row in enumerate(chosen):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        run = _run_of(sections(row, files), folder)
        found = [
            *_differences_to_validation(run, row),
            *_differences_to_stock(run, row, files.arrays),
        ]
        wrong += [f"{dict(row)}: {difference}" for difference in found]
    assert not wrong, "\n".join([of, *wrong])


def _run_of(config: Mapping[str, Any], folder: Path) -> RunFolder:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return train(load_config(path), experiments=folder, into=folder / "run", listener=silent)


def _differences_to_validation(run: RunFolder, row: Row) -> list[str]:
    result = read_result(run)
    best = next(epoch for epoch in read_epochs(run) if epoch.epoch == result.best_epoch)
    tested = {name: value for name, value in result.test.items() if name not in OF_THE_TEST}
    validated = {
        name.removeprefix("val_"): value
        for name, value in best.values.items()
        if name.startswith("val_")
    }
    return _differences("validation", validated, tested)


def _differences_to_stock(run: RunFolder, row: Row, arrays: Mapping[str, Path]) -> list[str]:
    with np.load(arrays[row["output"]]) as file:
        images, labels = file["x_test"].astype(np.float32), file["y_test"]
    stock = _Stock(run, row, images, labels)
    tested = {
        name: value for name, value in read_result(run).test.items() if name not in OF_THE_TEST
    }
    penalty = tested.pop("penalty", 0.0)
    if stock.can_penalize:
        tested["loss"] += penalty
    return _differences("stock Keras", stock.numbers(), tested)


def _differences(oracle: str, expected: Mapping[str, float], got: Mapping[str, float]) -> list[str]:
    names = sorted({*expected, *got})
    return [
        f"{name}: {got.get(name)}, and {oracle} has {expected.get(name)}"
        for name in names
        if not abs(got.get(name, np.inf) - expected.get(name, np.inf)) <= TOLERANCE
    ]


class _Stock:
    """What stock Keras makes of a run's model, told by the row what its last layer gives."""

    def __init__(self, run: RunFolder, row: Row, images: np.ndarray, labels: np.ndarray) -> None:
        self.model = keras.models.load_model(run.model_keras)
        self.row, self.images, self.labels = row, images, labels
        self.classes = CLASSES[row["output"]]
        self.units = self.model.output_shape[-1]
        written = yaml.safe_load(run.resolved_yaml.read_text())["train"]["loss"]
        name, arguments = (
            next(iter(written.items())) if isinstance(written, dict) else (written, {})
        )
        self.loss, self.loss_name = getattr(keras.losses, name)(**(arguments or {})), name
        # Keras cannot add a penalty in half precision to its loss.
        self.can_penalize = row["precision"] == "float32" or row["penalty"] in ("none", "l2")
        if not self.can_penalize:
            for layer in self.model.layers:
                layer.activity_regularizer = layer.kernel_regularizer = None
                for weight in layer.weights:
                    weight.regularizer = None
        self.raw = self.model.predict(images, batch_size=16, verbose=0)

    def numbers(self) -> dict[str, float]:
        """Loss, accuracy and the row's metrics, by the names that they have in a run."""
        found = self._evaluated(self._accuracy(), self._targets(), name="accuracy")
        for metric in METRICS[self.row["metrics"]]:
            # As Keras numbers metrics of one name: "accuracy" and the class Accuracy.
            found |= {
                f"{name}_1" if name in found else name: value
                for name, value in self._of(metric).items()
            }
        return found

    def _evaluated(self, metric: Any, targets: np.ndarray, *, name: str) -> dict[str, float]:
        self.model.compile(loss=self.loss, metrics=[metric])
        loss, value = self.model.evaluate(self.images, targets, batch_size=16, verbose=0)
        return {"loss": loss, name: value}

    def _accuracy(self) -> Any:
        if self.units > 1:
            return "accuracy"
        cut = 0.0 if self.is_logits or self.loss_name == "Hinge" else 0.5
        return keras.metrics.BinaryAccuracy(threshold=cut)

    @property
    def is_value(self) -> bool:
        """Whether the last layer gives values that the loss compares with 0 and 1."""
        return self.loss_name == "MeanSquaredError" and self.row["last"] == "linear"

    @property
    def is_logits(self) -> bool:
        """Whether the loss takes logits."""
        return self.loss.get_config().get("from_logits", False)

    def _targets(self) -> np.ndarray:
        return self.labels if self.loss_name.startswith("Sparse") else self._indicators()

    def _indicators(self) -> np.ndarray:
        """A column of 0 and 1 beside one unit, else one-hot."""
        column = self.labels[:, None].astype(np.float32)
        return column if self.units == 1 else self._one_hot()

    def _one_hot(self) -> np.ndarray:
        return np.eye(self.classes, dtype=np.float32)[self.labels]

    def _probabilities(self) -> np.ndarray:
        """As many columns as there are units."""
        raw = self.raw.astype(np.float64)
        if self.row["last"] != "linear" or (self.is_value and self.units > 1):
            return raw.astype(np.float32)
        if self.is_value:
            return raw.clip(0, 1).astype(np.float32)
        if self.units == 1:
            return (1 / (1 + np.exp(-raw))).astype(np.float32)
        power = np.exp(raw - raw.max(axis=1, keepdims=True))
        return (power / power.sum(axis=1, keepdims=True)).astype(np.float32)

    def _by_class(self) -> np.ndarray:
        """As many columns as there are classes."""
        given = self._probabilities()
        return np.concatenate([1 - given, given], axis=1) if self.units == 1 else given

    def _of(self, metric: Any) -> dict[str, float]:
        name, arguments = next(iter(metric.items())) if isinstance(metric, dict) else (metric, {})
        if name == "acc":
            return {name: self._evaluated(self._accuracy(), self._targets(), name=name)[name]}
        key = class_of("metrics", name) or name
        made = getattr(keras.metrics, key)(**arguments)
        called = metric_name(KerasCall("metrics", name, arguments))
        targets, predictions = self._pair(key, arguments)
        if self._takes_logits_of_the_last_layer(key):
            model = self._with_probabilities()
            model.compile(loss=_no_loss, metrics=[made])
            _, value = model.evaluate(self.images, targets, batch_size=16, verbose=0)
            return {called: value}
        made.update_state(targets, predictions)
        values = np.atleast_1d(keras.ops.convert_to_numpy(made.result())).ravel()
        if len(values) == 1:
            return {called: float(values[0])}
        return {f"{called}_{index}": float(value) for index, value in enumerate(values)}

    def _takes_logits_of_the_last_layer(self, key: str) -> bool:
        """Whether Keras computes a crossentropy from what stands before the last activation.

        It does so for any activation, a softmax beside a binary crossentropy included.
        """
        is_its_own = self.units > 1 or (key.startswith("Binary") and not self.is_value)
        return key.endswith("Crossentropy") and is_its_own

    def _with_probabilities(self) -> keras.Model:
        """The model, with the activation that its loss implies where it has none."""
        if self.row["last"] != "linear" or (self.is_value and self.units > 1):
            return self.model
        activation = keras.layers.Activation(
            "sigmoid" if self.units == 1 else "softmax", dtype="float32"
        )
        return keras.Model(self.model.input, activation(self.model.output))

    def _pair(self, key: str, arguments: Mapping[str, Any]) -> tuple[Any, Any]:
        """The labels and predictions that a metric compares."""
        by_class, most_probable = self._by_class(), self._by_class().argmax(axis=1)
        if key in ("Accuracy", "MeanIoU"):
            return self.labels, most_probable
        if key == "IoU":
            return self.labels, by_class if not arguments["sparse_y_pred"] else most_probable
        if key.startswith("Sparse"):
            return self.labels, by_class
        if key.startswith(("Categorical", "TopK", "OneHot")):
            return self._one_hot(), by_class
        if key in ("F1Score", "FBetaScore") and "threshold" not in arguments:
            return self._one_hot(), by_class
        if key in ("MeanSquaredError", "MeanAbsoluteError", "CosineSimilarity", "R2Score"):
            return self._indicators(), self.raw if self.is_value else self._probabilities()
        return self._indicators(), self._probabilities()


def _no_loss(targets: Any, predictions: Any) -> Any:
    return keras.ops.zeros(keras.ops.shape(predictions)[0])


@cache
def rows() -> tuple[Row, ...]:
    """The covering array, built greedily; the same rows each time."""
    random = Random(0)
    sound = [row for row in _rows(BOUND) if _is_sound(row)]
    missing = {pair for row in sound for pair in _pairs(row)}
    missing |= {pair for row in _rows(FREE) for pair in _pairs(row)}
    missing |= {
        _pair(one, other) for row in sound for one in row.items() for other in _free_items()
    }
    chosen: list[Row] = []
    while missing:
        candidates = [_completed(random.choice(sound), missing, random) for _ in range(40)]
        best = max(candidates, key=lambda row: len(missing & _pairs(row)))
        if missing & _pairs(best):
            missing -= _pairs(best)
            chosen.append(best)
    return tuple(chosen)


Item = tuple[str, str]


def _completed(row: Row, missing: set[frozenset[Item]], random: Random) -> Row:
    """The row with values of the free axes, each the one that covers most of what is missing."""
    filled = dict(row)
    for axis in random.sample(list(FREE), len(FREE)):
        values = random.sample(list(FREE[axis]), len(FREE[axis]))
        filled[axis] = max(values, key=lambda value: _gain((axis, value), filled, missing))
    return filled


def _gain(item: Item, row: Row, missing: set[frozenset[Item]]) -> int:
    return sum(_pair(item, other) in missing for other in row.items())


def _rows(axes: Mapping[str, Sequence[str]]) -> Iterator[Row]:
    return (dict(zip(axes, values, strict=True)) for values in product(*axes.values()))


def _free_items() -> Iterator[Item]:
    return ((axis, value) for axis, values in FREE.items() for value in values)


def _pairs(row: Row) -> set[frozenset[Item]]:
    return {_pair(one, other) for one, other in combinations(row.items(), 2)}


def _pair(one: Item, other: Item) -> frozenset[Item]:
    return frozenset((one, other))


def _is_sound(row: Row) -> bool:
    """Whether `validate` lets it pass."""
    loss, output, last = row["loss"], row["output"], row["last"]
    takes_logits, smooths, outputs = LOSSES[loss]
    is_linear, says = last == "linear", row["from_logits"] == "said"
    return not (
        output not in outputs
        or (output == "one" and last == "softmax")
        or (is_linear and not takes_logits and loss not in OF_VALUES)
        or (not is_linear and loss in ("Hinge", "CategoricalHinge"))
        or (says and (not takes_logits or loss == "default"))
        or (not says and is_linear and loss not in ("default", *OF_VALUES))
        or (row["smoothing"] != "0" and not smooths)
    )


def sections(row: Row, files: Files) -> dict[str, Any]:
    """The config of a row."""
    model: dict[str, Any] = {"layers": _layers(row)}
    if row["course"] in ON_A_RUN:
        model["backbone"] = {"weights": str(files.earlier), "trainable": "none"}
    return {
        "seed": 0,
        "data": _data(files.arrays[row["output"]], row["images"]),
        "model": model,
        "train": _train(row),
    }


def _data(arrays: Path, images: str) -> dict[str, Any]:
    named = {"images": "x_{split}", "labels": "y_{split}", "weights": "w_{split}"}
    if images == "alike":
        del named["weights"]
    return {"arrays": {"file": str(arrays), **named}}


def _penalties(kinds: str) -> dict[str, Any]:
    penalties: dict[str, Any] = {}
    if kinds in ("l2", "both"):
        penalties["kernel_regularizer"] = {"L2": {"l2": 0.05}}
    if kinds in ("activity", "both"):
        penalties["activity_regularizer"] = {"L1": {"l1": 0.01}}
    return penalties


def _layers(row: Row) -> list[Any]:
    activation = "linear" if row["last"] == "layer" else row["last"]
    # Large initial weights, so that some of the images are far on the wrong side.
    dense: dict[str, Any] = {
        "units": 1 if row["output"] == "one" else CLASSES[row["output"]],
        "activation": activation,
        "kernel_initializer": {"RandomNormal": {"stddev": 3.0}},
    }
    layers: list[Any] = []
    if row["course"] not in ON_A_RUN:
        convolution = {"filters": 4, "kernel_size": 3, "strides": 2, **_penalties(row["penalty"])}
        layers = [
            {"Conv2D": convolution},
            {"BatchNormalization": {"momentum": 0.5}},
            "ReLU",
            "GlobalAveragePooling2D",
        ]
    layers += [{"Dense": {"units": 4, "name": "head", **_penalties(row["penalty"])}}]
    layers += [{"Dense": dense}]
    if row["last"] == "layer":
        sigmoid = {"Activation": {"activation": "sigmoid"}}
        layers.append(sigmoid if row["output"] == "one" else "Softmax")
    return layers


def _train(row: Row) -> dict[str, Any]:
    average = row["averaging"] != "none"
    rate: dict[str, Any] = {"learning_rate": 0.03}
    if average:
        rate |= {"use_ema": True, "ema_momentum": 0.7}
    train: dict[str, Any] = {
        "batch_size": 16,
        "steps_per_execution": 1,
        "precision": row["precision"],
        "optimizer": {"SGD": rate},
        "metrics": ["accuracy", *METRICS[row["metrics"]]],
        "best": BEST[row["best"]],
        "epochs": 2,
    }
    if row["loss"] != "default":
        arguments: dict[str, Any] = {}
        if row["from_logits"] == "said":
            arguments["from_logits"] = row["last"] == "linear"
        if row["smoothing"] != "0":
            arguments["label_smoothing"] = float(row["smoothing"])
        train["loss"] = {row["loss"]: arguments}
    if row["averaging"].startswith("swap"):
        train["callbacks"] = [
            {"SwapEMAWeights": {"swap_on_epoch": row["averaging"] == "swap on epoch"}}
        ]
    if row["classes"] == "balanced":
        train["class_weight"] = "balanced"
    if row["course"] in COURSES:
        first, second = COURSES[row["course"]]
        if row["course"] == "two optimizers":
            second = {"optimizer": {"Adam": rate}}
        train["stages"] = [{"epochs": 1, **first}, {"epochs": 1, **second}]
    return train
