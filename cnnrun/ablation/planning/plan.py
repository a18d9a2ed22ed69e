"""What a study is going to run: arms, seeds and the cells that they make together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cnnrun.ablation.studies.roles import role_name
from cnnrun.ablation.studies.study import Expectation, Target
from cnnrun.ablation.studies.tune import LEARNING_RATE
from cnnrun.config.overrides import Change
from cnnrun.config.sections import Config


@dataclass(frozen=True)
class Arm:
    """One of the things that a study compares.

    Attributes:
        name: its own in the study, such as "after_activation, tanh".
        levels: factor -> the label of its value in this arm.
        overrides: what distinguishes it from the base config, as `--set` would have it:
            "model.blocks.activation=tanh".
        config: the checked config, with the first seed, one thread a cell.
        changes: what makes it of the base config, with layers that were changed.
    """

    name: str
    levels: Mapping[str, str]
    overrides: tuple[str, ...]
    config: Config
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One training: an arm with a seed.

    Attributes:
        arm: the arm's name.
        seed: the seed, which is also in the config.
        config: the config to train; with `resplit` the seed of its split is the cell's, too.
        diagnostics: whether activations and gradients are recorded on the way.
        target: what `epochs_to_target` and `seconds_to_target` count to, if there is one.
        trial: of a tuning, what is tried in it, such as "learning rate 0.003"; empty elsewhere.
        is_tested: whether its network sees the test images; that of a trial does not.
        pause_after: how many epochs are trained for the time being, under the schedule of all of
            them; None for all.
    """

    arm: str
    seed: int
    config: Config
    diagnostics: bool
    target: Target | None
    trial: str = ""
    is_tested: bool = True
    pause_after: int | None = None


def cell_name(arm: str, seed: int, *, trial: str) -> str:
    """Such as "before_activation, seed 3"."""
    return f"{arm}{f', {trial}' if trial else ''}, seed {seed}"


@dataclass(frozen=True)
class Contrast:
    """A difference between arms that is tested, or a difference of two differences.

    Attributes:
        name: in words, such as "after against before".
        weights: arm -> its weight in the sum; the weights add up to 0.
        is_declared: whether it stood in the plan before the first cell was run; what was added
            later is descriptive.
        beside: the name of the contrast that is the mean of this one and others, which are only
            described; empty elsewhere.
        expects: what the study's claim says of it; None where it says nothing.
    """

    name: str
    weights: Mapping[str, float]
    is_declared: bool = True
    beside: str = ""
    expects: Expectation | None = None


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """What is drawn anew each time that the arms are trained.

    Attributes:
        draws_splits: whether each time has a split of its own.
        tested_share: of the images, how many test.
        trained_share: how many train.
        looks: the planned numbers of seeds at which the study is looked at, rising; none where it
            is looked at once.
        folds: into how many parts the images are cut, each of which is the test once; None where
            splits are cut by shares.
        may_draw_splits: whether the reader can have splits drawn; of what a search confirms not,
            for other splits would test what it has trained on.
    """

    draws_splits: bool
    tested_share: float
    trained_share: float
    looks: tuple[int, ...]
    folds: int | None
    may_draw_splits: bool = True

    @property
    def unit(self) -> str:
        """What is repeated: "seed" or "fold"."""
        return "seed" if self.folds is None else "fold"


@dataclass(frozen=True)
class TuningPlan:
    """What is tried before the arms are compared, to give each its own value.

    Attributes:
        address: of what is tuned, or "learning_rate" for wherever that stands.
        arms: the arms that are tuned: those in which it changes something.
        is_logarithmic: whether the values are evenly spaced in their logarithm.
        low: the least value that was asked for.
        high: the largest.
        values: those that are tried, rising, the same for each arm.
        seeds: those that they are tried with, none of which the study uses.
        judged_by: what of a trial's validation images is to be low.
    """

    address: str
    arms: tuple[str, ...]
    is_logarithmic: bool
    low: float
    high: float
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    judged_by: str = "val_loss"

    @property
    def trials_an_arm(self) -> int:
        """How many cells it takes to tune an arm, where the range is not widened."""
        return len(self.values) * len(self.seeds)

    @property
    def trials(self) -> int:
        """How many cells it takes to tune all arms."""
        return len(self.arms) * self.trials_an_arm

    @property
    def what(self) -> str:
        """What is tuned, in a sentence: a role in words, or its address in backquotes."""
        role = LEARNING_RATE if self.address == LEARNING_RATE else role_name(self.address)
        return f"`{self.address}`" if role is None else role.replace("_", " ")


@dataclass(frozen=True)
class StudyPlan:
    """A study before it runs.

    Attributes:
        name: the study's name, and that of its folder.
        base: the config that all arms start from.
        shared: what all arms change in it, as `--set` would have it.
        arms: at least two, no two of them equal.
        contrasts: the family that is tested and corrected, and what is described beside it.
        repetition: what a seed draws anew, and when the study is looked at.
        seeds: all seeds, planned ones first.
        added_seeds: those of them that the first plan did not have.
        cells: in seed-major order: all arms of a seed, then the next, so that pairs complete early.
        tuning: what is tried before, to give each arm its own value; None where nothing is tuned.
    """

    name: str
    base: Path
    shared: tuple[str, ...]
    arms: tuple[Arm, ...]
    contrasts: tuple[Contrast, ...]
    repetition: Repetition
    seeds: tuple[int, ...]
    added_seeds: tuple[int, ...]
    cells: tuple[Cell, ...]
    tuning: TuningPlan | None = None

    @property
    def family(self) -> tuple[Contrast, ...]:
        """The contrasts that are tested together."""
        return tuple(each for each in self.contrasts if not each.beside)
