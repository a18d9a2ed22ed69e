"""Patterns of paths. Oracle: what a reader of the pattern would say of each path."""

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.path_patterns import (
    LAYOUT_FIELDS,
    Exclusion,
    PatternError,
    literal,
    parse_pattern,
)


@pytest.mark.parametrize(
    ("pattern", "path", "read"),
    [
        ("{label}/*", "cat/1.png", {"label": "cat"}),
        ("{label}/*", "cat/in/1.png", None),
        ("{label}/**", "cat/in/1.png", {"label": "cat"}),
        ("{label}/**", "cat", None),
        ("{split}/{label}/**", "train/cat/1.png", {"split": "train", "label": "cat"}),
        ("{split}/*/{label}/*", "seg_a/seg_a/sea/1.png", {"split": "seg_a", "label": "sea"}),
        ("{group}/{label}/*", "p17/0/x.png", {"group": "p17", "label": "0"}),
        ("**/{label}/*", "a/b/c/cat/1.png", {"label": "cat"}),
        ("**/{label}/*", "cat/1.png", {"label": "cat"}),
        ("a/**/z/{label}.png", "a/z/cat.png", {"label": "cat"}),
        ("train/{label}.[0-9]*", "train/cat.17.jpg", {"label": "cat"}),
        ("train/{label}.[0-9]*", "test/cat.17.jpg", None),
        ("{label}_[0-9]*", "yorkshire_terrier_5.jpg", {"label": "yorkshire_terrier"}),
        ("{label}[0-9]*", "cat123.jpg", {"label": "cat"}),
        ("{label}[!a-z]*", "cat-3.jpg", {"label": "cat"}),
        ("{label}/{label}_?.png", "ox/ox_1.png", {"label": "ox"}),
        ("{label}/{label}_?.png", "ox/cow_1.png", None),
        ("*_{label}.png", "0017_élan.png", {"label": "élan"}),
        ("{label} ([0-9]*", "benign (12).png", {"label": "benign"}),
    ],
)
def test_a_pattern_reads_a_path(pattern: str, path: str, read: dict[str, str] | None) -> None:
    assert parse_pattern(pattern, fields=LAYOUT_FIELDS).read(path) == read


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("{label}_*", "yorkshire_terrier_5.jpg"),
        ("{label}_[0-9]*", "fiat_500_12.jpg"),
        ("{group}/**/{label}/**", "p1/a/b/1.png"),
        ("*-{label}.png", "a-b-c.png"),
    ],
)
def test_two_readings_are_refused(pattern: str, path: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(PatternError) as error:
        parse_pattern(pattern, fields=LAYOUT_FIELDS).read(path)
    assert str(error.value) == snapshot


@pytest.mark.parametrize(
    "pattern",
    [
        "/{label}/*",
        "{label}//*",
        "{label}/",
        "{label}*",
        "*{label}",
        "{label}{group}",
        "a**/{label}",
        "{breed}/*",
        "",
    ],
)
def test_what_is_no_pattern(pattern: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(PatternError) as error:
        parse_pattern(pattern, fields=LAYOUT_FIELDS)
    assert str(error.value) == snapshot


@pytest.mark.parametrize("name", ["a[1]", "b*", "{label}", "c?", "plain", "[!x]", "ü"])
def test_a_literal_name_covers_itself_alone(name: str) -> None:
    pattern = parse_pattern(f"{literal(name)}/{{label}}", fields=LAYOUT_FIELDS)

    assert pattern.read(f"{name}/x") == {"label": "x"}
    assert pattern.read(f"{name}y/x") is None
    assert pattern.read("/x") is None


def test_columns_fill_a_pattern_in() -> None:
    pattern = parse_pattern("train/{id}_{part}.jpg", fields=None)

    assert not pattern.has_wildcards
    assert pattern.fields == ("id", "part")
    assert pattern.fill({"id": "a{part}[1]", "part": "*"}) == "train/a{part}[1]_*.jpg"
    assert parse_pattern("part_*/{id}.jpg", fields=None).has_wildcards


@pytest.mark.parametrize(
    ("patterns", "path", "is_left_out"),
    [
        (["masks"], "cat/masks/1.png", True),
        (["masks"], "masks.png", False),
        (["*_mask.png"], "cat/1_mask.png", True),
        (["*_mask.png"], "cat/1.png", False),
        (["val/images"], "val/images/1.png", True),
        (["val/images"], "train/val/images/1.png", False),
        (["val/**"], "val/cat/1.png", True),
        (["**/old/*"], "cat/old/1.png", True),
        (["a", "b/c"], "x/a/1.png", True),
        ([], "x/a/1.png", False),
    ],
)
def test_exclusion(patterns: list[str], path: str, is_left_out: bool) -> None:
    assert Exclusion(patterns)(path) is is_left_out
