"""Classes that differ in how they are written. Oracle: the names that each case gives."""

import pytest

from cnnrun.data.label_twins import find_label_twins


@pytest.mark.parametrize(
    "names",
    [
        ["Cat", "cat"],
        ["cat ", "cat"],
        ["1", "1.0"],
        ["01", "1"],
        ["golden_retriever", "golden retriever"],
        ["Golden-Retriever", "golden retriever"],
        ["cafe\u0301", "caf\u00e9"],
        ["STRASSE", "stra\u00dfe"],
    ],
)
def test_twins(names: list[str]) -> None:
    (finding,) = find_label_twins([*names, "other"])

    assert finding.kind == "label_twins"
    assert finding.images == (" = ".join(map(repr, names)),)


@pytest.mark.parametrize(
    "names",
    [
        ["1", "2", "10"],
        ["cat", "cats"],
        ["c-1", "c1"],
        ["class_1", "class_11"],
        ["resume", "r\u00e9sum\u00e9"],
        ["black and white", "rock+roll"],
        ["n02085620-Chihuahua", "n02085782-Japanese_spaniel"],
        ["nan", "inf"],
    ],
)
def test_no_twins(names: list[str]) -> None:
    assert list(find_label_twins(names)) == []


@pytest.mark.parametrize(
    "names", [["Mass", "Effusion", "Mass|Effusion"], ["a|b", "c"], ["cat", "dog", "cat, dog"]]
)
def test_several_labels_in_one(names: list[str]) -> None:
    (finding,) = find_label_twins(names)

    assert finding.kind == "several_labels_in_one"
    assert len(finding.images) == 1


def test_the_messages(snapshot: object) -> None:
    assert list(find_label_twins(["Cat", "cat", "dog", "cat|dog"])) == snapshot
