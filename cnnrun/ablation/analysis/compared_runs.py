"""Two groups of runs on the test images that both have seen: what differs, and how far it reaches.

A single pair of networks is compared over images: accuracy by McNemar's exact test (1947, Note on
the sampling error of the difference between correlated proportions), and both measures by an
interval over images. Several pairs are compared over seeds and images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from scipy.stats import binomtest

from cnnrun.ablation.analysis.crossed_intervals import (
    CrossedContrast,
    crossed_contrast,
    image_contrast,
)
from cnnrun.ablation.analysis.paired_tests import holm
from cnnrun.errors import RunError
from cnnrun.runs.comparing import RunGroup
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.predictions import ImageKey, Predicted, by_content, by_path
from cnnrun.runs.tables import markdown_table
from cnnrun.wording import counted

CONFIDENCE: Final = 0.95
FEWEST_EFFECTIVE_IMAGES: Final = 5
DIFFERENCE_COLUMNS: Final = ("measure", "difference", "95 % interval", "p")
Matched = Literal["content", "path"]
Measure = Literal["accuracy", "log loss"]
MEASURES: Final[tuple[Measure, ...]] = ("accuracy", "log loss")


@dataclass(frozen=True)
class Difference:
    """A measure of the second group less that of the first.

    Attributes:
        mean: over pairs of runs and images.
        interval: of 95 %.
        p: two-sided, of no difference.
        adjusted_p: the same by Holm, where several groups are held against the first.
        effective_images: on how many images it rests.
        influential_share: of the three images that contribute most; None for no difference.
    """

    mean: float
    interval: tuple[float, float]
    p: float
    adjusted_p: float
    effective_images: float
    influential_share: float | None


@dataclass(frozen=True)
class ComparedGroups:
    """Two groups on their common test images.

    Attributes:
        first: the number of the group that the other is held against, from 1.
        second: the number of the other.
        pairs: how many pairs of runs there are.
        is_by_seed: whether the runs of a pair have the same seed.
        images: the test images that both runs of some pair tested.
        first_images: the test images of the first group.
        second_images: those of the second.
        relabelled: images in both that have another class in the other; left out.
        matched_by: how images were found again.
        differences: by measure; empty where fewer than two images are shared.
        only_first: images that the first network alone gets right; None for several pairs.
        only_second: images that the second network alone gets right.
    """

    first: int
    second: int
    pairs: int
    is_by_seed: bool
    images: int
    first_images: int
    second_images: int
    relabelled: int
    matched_by: Matched
    differences: Mapping[Measure, Difference]
    only_first: int | None
    only_second: int | None

    @property
    def are_same_images(self) -> bool:
        """Whether both groups were tested on the same images."""
        return self.images == self.first_images == self.second_images

    def as_json(self) -> dict[str, Any]:
        """The comparison as maps and lists."""
        return asdict(self)


@dataclass(frozen=True)
class NotCompared:
    """A group that cannot be held against the first one, and why."""

    second: int
    why: str


def compare_groups(
    groups: Sequence[RunGroup],
) -> tuple[tuple[ComparedGroups, ...], tuple[NotCompared, ...]]:
    """Every further group against the first one; and those whose predictions cannot be read."""
    compared, not_compared = [], []
    for number, group in enumerate(groups[1:], start=2):
        try:
            compared.append(_compared(groups[0], group, number))
        except RunError as error:
            not_compared.append(NotCompared(number, str(error)))
    return tuple(_adjusted(compared)), tuple(not_compared)


def _adjusted(compared: Sequence[ComparedGroups]) -> Iterator[ComparedGroups]:
    """Comparisons with p values adjusted by Holm, over the groups of each measure."""
    tested = [each for each in compared if each.differences]
    adjusted = {
        measure: holm([each.differences[measure].p for each in tested]) for measure in MEASURES
    }
    for each in compared:
        if each not in tested:
            yield each
            continue
        number = tested.index(each)
        yield replace(
            each,
            differences={
                measure: replace(difference, adjusted_p=adjusted[measure][number])
                for measure, difference in each.differences.items()
            },
        )


def _compared(first: RunGroup, second: RunGroup, number: int) -> ComparedGroups:
    pairs, is_by_seed = _pairs(first, second)
    tested, matched_by = _tested(pairs)
    keys = sorted({key for one, other in tested for key in one.keys() & other.keys()})
    relabelled = {
        key
        for one, other in tested
        for key in one.keys() & other.keys()
        if one[key].label != other[key].label
    }
    shared = [key for key in keys if key not in relabelled]
    right = _differences(tested, shared, "accuracy")
    is_single = len(pairs) == 1
    return ComparedGroups(
        first=1,
        second=number,
        pairs=len(pairs),
        is_by_seed=is_by_seed,
        images=len(shared),
        first_images=len({key for one, _ in tested for key in one}),
        second_images=len({key for _, other in tested for key in other}),
        relabelled=len(relabelled),
        matched_by=matched_by,
        differences={}
        if len(shared) < 2
        else {
            "accuracy": _difference(right, is_of_accuracy=True),
            "log loss": _difference(_differences(tested, shared, "log loss"), is_of_accuracy=False),
        },
        only_first=int((right < 0).sum()) if is_single else None,
        only_second=int((right > 0).sum()) if is_single else None,
    )


def _pairs(first: RunGroup, second: RunGroup) -> tuple[list[tuple[RunFolder, RunFolder]], bool]:
    """Runs of the same seed; in the order of their seeds where fewer than two seeds are shared."""
    ours, theirs = (
        dict(zip(group.seeds, map(RunFolder, group.runs), strict=True)) for group in (first, second)
    )
    common = sorted(ours.keys() & theirs.keys())
    fewest = min(len(ours), len(theirs))
    if len(common) >= min(2, fewest):
        return [(ours[seed], theirs[seed]) for seed in common], True
    return list(zip(ours.values(), theirs.values(), strict=False)), False


Tested = tuple[Mapping[ImageKey, Predicted], Mapping[ImageKey, Predicted]]


def _tested(pairs: Sequence[tuple[RunFolder, RunFolder]]) -> tuple[list[Tested], Matched]:
    """The predictions of each pair, by content where it is known of every run."""
    found = [(by_content(one), by_content(other)) for one, other in pairs]
    known = [(one, other) for one, other in found if one is not None and other is not None]
    if len(known) == len(pairs):
        return known, "content"
    return [(by_path(one), by_path(other)) for one, other in pairs], "path"


def _differences(
    tested: Sequence[Tested], shared: Sequence[ImageKey], measure: Measure
) -> np.ndarray:
    """Second less first, `(pairs, images)`; NaN where a pair does not test the image."""

    def value(each: Predicted) -> float:
        return float(each.is_right) if measure == "accuracy" else each.log_loss

    return np.array(
        [
            [
                value(other[key]) - value(one[key]) if key in one and key in other else np.nan
                for key in shared
            ]
            for one, other in tested
        ],
        dtype=np.float64,
    ).reshape(len(tested), len(shared))


def _difference(differences: np.ndarray, *, is_of_accuracy: bool) -> Difference:
    if len(differences) > 1:
        contrast = crossed_contrast(differences)
        p = contrast.p()
    else:
        contrast = image_contrast(differences[0])
        p = mcnemar(differences[0]) if is_of_accuracy else contrast.p()
    return Difference(
        mean=contrast.mean,
        interval=contrast.interval(confidence=CONFIDENCE),
        p=p,
        adjusted_p=p,
        effective_images=contrast.effective_images,
        influential_share=_share(contrast),
    )


def _share(contrast: CrossedContrast) -> float | None:
    return None if contrast.mean == 0 else contrast.influential_share


def mcnemar(differences: np.ndarray) -> float:
    """McNemar's exact p: whether as many images are right in one network alone as in the other.

    Args:
        differences: 1 where the second network alone is right, -1 where the first is, `(images,)`.
    """
    second, either = int((differences > 0).sum()), int((differences != 0).sum())
    return float(binomtest(second, either).pvalue) if either else 1.0


def comparison_sentences(compared: ComparedGroups) -> list[str]:
    """What was compared, on which images, and how far it reaches, in sentences."""
    lines = [_on_which_images(compared)]
    if not compared.differences:
        return lines
    if compared.only_first is not None:
        lines.append(
            f"Group {compared.second} alone is right on {compared.only_second} images, group"
            f" {compared.first} alone on {compared.only_first}; the p of accuracy is McNemar's"
            " exact one. This compares two networks: with other seeds others would come out."
        )
    else:
        how = "of the same seed" if compared.is_by_seed else "in the order of their seeds"
        lines.append(
            f"Over {compared.pairs} pairs of runs {how} and over images: for new seeds and other"
            " such images, with these training images."
        )
    lines += [
        sentence
        for measure, difference in compared.differences.items()
        if (sentence := _rests_on(measure, difference))
    ]
    return lines


def _on_which_images(compared: ComparedGroups) -> str:
    by = (
        ""
        if compared.matched_by == "content"
        else ", matched by their paths, for cnnrun 0.1.0 did not record their content"
    )
    left = (
        f"; {compared.relabelled} of another class in the other are left out"
        if compared.relabelled
        else ""
    )
    name = f"group {compared.second} less group {compared.first}"
    if not compared.images:
        return (
            f"{name}: the groups share no test image{by}{left}, so nothing is compared image by"
            " image; `cnnrun evaluate RUN --data FOLDER` tests runs on the same images"
        )
    if len(compared.differences) == 0:
        return f"{name}: the groups share a single test image{by}{left}: too few to compare"
    if compared.are_same_images:
        return f"{name}, on the {compared.images:,} test images of both{by}{left}"
    return (
        f"{name}, on the {compared.images:,} test images that both have (of"
        f" {compared.first_images:,} and {compared.second_images:,}; the means above are over"
        f" different images){by}{left}"
    )


def _rests_on(measure: Measure, difference: Difference) -> str:
    if difference.influential_share is None:
        return ""
    few = (
        "; too few for a word on other images"
        if difference.effective_images < FEWEST_EFFECTIVE_IMAGES
        else ""
    )
    images = counted(round(difference.effective_images), "image")
    return (
        f"The difference in {measure} rests on about {images}, and three make"
        f" {difference.influential_share:.0%} of it{few}."
    )


def difference_rows(compared: ComparedGroups) -> list[tuple[str, ...]]:
    """The cells of `DIFFERENCE_COLUMNS`, a row a measure; p by Holm."""
    return [
        (
            measure,
            f"{difference.mean:+z.4f}",
            f"{difference.interval[0]:+z.4f} to {difference.interval[1]:+z.4f}",
            "< 0.001" if difference.adjusted_p < 0.001 else f"{difference.adjusted_p:.3f}",
        )
        for measure, difference in compared.differences.items()
    ]


def compared_markdown(compared: ComparedGroups) -> str:
    """A comparison of groups as Markdown: the images, a table, how far it reaches."""
    heading, *reach = comparison_sentences(compared)
    rows = difference_rows(compared)
    parts = [f"{heading}\n", markdown_table(DIFFERENCE_COLUMNS, rows) if rows else "", *reach]
    return "\n".join(part for part in parts if part) + "\n"
