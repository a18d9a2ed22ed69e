"""What the best of many trials promises, and what a confirmation says of it, by simulation.

    python tests/benchmarks/measure_search.py

Scores are simulated in units of the standard deviation of a seed: configs differ by `spread`, and a
seed makes a network good on validation and on test images alike, by `shared` of its variance. Each
estimate is held against its own truth. The Monte Carlo error of a mean is about .015.
"""

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnrun.search.confirmation import unbiased_difference

Numbers = NDArray[np.float64]

SEARCHES = 4_000
SEEDS = 7
CONFIRMED = 3
BASE = "base"


@dataclass(frozen=True)
class Simulated:
    """The errors of a search's estimates: each less its truth; below 0 is too good.

    Attributes:
        promised: of the best trial's score when it was chosen.
        best: of its mean difference to the base on fresh seeds.
        winner: of that of the winner, which fresh validation scores choose.
        unbiased: of what is chosen without each seed, at that seed.
    """

    promised: float
    best: float
    winner: float
    unbiased: float


def main() -> None:
    """Prints the mean error of each estimate, and fails where one that must be unbiased is not."""
    missed = []
    for name, errors in simulations():
        columns = {
            key: np.array([getattr(each, key) for each in errors]) for key in vars(errors[0])
        }
        cells = []
        for key, values in columns.items():
            mean, error = values.mean(), values.std() / math.sqrt(len(values))
            cells.append(f"{key} {mean:+.3f} ({error:.3f})")
            if key in ("best", "unbiased") and abs(mean) > 3.5 * error:
                missed.append(f"{name}: {key}")
        print(f"{name:<48} {'  '.join(cells)}")
    if missed:
        sys.exit(f"biased: {', '.join(missed)}")


def simulations() -> Iterator[tuple[str, list[Simulated]]]:
    """The name of each simulation and the errors of its searches."""
    for trials in (16, 50):
        for spread in (0.0, 0.3, 1.0):
            for shared in (0.0, 0.9):
                random = np.random.default_rng([trials, int(10 * spread), int(10 * shared)])
                name = f"{trials} trials, spread {spread}, shared luck {shared}"
                yield name, [simulated(random, trials, spread, shared) for _ in range(SEARCHES)]


def simulated(random: np.random.Generator, trials: int, spread: float, shared: float) -> Simulated:
    """A search and its confirmation."""
    truth = random.normal(0.0, spread, trials)
    score = truth + random.normal(0, 1, trials)
    chosen = np.argsort(score)[:CONFIRMED]
    levels = {BASE: 0.0, **{f"trial {number}": float(truth[number]) for number in chosen}}
    luck = {arm: math.sqrt(shared) * random.normal(0, 1, SEEDS) for arm in levels}
    own = math.sqrt(1 - shared)
    scores = {
        arm: dict(enumerate(level + luck[arm] + own * random.normal(0, 1, SEEDS)))
        for arm, level in levels.items()
    }
    tested = {
        arm: dict(enumerate(level + luck[arm] + own * random.normal(0, 1, SEEDS)))
        for arm, level in levels.items()
    }

    def choice(left_out: int | None) -> str:
        return min(
            levels,
            key=lambda arm: sum(v for seed, v in scores[arm].items() if seed != left_out),
        )

    def difference(arm: str) -> float:
        return float(np.mean([tested[arm][seed] - tested[BASE][seed] for seed in range(SEEDS)]))

    first, winner = f"trial {chosen[0]}", choice(None)
    without = float(np.mean([levels[choice(seed)] for seed in range(SEEDS)]))
    unbiased = unbiased_difference(scores, tested, seeds=range(SEEDS), sign=1)
    return Simulated(
        promised=float(score[chosen[0]] - truth[chosen[0]]),
        best=difference(first) - levels[first],
        winner=difference(winner) - levels[winner],
        unbiased=unbiased - without,
    )


if __name__ == "__main__":
    main()
