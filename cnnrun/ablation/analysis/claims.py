"""What a study answers to its claim: whether the contrasts that the claim speaks of bear it out.

The rule has its one home here: a claim is held where the verdict of every such contrast is what
the claim says, reversed where that of any is the opposite, and otherwise not shown; so it is where
the study did not ask all that the claim says.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from cnnrun.ablation.analysis.evidence import CONFIDENCE
from cnnrun.ablation.analysis.verdicts import Finding
from cnnrun.ablation.studies.study import Expectation, Study

Answer = Literal["held", "reversed", "not shown"]

_HELD_BY: Final[dict[Expectation, tuple[str, ...]]] = {
    "better": ("better",),
    "worse": ("worse",),
    "larger": ("larger",),
    "smaller": ("smaller",),
    "equivalent": ("equivalent",),
    "as good": ("equivalent", "better"),
}
_REVERSED_BY: Final[dict[Expectation, tuple[str, ...]]] = {
    "better": ("worse",),
    "worse": ("better",),
    "larger": ("smaller",),
    "smaller": ("larger",),
    "equivalent": ("better", "worse", "larger", "smaller"),
    "as good": ("worse",),
}
_WITHIN_MARGIN: Final = ("equivalent", "as good")


@dataclass(frozen=True)
class ClaimPart:
    """A contrast that a claim speaks of.

    Attributes:
        finding: what may be said of it.
        expects: what the claim says of it.
        answer: whether that is so.
    """

    finding: Finding
    expects: Expectation
    answer: Answer


@dataclass(frozen=True)
class ClaimAnswer:
    """What a study answers to its claim.

    Attributes:
        claim: the claim.
        answer: of all that it says.
        parts: of each contrast that it speaks of.
        not_asked: the names of those whose values were not tried.
    """

    claim: str
    answer: Answer
    parts: tuple[ClaimPart, ...]
    not_asked: tuple[str, ...] = ()


def claim_answer(study: Study, findings: Sequence[Finding]) -> ClaimAnswer | None:
    """What findings answer to a study's claim; None where none is of a contrast that it speaks of.

    Args:
        study: the study.
        findings: of its contrasts.
    """
    parts = tuple(
        ClaimPart(each, expects, _answer(each, expects, margin=study.metric.margin))
        for each in findings
        if (expects := each.contrast.expects) is not None
    )
    if not parts:
        return None
    asked = [each.contrast.name for each in findings]
    not_asked = tuple(
        each.name
        for each in study.contrasts
        if each.expects is not None and not any(name.startswith(each.name) for name in asked)
    )
    answers = {part.answer for part in parts}
    whole: Answer = "not shown"
    if "reversed" in answers:
        whole = "reversed"
    elif answers == {"held"} and not not_asked:
        whole = "held"
    return ClaimAnswer(study.claim, whole, parts, not_asked)


def claim_json(answer: ClaimAnswer) -> dict[str, Any]:
    """The answer for results.json, with the numbers that it rests on."""
    return {
        "claim": answer.claim,
        "answer": answer.answer,
        "contrasts": [_part_json(part) for part in answer.parts],
        "not_asked": list(answer.not_asked),
    }


def _answer(finding: Finding, expects: Expectation, *, margin: float | None) -> Answer:
    if finding.verdict in _HELD_BY[expects]:
        return "held"
    if finding.verdict not in _REVERSED_BY[expects]:
        return "not shown"
    # A difference that is there may still be too small to matter.
    low, high = finding.evidence.interval
    is_beyond = margin is not None and (low >= margin or high <= -margin)
    return "reversed" if expects not in _WITHIN_MARGIN or is_beyond else "not shown"


def _part_json(part: ClaimPart) -> dict[str, Any]:
    evidence = part.finding.evidence
    test, crossed, conservative = evidence.test, evidence.crossed, evidence.conservative
    return {
        "name": part.finding.contrast.name,
        "expects": part.expects,
        "answer": part.answer,
        "verdict": part.finding.verdict,
        "difference": None if test is None else test.mean,
        "over_seeds": None if test is None else _interval(test.low, test.high),
        "over_seeds_and_images": None
        if crossed is None
        else _interval(*crossed.interval(confidence=CONFIDENCE)),
        "conservative": None
        if conservative is None
        else _interval(conservative.low, conservative.high),
    }


def _interval(low: float, high: float) -> list[float] | None:
    """An interval for JSON; None where the pairs are too few for one."""
    return [low, high] if math.isfinite(low + high) else None
