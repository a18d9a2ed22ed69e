"""What a network scores that guesses evenly, with which arms are compared that learn nothing."""

import math
from typing import Final

from cnnrun.config.sections import Config
from cnnrun.runs.metrics import TRAINING_LOSS

_LOSSES: Final = ("test_loss", "val_loss", "val_loss_area", TRAINING_LOSS)
_ACCURACIES: Final = ("test_accuracy", "val_accuracy_area")
_UNLEARNT_SHARE: Final = 0.95
"""What has not learnt is nearly at guessing."""


def guessing_score(metric: str, config: Config, *, classes: int) -> float | None:
    """What guessing evenly scores; None where that is not known, as of several labels an image.

    Args:
        metric: the measure, such as "test_loss".
        config: the config of an arm, whose loss it is.
        classes: how many classes there are; 0 where that is not known.
    """
    if not classes or config.data.is_multi_label:  # it takes how common each label is
        return None
    if metric in _LOSSES and _is_cross_entropy(config):
        return math.log(classes)
    return 1 / classes if metric in _ACCURACIES else None


def has_learnt(loss: float, guessing: float | None) -> bool:
    """Whether a loss is told from that of guessing; True where that is not known."""
    return guessing is None or loss <= _UNLEARNT_SHARE * guessing


def _is_cross_entropy(config: Config) -> bool:
    """Whether guessing evenly costs the logarithm of the number of classes."""
    loss = config.train.loss
    return loss is None or "categoricalcrossentropy" in loss.name.replace("_", "").lower()
