"""The rules of thumb behind `cnnrun init --data`."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnrun.config.data_section import DataSpec
from cnnrun.starter import choices
from cnnrun.starter.survey import Survey

SIDES = st.integers(min_value=1, max_value=20_000)
SIZES = st.lists(st.tuples(SIDES, SIDES), min_size=1, max_size=50)


def survey(images: tuple[int, ...], splits: tuple[str, ...] = ()) -> Survey:
    """A survey of a folder with so many images a class."""
    classes = tuple(f"class {number}" for number in range(len(images)))
    return Survey(
        data=DataSpec(directory=Path("photos")),
        reason=(),
        classes=classes,
        too_small=(),
        images=images,
        total=sum(images),
        splits=splits,
        holds_back=True,
        sizes=((8, 8),),
        is_grey=False,
        unreadable=(),
    )


@pytest.mark.parametrize(
    ("sizes", "height", "width", "keep_aspect"),
    [
        ([(28, 28)] * 9, 28, 28, False),  # small and all alike: as they are
        ([(8, 8)], 8, 8, False),
        ([(480, 640)] * 9, 96, 128, False),  # photographs of one shape keep it
        ([(640, 480)] * 9, 128, 96, False),
        ([(375, 500), (500, 375)] * 9, 128, 128, True),  # upright and lying ones
        ([(30, 31), (33, 32), (31, 30)] * 3, 24, 24, False),  # nothing is enlarged
        ([(48, 48), (50, 49), (47, 48)] * 3, 48, 48, False),
        ([(112, 112), (115, 112), (111, 113)] * 3, 112, 112, False),
        ([(5, 5000)], 8, 128, False),  # absurd, and still a size
    ],
)
def test_image_size(
    sizes: list[tuple[int, int]], height: int, width: int, keep_aspect: bool
) -> None:
    size = choices.image_size(sizes)
    assert (size.height, size.width, size.keep_aspect) == (height, width, keep_aspect)


@given(SIZES)
def test_a_network_fits_every_size(sizes: list[tuple[int, int]]) -> None:
    size = choices.image_size(sizes)
    halvings = len(choices.filters(size)) - 1
    smaller = min(size.height, size.width)
    assert max(size.height, size.width) <= choices.LONGEST_SIDE
    assert smaller >> halvings >= 1


@given(st.integers(min_value=1, max_value=10_000_000))
def test_schedule_is_within_bounds(training_images: int) -> None:
    plan = choices.schedule(training_images)
    assert plan.batch_size in (8, 16, 32)
    assert 10 <= plan.epochs <= 60
    assert plan.patience < plan.epochs


@pytest.mark.parametrize(
    ("images", "splits", "shares"),
    [
        ((100, 300), (), (0.15, 0.15)),
        ((12, 300), (), (0.2, 0.2)),
        ((100, 300), ("train", "test"), (0.15, 0.0)),
        ((100, 300), ("train", "validation"), (0.0, 0.15)),
        ((100, 300), ("train", "validation", "test"), None),
    ],
)
def test_split_shares(
    images: tuple[int, ...], splits: tuple[str, ...], shares: tuple[float, float] | None
) -> None:
    split = choices.split_shares(survey(images, splits))
    assert (split and (split.validation, split.test)) == shares


def test_imbalance_is_largest_over_smallest() -> None:
    assert choices.imbalance((10, 20, 40)) == 4.0
