"""How well simple classifiers tell several labels by features, with intervals over images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.evaluation.label_scores import LabelScores, score_labels
from cnnrun.evaluation.label_thresholds import UNDECIDED
from cnnrun.features.label_probe import learnable_labels, probe_labels

_OF_LABELS: Final = ("average_precision", "roc_auc")
_MEANS: Final = ("mean_average_precision", "mean_roc_auc")


@dataclass(frozen=True, eq=False)
class ProbedLabels:
    """What a classifier reaches on images that it was not fitted to.

    Attributes:
        classifier: its name.
        folds: how many times one was fitted.
        classes: the labels that were probed.
        left_out: those of which too little is known.
        scores: of the labels that were probed, of all folds' images together.
    """

    classifier: str
    folds: int
    classes: tuple[str, ...]
    left_out: tuple[str, ...]
    scores: LabelScores

    def as_json(self) -> dict[str, Any]:
        """The ranking of images: by label, and its means over labels."""
        scores = self.scores
        return {
            "classifier": self.classifier,
            "folds": self.folds,
            **{name: scores.metrics[name] for name in _MEANS},
            "intervals": {name: list(scores.intervals[name]) for name in _MEANS},
            "labels": [
                {
                    "label": each["label"],
                    **{name: each[name] for name in _OF_LABELS},
                    "images": each["images"],
                    "known": each["known"],
                    "intervals": {
                        name: bounds
                        for name, bounds in each["intervals"].items()
                        if name in _OF_LABELS
                    },
                }
                for each in scores.classes_as_json(self.classes)
            ],
            "left_out": list(self.left_out),
        }


def probed_labels(
    features: NDArray[Any], labels: NDArray[np.int32], classes: Sequence[str], *, seed: int
) -> tuple[ProbedLabels, ...]:
    """What a linear classifier and nearest neighbours reach on each label, by cross-validation.

    Args:
        features: `(images, ...)`, which are held in memory.
        labels: `(images, labels)`, of which one at least can be learnt.
        classes: the labels' names.
        seed: of the folds and the bootstrap.
    """
    learnt = learnable_labels(labels)
    left_out = tuple(name for number, name in enumerate(classes) if number not in learnt)
    known = np.ascontiguousarray(labels[:, learnt])
    return tuple(
        ProbedLabels(
            classifier=each.classifier,
            folds=each.folds,
            classes=tuple(classes[number] for number in learnt.tolist()),
            left_out=left_out,
            scores=score_labels(
                each.probabilities,
                known,
                thresholds=np.full(len(learnt), UNDECIDED),
                per_image_loss=np.zeros(len(known)),  # rankings alone are told
                seed=seed,
            ),
        )
        for each in probe_labels(features, known, seed=seed)
    )
