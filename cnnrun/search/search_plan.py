"""What a search is going to do: its axes, its trials and rungs, and what it confirms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any, Final

from cnnrun.ablation.planning.arms import change_text, config_digest, single_threaded
from cnnrun.ablation.planning.contrasts import USUAL_SEEDS, fewest_seeds
from cnnrun.ablation.planning.make_plan import measured_names, seed_numbers, too_few_seeds
from cnnrun.ablation.planning.plan import Cell
from cnnrun.ablation.planning.tuned_address import rate_address, rate_change
from cnnrun.ablation.planning.tuning import FIRST_TUNING_SEED, validation_measure
from cnnrun.ablation.studies.roles import role_name
from cnnrun.ablation.studies.search import Search
from cnnrun.ablation.studies.study import (
    FEWEST_SEEDS,
    SEEDS_ADVICE,
    SEEDS_RULE,
    Metric,
    Study,
    problems_of,
)
from cnnrun.ablation.studies.tune import LEARNING_RATE
from cnnrun.config.load import load_config
from cnnrun.config.overrides import Change
from cnnrun.config.scalar_kinds import LARGEST_SEED
from cnnrun.config.sections import Config
from cnnrun.config.yaml_tree import ScalarNode
from cnnrun.errors import ConfigError, Position, Problem, StudyError
from cnnrun.search.axes import Axis, Value, Values, axis_of
from cnnrun.search.sampling import number_of_configs
from cnnrun.wording import closest, suggestion

_NOT_SEARCHED: Final[Mapping[str, str]] = {
    "seed": "the best of several seeds is luck, which new seeds do not have",
    "data.split": "trials are compared on the same validation images",
    "train.threads": "each trial computes with one thread",
    "train.best": "trials are compared by what their best epoch has",
    "train.loss": "trials are compared by the same loss",
}
"""Addresses whose values would make trials that cannot be compared, and why."""
TRIALS_ARM: Final = "search"
"""What stands for an arm of all trials."""


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """A search before it runs.

    Attributes:
        name: the search's, and that of its folder.
        question: what it asks.
        base: the config that all trials start from.
        shared: what all of them change in it.
        config: the base with that, checked, with one thread.
        axes: what is searched.
        search: how, as it was asked for.
        seed: of what is drawn.
        metric: what is confirmed; trials are judged by its counterpart on validation images.
        trials: how many there are.
        trial_seed: the one that all trials are trained with.
        rungs: after how many epochs trials pause, rising; empty without halving.
        epochs: how many a whole trial has.
        seeds: those of the confirmation, none of which the trials use.
    """

    name: str
    question: str
    base: Path
    shared: tuple[str | Change, ...]
    config: Config
    axes: tuple[Axis, ...]
    search: Search
    seed: int
    metric: Metric
    trials: int
    trial_seed: int
    rungs: tuple[int, ...]
    epochs: int
    seeds: tuple[int, ...]

    @property
    def measure(self) -> str:
        """What trials are judged by, such as "val_loss"."""
        return str(validation_measure(self.metric.name))

    @property
    def sign(self) -> int:
        """1 where less of the measure is better, else -1."""
        return 1 if self.metric.direction == "lower" else -1

    @property
    def rung_trials(self) -> tuple[int, ...]:
        """How many trials are trained to each rung, and at last to the end."""
        factor = self.search.halving or 1
        return tuple(self.trials // factor**number for number in range(len(self.rungs) + 1))

    @property
    def shared_texts(self) -> tuple[str, ...]:
        """What all trials change in the base, as `--set` would have it."""
        return tuple(each if isinstance(each, str) else change_text(each) for each in self.shared)

    def as_json(self) -> dict[str, Any]:
        """The content of plan.json: two searches with the same come to the same."""
        return {
            "search": self.name,
            "base": self.base.name,
            "config": config_digest(self.config),
            "over": {axis.name: _axis_json(axis) for axis in self.axes},
            "metric": {"name": self.metric.name, "better": self.metric.direction},
            "margin": self.metric.margin,
            "trials": self.trials,
            "sampler": self.search.sampler,
            "round": self.search.round if self.search.sampler == "tpe" else None,
            "halving": self.search.halving,
            "seed": self.seed,
            "confirm": self.search.confirm,
            "seeds": list(self.seeds),
        }


@dataclass(frozen=True)
class TrialConfig:
    """A trial's config.

    Attributes:
        config: the checked config, with the seed of the trials.
        changes: what makes it of the base, beside what all trials share.
    """

    config: Config
    changes: tuple[Change, ...]

    @property
    def overrides(self) -> tuple[str, ...]:
        """The changes as `--set` would have them."""
        return tuple(map(change_text, self.changes))


@dataclass(frozen=True)
class PlannedSearch:
    """A plan, and what its reader should know before it starts."""

    plan: SearchPlan
    notes: tuple[str, ...]


def plan_search(
    study: Study,
    search: Search,
    *,
    name: str,
    base: Path,
    overrides: Sequence[str],
    seeds: int | None,
    positions: Mapping[str, Position],
) -> PlannedSearch:
    """The plan of a search, with all checked that can be before anything is trained.

    Args:
        study: the question, what all trials share and the metric.
        search: what is searched, and how.
        name: the search's name.
        base: the config that all trials start from.
        overrides: values of the command line that all trials share, such as "train.epochs=5".
        seeds: how many fresh seeds confirm; None for what the study says, or as many as needed.
        positions: axis -> where its address is written.

    Raises:
        ConfigError: the config has no such address, or refuses a value at an end of a range.
        StudyError: nothing can be compared, tried or confirmed.
    """
    shared: tuple[str | Change, ...] = (*study.settings, *overrides)
    config = single_threaded(load_config(base, overrides=shared))
    axes = tuple(
        axis_of(name, dimension, position=positions[name])
        for name, dimension in search.over.items()
    )
    _check_metric(study.metric, config)
    _refuse_incomparable(axes)
    _check_ends(axes, base=base, shared=shared, config=config)
    _refuse_twice(axes, base=base, shared=shared)
    trials = int(min(search.trials, number_of_configs(axes)))
    seed = config.seed if search.seed is None else search.seed
    confirmed = seed_numbers(config.seed, _number_of_seeds(study, search, seeds))
    epochs = _epochs(config)
    plan = SearchPlan(
        name=name,
        question=study.question,
        base=base,
        shared=shared,
        config=config,
        axes=axes,
        search=search,
        seed=seed,
        metric=study.metric,
        trials=trials,
        trial_seed=(config.seed + FIRST_TUNING_SEED) % (LARGEST_SEED + 1),
        rungs=_rungs(search, axes, trials=trials, epochs=epochs),
        epochs=epochs,
        seeds=confirmed,
    )
    return PlannedSearch(plan, tuple(_notes(plan)))


def trial_config(plan: SearchPlan, values: Values) -> TrialConfig:
    """The config of a trial.

    Raises:
        ConfigError: the config does not take these values together.
    """
    changes: list[Change] = []
    # Where the learning rate stands depends on what else is chosen.
    for axis in sorted(plan.axes, key=lambda axis: axis.address == LEARNING_RATE):
        value = values[axis.name]
        if axis.address == LEARNING_RATE:
            changed = load_config(plan.base, overrides=[*plan.shared, *changes])
            changes.append(_change_in(changed, axis, value))
        else:
            changes.append(axis.change(value, address=axis.address))
    config = load_config(plan.base, overrides=[*plan.shared, *changes])
    return TrialConfig(
        single_threaded(replace(config, seed=plan.trial_seed)),
        tuple(changes),
    )


def trial_cell(
    plan: SearchPlan, number: int, config: Config, *, pause_after: int | None = None
) -> Cell:
    """The cell of a trial.

    Args:
        plan: the search.
        number: the trial's, from 1.
        config: the trial's.
        pause_after: after how many epochs it pauses; None for a whole trial.
    """
    return Cell(
        TRIALS_ARM,
        plan.trial_seed,
        config,
        diagnostics=False,
        target=None,
        trial=f"trial {number}",
        is_tested=False,
        pause_after=pause_after,
    )


def _axis_json(axis: Axis) -> dict[str, Any]:
    if axis.choices:
        return {"path": axis.address, "values": {name: axis.text(name) for name in axis.choices}}
    low, high = axis.ends
    scale = "log" if axis.is_logarithmic else "linear"
    return {"path": axis.address, "low": low, "high": high, "scale": scale}


def _check_metric(metric: Metric, config: Config) -> None:
    known = [
        name
        for name in measured_names(config)
        if name.startswith("test_") and validation_measure(name) is not None
    ]
    if metric.name not in known:
        raise StudyError.at(
            "metric",
            rule="must be a test measure that validation images have as well, by which trials are"
            " judged",
            received=f"`{metric.name}`",
            advice=suggestion(metric.name, known),
        )


def _refuse_incomparable(axes: Sequence[Axis]) -> None:
    for axis in axes:
        if role_name(axis.address) is not None:
            rule = f"must be the address of a value of the config, or `{LEARNING_RATE}`"
            advice = (
                "write where the value stands, such as `model.blocks.dropout`; other roles are what"
                " a study varies (`cnnrun help studies`)"
            )
            problem = Problem(axis.position, axis.address, rule, f"`{axis.address}`", advice)
            raise ConfigError([problem])
        if axis.address != LEARNING_RATE and closest(axis.address, [LEARNING_RATE]):
            raise ConfigError(
                [
                    Problem(
                        axis.position,
                        axis.address,
                        f"must be the address of a value of the config, or `{LEARNING_RATE}`",
                        f"`{axis.address}`",
                        f"did you mean `{LEARNING_RATE}`?",
                    )
                ]
            )
        for address, why in _NOT_SEARCHED.items():
            if axis.address == address or axis.address.startswith((f"{address}.", f"{address}[")):
                raise ConfigError(
                    [
                        Problem(
                            axis.position,
                            axis.address,
                            f"must not be searched: {why}",
                            "",
                            f"leave it out, or vary it with a study of `{address}` as a factor",
                        )
                    ]
                )


def _refuse_twice(axes: Sequence[Axis], *, base: Path, shared: Sequence[str | Change]) -> None:
    """Raise where an axis has no effect beside another, which is of the same value or around it.

    So are `layers[0]` and `layers[stem]` of one layer, the learning rate under its two names.
    """

    def with_changes(*changes: Change) -> Config | None:
        try:
            return load_config(base, overrides=[*shared, *changes])
        except ConfigError:  # of values that do not go together
            return None

    for kept, lost in permutations(axes, 2):
        if lost.address == LEARNING_RATE:  # which is put in after all others
            continue
        configs = []
        for value in lost.ends:
            first = lost.change(value, address=lost.address)
            changed = with_changes(first)
            if changed is None:
                break
            last = _change_in(changed, kept, kept.ends[0])
            configs.append((with_changes(first, last), with_changes(last)))
        if configs and all(both == alone and alone is not None for both, alone in configs):
            is_same = last.address == lost.address
            received = "it twice" if is_same else f"it as `{last.address}` too"
            advice = "leave one of them out"
            problem = Problem(
                lost.position, lost.address, "must be searched once", received, advice
            )
            raise ConfigError([problem])


def _change_in(config: Config, axis: Axis, value: Value) -> Change:
    """What puts a value of an axis in: where the learning rate stands, the config says."""
    if axis.address != LEARNING_RATE:
        return axis.change(value, address=axis.address)
    change = axis.change(value, address=rate_address(config))
    rate = change.value.value if isinstance(change.value, ScalarNode) else None
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        return change  # which the config refuses
    return rate_change(config, rate, position=axis.position, written=change.value)


def _check_ends(
    axes: Sequence[Axis], *, base: Path, shared: Sequence[str | Change], config: Config
) -> None:
    """Have the config refuse what it does not take, before anything is trained."""
    refusals = []
    for axis in axes:
        for value in axis.ends:
            change = _change_in(config, axis, value)
            try:
                load_config(base, overrides=[*shared, change])
            except ConfigError as error:
                refusals.append(error)
    if refusals:
        raise ConfigError(problems_of(refusals))


def _number_of_seeds(study: Study, search: Search, seeds: int | None) -> int:
    if search.confirm == 0:
        return 0
    if seeds is not None and seeds < FEWEST_SEEDS:
        raise StudyError.at("--seeds", rule=SEEDS_RULE, received=str(seeds), advice=SEEDS_ADVICE)
    return seeds or study.seeds or max(USUAL_SEEDS, fewest_seeds(search.confirm))


def _epochs(config: Config) -> int:
    stages = config.train.stages
    return sum(stage.epochs or config.train.epochs for stage in stages) or config.train.epochs


def _rungs(search: Search, axes: Sequence[Axis], *, trials: int, epochs: int) -> tuple[int, ...]:
    """After how many epochs trials pause: as early as leaves an epoch, and what is confirmed."""
    factor = search.halving
    if factor is None:
        return ()
    lengths = [axis.address for axis in axes if axis.address.endswith("epochs")]
    if lengths:
        raise StudyError.at(
            "halving",
            rule="must be of trials that are equally long",
            received=f"a search over `{lengths[0]}`",
            advice="leave one of them out",
        )
    number = 0
    while (
        trials // factor ** (number + 1) >= max(1, search.confirm)
        and epochs // factor ** (number + 1) >= 1
    ):
        number += 1
    if number == 0:
        raise StudyError.at(
            "halving",
            rule=f"takes at least {factor} epochs, and {factor} times as many trials as are"
            " confirmed",
            received=f"{epochs} epochs and {trials} trials, {search.confirm} of them confirmed",
            advice="try more, confirm fewer, or leave `halving` out",
        )
    return tuple(epochs // factor**rung for rung in range(number, 0, -1))


def _notes(plan: SearchPlan) -> Iterator[str]:
    if plan.trials < plan.search.trials:
        yield (
            f"there are {plan.trials} different configs to try, and all of them are tried, not"
            f" {plan.search.trials}"
        )
    if plan.search.confirm and len(plan.seeds) < fewest_seeds(plan.search.confirm):
        yield too_few_seeds(len(plan.seeds), plan.search.confirm)
