"""What features tell of images. Oracles: planted faults, all pairs compared, scikit-learn's AUC."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cnnrun.data.alignment import likenesses
from cnnrun.errors import DataError
from cnnrun.features import neighbours
from cnnrun.features.copies_by_features import copies_by_features
from cnnrun.features.label_check import (
    doubtful_labels,
    outliers,
    ranked_doubts,
    suspicious_labels,
)
from cnnrun.features.neighbours import nearest_images
from cnnrun.features.two_samples import _auc, tell_apart

CLASSES = 5


def clusters(images: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of classes that overlap little, and their labels."""
    random = np.random.default_rng(seed)
    labels = np.arange(images) % CLASSES
    centres = np.random.default_rng(99).normal(0, 1, (CLASSES, 160))
    features = centres[labels] + random.normal(0, 1.5, (images, 160))
    return features.astype(np.float32), labels.astype(np.int32)


def test_flipped_labels_come_first() -> None:
    features, labels = clusters(600, seed=0)
    flipped = np.random.default_rng(1).permutation(600)[:30]
    labels[flipped] = (labels[flipped] + 1) % CLASSES

    found = suspicious_labels(features, labels)

    assert np.mean([each.place in flipped for each in found[:20]]) > 0.9
    assert [each.probability for each in found] == sorted(each.probability for each in found)


def test_a_class_of_one_image_is_left_out() -> None:
    features, labels = clusters(400, seed=2)
    labels[0] = 77

    assert 0 not in [each.place for each in suspicious_labels(features, labels)]


def several_labels(images: int) -> tuple[np.ndarray, np.ndarray]:
    """Features to which three labels add a direction each, and the labels, some not known."""
    random = np.random.default_rng(0)
    labels = (random.random((images, 3)) < 0.4).astype(np.int32)
    features = 3 * labels @ random.normal(size=(3, 60)) + random.normal(0, 1.5, (images, 60))
    labels[random.random(labels.shape) < 0.1] = -1
    return features.astype(np.float32), labels


def test_several_labels_that_were_flipped_come_first() -> None:
    features, labels = several_labels(400)
    known = np.argwhere(labels >= 0)
    flipped = known[np.random.default_rng(1).permutation(len(known))[:20]]
    for row, label in flipped:
        labels[row, label] = 1 - labels[row, label]

    found = doubtful_labels(features, labels)

    planted = set(map(tuple, flipped.tolist()))
    assert {(each.place, each.label) for each in found[:18]} <= planted
    assert all(each.is_there == (labels[each.place, each.label] == 1) for each in found)
    assert [each.probability for each in found] == sorted(each.probability for each in found)


def test_unknown_and_rare_labels_are_not_doubted() -> None:
    labels = np.array([[1, -1, 1], [0, 1, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]] * 8, np.int32)
    labels[1:, 2] = 0
    probabilities = np.full(labels.shape, 0.9)
    found = ranked_doubts(probabilities, labels, np.arange(40) + 100)
    assert len(found) == 2  # one in twenty
    assert all(
        (each.is_there, each.label < 2, each.place > 99) == (False, True, True) for each in found
    )
    assert all(each.probability == pytest.approx(0.1) for each in found)


def test_few_images_say_nothing() -> None:
    assert doubtful_labels(*several_labels(40)) == ()
    assert suspicious_labels(*clusters(20, seed=0)) == ()


@pytest.mark.parametrize("one_cluster_up_to", [4000, 100])
def test_copies_are_found_as_among_all_pairs(
    one_cluster_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "ONE_CLUSTER_UP_TO", one_cluster_up_to)
    features, _ = clusters(500, seed=3)
    features[250:] = features[:250] + np.random.default_rng(4).normal(0, 0.05, (250, 160))
    vectors = features / np.linalg.norm(features, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -1)

    near = nearest_images(features, neighbours=4)

    assert np.array_equal(near.places[:, 0], cosines.argmax(axis=1))
    np.testing.assert_allclose(near.distances[:, 0], 1 - cosines.max(axis=1), atol=1e-5)


def test_an_image_unlike_all_others() -> None:
    features, _ = clusters(300, seed=5)
    features[17] = np.random.default_rng(6).normal(0, 10, 160)

    assert outliers(nearest_images(features, neighbours=5))[0][0] == 17


def test_the_area_under_the_curve_is_scikit_learns() -> None:
    random = np.random.default_rng(7)
    negative, positive = random.normal(0, 1, 200).round(1), random.normal(0.7, 1, 300).round(1)

    found = _auc(negative, positive)

    expected = roc_auc_score(np.repeat([0, 1], [200, 300]), np.concatenate([negative, positive]))
    assert found.auc == pytest.approx(expected)
    assert found.low < expected < found.high


def test_sets_that_are_apart() -> None:
    one, _ = clusters(300, seed=8)
    other, _ = clusters(300, seed=9)

    assert tell_apart(one, other + 1).low > 0.9
    assert 0.4 < tell_apart(one, other).auc < 0.6


def test_too_few_to_tell() -> None:
    features, _ = clusters(6, seed=0)

    with pytest.raises(DataError) as error:
        tell_apart(features, features)

    assert str(error.value) == (
        "--against: needs 256 images in all and 5 of either set at least, received 6 and 6;"
        " add images"
    )


def pictures(number: int) -> np.ndarray:
    """Smooth random pictures, `(number, 24, 24)`."""
    spectrum = np.fft.fft2(np.random.default_rng(0).normal(0, 1, (number, 24, 24)))
    frequencies = np.hypot(*np.meshgrid(np.fft.fftfreq(24), np.fft.fftfreq(24)))
    smooth = np.fft.ifft2(spectrum * np.exp(-((frequencies * 8) ** 2))).real
    smooth -= smooth.min(axis=(1, 2), keepdims=True)
    return (255 * smooth / smooth.max(axis=(1, 2), keepdims=True)).astype(np.uint8)


def test_copies_are_near_and_alike() -> None:
    seen = pictures(40)
    thumbnails = np.concatenate([seen, np.roll(seen[:5, :, ::-1], 1, axis=2)])
    features, _ = clusters(45, seed=10)
    features[40:] = features[:5] + 0.01
    features[39] = features[38] + 0.01  # near by features, another picture

    found = copies_by_features(nearest_images(features, neighbours=10), thumbnails)

    assert found == tuple((number, 40 + number) for number in range(5))
    assert likenesses(thumbnails, [(2, 2), (0, 1)])[0] > 0.99
