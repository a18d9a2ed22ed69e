"""The predictor that knows nothing but how frequent the classes are: what divergence comes to."""

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.targets import FloatArray, Output


def class_frequencies(labels: NDArray[np.int32], classes: int) -> FloatArray:
    """The share of each class among these labels, or of images that have each, `(classes,)`."""
    if labels.ndim == 2:
        known = np.maximum((labels >= 0).sum(axis=0), 1)
        return np.asarray((labels == 1).sum(axis=0) / known)
    return np.bincount(labels, minlength=classes) / len(labels)


def baseline_accuracies(
    training: NDArray[np.int32], test: NDArray[np.int32], classes: int
) -> dict[str, float]:
    """The accuracy on test images of what has learnt nothing: what any network has to beat.

    Args:
        training: class numbers of the training images.
        test: class numbers of the test images, at least one.
        classes: how many classes there are.

    Returns:
        `chance`: any class as likely as another; `majority`: always the commonest class of the
        training images.
    """
    commonest = int(class_frequencies(training, classes).argmax())
    return {"chance": 1 / classes, "majority": float((test == commonest).mean())}


def mean_prevalence(test: NDArray[np.int32]) -> float:
    """The mean average precision on test images of any order: how many images have a label.

    Args:
        test: the matrix of their labels, `(images, labels)`; labels that none has are left out.
    """
    shares = class_frequencies(test, test.shape[1])
    return float(shares[shares > 0].mean()) if shares.any() else 0.0


def constant_predictions(frequencies: FloatArray, output: Output, *, images: int) -> FloatArray:
    """What a last layer would give that predicts these frequencies for every image.

    Args:
        frequencies: of each class, `(classes,)`, none of them 0.
        output: what the last layer gives; one unit stands for the second of two classes.
        images: how many rows are wanted.

    Returns:
        `(images, units)` in float32.
    """
    is_of_two = output.units == 1 and not output.is_multi_label
    values = frequencies[1:] if is_of_two else frequencies
    if output.scale == "logits":
        is_odds = output.units == 1 or output.is_multi_label
        values = np.log(values / (1 - values)) if is_odds else np.log(values)
    return np.tile(values.astype(np.float32), (images, 1))
