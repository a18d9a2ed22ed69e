"""How often verdicts are wrong, and how often they find what is there, by simulated studies.

    python tests/benchmarks/measure_verdicts.py [STUDY_FOLDER]

STUDY_FOLDER holds a study of one split, whose predictions.csv are the populations that images and
seeds are drawn from; without it the study bn-order is run first, untuned (28 cells). With
more than 1,600 studies the Monte Carlo error of each rate is below a tenth of the bound beside it.
"""

import csv
import math
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from itertools import chain, combinations
from pathlib import Path

import numpy as np

from cnnrun.ablation.analysis.crossed_intervals import crossed_contrast
from cnnrun.ablation.analysis.evidence import Measured
from cnnrun.ablation.analysis.image_values import ImageValues
from cnnrun.ablation.analysis.paired_tests import equivalence_p, holm, sign_flip_p
from cnnrun.ablation.analysis.planned_looks import looks_at, sequential_p
from cnnrun.ablation.analysis.unlike_arms import spread_ratio, varies_too_much
from cnnrun.ablation.analysis.verdicts import findings
from cnnrun.ablation.planning.plan import Contrast, Repetition

COMMAND = Path(sysconfig.get_path("scripts")) / "cnnrun"
STUDIES = 2_000
LOOKS = (10, 14)
SHARES = (10 / 14, 1.0)
DESIGNS = {(7, 270): 0.075, (10, 1000): 0.06}
"""Seeds and images -> the largest share of false claims, of real populations."""
OF_NORMAL = 0.06
LEARNT, GUESSING = 0.1, math.log(10)
"""The loss of a run that has learnt, and of one that has not."""


def main() -> None:
    """Prints each rate beside its bound, and fails where one is exceeded."""
    if len(sys.argv) > 1:
        rows = list(all_rates(Path(sys.argv[1])))
    else:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([COMMAND, "init", folder], check=True, capture_output=True)
            arguments = ["ablate", "bn-order", "--no-resplit", "--no-tune-each-arm"]
            arguments += ["--into", "study"]
            subprocess.run([COMMAND, *arguments], cwd=folder, check=True, capture_output=True)
            rows = list(all_rates(Path(folder) / "study"))
    missed = [name for name, rate, bound in rows if rate > bound]
    if missed:
        sys.exit(f"above their bounds: {', '.join(missed)}")


def all_rates(study: Path) -> Iterator[tuple[str, float, float]]:
    """The name, the rate and the bound of each simulation, printed as they come."""
    random = np.random.default_rng(1)
    for name, rate, bound in chain(
        crossed_rates(study, random),
        look_rates(random),
        equivalence_rates(random),
        spread_rates(random),
        bad_run_rates(random),
    ):
        print(f"{name:<78} {rate:.4f}  at most {bound:.4g}", flush=True)
        yield name, rate, bound


def crossed_rates(study: Path, random: np.random.Generator) -> Iterator[tuple[str, float, float]]:
    """False claims of the interval over seeds and images, and those of seeds alone beside."""
    for (seeds, images), bound in DESIGNS.items():
        draw = normal_population(random)
        rate, alone = false_claims(draw, seeds, images)
        yield f"{seeds} seeds, {images} images, normal (seeds alone {alone:.2f})", rate, OF_NORMAL
        for measure in ("loss", "accuracy"):
            for name, differences in populations(study, measure):
                rate, alone = false_claims(real_population(differences, random), seeds, images)
                words = f"{seeds} seeds, {images} images, {measure}, {name}"
                yield f"{words} (seeds alone {alone:.2f})", rate, bound


def false_claims(
    draw: Callable[[int, int], np.ndarray], seeds: int, images: int
) -> tuple[float, float]:
    """The share of studies without effect whose interval excludes 0, and of the sign-flip test."""
    wrong = alone = 0
    for _ in range(STUDIES):
        differences = draw(seeds, images)
        low, high = crossed_contrast(differences).interval(confidence=0.95)
        wrong += low > 0 or high < 0
        alone += sign_flip_p(differences.mean(axis=1)) <= 0.05
    return wrong / STUDIES, alone / STUDIES


def normal_population(random: np.random.Generator) -> Callable[[int, int], np.ndarray]:
    """Images, seeds and rest normal; the variance of the images' mean twice that of the seeds'."""

    def draw(seeds: int, images: int) -> np.ndarray:
        return (
            random.normal(0, math.sqrt(2 * images / seeds), images)
            + random.normal(0, 1, (seeds, 1))
            + random.normal(0, math.sqrt(images / seeds), (seeds, images))
        )

    return draw


def real_population(
    differences: np.ndarray, random: np.random.Generator
) -> Callable[[int, int], np.ndarray]:
    """Images and seeds drawn from those of a study, moved so that there is no difference.

    The sign of what a seed adds is drawn as well, so that seven real seeds are fourteen.
    """
    of_image = differences.mean(axis=0) - differences.mean()
    of_seed = differences - differences.mean(axis=0)

    def draw(seeds: int, images: int) -> np.ndarray:
        chosen = random.integers(len(of_image), size=images)
        which = random.integers(len(of_seed), size=seeds)
        signs = random.choice([-1.0, 1.0], size=(seeds, 1))
        return of_image[chosen] + signs * of_seed[which][:, chosen]

    return draw


def populations(study: Path, measure: str) -> Iterator[tuple[str, np.ndarray]]:
    """The differences `(seeds, images)` of each pair of a study's arms."""
    with (study / "cells.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    values: dict[str, list[list[float]]] = {}
    for cell in sorted(cells, key=lambda each: int(each["seed"])):
        path = study / "runs" / cell["run"] / "predictions.csv"
        values.setdefault(cell["arm"], []).append(list(image_measures(path, measure)))
    for first, second in combinations(values, 2):
        yield f"{second} less {first}", np.array(values[second]) - np.array(values[first])


def image_measures(path: Path, measure: str) -> Iterator[float]:
    """The loss of each image, or whether it was right."""
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if measure == "accuracy":
                yield float(row["label"] == row["prediction"])
            else:
                yield -math.log(max(float(row[f"probability of {row['label']}"]), 1e-7))


def look_rates(random: np.random.Generator) -> Iterator[tuple[str, float, float]]:
    """Three contrasts of four arms: false claims over both looks; and what looks cost of power."""
    wrong = 0
    for _ in range(STUDIES):
        arms = random.normal(size=(4, LOOKS[-1]))
        p = [
            sequential_p(
                arm - arms[0], pairs=LOOKS, shares=SHARES, other_p=(0.0, 0.0), signs_count=True
            )
            for arm in arms[1:]
        ]
        wrong += min(holm(p)) <= 0.05
    yield "planned looks at 10 and 14 seeds, a family of three", wrong / STUDIES, 0.05
    found = once = 0
    for _ in range(STUDIES):
        differences = random.normal(1.0, 1, LOOKS[-1])
        looks = looks_at(differences, pairs=LOOKS, shares=SHARES, alpha=0.05)
        found += any(look.rejects for look in looks)
        once += sign_flip_p(differences) <= 0.05
    lost = (once - found) / STUDIES
    yield f"power at 1 sd that looks lose (once {once / STUDIES:.3f})", lost, 0.025


def equivalence_rates(random: np.random.Generator) -> Iterator[tuple[str, float, float]]:
    """Arms that differ by just the margin and are called equivalent."""
    for seeds in (7, 10, 14):
        p = [equivalence_p(random.normal(1.0, 1, seeds), margin=1.0) for _ in range(STUDIES)]
        yield f"equivalent at the margin, {seeds} seeds", float(np.mean(np.array(p) <= 0.05)), 0.06


def spread_rates(random: np.random.Generator) -> Iterator[tuple[str, float, float]]:
    """A steady and a lognormal arm with equal means: false claims with the rule of spread.

    An arm that is steady in comparison with the whole of the other, and not with the part of it
    that is seen while its tail is not, is not told apart: shown beside, without a bound.
    """
    for seeds, steadiness, bound in ((7, 0.1, 0.06), (10, 0.1, 0.06), (7, 0.65, math.inf)):
        wrong = 0
        for _ in range(2 * STUDIES):
            skewed = random.lognormal(0, 1, seeds) - math.exp(0.5)
            steady = random.normal(0, steadiness, seeds)
            differences = skewed - steady
            values = {"a": dict(enumerate(skewed)), "b": dict(enumerate(steady))}
            ratio = spread_ratio({"a": 1.0, "b": -1.0}, values, range(seeds))
            is_withheld = varies_too_much(ratio, first_is_better=differences.mean() < 0)
            wrong += sign_flip_p(differences) <= 0.05 and not is_withheld
        name = f"an arm with sd {steadiness} and a lognormal one with sd 2.2, {seeds} seeds"
        yield name, wrong / (2 * STUDIES), bound


def bad_run_rates(random: np.random.Generator) -> Iterator[tuple[str, float, float]]:
    """An arm of which a share of runs learns nothing, and a steady one with the same mean.

    Where no such run was seen the first one looks better, and varies more: its mean is withheld
    unless the difference is so large that the runs that may be unseen could not undo it. And how
    often that lets nothing be said of an arm that has not learnt at all.
    """
    for seeds in (7, 10):
        for share in (0.05, 0.1, 0.2, 0.35, 0.5):
            mean = (1 - share) * LEARNT + share * GUESSING
            wrong = 0
            for _ in range(STUDIES):
                is_bad = random.random(seeds) < share
                now_and_then = np.where(is_bad, GUESSING, random.normal(LEARNT, 0.06, seeds))
                wrong += is_called_different(now_and_then, random.normal(mean, 0.01, seeds))
            name = f"{share:.0%} of an arm's runs learn nothing, equal means, {seeds} seeds"
            yield name, wrong / STUDIES, OF_NORMAL
        missed = 0
        for _ in range(STUDIES):
            learning = random.normal(LEARNT, 0.06, seeds)
            missed += not is_called_different(learning, np.full(seeds, GUESSING))
        yield f"an arm that has not learnt is not told, {seeds} seeds", missed / STUDIES, 0.01


def is_called_different(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether something is said of the difference of two arms, by all rules, over seeds alone."""
    seeds = range(len(first))
    alone = ImageValues(values={}, images=0, classes=0, is_one_test=True, why_not="none are given")
    once = Repetition(
        draws_splits=False, tested_share=0.15, trained_share=0.7, looks=(), folds=None
    )
    measured = Measured(
        values={name: dict(enumerate(arm)) for name, arm in (("a", first), ("b", second))},
        images=alone,
        diverged={"a": frozenset(), "b": frozenset()},
        seeds=seeds,
        fewer_is_better=True,
        repetition=once,
        guessing=GUESSING,
    )
    contrast = Contrast("a against b", {"a": 1.0, "b": -1.0})
    (finding,) = findings([contrast], measured, margin=None, has_added_seeds=False)
    return finding.verdict not in ("undecided", "withheld")


if __name__ == "__main__":
    main()
