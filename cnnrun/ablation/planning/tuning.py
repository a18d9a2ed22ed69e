"""The trials of a tuning: the same values for each arm, on seeds that the study does not use."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cnnrun.ablation.planning.plan import Arm, Cell, TuningPlan
from cnnrun.ablation.planning.tuned_address import present_rate, tuned_address
from cnnrun.ablation.studies.roles import role_name
from cnnrun.ablation.studies.study import Study
from cnnrun.ablation.studies.tune import Tune
from cnnrun.config.scalar_kinds import LARGEST_SEED
from cnnrun.config.sections import Config
from cnnrun.errors import StudyError
from cnnrun.runs.result import ALL_TEST_METRICS

FIRST_TUNING_SEED: Final = 1_000_000
"""So far from the study's own first seed begin those of the trials."""
_USUAL_REACH: Final = 10.0
"""The range of a learning rate, unless it is given: so many times less and more."""
_DIGITS: Final = ".3g"
_AREA: Final = "val_loss_area"
_OF_EPOCHS: Final = ("loss", "accuracy")
_OF_TESTS_ALONE: Final = frozenset(ALL_TEST_METRICS) - {*_OF_EPOCHS}


@dataclass(frozen=True)
class TuningTrial:
    """A cell of a tuning: an arm at a value."""

    value: float
    cell: Cell


def plan_tuning(
    study: Study, arms: Sequence[Arm], *, arms_at: Callable[[float], Sequence[Arm]]
) -> TuningPlan | None:
    """What is tried for each arm of a study; None where it tunes nothing.

    Args:
        study: the study.
        arms: its arms as the config has them.
        arms_at: gives them with a value of what is tuned.

    Raises:
        StudyError: there are no validation images to tune on, what is tested has no counterpart
            on them, a factor varies what is tuned, or it changes nothing.
        ConfigError: the config refuses an end of the range.
    """
    if study.tune is None:
        return None
    config = arms[0].config
    _check_measured(study, config)
    tune = study.tune
    varied = {change.address for arm in arms for change in arm.changes}
    both = [address for arm in arms if (address := tuned_address(tune, arm.config)) in varied]
    if both:
        raise StudyError.at(
            "tune",
            rule="must be of something that the study does not vary",
            received=f"`{both[0]}`, which a factor sets",
            advice="tune another number, or leave `tune` out (`--no-tune-each-arm`)",
        )
    low, high = _range(tune, config)
    values = _evenly_spaced(tune, low, high, seed=config.seed)
    return TuningPlan(
        address=tune.address,
        # Of an address every arm has a value; what has a role may be missing in some.
        arms=tuple(arm.name for arm in arms)
        if role_name(tune.address) is None
        else _changed_arms(arms_at(values[0]), arms_at(values[-1])),
        is_logarithmic=tune.scale == "log",
        low=low,
        high=high,
        values=values,
        seeds=tuple(
            (config.seed + FIRST_TUNING_SEED + index) % (LARGEST_SEED + 1)
            for index in range(tune.seeds)
        ),
        judged_by=_judged_by(study.metric.name),
    )


def tuning_trials(
    study: Study, tuning: TuningPlan, arms_at: Mapping[float, Sequence[Arm]]
) -> Iterator[TuningTrial]:
    """The cells of a tuning: all seeds of an arm at a value, then the next arm, the next value.

    Args:
        study: the study.
        tuning: what is tried.
        arms_at: value -> the arms with it.
    """
    for value in tuning.values:
        for arm in arms_at[value]:
            if arm.name not in tuning.arms:
                continue
            for seed in tuning.seeds:
                split = arm.config.data.split
                if study.resplit or study.repeat is not None:
                    split = replace(split, seed=seed)
                data = replace(arm.config.data, split=split)
                config = replace(arm.config, seed=seed, data=data)
                trial = f"{tuning.what.strip('`')} {value:g}"
                cell = Cell(
                    arm.name,
                    seed,
                    config,
                    diagnostics=False,
                    target=None,
                    trial=trial,
                    is_tested=False,
                )
                yield TuningTrial(value, cell)


def widened(tuning: TuningPlan, *, below: bool, above: bool) -> TuningPlan:
    """The same with more values, as far apart, beyond the ends that some arm is best at."""
    places = _places(tuning.values, is_logarithmic=tuning.is_logarithmic)
    step = (places[-1] - places[0]) / (len(places) - 1)
    more = len(places) // 2
    lower = [places[0] - step * number for number in range(more, 0, -1)] if below else []
    upper = [places[-1] + step * number for number in range(1, more + 1)] if above else []
    added = [_value(place, is_logarithmic=tuning.is_logarithmic) for place in (*lower, *upper)]
    return replace(tuning, values=tuple(sorted({*tuning.values, *added})))


def validation_measure(metric: str) -> str | None:
    """What trials have of a study's metric on their validation images, in the lines of epochs.

    None where only test images have it.
    """
    if metric.startswith("val_") and metric.endswith("_area"):
        return metric
    name = metric.removeprefix("test_")
    if name == metric or name.endswith("_recomputed") or name in _OF_TESTS_ALONE:
        return None
    return f"val_{name}"


def _judged_by(metric: str) -> str:
    """What trials are chosen by: how fast the loss falls where that is tested, else the kept loss.

    Of an accuracy the loss, since many values have the same accuracy.
    """
    return metric if metric == _AREA else "val_loss"


def no_validation_images() -> StudyError:
    """What to say where there is nothing to tune on."""
    return StudyError.at(
        "data.split.validation",
        rule="must hold images where each arm is tuned, which is done on them",
        received="0",
        advice="write for example 0.15, or leave `tune` out (`--no-tune-each-arm`)",
    )


def _check_measured(study: Study, config: Config) -> None:
    validation, _ = config.data.split.shares
    if validation == 0 and not config.data.may_bring_validation:
        raise no_validation_images()
    if validation_measure(study.metric.name) is None:
        raise StudyError.at(
            "metric",
            rule="must be known of validation images where each arm is tuned, or else nobody knows"
            " what another choice would have changed",
            received=f"`{study.metric.name}`",
            advice="test test_loss, or leave `tune` out (`--no-tune-each-arm`)",
        )


def _changed_arms(low: Sequence[Arm], high: Sequence[Arm]) -> tuple[str, ...]:
    """The arms in which what is tuned changes something: a rate of dropout needs some."""
    changed = tuple(
        arm.name for arm, other in zip(low, high, strict=True) if arm.config != other.config
    )
    if not changed:
        raise StudyError.at(
            "tune.path",
            rule="must be of something that some arm has",
            received="what changes none of them",
            advice="tune another number, or leave `tune` out (`--no-tune-each-arm`)",
        )
    return changed


def _range(tune: Tune, config: Config) -> tuple[float, float]:
    if tune.low is not None and tune.high is not None:
        return tune.low, tune.high
    rate = present_rate(config)
    return float(f"{rate / _USUAL_REACH:{_DIGITS}}"), float(f"{rate * _USUAL_REACH:{_DIGITS}}")


def _evenly_spaced(tune: Tune, low: float, high: float, *, seed: int) -> tuple[float, ...]:
    """Values with one random shift, so that none is favoured by where a grid happens to begin."""
    is_logarithmic = tune.scale == "log"
    first, last = _places((low, high), is_logarithmic=is_logarithmic)
    shift = np.random.default_rng(seed).random()
    places = [
        first + (last - first) * (number + shift) / tune.values for number in range(tune.values)
    ]
    return tuple(_value(place, is_logarithmic=is_logarithmic) for place in places)


def _places(values: Sequence[float], *, is_logarithmic: bool) -> list[float]:
    return [math.log(value) for value in values] if is_logarithmic else list(values)


def _value(place: float, *, is_logarithmic: bool) -> float:
    return float(f"{math.exp(place) if is_logarithmic else place:{_DIGITS}}")
