"""Planned looks: what is spent, which can find anything, and what is refused with a proposal."""

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.planning.looks import can_reject, check_looks, spent, usable_looks

from ..conftest import PlanStudy, complaint

LOOKS = """\
question: Where should batch normalization stand?
factors:
  position: {path: model.blocks.batch_norm.position, values: [none, before_activation]}
looks: [10, 14]
"""


def test_all_is_spent_at_the_end_and_little_before() -> None:
    assert spent(0.05, share=1.0) == pytest.approx(0.05)
    assert spent(0.05, share=0.5) == pytest.approx(0.00557, abs=1e-5)


def test_looks_that_can_reject_are_proposed() -> None:
    assert usable_looks((7, 10, 14), alpha=0.05) == (8, 10, 14)
    assert can_reject((10, 14, 20), alpha=0.05 / 3) == [False, True, True]
    for looks in ((7, 10, 14), (10, 14, 20), (5, 6, 7), (3, 5)):
        for family in (1, 3, 9):
            proposed = usable_looks(looks, alpha=0.05 / family)
            assert all(can_reject(proposed, alpha=0.05 / family))
            assert len(proposed) <= len(looks)


@pytest.mark.parametrize(
    ("looks", "seeds", "contrasts"),
    [((7, 14), 7, 1), ((7, 10, 14), 10, 3), ((10, 14), 12, 1), ((3, 5), 3, 3)],
)
def test_looks_that_are_refused(
    looks: tuple[int, ...], seeds: int, contrasts: int, snapshot: SnapshotAssertion
) -> None:
    assert complaint(lambda: check_looks(looks, seeds=seeds, contrasts=contrasts)) == snapshot


def test_a_study_begins_with_its_first_look(plan: PlanStudy) -> None:
    first = plan(LOOKS).plan
    assert (len(first.seeds), first.added_seeds, first.repetition.looks) == (10, (), (10, 14))
    assert len(plan(LOOKS, seeds=14).plan.seeds) == 14
    # Seeds after the last look are in no plan.
    assert plan(LOOKS, seeds=16).plan.added_seeds == (17, 18)


@pytest.mark.parametrize("looks", ["[14, 10]", "[10]", "[1, 10]", "[10, 14]\nseeds: 10"])
def test_looks_of_a_file_that_are_refused(
    plan: PlanStudy, looks: str, snapshot: SnapshotAssertion
) -> None:
    assert complaint(lambda: plan(LOOKS.replace("[10, 14]", looks))) == snapshot
