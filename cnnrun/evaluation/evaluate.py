"""What a trained network makes of images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnnrun.assembly.measuring import measures
from cnnrun.assembly.preparing import Prepared
from cnnrun.assembly.targets import Output, class_probabilities
from cnnrun.config.output_rules import loss_class
from cnnrun.config.values import KerasCall
from cnnrun.data.images import ImageStore
from cnnrun.evaluation.label_scores import LabelScores, score_labels
from cnnrun.evaluation.label_thresholds import UNDECIDED
from cnnrun.evaluation.metric_values import plain_metrics
from cnnrun.evaluation.scores import Scores, score_probabilities
from cnnrun.models.losses import loss_object
from cnnrun.models.penalties import is_penalized

Examine = Callable[[Any, Any], tuple[Any, Any, Any]]
"""From pixels `(batch, height, width, channels)` and their targets to what the last layer gives
`(batch, units)`, losses `(batch,)`, and the penalty, a number: all of them tensors."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions for some images and the scores that they earn.

    Attributes:
        rows: rows of the manifest, `(images,)`.
        probabilities: `(images, classes)`.
        scores: the scores with their intervals.
        metrics: the config's own metrics, by name; with them `penalty`, what regularizers add to
            the loss, where there are any.
    """

    rows: np.ndarray
    probabilities: np.ndarray
    scores: Scores
    metrics: dict[str, float]


@dataclass(frozen=True, eq=False)
class LabelEvaluation:
    """Predictions for some images with several labels or none, and the scores that they earn.

    Attributes:
        rows: rows of the manifest, `(images,)`.
        probabilities: `(images, labels)`.
        scores: the scores with their intervals, and the thresholds.
        metrics: the config's own metrics, and `penalty`, by name.
    """

    rows: np.ndarray
    probabilities: np.ndarray
    scores: LabelScores
    metrics: dict[str, float]

    @property
    def said(self) -> np.ndarray:
        """Which labels are said of which images, `(images, labels)` of truth values."""
        return np.asarray(self.probabilities >= self.scores.thresholds)


Evaluated = Evaluation | LabelEvaluation
"""An evaluation of images with one label, or with several, each."""


class Judge:
    """The loss and the metrics of a config, for what a network's last layer gives.

    Attributes:
        output: what that is.
    """

    def __init__(self, *, loss: KerasCall, metrics: Sequence[KerasCall], output: Output) -> None:
        """The loss that is trained with, and the config's metrics."""
        self.output = output
        self._loss = loss_object(
            KerasCall("losses", loss_class(loss), loss.arguments), by_label=output.is_multi_label
        )
        # The mean over batches of a sum is the mean over images of each times its batch's size.
        self._is_sum = self._loss.reduction == "sum"
        self._loss.reduction = "none"
        self._metrics = measures(metrics, output)

    def losses(self, targets: Any, predictions: Any) -> Any:
        """The loss of each image, `(batch,)`, a tensor; the metrics take the batch into account.

        A loss that has one number for a whole batch has it for each of its images.
        """
        for metric in self._metrics:
            metric.update_state(targets, predictions)
        images = tf.shape(predictions)[0]
        losses = tf.cast(self._loss(targets, predictions), "float32")
        if self.output.is_multi_label:
            losses = tf.reduce_mean(losses, axis=-1)
        losses = tf.broadcast_to(losses, [images])
        return losses * tf.cast(images, "float32") if self._is_sum else losses

    def reset(self) -> None:
        """Let the metrics begin anew."""
        for metric in self._metrics:
            metric.reset_state()

    def metric_values(self) -> dict[str, float]:
        """The metrics of all batches since the last reset, by name."""
        return plain_metrics({metric.name: metric.result() for metric in self._metrics})


class Examination:
    """A network with its loss and metrics, traced once for batches of any size.

    Attributes:
        judge: the loss and the metrics.
    """

    def __init__(self, model: keras.Model, judge: Judge, *, store: ImageStore, targets: np.ndarray):
        """The network, whose weights it follows, and images and targets like those to come."""
        self.judge = judge
        self._has_penalty = is_penalized(model)
        self._store, self._targets = store, targets
        # Loss and metrics stand in the graph of the network, as they do in `fit` and `evaluate`:
        # Keras computes them of the logits behind a softmax there, and of its clipped
        # probabilities elsewhere. And not `model.predict`, whose tf.data iterator can wait for
        # seconds after the last batch.
        self._examine: Examine = tf.function(
            lambda images, labels: _examined(model, judge, images, labels),
            input_signature=[
                tf.TensorSpec((None, *store.shape), store.dtype),
                tf.TensorSpec((None, *targets.shape[1:]), targets.dtype),
            ],
            autograph=False,
        )

    def of(
        self,
        rows: np.ndarray,
        *,
        batch_size: int,
        look: Callable[[np.ndarray], np.ndarray] = lambda images: images,
    ) -> "Judged":
        """What comes of rows of the manifest, `(images,)`, in batches of a size.

        Args:
            rows: the rows.
            batch_size: how many images pass at a time.
            look: what is seen of the images, `(batch, height, width, channels)`.
        """
        self.judge.reset()
        parts = [
            [part.numpy() for part in self._batch(rows[start : start + batch_size], look)]
            for start in range(0, len(rows), batch_size)
        ]
        predictions, losses, penalties = zip(*parts, strict=True)
        sizes = [len(part) for part in predictions]
        return Judged(
            predictions=np.concatenate(predictions).astype(np.float32),
            losses=np.concatenate(losses),
            penalty=float(np.average(penalties, weights=sizes)) if self._has_penalty else None,
            metrics=self.judge.metric_values(),
        )

    def _batch(
        self, rows: np.ndarray, look: Callable[[np.ndarray], np.ndarray]
    ) -> tuple[Any, Any, Any]:
        images = tf.constant(look(self._store.read(rows)))
        return self._examine(images, tf.constant(self._targets[rows]))


def _examined(model: keras.Model, judge: Judge, images: Any, targets: Any) -> tuple[Any, Any, Any]:
    predictions = model(images, training=False)
    penalties = [tf.cast(tf.reduce_sum(penalty), "float32") for penalty in model.losses]
    return predictions, judge.losses(targets, predictions), tf.add_n([tf.constant(0.0), *penalties])


@dataclass(frozen=True, eq=False)
class Judged:
    """What a network gives for some images, and what loss and metrics make of it.

    Attributes:
        predictions: what the last layer gives, `(images, units)` in float32.
        losses: of each image, without penalties, `(images,)`.
        penalty: what regularizers add to the loss, a mean over the images; None without any.
        metrics: the config's own metrics, by name.
    """

    predictions: np.ndarray
    losses: np.ndarray
    penalty: float | None
    metrics: dict[str, float]


def judged(judge: Judge, predictions: np.ndarray, targets: np.ndarray) -> Judged:
    """What loss and metrics make of predictions `(images, units)` that no network gave."""
    judge.reset()
    losses = judge.losses(tf.constant(targets), tf.constant(predictions)).numpy()
    return Judged(predictions, losses, penalty=None, metrics=judge.metric_values())


def examination_of(prepared: Prepared) -> Examination:
    """A run's network as it predicts, with the loss and the metrics of the run."""
    model, store = prepared.built.network.model, prepared.images.store
    return Examination(model, judge_of(prepared), store=store, targets=prepared.feed.targets)


def judge_of(prepared: Prepared) -> Judge:
    """The loss and the metrics that a run's network is judged by."""
    built = prepared.built
    return Judge(loss=built.loss, metrics=prepared.config.train.metrics, output=built.output)


def evaluate_test_images(
    prepared: Prepared, examination: Examination, *, thresholds: np.ndarray | None = None
) -> Evaluated | None:
    """What a run's network makes of its test images; None when there are none.

    Args:
        prepared: the run.
        examination: its network, from `examination_of`.
        thresholds: of labels, several of which an image may have.
    """
    rows = prepared.splits.test
    if not len(rows):
        return None
    found = examination.of(rows, batch_size=prepared.config.train.batch_size)
    return score_rows(prepared, found, rows, thresholds=thresholds)


def score_rows(
    prepared: Prepared, found: Judged, rows: np.ndarray, *, thresholds: np.ndarray | None = None
) -> Evaluated:
    """The scores of predictions for rows of a run's manifest."""
    return score(
        found,
        output=prepared.built.output,
        rows=rows,
        labels=prepared.manifest.labels,
        seed=prepared.config.seed,
        thresholds=thresholds,
    )


def score(
    found: Judged,
    *,
    output: Output,
    rows: np.ndarray,
    labels: np.ndarray,
    seed: int,
    thresholds: np.ndarray | None = None,
) -> Evaluated:
    """The scores of predictions.

    Args:
        found: the predictions, with their losses and metrics.
        output: what the last layer gives.
        rows: the rows of the manifest that were predicted, `(images,)`.
        labels: class numbers, or the matrix of labels, a row for each image of the manifest.
        seed: of the bootstrap behind the intervals.
        thresholds: of labels, `(labels,)`; None for one half.
    """
    probabilities = class_probabilities(found.predictions, output)
    penalty = {} if found.penalty is None else {"penalty": found.penalty}
    metrics = {**penalty, **found.metrics}
    if output.is_multi_label:
        label_scores = score_labels(
            probabilities,
            labels[rows],
            thresholds=np.full(output.units, UNDECIDED) if thresholds is None else thresholds,
            per_image_loss=found.losses,
            seed=seed,
        )
        return LabelEvaluation(rows, probabilities, label_scores, metrics)
    scores = score_probabilities(
        probabilities, labels[rows], per_image_loss=found.losses, seed=seed
    )
    return Evaluation(rows, probabilities, scores, metrics)
