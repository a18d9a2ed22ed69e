"""Test-time augmentation: a network's predictions averaged over views of each image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from cnnrun.assembly.targets import (
    Output,
    class_probabilities,
    last_layer_values,
    log_probabilities,
    values_of_labels,
)
from cnnrun.calibration.label_map import floored_log_odds
from cnnrun.errors import InputError
from cnnrun.evaluation.evaluate import Judge, Judged, judged
from cnnrun.wording import counted, suggestion

Pixels = NDArray[Any]
Look = Callable[[Pixels], Pixels]
"""From images `(batch, height, width, channels)` to one view of each, of the same shape."""

_FLIP: Final = "flip"
_SHIFT: Final = "shift"
NAMES: Final = (_FLIP, _SHIFT)
_SHARE_SHIFTED: Final = 1 / 32
"""Of the height or width: a pixel of the images of 32x32 for which it was published
(Jordan 2024, arXiv:2404.00498)."""


@dataclass(frozen=True)
class Views:
    """Views of each image, the image itself first.

    Attributes:
        looks: what makes each view.
        sentence: what was averaged, in words.
    """

    looks: tuple[Look, ...]
    sentence: str


def named_views(text: str) -> tuple[str, ...]:
    """The names in `flip,shift`.

    Raises:
        InputError: one of them is unknown, or stands there twice, or there is none.
    """
    names = tuple(each.strip() for each in text.split(","))
    for number, name in enumerate(names):
        if name not in NAMES or name in names[:number]:
            again = name in NAMES
            raise InputError.at(
                "--augment",
                rule="must name each way of augmenting once"
                if again
                else "must be flip or shift, or both as flip,shift",
                received=f"`{text}`",
                advice="leave one of them out" if again else suggestion(name, NAMES),
            )
    return names


def views_of(names: Sequence[str], *, image_size: tuple[int, int]) -> Views:
    """The views that some ways of augmenting give, each combined with each.

    Args:
        names: of NAMES.
        image_size: height and width of the images.
    """
    rows, columns = (max(1, round(_SHARE_SHIFTED * size)) for size in image_size)
    shifts = [(-rows, 0), (rows, 0), (0, -columns), (0, columns)] if _SHIFT in names else []
    sides = (False, True) if _FLIP in names else (False,)
    looks = tuple(
        _look(is_flipped=is_flipped, down=down, right=right)
        for is_flipped in sides
        for down, right in [(0, 0), *shifts]
    )
    parts = ["as it is", *(["mirrored left to right"] if _FLIP in names else [])]
    sentence = " and ".join(parts)
    if _SHIFT in names:
        by = f"{rows}" if rows == columns else f"{rows} and {columns}"
        pixels = counted(max(rows, columns), "pixel").partition(" ")[2]
        each = "each also" if _FLIP in names else "and"
        sentence += f", {each} shifted up, down, left and right by {by} {pixels}"
    return Views(
        looks, f"probabilities are means over {len(looks)} views of each image: {sentence}"
    )


def averaged(found: Sequence[Judged], *, judge: Judge, targets: NDArray[Any]) -> Judged:
    """What loss and metrics make of the mean prediction of some views.

    Args:
        found: the predictions of each view, of the same images.
        judge: the loss and the metrics.
        targets: those of these images, `(images, ...)`.
    """
    predictions = mean_predictions([each.predictions for each in found], judge.output)
    return replace(judged(judge, predictions, targets), penalty=found[0].penalty)


def mean_predictions(predictions: Sequence[NDArray[Any]], output: Output) -> NDArray[Any]:
    """The mean of what the last layer gives, `(images, units)`; of logits, of their probabilities.

    Args:
        predictions: of each view.
        output: what the last layer gives.
    """
    if output.scale == "logits" and output.is_multi_label:
        own = np.stack([class_probabilities(each, output) for each in predictions])
        return values_of_labels(floored_log_odds(own.mean(axis=0)), output)
    if output.scale == "logits":
        logs = np.stack([log_probabilities(each, output) for each in predictions])
        return last_layer_values(logsumexp(logs, axis=0) - np.log(len(logs)), output)
    means: NDArray[Any] = np.stack(predictions).astype(np.float64).mean(axis=0).astype(np.float32)
    return means


def _look(*, is_flipped: bool, down: int, right: int) -> Look:
    def look(images: Pixels) -> Pixels:
        images = images[:, :, ::-1] if is_flipped else images
        rows = np.clip(np.arange(images.shape[1]) - down, 0, images.shape[1] - 1)
        columns = np.clip(np.arange(images.shape[2]) - right, 0, images.shape[2] - 1)
        return np.ascontiguousarray(images[:, rows][:, :, columns])

    return look
