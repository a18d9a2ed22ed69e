"""The predictor that knows nothing but how frequent the classes are: what divergence comes to."""

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.targets import FloatArray, Output


def class_frequencies(labels: NDArray[np.int32], classes: int) -> FloatArray:
    """The share of each class among these labels, `(classes,)`."""
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


def constant_predictions(frequencies: FloatArray, output: Output, *, images: int) -> FloatArray:
    """What a last layer would give that predicts these frequencies for every image.

    Args:
        frequencies: of each class, `(classes,)`, none of them 0.
        output: what the last layer gives; one unit stands for the second of two classes.
        images: how many rows are wanted.

    Returns:
        `(images, units)` in float32.
    """
    values = frequencies[1:] if output.units == 1 else frequencies
    if output.scale == "logits":
        values = np.log(values / (1 - values)) if output.units == 1 else np.log(values)
    return np.tile(values.astype(np.float32), (images, 1))
