"""Trials that learn from those before: the tree-structured Parzen estimator of Optuna.

Bergstra et al. 2011, Algorithms for Hyper-Parameter Optimization. Optuna keeps nothing between two
rounds: its study is made anew from the trials that have ended, so that the same trials lead to the
same suggestions, however often a search was interrupted.
"""

import warnings
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from cnnrun.errors import StudyError
from cnnrun.search.axes import Axis, Value, Values
from cnnrun.search.sampling import first_trials

_TRIES = 8
"""How often another trial is asked for where one comes twice."""


def load_optuna() -> ModuleType:
    """Optuna.

    Raises:
        StudyError: it is not installed.
    """
    try:
        return import_module("optuna")
    except ImportError as error:
        raise StudyError.at(
            "--sampler tpe",
            rule="needs the package optuna",
            received="a Python without it",
            advice="`pip install 'cnnrun[optuna]'` installs it",
        ) from error


def suggested_trials(
    axes: Sequence[Axis],
    ended: Sequence[tuple[Values, float]],
    *,
    number: int,
    seed: int,
) -> tuple[Values, ...]:
    """The next trials, none of which has been made before.

    Args:
        axes: what is searched.
        ended: the trials so far, each with a score of which less is better; infinite for one that
            came to none.
        number: how many are wanted; fewer come where no other config is left.
        seed: of this round.

    Raises:
        StudyError: Optuna is not installed.
    """
    optuna = load_optuna()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {axis.name: _distribution(optuna, axis) for axis in axes}
    found = {tuple(values.values()): values for values, _ in ended}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Optuna calls experimental
        sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=0, multivariate=True, constant_liar=True
        )
        study = optuna.create_study(direction="minimize", sampler=sampler)
        for values, score in ended:
            study.add_trial(
                optuna.trial.create_trial(
                    params=dict(values), distributions=distributions, value=score
                )
            )
        for _ in range(number * _TRIES):
            if len(found) == len(ended) + number:
                break
            asked = study.ask(distributions).params
            values = {axis.name: _value(axis, asked[axis.name]) for axis in axes}
            found.setdefault(tuple(values.values()), values)
    # Where all that it suggests has been tried, an even spread goes on.
    wanted = len(ended) + number
    if len(found) < wanted:
        spread = first_trials(axes, number=wanted * 2, is_random=False, seed=seed)
        for values in spread:
            if len(found) < wanted:
                found.setdefault(tuple(values.values()), values)
    return tuple(found.values())[len(ended) :]


def _distribution(optuna: ModuleType, axis: Axis) -> Any:
    if axis.choices:
        return optuna.distributions.CategoricalDistribution(list(axis.choices))
    if axis.is_integer:
        return optuna.distributions.IntDistribution(
            int(axis.low), int(axis.high), log=axis.is_logarithmic
        )
    return optuna.distributions.FloatDistribution(axis.low, axis.high, log=axis.is_logarithmic)


def _value(axis: Axis, suggested: Value) -> Value:
    """A suggestion in the digits that all trials have."""
    if axis.choices or axis.is_integer:
        return suggested
    return axis.rounded(float(suggested))
