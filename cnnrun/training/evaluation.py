"""What a trained network makes of images."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from cnnrun.config.values import KerasCall
from cnnrun.data.images import ImageStore
from cnnrun.models.calls import keras_object
from cnnrun.training.callbacks import plain_metrics
from cnnrun.training.scores import Scores, score_probabilities
from cnnrun.training.targets import Output, class_probabilities


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
    predictions = predict(model, store, rows, batch_size=batch_size)
    probabilities = class_probabilities(predictions, output)
    scores = score_probabilities(
        probabilities,
        labels[rows],
        per_image_loss=_loss_per_image(loss, targets[rows], predictions),
        seed=seed,
    )
    return Evaluation(
        rows, probabilities, scores, _metric_values(metrics, targets[rows], predictions, loss=loss)
    )


def predict(
    model: keras.Model, store: ImageStore, rows: np.ndarray, *, batch_size: int
) -> np.ndarray:
    """What the network's last layer gives for each row, `(images, units)` in float32."""
    # Not `model.predict`, whose tf.data iterator can wait for seconds after the last batch.
    forward = tf.function(
        lambda images: model(images, training=False), reduce_retracing=True, autograph=False
    )
    parts = [
        forward(tf.constant(store.read(rows[start : start + batch_size]))).numpy()
        for start in range(0, len(rows), batch_size)
    ]
    return np.concatenate(parts).astype(np.float32)


def _loss_per_image(loss: KerasCall, targets: np.ndarray, predictions: np.ndarray) -> np.ndarray:
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
    )
    values = scorer.evaluate(predictions, targets, verbose=0, return_dict=True)
    return {name: value for name, value in plain_metrics(values).items() if name != "loss"}
