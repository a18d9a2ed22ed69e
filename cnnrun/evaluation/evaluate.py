"""What a trained network makes of images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnnrun.assembly.preparing import Prepared
from cnnrun.assembly.targets import Output, class_probabilities
from cnnrun.config.values import KerasCall
from cnnrun.data.images import ImageStore
from cnnrun.evaluation.metric_values import plain_metrics
from cnnrun.evaluation.scores import Scores, score_probabilities
from cnnrun.models.keras_objects import keras_object

Forward = Callable[[Any], Any]
"""From pixels `(batch, height, width, channels)` to `(batch, units)`, both tensors."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions for some images and the scores that they earn.

    Attributes:
        rows: rows of the manifest, `(images,)`.
        probabilities: `(images, classes)`.
        scores: the scores with their intervals.
        metrics: the config's own metrics, by name.
    """

    rows: np.ndarray
    probabilities: np.ndarray
    scores: Scores
    metrics: dict[str, float]


def evaluate(
    model: keras.Model,
    *,
    output: Output,
    store: ImageStore,
    rows: np.ndarray,
    labels: np.ndarray,
    targets: np.ndarray,
    loss: KerasCall,
    metrics: Sequence[KerasCall],
    batch_size: int,
    seed: int,
) -> Evaluation:
    """Predict images and score the predictions.

    Args:
        model: the network.
        output: what its last layer gives.
        store: the decoded images.
        rows: rows of the manifest to evaluate, `(images,)`, at least one.
        labels: class numbers, a row for each image of the manifest.
        targets: the same in the loss's form.
        loss: the loss, taken an image at a time, without the penalties of regularizers.
        metrics: the config's metrics.
        batch_size: images at a time; changes speed and memory alone.
        seed: of the bootstrap behind the intervals.
    """
    predictions = predict(forward_pass(model, store), store, rows, batch_size=batch_size)
    return score_predictions(
        predictions,
        output=output,
        rows=rows,
        labels=labels,
        targets=targets,
        loss=loss,
        metrics=metrics,
        seed=seed,
    )


def evaluate_test_images(prepared: Prepared, forward: Forward) -> Evaluation | None:
    """What a run's network makes of its test images; None when there are none.

    Args:
        prepared: the run.
        forward: its network as it predicts, from `forward_pass`.
    """
    rows = prepared.splits.test
    if not len(rows):
        return None
    return score_rows(prepared, predict_rows(prepared, forward, rows), rows)


def predict_rows(prepared: Prepared, forward: Forward, rows: np.ndarray) -> np.ndarray:
    """What the network's last layer gives for rows of a run's manifest, `(images, units)`."""
    batch_size = prepared.config.train.batch_size
    return predict(forward, prepared.images.store, rows, batch_size=batch_size)


def score_rows(prepared: Prepared, predictions: np.ndarray, rows: np.ndarray) -> Evaluation:
    """The scores of predictions for rows of a run's manifest, by the run's loss and metrics."""
    return score_predictions(
        predictions,
        output=prepared.built.output,
        rows=rows,
        labels=prepared.manifest.labels,
        targets=prepared.feed.targets,
        loss=prepared.built.loss,
        metrics=prepared.config.train.metrics,
        seed=prepared.config.seed,
    )


def forward_pass(model: keras.Model, store: ImageStore) -> Forward:
    """The network as a function of pixels, not training, traced once for batches of any size.

    Args:
        model: the network; the function follows its weights as they change.
        store: decoded images of the size and type that are going to be passed.
    """
    # Not `model.predict`, whose tf.data iterator can wait for seconds after the last batch.
    forward: Forward = tf.function(
        lambda images: model(images, training=False),
        input_signature=[tf.TensorSpec((None, *store.shape), store.dtype)],
        autograph=False,
    )
    return forward


def predict(
    forward: Forward, store: ImageStore, rows: np.ndarray, *, batch_size: int
) -> np.ndarray:
    """What the network's last layer gives for each row, `(images, units)` in float32."""
    parts = [
        forward(tf.constant(store.read(rows[start : start + batch_size]))).numpy()
        for start in range(0, len(rows), batch_size)
    ]
    return np.concatenate(parts).astype(np.float32)


def score_predictions(
    predictions: np.ndarray,
    *,
    output: Output,
    rows: np.ndarray,
    labels: np.ndarray,
    targets: np.ndarray,
    loss: KerasCall,
    metrics: Sequence[KerasCall],
    seed: int,
) -> Evaluation:
    """The scores of predictions.

    Args:
        predictions: what the last layer gave, `(images, units)`.
        output: what that means.
        rows: the rows of the manifest that were predicted, `(images,)`.
        labels: class numbers, a row for each image of the manifest.
        targets: the same in the loss's form.
        loss: the loss.
        metrics: the config's metrics.
        seed: of the bootstrap behind the intervals.
    """
    probabilities = class_probabilities(predictions, output)
    scores = score_probabilities(
        probabilities,
        labels[rows],
        per_image_loss=loss_per_image(loss, targets[rows], predictions),
        seed=seed,
    )
    return Evaluation(
        rows, probabilities, scores, _metric_values(metrics, targets[rows], predictions, loss=loss)
    )


def loss_per_image(loss: KerasCall, targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """The loss of each image, `(images,)`, before its mean is taken.

    Args:
        loss: the loss.
        targets: the labels in the loss's form, a row an image.
        predictions: what the last layer gave, `(images, units)`.
    """
    made = keras.losses.get(keras_object(loss, address="train.loss"))
    if isinstance(made, keras.losses.Loss):
        return np.asarray(made.call(targets, predictions))
    return np.asarray(made(targets, predictions))


def _metric_values(
    metrics: Sequence[KerasCall], targets: np.ndarray, predictions: np.ndarray, *, loss: KerasCall
) -> dict[str, float]:
    # A model of the output alone: Keras itself then chooses what "accuracy" means.
    outputs = keras.Input(predictions.shape[1:])
    scorer = keras.Model(outputs, keras.layers.Identity()(outputs))
    scorer.compile(
        loss=keras_object(loss, address="train.loss"),
        metrics=list(keras_object(tuple(metrics), address="train.metrics")),
        run_eagerly=True,  # a graph for a single batch would cost far more than the batch
    )
    values = scorer.test_on_batch(predictions, targets, return_dict=True)
    return {name: value for name, value in plain_metrics(values).items() if name != "loss"}
