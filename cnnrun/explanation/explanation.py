"""What came of explaining: a picture, and the same in numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnrun.evaluation.prediction import NamedClass, Prediction, Skipped
from cnnrun.runs.files import replacing


@dataclass(frozen=True, eq=False)
class Explanation:
    """What came of explaining images.

    Attributes:
        figure: the picture.
        document: the same in numbers, as JSON has it.
        skipped: the images that cannot be read.
        notes: what a user would hardly expect.
        check: whether the maps show what the network has learnt; None where that was not asked.
        arrays: what is too long for JSON, by name; none where all of it stands there.
    """

    figure: Figure
    document: Mapping[str, Any]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    check: "Check | None" = None
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Check:
    """What came of checking maps: a picture, and the answer in a sentence with its number."""

    figure: Figure
    sentence: str


def classes_document(prediction: Prediction, *, top: int) -> list[dict[str, Any]]:
    """The most probable classes as JSON has them; ImageNet's with their synsets."""
    named = zip(prediction.classes[:top], prediction.probabilities, strict=False)
    return [class_document(each) | {"probability": probability} for each, probability in named]


def class_document(named: NamedClass) -> dict[str, Any]:
    """A class as JSON has it."""
    synset = {} if named.wnid is None else {"wnid": named.wnid}
    return {"class": named.name, **synset}


def write_arrays(arrays: Mapping[str, NDArray[Any]], path: Path) -> None:
    """The arrays as an .npz file.

    Raises:
        StorageError: it cannot be written.
    """
    with replacing(path) as partial:
        np.savez_compressed(partial, allow_pickle=False, **arrays)
