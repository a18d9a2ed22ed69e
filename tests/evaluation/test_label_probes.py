"""The numbers of probes of several labels are scikit-learn's, of the images they were not shown."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from cnnrun.evaluation.label_probes import probed_labels
from cnnrun.features.label_probe import probe_labels


def test_the_numbers_are_those_of_the_probabilities() -> None:
    random = np.random.default_rng(0)
    labels = (random.random((60, 3)) < 0.4).astype(np.int32)
    labels[:, 2] = 1  # which all images have
    features = random.normal(size=(60, 4)) + labels @ random.normal(size=(3, 4))
    labels[:5, 0] = -1
    linear, neighbours = probed_labels(features, labels, ("a", "b", "all"), seed=0)
    told, _ = probe_labels(features, labels[:, :2], seed=0)
    expected = [
        (
            average_precision_score(labels[known, label], told.probabilities[known, label]),
            roc_auc_score(labels[known, label], told.probabilities[known, label]),
        )
        for label in (0, 1)
        for known in [labels[:, label] >= 0]
    ]
    document = linear.as_json()
    found = [(each["average_precision"], each["roc_auc"]) for each in document["labels"]]
    np.testing.assert_allclose(found, expected)
    assert (
        document["mean_average_precision"],
        document["mean_roc_auc"],
    ) == pytest.approx(tuple(np.mean(expected, axis=0)))
    low, high = document["intervals"]["mean_average_precision"]
    assert low < document["mean_average_precision"] < high
    assert (linear.classes, linear.left_out) == (("a", "b"), ("all",))
    assert [each["known"] for each in document["labels"]] == [55, 60]
    assert neighbours.classifier == "5 nearest neighbours"
