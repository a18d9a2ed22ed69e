"""The names of metrics, known without Keras; oracle: the logs of stock Keras's `fit`."""

import inspect
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from cnnrun.config.keras_table import argument_rows, class_of, names_of
from cnnrun.config.load import load_config
from cnnrun.config.metric_names import lower_is_better, metric_names
from cnnrun.config.sections import Config
from cnnrun.config.values import KerasCall
from cnnrun.errors import ConfigError
from cnnrun.models.keras_objects import keras_object

REQUIRED = {
    "num_classes": 3,
    "precision": 0.5,
    "recall": 0.5,
    "sensitivity": 0.5,
    "specificity": 0.5,
    "target_class_ids": (0, 1),
}
PIXELS = np.random.default_rng(3).random((6, 4)).astype("float32")
LABELS = np.array([0, 1, 2, 0, 1, 2])
WRITTEN = {
    "numbered": "AUC, {AUC: {curve: PR}}, auc, {AUC: {name: again}}",
    "texts": "MSE, BCE, MAPE, MSLE, MAE, mse, kl_divergence",
    "an average": "{F1Score: {average: macro}}, {FBetaScore: {average: micro, beta: 2.0}}",
    "lists": "FBetaScore, {Precision: {thresholds: [0.2, 0.4, 0.6]}}, {Recall: {thresholds: [0.5]}}"
    ", {R2Score: {class_aggregation: null}}, {AUC: {thresholds: [0.2, 0.4, 0.6]}}",
}


def logs_of(metrics: list[object], *, sparse: bool) -> dict[str, int]:
    """What `fit` calls each number of an epoch, and how many stand under it."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    loss = "sparse_categorical_crossentropy" if sparse else "categorical_crossentropy"
    model.compile("sgd", loss, metrics=metrics, run_eagerly=True)
    labels = LABELS if sparse else np.eye(3, dtype="float32")[LABELS]
    logs = model.fit(PIXELS, labels, epochs=1, verbose=0).history
    return {name: np.size(values) for name, values in logs.items() if name != "loss"}


def said(calls: tuple[KerasCall, ...]) -> dict[str, int | None]:
    return {name.name: name.numbers for name in metric_names(calls, outputs=3)}


@pytest.mark.parametrize("sparse", [False, True])
def test_every_metric_of_keras(sparse: bool) -> None:
    names = [name for name in names_of("metrics") if name.lower().startswith("sparse") is sparse]
    calls = tuple(
        KerasCall("metrics", name, {key: REQUIRED[key] for key in required(name)}) for name in names
    )
    keras.backend.clear_session()  # else it numbers the names through the whole process
    stock = [
        getattr(keras.metrics, call.name)(**call.arguments) if is_class(call.name) else call.name
        for call in calls
    ]
    logs = logs_of(stock, sparse=sparse)
    assert said(calls) == logs
    assert logs_of(list(keras_object(calls, address="")), sparse=sparse) == logs


@pytest.mark.parametrize("metrics", WRITTEN.values(), ids=WRITTEN)
def test_metrics_with_arguments(read: Callable[..., Config], metrics: str) -> None:
    calls = read(f"metrics: [{metrics}]").train.metrics
    assert said(calls) == logs_of(list(keras_object(calls, address="")), sparse=False)


def test_numbers_of_a_list_have_names_of_their_own() -> None:
    calls = (KerasCall("metrics", "FBetaScore"), KerasCall("metrics", "accuracy"))
    of_list, single = metric_names(calls, outputs=2)
    assert (of_list.in_lines, single.in_lines) == (
        ("fbeta_score_0", "fbeta_score_1"),
        ("accuracy",),
    )
    [unknown] = metric_names(calls[:1], outputs=None)
    assert [unknown.is_called(name) for name in ("fbeta_score_7", "fbeta_score", "x_7")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("last", ["classifier", "Dense: {units: 4}", "Flatten"])
def test_a_list_cannot_decide(read: Callable[..., Config], last: str) -> None:
    text = "metrics: [F1Score], best: {monitor: %s}"
    with pytest.raises(ConfigError, match="average: macro"):
        read(text % "val_f1_score", last)
    assert read(text % "val_f1_score_3", last).train.best.monitor == "val_f1_score_3"


def test_the_list_of_a_single_unit_is_of_two_classes(read: Callable[..., Config]) -> None:
    last = "Dense: {units: 1}\n    - Activation: {activation: sigmoid}"
    text = "metrics: [F1Score], best: {monitor: %s}"
    with pytest.raises(ConfigError, match="average: macro"):
        read(text % "val_f1_score", last)
    assert read(text % "val_f1_score_1", last).train.metrics
    cut = "metrics: [{F1Score: {threshold: 0.5}}], best: {monitor: val_f1_score}"
    assert read(cut, last).train.metrics


@pytest.mark.parametrize(
    "falling",
    ["val_loss", "test_mean_squared_error", "val_mse_area", "test_MAPE", "val_logcosh", "kld"],
)
def test_losses_and_errors_fall(falling: str) -> None:
    assert lower_is_better(falling)


@pytest.mark.parametrize("rising", ["accuracy", "test_cosine_similarity", "val_auc", "test_dimse"])
def test_all_else_rises(rising: str) -> None:
    assert not lower_is_better(rising)


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Config]:
    """Reads a config with these keys of `train` and this last layer."""

    def config(train: str, last: str = "classifier") -> Config:
        path = tmp_path / "config.yaml"
        path.write_text(
            "data: {directory: images, image_size: [8, 8], classes: 5}\nmodel:\n  layers:\n"
            f"    - Flatten\n    - {last}\ntrain: {{{train}}}\n"
        )
        return load_config(path)

    return config


def is_class(name: str) -> bool:
    return inspect.isclass(getattr(keras.metrics, name, None))


def required(name: str) -> list[str]:
    rows = argument_rows("metrics", class_of("metrics", name))
    return [key for key, row in rows.items() if row["required"]]
