"""What may be said of contrasts, in words that say for what they hold."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cnnrun.ablation.analysis.arm_results import ArmResult
from cnnrun.ablation.analysis.claims import ClaimAnswer, claim_json
from cnnrun.ablation.analysis.evidence import CONFIDENCE, Evidence
from cnnrun.ablation.analysis.guessing import guessing_score
from cnnrun.ablation.analysis.results import StudyResults
from cnnrun.ablation.analysis.unlike_arms import unseen_divergence
from cnnrun.ablation.analysis.verdicts import NEXT_LOOK, Finding, direction_of

_EQUIVALENCE_CONFIDENCE: Final = 0.9
CLAIM_RULE: Final = (
    "A claim is held where each of these contrasts has the verdict that it says, reversed where one"
    " has the opposite, and otherwise not shown; equality is reversed by a difference beyond the"
    " margin alone."
)
_OPPOSITE: Final = {"lower": "higher", "higher": "lower"}


def sentence(finding: Finding, results: StudyResults) -> str:
    """What may be said of a contrast, in a line."""
    return f"{finding.contrast.name}: {_said(finding, results)}"


def claim_sentences(answer: ClaimAnswer) -> Iterator[str]:
    """The answer to a claim, and then what it rests on, a line for each contrast."""
    yield f"{answer.answer}: {answer.claim}"
    for part in claim_json(answer)["contrasts"]:
        yield f"{part['name']}: expected {part['expects']}, {part['answer']}; {part_words(part)}"
    for name in answer.not_asked:
        yield f"{name}: not asked, since its values were not tried (`--values` tries them)"


def part_words(part: Mapping[str, Any]) -> str:
    """A contrast's difference, its intervals and its verdict, as results.json has them."""
    if part["difference"] is None:
        return "no difference was measured"
    words = [f"{part['difference']:+.3g}"]
    if part["over_seeds"] is not None:
        words.append(f"{interval_words(*part['over_seeds'])} over seeds")
    if part["over_seeds_and_images"] is not None:
        words.append(f"{interval_words(*part['over_seeds_and_images'])} over seeds and images")
    elif part["conservative"] is not None:
        words.append(f"conservatively {interval_words(*part['conservative'])}")
    return f"{', '.join(words)}: {part['verdict']}"


def population(results: StudyResults) -> str:
    """For what a verdict holds, such as "for new seeds and such images, with these ..."."""
    if results.draws_splits:
        return f"for new {results.plan.repetition.unit}s, such images and other splits of them"
    return "for new seeds and such images, with these training images"


def supposition(results: StudyResults) -> str:
    """What p supposes, to stand where p stands."""
    if results.draws_splits:
        return (
            "p supposes that seeds and images are drawn independently and that neither arm is now"
            " and then far off"
        )
    return "p supposes that without effect the arms could be swapped within a seed"


def selection_sentence(results: StudyResults) -> str:
    """Which arm has the best mean, and why its score is too good; empty where all failed."""
    if results.best is None:
        return ""
    metric = results.study.metric
    spread = results.best.spread(metric.name)
    mean = math.nan if spread is None else spread.mean
    most = "lowest" if metric.direction == "lower" else "highest"
    return (
        f"selected: `{results.best.arm.name}` has the {most} mean {metric.name} of"
        f" {len(results.arms)} arms, {mean:.4g}; it was chosen by this score, which is therefore"
        " too good"
    )


def divergence_notes(results: StudyResults) -> Iterator[str]:
    """How often arms of claimed contrasts may diverge unseen, and how rarely would undo claims."""
    for finding in results.findings:
        evidence = finding.evidence
        if finding.verdict not in ("better", "worse") or evidence.diverged:
            continue
        winner = _winner(finding, results)
        chance = guessing_score(
            results.study.metric.name,
            results.plan.arms[0].config,
            classes=results.images.classes,
        )
        if winner is None or chance is None or evidence.test is None:
            continue
        spread = winner.spread(results.study.metric.name)
        mean = math.nan if spread is None else spread.mean
        one_in = abs(chance - mean) / abs(evidence.test.mean)
        unseen = unseen_divergence(len(evidence.seeds))
        if unseen * one_in < 1:
            continue  # more would have to diverge than could have done so unseen
        yield (
            f"{finding.contrast.name}: none of {len(evidence.seeds)} runs of `{winner.arm.name}`"
            f" diverged, which leaves up to {100 * unseen:.0f} % possible; one diverged run in"
            f" {one_in:.0f} would undo this"
        )


def interval_words(low: float, high: float) -> str:
    """An interval in words; none where the pairs are too few for one."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return "none"
    return f"{low:+.3g} to {high:+.3g}"


def _said(finding: Finding, results: StudyResults) -> str:
    if finding.verdict == "these images only":
        return _these_images_only(finding, results)
    if finding.verdict == "withheld":
        return f"withheld; {_wins(finding.evidence, results)}, but {finding.why}"
    if finding.verdict == "not tested":
        return f"not tested, since {finding.why}"
    if finding.verdict == "equivalent":
        return _equivalent(finding, results)
    if finding.verdict == "undecided":
        return _undecided(finding, results)
    return _claimed(finding, results)


def _claimed(finding: Finding, results: StudyResults) -> str:
    evidence = finding.evidence
    mean = math.nan if evidence.test is None else evidence.test.mean
    low, high = evidence.interval
    ends = sorted((abs(low), abs(high))) if low * high > 0 else (low, high)
    converged = ", among runs that converged" if evidence.diverged else ""
    return (
        f"{finding.verdict} by {abs(mean):.3g} ({ends[0]:.3g} to {ends[1]:.3g})"
        f" {population(results)}{converged}; {_wins(evidence, results)}, Holm's p"
        f" {finding.adjusted_p:.3g}"
    )


def _undecided(finding: Finding, results: StudyResults) -> str:
    evidence = finding.evidence
    if evidence.test is None or evidence.could_find is None:
        return "undecided"
    low, high = evidence.interval
    interval = f": {interval_words(low, high)}" if math.isfinite(low + high) else ""
    joint = "; " if finding.why.startswith(NEXT_LOOK) else ", since "
    why = f"{joint}{finding.why}" if finding.why else ""
    return (
        f"undecided{interval}{why}; this study could have found a difference of"
        f" {evidence.could_find:.2g} in {results.study.metric.name}"
    )


def _equivalent(finding: Finding, results: StudyResults) -> str:
    evidence = finding.evidence
    margin = results.study.metric.margin or math.nan
    if evidence.crossed is not None:
        low, high = evidence.crossed.interval(confidence=_EQUIVALENCE_CONFIDENCE)
        inside = f": the 90 % interval, {interval_words(low, high)}, lies inside"
    else:
        inside = f", Holm's p {finding.adjusted_equivalence_p:.3g}"
    return f"equivalent within ±{margin:g} {population(results)}{inside}"


def _these_images_only(finding: Finding, results: StudyResults) -> str:
    evidence = finding.evidence
    fewer_is_better = results.study.metric.direction == "lower"
    mean = math.nan if evidence.test is None else evidence.test.mean
    words = direction_of(finding.contrast, mean, fewer_is_better=fewer_is_better)
    those = f"these {results.images.images} images" if results.images.images else "these images"
    begin = (
        f"was {words} on {those} (Holm's p {finding.adjusted_seeds_p:.3g} over"
        f" {len(evidence.seeds)} seeds); whether it is on other such images"
    )
    crossed = evidence.crossed
    if crossed is None:
        draws = "; `--resplit` draws other images for each seed"
        return (
            f"{begin} cannot be told from these runs, since {results.images.why_not}"
            f"{draws if results.plan.repetition.may_draw_splits else ''}"
        )
    low, high = crossed.interval(confidence=CONFIDENCE)
    return (
        f"{begin} is open ({interval_words(low, high)}): three images make"
        f" {100 * crossed.influential_share:.0f} % of the difference, which rests on about"
        f" {crossed.effective_images:.0f}"
    )


def _wins(evidence: Evidence, results: StudyResults) -> str:
    if evidence.wins is None:
        return ""
    direction = "lower" if results.study.metric.direction == "lower" else "higher"
    won = evidence.wins.pairs - evidence.wins.won - evidence.wins.equal
    number = evidence.wins.won if evidence.wins.won >= won else won
    word = direction if number == evidence.wins.won else _OPPOSITE[direction]
    return f"{word} on {number} of {evidence.wins.pairs} {results.plan.repetition.unit}s"


def _winner(finding: Finding, results: StudyResults) -> ArmResult | None:
    """The arm that a claimed contrast of two arms calls better."""
    weights = finding.contrast.weights
    if len(weights) != 2:
        return None
    wanted = 1.0 if finding.verdict == "better" else -1.0
    name = next(arm for arm, weight in weights.items() if weight == wanted)
    return next(each for each in results.arms if each.arm.name == name)
