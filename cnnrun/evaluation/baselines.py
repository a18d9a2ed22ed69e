"""What any network has to beat: chance, the commonest class, nearest neighbours on pixels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.image_stores import open_rows
from cnnrun.config.sections import Config
from cnnrun.data.images import Rows
from cnnrun.data.manifest import TRAIN, Manifest
from cnnrun.errors import RunError
from cnnrun.evaluation.class_frequencies import baseline_accuracies, mean_prevalence
from cnnrun.evaluation.label_scores import score_labels
from cnnrun.evaluation.label_thresholds import UNDECIDED
from cnnrun.evaluation.recorded_rows import recorded_rows
from cnnrun.randomness import random_bits
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.shares import wilson_interval

_ACCURACY: Final = "accuracy"
NEIGHBOURS: Final = 5  # scikit-learn's default
IMAGES_AT_MOST: Final = 10_000
_BYTES_AT_MOST: Final = 2 * 2**30  # of their pixels, as numbers of 4 bytes
_TESTED_AT_ONCE: Final = 256

Labels = NDArray[np.int32]
ReadTest = Callable[[Rows], NDArray[Any]]
"""From places among the test images to their pixels `(places, height, width, channels)`."""


@dataclass(frozen=True)
class Baseline:
    """A measure on the test images, and its 95 % interval; none for one that is exact."""

    value: float
    interval: tuple[float, ...]


@dataclass(frozen=True)
class Baselines:
    """What other than a network reaches on test images.

    Attributes:
        measure: "accuracy", or "mean average precision" where images have several labels each.
        each: of accuracies `chance`, `majority` (always the commonest training class) and
            `nearest_neighbours`; of several labels `any_order` and `nearest_neighbours`.
        neighbours: how many decide.
        compared: how many training images are compared with.
        training: how many there are.
        notes: what a person should know about them.
    """

    measure: str
    each: Mapping[str, Baseline]
    neighbours: int
    compared: int
    training: int
    notes: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What the nearest neighbours are."""
        among = f"{self.training:,} training images"
        if self.compared < self.training:
            among = f"{self.compared:,} of the {among}, chosen by a hash of their paths"
        if self.measure != _ACCURACY:
            return (
                f"Nearest neighbours: a label is as probable as it is common, where it is known,"
                f" among the {self.neighbours} whose pixels, as the network gets them, are nearest,"
                f" of {among}."
            )
        return (
            f"Nearest neighbours: the {self.neighbours} decide whose pixels, as the network gets"
            f" them, are nearest, among {among}."
        )

    def as_json(self) -> dict[str, Any]:
        """The baselines as maps and lists."""
        return {
            **{name: each.value for name, each in self.each.items()},
            "intervals": {
                name: list(each.interval) for name, each in self.each.items() if each.interval
            },
            "neighbours": self.neighbours,
            "compared_images": self.compared,
            "training_images": self.training,
        }


def run_baselines(
    run: RunFolder, config: Config, own: Manifest, read_test: ReadTest, labels: Labels
) -> Baselines:
    """What other than a network reaches on test images with a run's training images.

    Args:
        run: the run.
        config: its resolved config.
        own: its images, as they are there now; those that have changed are left out.
        read_test: reads the test images.
        labels: their class numbers, `(images,)`, or the matrix of their labels.

    Raises:
        RunError: none of its training images is as it was.
        DataError: one cannot be read.
    """
    recorded = recorded_rows(run, config, own)
    rows, notes = recorded.splits.train, [*recorded.notes(TRAIN)]
    chosen = first_by_hash(own, rows, at_most=_images_at_most(read_test))
    if not len(chosen):
        raise _no_training_images(run)
    store = open_rows(config.data, own, chosen, cache_folder=run.path)
    if store.skipped:
        notes.append(f"training images that cannot be read and are left out: {len(store.skipped)}")
    if not len(store):
        raise _no_training_images(run)
    reach = _of_labels if own.is_multi_label else _of_classes
    each = reach(store.read(store.rows), own, store.rows, rows, read_test=read_test, labels=labels)
    store.close()
    return Baselines(
        measure="mean average precision" if own.is_multi_label else _ACCURACY,
        each=each,
        neighbours=min(NEIGHBOURS, len(store)),
        compared=len(store),
        training=len(rows),
        notes=tuple(notes),
    )


def _of_classes(
    pixels: NDArray[Any],
    own: Manifest,
    compared: Rows,
    training: Rows,
    *,
    read_test: ReadTest,
    labels: Labels,
) -> dict[str, Baseline]:
    """Accuracies, by name."""
    right = neighbours_right(pixels, own.labels[compared], read_test=read_test, labels=labels)
    plain = baseline_accuracies(own.labels[training], labels, len(own.classes))
    majority = round(plain["majority"] * len(labels))
    return {
        "chance": Baseline(plain["chance"], ()),
        "majority": Baseline(plain["majority"], wilson_interval(majority, len(labels))),
        "nearest_neighbours": Baseline(right / len(labels), wilson_interval(right, len(labels))),
    }


def _of_labels(
    pixels: NDArray[Any],
    own: Manifest,
    compared: Rows,
    training: Rows,
    *,
    read_test: ReadTest,
    labels: Labels,
) -> dict[str, Baseline]:
    """Mean average precisions, by name."""
    shares = neighbours_shares(pixels, own.labels[compared], read_test=read_test, labels=labels)
    scores = score_labels(
        shares,
        labels,
        thresholds=np.full(labels.shape[1], UNDECIDED),
        per_image_loss=np.zeros(len(labels)),  # the ranking alone is told
        seed=0,
    )
    name = "mean_average_precision"
    return {
        "any_order": Baseline(mean_prevalence(labels), ()),
        "nearest_neighbours": Baseline(scores.metrics[name], scores.intervals[name]),
    }


def first_by_hash(manifest: Manifest, rows: Rows, *, at_most: int) -> Rows:
    """At most so many of the rows, ascending: the first by a hash of their paths."""
    if len(rows) <= at_most:
        return rows
    bits = random_bits(manifest.ids[rows], seed=0, epoch=0, stream="nearest neighbours")
    return np.sort(rows[np.argsort(bits, kind="stable")[:at_most]])


def neighbours_right(
    pixels: NDArray[Any], classes: Labels, *, read_test: ReadTest, labels: Labels
) -> int:
    """How many test images have the class of most of their nearest training images.

    Args:
        pixels: the training images, `(images, height, width, channels)`.
        classes: their class numbers, `(images,)`.
        read_test: reads the test images.
        labels: their class numbers, `(test images,)`.
    """
    from sklearn.neighbors import KNeighborsClassifier  # half a second, for this alone

    nearest = KNeighborsClassifier(min(NEIGHBOURS, len(pixels)), algorithm="brute")
    nearest.fit(_flat(pixels), classes)
    right = 0
    for begin in range(0, len(labels), _TESTED_AT_ONCE):
        some = np.arange(begin, min(begin + _TESTED_AT_ONCE, len(labels)))
        right += int((nearest.predict(_flat(read_test(some))) == labels[some]).sum())
    return right


def neighbours_shares(
    pixels: NDArray[Any], matrix: Labels, *, read_test: ReadTest, labels: Labels
) -> NDArray[np.float64]:
    """How common each label is among the nearest training images, `(test images, labels)`.

    Args:
        pixels: the training images, `(images, height, width, channels)`.
        matrix: their labels, `(images, labels)`; unknown ones count nothing.
        read_test: reads the test images.
        labels: theirs, `(test images, labels)`.
    """
    from sklearn.neighbors import NearestNeighbors  # half a second, for this alone

    from cnnrun.features.label_probe import neighbours_share

    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(pixels)), algorithm="brute")
    search.fit(_flat(pixels))
    shares = []
    for begin in range(0, len(labels), _TESTED_AT_ONCE):
        some = np.arange(begin, min(begin + _TESTED_AT_ONCE, len(labels)))
        nearest = search.kneighbors(_flat(read_test(some)), return_distance=False)
        shares.append(neighbours_share(matrix, nearest))
    return np.concatenate(shares)


def _flat(pixels: NDArray[Any]) -> NDArray[np.float32]:
    return pixels.reshape(len(pixels), -1).astype(np.float32)


def _images_at_most(read_test: ReadTest) -> int:
    """As many training images as there is room for: each as large as a test image."""
    numbers = read_test(np.zeros(1, np.int64)).size
    return max(1, min(IMAGES_AT_MOST, _BYTES_AT_MOST // (4 * numbers)))


def _no_training_images(run: RunFolder) -> RunError:
    return RunError.at(
        run.path,
        rule="--baselines needs the images that the run was trained on",
        received="none that is there and as it was",
        advice="restore them, or leave --baselines out",
    )
