"""Whether more training images or another network are worth it: sentences and a table."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from cnnrun.ablation.analysis.training_sizes import (
    WORTH,
    Estimate,
    Extrapolation,
    PointOnCurve,
    SizeCurve,
)
from cnnrun.ablation.reporting.tables import spread_cell
from cnnrun.runs.spread import spread_of
from cnnrun.runs.tables import markdown_table

COLUMNS: Final = ("arm", "training images", "test accuracy", "of the law")


def size_sentences(curve: SizeCurve, *, over: str) -> Iterator[str]:
    """What the curve says: the advice first, then what it rests on.

    Args:
        curve: the study's.
        over: what its intervals are over, such as "seeds and splits of these images".
    """
    fit = curve.fit
    if fit is None:
        yield f"no curve was fitted to the training sizes: {curve.why_not}"
        return
    yield _advice(fit)
    if fit.advice == "nothing to gain":
        return
    yield (
        f"an extrapolation, no measurement: {_point(fit.twice, 'twice as many')}, and"
        f" {_point(fit.four_times, 'four times as many')}, where {fit.law.images:,.0f} had"
        f" {curve.arms[-1].mean:.4f}; 95 % intervals over {over}, if the images to come are like"
        " these and accuracy goes on as an inverse power law does"
    )
    agrees = "agrees with" if fit.foretells else "does not agree with"
    yield (
        f"fitted to the smaller sizes alone, the law says {fit.of_smaller:.4f} of"
        f" {fit.law.images:,.0f} images, which {agrees} what was measured (off by"
        f" {fit.off.value:+z.4f}, {fit.off.low:+z.4f} to {fit.off.high:+z.4f})"
    )


def size_section(curve: SizeCurve) -> Iterator[str]:
    """The part of report.md that shows what the answer rests on."""
    yield "## Accuracy over the number of training images\n"
    yield markdown_table(COLUMNS, size_rows(curve))
    if curve.fit is not None:
        law = curve.fit.law
        yield (
            f"The law: mistakes = {law.limit:.4f} + {law.scale:.4f} * (images /"
            f" {law.images:,.0f})^-{law.exponent:.2f}, fitted to the means by least squares, each"
            " weighted by the inverse of its mistakes; what more images take away is the second"
            " term alone. Intervals are by the bootstrap over seeds, a seed with all of its sizes,"
            " with percentiles expanded for so few (Hesterberg 2015), and hold the law without the"
            " first term as well. More images are called worth it where twice as many take away at"
            f" least {100 * WORTH:.0f} % of the mistakes at the lower end of the interval, and"
            " hardly worth it where they take away less at its upper end.\n"
        )


def size_rows(curve: SizeCurve) -> Iterator[tuple[str, ...]]:
    """A row for each size."""
    for arm in curve.arms:
        law = ""
        if curve.fit is not None:
            law = f"{1 - float(curve.fit.law.errors(np.array(arm.images))):.4f}"
        measured = spread_cell(spread_of(list(arm.accuracies.values())))
        yield arm.name, f"{arm.images:,.0f}", measured, law


def _advice(fit: Extrapolation) -> str:
    taken = fit.fewer_mistakes
    would = f"twice as many training images would take away {_percent(taken)} of the mistakes"
    if fit.advice == "nothing to gain":
        return "with all training images the network made no mistake: there is nothing to gain here"
    if fit.advice == "more images":
        return f"more images are worth it: {would}"
    if fit.advice == "another network":
        return (
            f"more images alone are hardly worth it: {would}; look for another network, larger"
            " images or wrong labels first"
        )
    if not fit.foretells:
        return (
            "open whether more images or another network are worth it: accuracy does not go on"
            f" here as the smaller sizes promised; by the law {would}"
        )
    return (
        f"open whether more images or another network are worth it: {would}; more seeds tell it"
        " better"
    )


def _percent(share: Estimate) -> str:
    return f"{100 * share.value:.0f} % ({100 * share.low:.0f} to {100 * share.high:.0f} %)"


def _point(point: PointOnCurve, what: str) -> str:
    accuracy = point.accuracy
    return (
        f"{what} ({point.images:,.0f}) would have an accuracy of {accuracy.value:.4f}"
        f" ({accuracy.low:.4f} to {accuracy.high:.4f})"
    )
