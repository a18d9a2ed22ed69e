"""What a network scores that guesses evenly, with which arms are compared that learn nothing."""

import math
from typing import Final

from cnnrun.ablation.planning.plan import Arm

_LOSSES: Final = ("test_loss", "val_loss_area", "training_loss")
_ACCURACIES: Final = ("test_accuracy", "val_accuracy_area")


def guessing_score(metric: str, arm: Arm, *, classes: int) -> float | None:
    """What guessing evenly scores; None where that is not known.

    Args:
        metric: the measure, such as "test_loss".
        arm: an arm, whose loss it is.
        classes: how many classes there are; 0 where that is not known.
    """
    if not classes:
        return None
    if metric in _LOSSES and _is_cross_entropy(arm):
        return math.log(classes)
    return 1 / classes if metric in _ACCURACIES else None


def _is_cross_entropy(arm: Arm) -> bool:
    """Whether guessing evenly costs the logarithm of the number of classes."""
    loss = arm.config.train.loss
    return loss is None or "categoricalcrossentropy" in loss.name.replace("_", "").lower()
