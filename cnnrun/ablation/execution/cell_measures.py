"""What is measured of a cell's network, and of the predictor that stands for one that diverged."""

import numpy as np

from cnnrun.assembly.preparing import Prepared
from cnnrun.evaluation.class_frequencies import class_frequencies, constant_predictions
from cnnrun.evaluation.evaluate import Evaluated, judge_of, judged, score_rows
from cnnrun.runs.metrics import TRAINING_LOSS
from cnnrun.training.traced_network import TracedNetwork


def measures_of_network(
    prepared: Prepared, traced: TracedNetwork, tested: Evaluated, *, epoch: int
) -> dict[str, float]:
    """The measures by name.

    These are `test_<metric>`, `training_loss` (of the training images, without augmentation),
    `generalization_gap` (the loss on the test images less that), and, where there is batch norm,
    `test_loss_recomputed` and `test_accuracy_recomputed`: with statistics of the training images
    in place of the moving averages.

    Args:
        prepared: the run.
        traced: its network, with the weights that count; they are the same afterwards.
        tested: what it made of the test images.
        epoch: how many epochs were trained.
    """
    test, train = prepared.splits.test, prepared.splits.train
    values = _test_measures(tested)
    size = prepared.config.train.batch_size
    values[TRAINING_LOSS] = traced.training_loss(train, batch_size=size)
    values["generalization_gap"] = tested.scores.loss - values[TRAINING_LOSS]
    if traced.batch_statistics.layers:
        ids, seed = prepared.manifest.ids[train], prepared.config.seed
        batches = prepared.feed.images_of_epoch(train, ids, seed=seed, epoch=epoch)
        with traced.batch_statistics.recomputed(batches):
            again = score_rows(prepared, traced.examination.of(test, batch_size=size), test)
        values["test_loss_recomputed"] = again.scores.loss
        values |= _headline(again)
    return values


def measures_of_majority(prepared: Prepared) -> dict[str, float]:
    """The measures of a network that gives each class its share of the training images."""
    splits, labels = prepared.splits, prepared.manifest.labels
    shares = class_frequencies(labels[splits.train], len(prepared.manifest.classes))

    judge = judge_of(prepared)

    def scored(rows: np.ndarray) -> Evaluated:
        constant = constant_predictions(shares, prepared.built.output, images=len(rows))
        found = judged(judge, constant, prepared.feed.targets[rows])
        return score_rows(prepared, found, rows)

    values = {}
    if len(splits.validation):
        validated = _test_measures(scored(splits.validation))
        names = (name.removeprefix("test_") for name in validated)
        values = {f"val_{name}_area": validated[f"test_{name}"] for name in names}
    if len(splits.test):
        tested = scored(splits.test)
        values |= _test_measures(tested)
        values[TRAINING_LOSS] = scored(splits.train).scores.loss
        values["generalization_gap"] = tested.scores.loss - values[TRAINING_LOSS]
        values["test_loss_recomputed"] = tested.scores.loss
        values |= _headline(tested)
    return values


def _test_measures(tested: Evaluated) -> dict[str, float]:
    own = {**tested.metrics, **tested.scores.metrics}
    return {f"test_{name}": value for name, value in own.items()}


def _headline(recomputed: Evaluated) -> dict[str, float]:
    """The first of the test's numbers, accuracy or mean average precision, as recomputed."""
    name = next(iter(recomputed.scores.metrics))
    return {f"test_{name}_recomputed": recomputed.scores.metrics[name]}
