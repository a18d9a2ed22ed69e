"""The words that messages share."""

import pytest

from cnnrun.errors import DataError
from cnnrun.wording import counted, listed, nearest


def test_a_message_says_where_what_holds_what_was_found_and_what_to_do() -> None:
    error = DataError.at("a.png", rule="must be an image", received="text", advice="remove it")

    assert str(error) == "a.png: must be an image, received text; remove it"


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (list("abcde"), "a, b, c, d, e"),
        ([*"abcdef"], "a, b, c, d, e and 1 more"),
        (["a"] * 2000, "a, a, a, a, a and 1,995 more"),
    ],
)
def test_names_are_listed_up_to_five(names: list[str], text: str) -> None:
    assert listed(names) == text


def test_numbers_and_nouns_agree() -> None:
    assert counted(1, "image") == "1 image"
    assert counted(1200, "image") == "1,200 images"
    assert counted(2, "class", "classes") == "2 classes"


def test_near_names_are_offered_and_far_ones_are_not() -> None:
    assert nearest("lable", ["label", "path"]) == "did you mean `label`?"
    assert nearest("zebra", ["label", "path"]) == ""
