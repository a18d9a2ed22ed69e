"""What is odd about several labels an image. Oracle: labels that are made so."""

import numpy as np

from cnnrun.data.label_findings import find_in_labels

NAMES = ("cat", "whiskers", "dog", "leash", "all", "rare")


def made() -> np.ndarray:
    """Whiskers only with cats, cats never with dogs, one label of all, one of three images."""
    generator = np.random.default_rng(0)
    cat = generator.random(200) < 0.4
    columns = [
        cat,
        cat & (generator.random(200) < 0.6),
        ~cat & (generator.random(200) < 0.7),
        generator.random(200) < 0.3,
        np.ones(200, bool),
        np.arange(200) < 3,
    ]
    return np.stack(columns, axis=1).astype(np.int32)


def test_what_always_and_never_stands_together_is_found() -> None:
    labels = made()
    labels[:50, 4] = -1  # unknown: of all others it is still true

    found = {each.kind: each for each in find_in_labels(labels, np.ones(200, bool), names=NAMES)}

    always = found["labels_always_together"].images
    assert any(each.startswith("whiskers (always with cat)") for each in always)
    assert not any(each.startswith(("cat (always with whiskers)", "leash")) for each in always)
    never = found["labels_never_together"].images
    assert [each.split(" (")[0] for each in never] == ["cat and dog", "whiskers and dog"]
    assert "all" in found["labels_of_all"].message
    assert "rare: 3" in found["few_images"].message


def test_labels_that_know_nothing_of_each_other_are_not_found() -> None:
    labels = (np.random.default_rng(1).random((300, 4)) < 0.5).astype(np.int32)

    assert list(find_in_labels(labels, np.ones(300, bool), names=NAMES[:4])) == []
