"""What a claim is answered. Oracle: the verdicts that findings are made to have."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.analysis.claims import claim_answer, claim_json
from cnnrun.ablation.analysis.evidence import Measured, evidence_of
from cnnrun.ablation.analysis.image_values import ImageValues
from cnnrun.ablation.analysis.verdicts import Finding, findings
from cnnrun.ablation.planning.plan import Contrast, Repetition
from cnnrun.ablation.reporting.sentences import claim_sentences
from cnnrun.ablation.studies.study import DeclaredContrast, Expectation, Metric, Study

ONCE = Repetition(draws_splits=False, tested_share=0.15, trained_share=0.7, looks=(), folds=None)
NO_IMAGES = ImageValues({}, 0, 10, is_one_test=True, why_not="no mean over images")


def measured(values: dict[str, Sequence[float]], **options: Any) -> Measured:
    seeds = range(len(next(iter(values.values()))))
    return Measured(
        values={arm: dict(zip(seeds, row, strict=True)) for arm, row in values.items()},
        images=NO_IMAGES,
        diverged={},
        seeds=tuple(seeds),
        fewer_is_better=True,
        repetition=ONCE,
        **options,
    )


def finding(verdict: str, expects: Expectation | None, *, shift: float = -0.1) -> Finding:
    """A finding with this verdict; its differences lie around `shift`."""
    contrast = Contrast("a against b", {"a": 1.0, "b": -1.0}, expects=expects)
    rows = {"a": [1 + shift + 0.001 * each for each in range(7)], "b": [1.0] * 7}
    return Finding(
        evidence=evidence_of(contrast, measured(rows)),
        adjusted_p=0.01,
        adjusted_seeds_p=0.01,
        adjusted_equivalence_p=None,
        verdict=cast("Any", verdict),
        why="",
    )


def claiming(margin: float | None = None) -> Study:
    """A study with a claim."""
    return Study(question="Is it?", claim="It is.", metric=Metric(margin=margin))


@pytest.mark.parametrize(
    ("expects", "verdict", "answer"),
    [
        ("better", "better", "held"),
        ("better", "worse", "reversed"),
        ("better", "undecided", "not shown"),
        ("better", "these images only", "not shown"),
        ("better", "withheld", "not shown"),
        ("worse", "worse", "held"),
        ("worse", "better", "reversed"),
        ("worse", "equivalent", "not shown"),
        ("larger", "larger", "held"),
        ("smaller", "larger", "reversed"),
        ("equivalent", "equivalent", "held"),
        ("as good", "equivalent", "held"),
        ("as good", "better", "held"),
        ("as good", "not tested", "not shown"),
    ],
)
def test_a_verdict_answers_what_is_expected(
    expects: Expectation, verdict: str, answer: str
) -> None:
    found = claim_answer(claiming(0.02), [finding(verdict, expects)])
    assert found is not None
    assert (found.answer, found.parts[0].answer) == (answer, answer)


@pytest.mark.parametrize(
    ("expects", "shift", "answer"),
    [
        ("as good", 0.1, "reversed"),
        ("as good", 0.01, "not shown"),
        ("equivalent", 0.1, "reversed"),
        ("equivalent", -0.1, "reversed"),
        ("equivalent", 0.01, "not shown"),
    ],
)
def test_equality_is_reversed_by_what_lies_beyond_the_margin(
    expects: Expectation, shift: float, answer: str
) -> None:
    verdict = "worse" if shift > 0 else "better"
    found = claim_answer(claiming(0.05), [finding(verdict, expects, shift=shift)])
    assert found is not None
    assert found.answer == answer


def test_a_claim_that_was_not_wholly_asked_is_not_held(snapshot: SnapshotAssertion) -> None:
    other = DeclaredContrast(
        name="of tanh", of={"it": "a"}, against={"it": "b"}, expects="worse", optional=True
    )
    found = claim_answer(replace(claiming(), contrasts=(other,)), [finding("better", "better")])
    assert found is not None
    assert (found.answer, found.not_asked) == ("not shown", ("of tanh",))
    assert list(claim_sentences(found))[-1] == snapshot


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [
        (("better", "better"), "held"),
        (("better", "undecided"), "not shown"),
        (("better", "worse"), "reversed"),
        (("undecided", "worse"), "reversed"),
    ],
)
def test_a_claim_of_several_contrasts_is_held_where_all_are(
    verdicts: Sequence[str], answer: str
) -> None:
    every = [finding(verdict, "better") for verdict in verdicts]
    found = claim_answer(claiming(), [*every, finding("worse", None)])
    assert found is not None
    assert (found.answer, len(found.parts)) == (answer, 2)


def test_without_a_contrast_that_it_speaks_of_a_claim_has_no_answer() -> None:
    assert claim_answer(claiming(), [finding("better", None)]) is None


def test_the_numbers_are_the_findings() -> None:
    found = claim_answer(claiming(), [finding("better", "better")])
    assert found is not None
    (part,) = claim_json(found)["contrasts"]
    test = found.parts[0].finding.evidence.test
    assert test is not None
    assert (part["difference"], part["over_seeds"]) == (test.mean, [test.low, test.high])
    assert part["over_seeds_and_images"] is None


DEAD = [2.3026] * 7
LIVELY = [0.10, 0.16, 0.08, 0.12, 0.09, 0.15, 0.11]
"""It varies, and the dead arm does not."""
AGAINST = Contrast("lively against dead", {"lively": 1.0, "dead": -1.0})


def verdict_of(dead: Sequence[float], guessing: float | None) -> str:
    (found,) = findings(
        [AGAINST],
        measured({"lively": LIVELY, "dead": dead}, guessing=guessing),
        margin=None,
        has_added_seeds=False,
    )
    return found.verdict


def test_an_arm_that_has_not_learnt_is_an_answer() -> None:
    """No number of unseen bad runs could undo it: a bad run scores what the dead arm scores.

    No images are known here, so that the verdict is of these images alone.
    """
    assert verdict_of(DEAD, 2.3026) == "these images only"
    assert verdict_of(DEAD, None) == "withheld"


def test_a_difference_that_unseen_bad_runs_could_undo_is_withheld() -> None:
    """35 % of bad runs may be unseen in 7: they cost .77 here, and the difference is .58."""
    assert verdict_of([0.7] * 7, 2.3026) == "withheld"
    assert verdict_of([0.95] * 7, 2.3026) == "these images only"


def test_where_a_bad_run_was_seen_more_may_be_to_come() -> None:
    """One of ten: the bound of none does not hold then, though the difference is larger than it."""
    values = {"lively": [*LIVELY, 0.11, 0.13, 2.3026], "dead": [0.87] * 10}
    contrast, known = [AGAINST], measured(values, guessing=2.3026)
    (found,) = findings(contrast, known, margin=None, has_added_seeds=False)
    assert found.verdict == "withheld"
