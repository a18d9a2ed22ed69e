"""Names, ids and labels. Oracle for ids: hashlib; for labels: scikit-learn's LabelEncoder."""

import unicodedata
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import LabelEncoder
from syrupy.assertion import SnapshotAssertion

from cnnrun.data.manifest import composed, image_ids, number_labels
from cnnrun.errors import DataError

NAMES = ["dog", "cat", "dog", "axolotl"]


def test_ids_are_the_first_eight_bytes_of_blake2b() -> None:
    paths = ["cat/1.png", "dog/ü.png"]

    expected = [
        int.from_bytes(blake2b(path.encode(), digest_size=8).digest(), "little") for path in paths
    ]

    assert image_ids(paths).tolist() == expected
    assert image_ids(paths).dtype == np.uint64


def test_ids_of_nothing() -> None:
    assert image_ids([]).shape == (0,)


def test_images_in_memory_have_no_file(manifest_of) -> None:  # type: ignore[no-untyped-def]
    manifest = manifest_of({"x[0]": "a"})

    with pytest.raises(ValueError, match=r"x\[0\] is in memory"):
        manifest.file(0)


def test_length_and_files(manifest_of) -> None:  # type: ignore[no-untyped-def]
    manifest = manifest_of({"a/1.png": "a", "b/1.png": "b"}, root=Path("pets"))

    assert len(manifest) == 2
    assert manifest.file(1) == Path("pets/b/1.png")


def test_a_folder_copied_from_macos_has_the_same_ids() -> None:
    name = "Käfer/ñandú.png"

    assert composed(unicodedata.normalize("NFD", name)) == unicodedata.normalize("NFC", name)
    assert image_ids([unicodedata.normalize("NFD", name)]) == image_ids([name])
    assert composed("cat/1.png") == "cat/1.png"


# NumPy's texts, which the encoder sorts, end before a NUL.
NAMED = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=3)


@given(st.lists(NAMED, min_size=2, unique=True), st.randoms())
def test_without_names_of_classes_labels_number_the_sorted_names(
    names: list[str],
    random,  # type: ignore[no-untyped-def]
) -> None:
    names = names + random.choices(names, k=5)
    encoder = LabelEncoder().fit(names)
    for classes in (None, len(set(names))):
        found, labels = number_labels(names, classes=classes, place="labels.csv", partial=False)

        assert found == tuple(encoder.classes_)
        assert labels.tolist() == encoder.transform(names).tolist()
        assert labels.dtype == np.int32


def test_classes_that_are_named_number_labels_in_their_order() -> None:
    classes = ("dog", "axolotl", "cat")

    found, labels = number_labels(NAMES, classes=classes, place="labels.csv", partial=False)

    assert found == classes
    assert labels.tolist() == [0, 2, 0, 1]


def test_test_images_may_lack_classes() -> None:
    for classes in (("dog", "cat"), ("cat", "dog", "fish")):
        found, labels = number_labels(["dog"], classes=classes, place="test/", partial=True)
        assert [found[label] for label in labels] == ["dog"]
        assert found == classes
    assert number_labels(["dog"], classes=None, place="test/", partial=True)[0] == ("dog",)


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (NAMES, 4),
        (NAMES, 2),
        (["dog", "dog"], 2),
        (["dog", "dog"], None),
        ([], None),
        (NAMES, ("dog", "cats", "axolotl")),
        (NAMES, ("dog", "fish")),
        (NAMES, ("dog", "cat", "axolotl", "fish")),
        (NAMES, ("dog", "cat", "axolotl", "cot")),
        (["dog"], ("dog",)),
    ],
    ids=[
        "more",
        "fewer",
        "one-of-two",
        "one",
        "none",
        "misspelt",
        "unknown",
        "absent",
        "absent-near",
        "only",
    ],
)
def test_labels_that_are_refused(
    names: list[str], classes: tuple[str, ...] | int | None, snapshot: SnapshotAssertion
) -> None:
    with pytest.raises(DataError) as error:
        number_labels(names, classes=classes, place="labels.csv", partial=False)

    assert str(error.value) == snapshot
