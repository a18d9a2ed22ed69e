"""Groups of weights that an optimizer treats unlike others: their learning rates, their decay.

Keras's optimizers have one rate for all weights. What changes here is what the methods of one
instance do, for every optimizer alike, with no variable more: checkpoints stay what they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

import keras

from cnnrun.config.train_section import ParameterGroupsSpec
from cnnrun.errors import ConfigError, Problem
from cnnrun.models.network import BuiltLayer, Network
from cnnrun.wording import nearest

ADDRESS: Final = "train.parameter_groups"
# How Keras calls the weights that multiply: kernel, depthwise_kernel, recurrent_kernel, ...
_KERNEL: Final = "kernel"
_EMBEDDINGS: Final = "embeddings"


def apply_groups(
    optimizer: keras.optimizers.Optimizer, network: Network, groups: ParameterGroupsSpec
) -> None:
    """Let an optimizer that is not built yet treat the weights of a network by their groups.

    Args:
        optimizer: the optimizer; one that wraps another hands it on.
        network: the network whose weights it is going to move.
        groups: the groups.
    """
    while (inner := getattr(optimizer, "inner_optimizer", None)) is not None:
        optimizer = inner
    if groups.weight_decay == "kernels":
        optimizer.exclude_from_weight_decay(var_list=list(_undecayed(network)))
    factors = rate_factors(network, groups)
    if any(factor != 1 for factor in factors.values()):
        _use_rate_factors(
            optimizer,
            {
                optimizer._var_key(weight): factors[built.name]
                for built in network.layers
                if built.name in factors
                for weight in built.layer.weights
            },
        )


def rate_factors(network: Network, groups: ParameterGroupsSpec) -> Mapping[str, float]:
    """How many times the optimizer's learning rate each layer with weights has.

    By depth, the backbone's layers are counted and all others have 1; without a backbone the last
    layer has 1. Between them and the first layer factors are geometric. What a pattern names has
    the pattern's factor instead, the first one that names it.

    Args:
        network: the network.
        groups: the groups.
    """
    weighted = [built for built in network.layers if built.layer.weights]
    by_depth = dict(_by_depth(network, weighted, first=groups.first_layer or 1.0))
    patterns = groups.learning_rates or {}

    def factor(built: BuiltLayer) -> float:
        named = (rate for pattern, rate in patterns.items() if _is_named(built, pattern))
        return next(named, by_depth[built.name])

    return {built.name: factor(built) for built in weighted}


def layers_named(network: Network, pattern: str) -> tuple[str, ...]:
    """The names of the layers with weights that a pattern of a group names."""
    weighted = (built for built in network.layers if built.layer.weights)
    return tuple(built.name for built in weighted if _is_named(built, pattern))


def refuse_unfit_groups(network: Network, groups: ParameterGroupsSpec) -> None:
    """Raise where a pattern names no layer with weights, or none that those before it leave.

    Raises:
        ConfigError: so it is, with the nearest names, or with the pattern that comes first.
    """
    problems = [*_of_nothing(network, groups), *_of_what_others_name(network, groups)]
    if problems:
        raise ConfigError(problems)


def _of_nothing(network: Network, groups: ParameterGroupsSpec) -> list[Problem]:
    names = [built.name for built in network.layers if built.layer.weights]
    return [
        Problem(
            position=None,
            address=f"{ADDRESS}.learning_rates",
            rule="each must be the name of a layer with weights, or a pattern of such names",
            received=f"`{pattern}`",
            advice=nearest(pattern, names, otherwise="`cnnrun show` lists the layers"),
        )
        for pattern in groups.learning_rates or ()
        if not layers_named(network, pattern)
    ]


def _of_what_others_name(network: Network, groups: ParameterGroupsSpec) -> Iterator[Problem]:
    """The first pattern that names a layer counts, and one that is never the first does nothing."""
    first_of: dict[str, str] = {}
    for pattern in groups.learning_rates or ():
        named = layers_named(network, pattern)
        if named and all(name in first_of for name in named):
            before = first_of[named[0]]
            yield Problem(
                position=None,
                address=f"{ADDRESS}.learning_rates",
                rule="each must name a layer that none before it names, for the first one counts",
                received=f"`{pattern}` behind `{before}`",
                advice=f"write `{pattern}` before `{before}`, or leave it out",
            )
        first_of |= {name: pattern for name in named if name not in first_of}


def _by_depth(
    network: Network, weighted: Sequence[BuiltLayer], *, first: float
) -> Iterator[tuple[str, float]]:
    lent = frozenset(network.backbone.names) if network.backbone else frozenset()
    graded = [built.name for built in weighted if built.name in lent or not lent]
    # A head counts as one layer more, with which the backbone's last one has less than it.
    last = len(graded) if lent else max(1, len(graded) - 1)
    place = {name: number for number, name in enumerate(graded)}
    for built in weighted:
        yield built.name, first ** (1 - place.get(built.name, last) / last)


def _is_named(built: BuiltLayer, pattern: str) -> bool:
    """Whether a pattern is of a layer's name, of its path, or of a block that it stands in."""
    parts = built.path.split("/")
    around = ("/".join(parts[:length]) for length in range(1, len(parts) + 1))
    return any(fnmatchcase(name, pattern) for name in (built.name, *around))


def _undecayed(network: Network) -> Iterator[Any]:
    """Biases, what normalizes or scales, and the slopes of PReLU (He et al. 2015, section 2.1)."""
    for built in network.layers:
        for weight in built.layer.trainable_weights:
            if not weight.name.endswith(_KERNEL) and weight.name != _EMBEDDINGS:
                yield weight


def _use_rate_factors(optimizer: Any, factors: Mapping[int, float]) -> None:
    """Multiply the rate with which each variable is moved, and decays, by its factor.

    Args:
        optimizer: an optimizer of Keras that wraps no other.
        factors: the optimizer's key of a variable -> its factor; others have 1.
    """
    rate, step, decay = (
        optimizer._get_current_learning_rate,
        optimizer.update_step,
        optimizer._apply_weight_decay,
    )

    def factor_of(variable: Any) -> float:
        return factors.get(optimizer._var_key(variable), 1.0)

    def update_step(gradient: Any, variable: Any, learning_rate: Any) -> Any:
        return step(gradient, variable, learning_rate * factor_of(variable))

    def apply_weight_decay(variables: Sequence[Any]) -> None:
        for factor in dict.fromkeys(map(factor_of, variables)):
            # Keras asks the optimizer for its rate in there, and not the caller.
            optimizer._get_current_learning_rate = lambda factor=factor: rate() * factor
            try:
                decay([variable for variable in variables if factor_of(variable) == factor])
            finally:
                optimizer._get_current_learning_rate = rate

    optimizer.update_step = update_step
    optimizer._apply_weight_decay = apply_weight_decay
