"""The images that are explained, what the network takes them for, and the classes asked about."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.config.data_section import OnBadImage
from cnnrun.data.packed_images import ImageFile
from cnnrun.evaluation.prediction import (
    Classifier,
    NamedClass,
    Prediction,
    Skipped,
    batches,
    predict,
)
from cnnrun.explanation.class_names import class_number


@dataclass(frozen=True, eq=False)
class Subject:
    """An image that is explained.

    Attributes:
        prediction: what it is taken for, with the probabilities of all classes.
        pixels: `(height, width, channels)`, 0 to 255.
        classes: the numbers of the classes to explain; the most probable one first.
    """

    prediction: Prediction
    pixels: NDArray[Any]
    classes: tuple[int, ...]

    def probability(self, named: NamedClass) -> float:
        """What the network gives to a class."""
        return self.prediction.probabilities[self.prediction.classes.index(named)]


def read_subjects(
    classifier: Classifier,
    images: Sequence[ImageFile],
    wanted: Sequence[str],
    *,
    on_bad_image: OnBadImage,
) -> tuple[tuple[Subject, ...], tuple[Skipped, ...]]:
    """The images, and those that cannot be read.

    Args:
        classifier: the network.
        images: their files, or names of arrays.
        wanted: the names of the classes to explain beside the most probable one.
        on_bad_image: whether one that cannot be read ends the work or is left out.

    Raises:
        InputError: there is no such class.
        DataError: an image cannot be read, and is not to be skipped; or none can.
    """
    further = tuple(number_of_class(classifier, name) for name in wanted)
    found, skipped = [], []
    every = len(classifier.classes)
    for each in predict(classifier, images, top=every, on_bad_image=on_bad_image):
        if isinstance(each, Skipped):
            skipped.append(each)
            continue
        first = classifier.classes.index(each.classes[0])
        found.append(Subject(each, classifier.decode(each.image), (first, *further)))
    return tuple(found), tuple(skipped)


def number_of_class(classifier: Classifier, name: str) -> int:
    """The number of a class of the network, by its name or ImageNet's synset.

    Raises:
        InputError: there is none.
    """
    return class_number(
        name,
        [each.name for each in classifier.classes],
        [each.wnid or "" for each in classifier.classes],
    )


Maps = NDArray[np.float32]
MakeMaps = Callable[[NDArray[Any], Sequence[int]], Maps]
"""From pixels `(images, height, width, channels)` and a class each to maps of them."""


def maps_of_subjects(
    subjects: Sequence[Subject], make: MakeMaps, *, batch_size: int
) -> Iterator[tuple[Maps, ...]]:
    """For each image a map of each of its classes, `(rows, columns)`.

    Args:
        subjects: the images.
        make: makes the maps.
        batch_size: how many images are computed at once.
    """
    for batch in batches(subjects, batch_size):
        pixels = np.stack([each.pixels for each in batch])
        by_class = [
            make(pixels, classes) for classes in zip(*(each.classes for each in batch), strict=True)
        ]
        yield from zip(*by_class, strict=True)
