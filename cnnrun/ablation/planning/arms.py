"""The arms of a study: every combination of its factors' levels, as checked configs."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Final, cast

from cnnrun.ablation.planning.arm_names import arm_name
from cnnrun.ablation.planning.plan import Arm
from cnnrun.ablation.planning.role_changes import load_with_roles, without_roles
from cnnrun.ablation.planning.tuned_address import with_rate
from cnnrun.ablation.studies.activation_swaps import with_activation
from cnnrun.ablation.studies.batch_norm_moves import (
    check_only_batch_norm_moved,
    is_spelled_out,
    with_batch_norm_at,
)
from cnnrun.ablation.studies.factor_values import text_of
from cnnrun.ablation.studies.study import Factor, InLayerLists, Level, Study, problems_of
from cnnrun.ablation.studies.tune import LEARNING_RATE, Tune
from cnnrun.config.blocks import BlocksSpec
from cnnrun.config.composition import compose_files
from cnnrun.config.dump import plain_config, plain_layers, yaml_text
from cnnrun.config.layer_lists import BLOCK_RECORDS
from cnnrun.config.overrides import Change, override
from cnnrun.config.sections import Config
from cnnrun.config.values import BatchNormPosition
from cnnrun.config.yaml_tree import ListNode, MapNode
from cnnrun.errors import ConfigError, StudyError
from cnnrun.shown_text import shown

_THREADS_A_CELL: Final = 1
"""The number of threads changes results: one, however many cells run at a time."""
_OF_BLOCKS: Final = "model.blocks."
_BLOCKS: Final = BLOCK_RECORDS.keys() - {"classifier"}


@dataclass(frozen=True)
class _Combination:
    """One level of each factor."""

    name: str
    levels: Mapping[str, Level]


def make_arms(
    study: Study,
    *,
    base: Path,
    overrides: Sequence[str],
    with_settings: bool,
    tuned: Mapping[str, float] | None = None,
) -> tuple[Arm, ...]:
    """The arms, in the order of the factors' values, the last factor varying fastest.

    Args:
        study: the study.
        base: the config that all arms start from.
        overrides: values of the command line that all arms share, such as "train.epochs=5".
        with_settings: whether the study's own settings go before them.
        tuned: arm -> the value of what the study tunes; what the config says for the others.

    Raises:
        ConfigError: with all problems of all arms, each where it stands in study or config.
        StudyError: there are fewer than two arms, or two of them are equal.
    """
    shared = without_roles(base, [*(study.settings if with_settings else ()), *overrides])
    combinations = _combinations(study.factors)
    moving = _moving_factors(study, base, shared)
    arms: list[Arm] = []
    refusals: list[ConfigError] = []
    for combination in combinations:
        try:
            arm = _arm(combination, base=base, shared=shared, moving=moving)
            if study.tune is not None and tuned is not None and arm.name in tuned:
                arm = _tuned(arm, study.tune, tuned[arm.name], base=base, shared=shared)
            arms.append(arm)
        except ConfigError as error:
            refusals.append(error)
    if refusals:
        raise ConfigError(problems_of(refusals))
    if moving:
        _check_moves(arms, moving)
    _refuse_one_arm(arms)
    _refuse_equal_arms(arms)
    return tuple(arms)


def config_of_results(config: Config, *, relative_to: Path) -> dict[str, Any]:
    """The values of a config that results follow from: what is recorded of a training is none.

    Args:
        config: the config.
        relative_to: the folder that paths are relative to.
    """
    values = plain_config(config, relative_to=relative_to)
    values["train"].pop("diagnostics")
    return values


def config_digest(config: Config) -> str:
    """A short name of a config's values; where its files lie on the disk does not count.

    Nor does `model.blocks`, whose values stand in the blocks that use them.
    """
    without_blocks = replace(config, model=replace(config.model, blocks=BlocksSpec()))
    folder = config.source.absolute().parent
    text = yaml_text(config_of_results(without_blocks, relative_to=folder))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def change_text(change: Change) -> str:
    """A change as `--set` would have it: "train.epochs=5"."""
    return f"{change.address}={text_of(change.value)}"


def _combinations(factors: Mapping[str, Factor]) -> list[_Combination]:
    varied = [name for name, factor in factors.items() if len(factor.levels) > 1]
    combinations = []
    for levels in product(*(factor.levels for factor in factors.values())):
        chosen = dict(zip(factors, levels, strict=True))
        name = arm_name({factor: chosen[factor].label for factor in varied or factors})
        combinations.append(_Combination(name, chosen))
    return combinations


def _arm(
    combination: _Combination,
    *,
    base: Path,
    shared: Sequence[str | Change],
    moving: Mapping[str, InLayerLists],
) -> Arm:
    changes = [change for level in combination.levels.values() for change in level.changes]
    written = [change_text(change) for change in changes]
    config = load_with_roles(base, [*shared, *changes])
    for factor, what in moving.items():
        # Checked above as a value of a block, the level is known to be right.
        changes.append(_changed_layers(base, [*shared, *changes], what, combination.levels[factor]))
        config = load_with_roles(base, [*shared, *changes])
    labels = {name: level.label for name, level in combination.levels.items()}
    return Arm(combination.name, labels, tuple(written), single_threaded(config), tuple(changes))


def _tuned(
    arm: Arm, tune: Tune, value: float, *, base: Path, shared: Sequence[str | Change]
) -> Arm:
    """The arm with a value of what is tuned."""
    is_rate = tune.address == LEARNING_RATE
    written = with_rate(arm.config, value) if is_rate else f"{tune.address}={value!r}"
    config = load_with_roles(base, [*shared, *arm.changes, written])
    return replace(arm, overrides=(*arm.overrides, written), config=single_threaded(config))


def single_threaded(config: Config) -> Config:
    """The config with one thread, as each cell is trained.

    Raises:
        StudyError: it asks for several devices.
    """
    if config.train.devices != 1:
        raise StudyError.at(
            f"{shown(config.source)}: train.devices",
            rule="must be 1 in studies and searches, whose cells are trained side by side",
            received=f"{config.train.devices}",
            advice="leave it out, or write `--set train.devices=1`",
        )
    return replace(config, train=replace(config.train, threads=_THREADS_A_CELL))


def _moving_factors(
    study: Study, base: Path, shared: Sequence[str | Change]
) -> dict[str, InLayerLists]:
    """The factors whose levels change the layers of this base, if it spells its layers out.

    A single activation is left to the config: it says itself which one it has.
    """
    layers = _layers(base, shared)
    if layers is None or not is_spelled_out(layers):
        return {}
    return {
        name: factor.in_layer_lists
        for name, factor in study.factors.items()
        if factor.in_layer_lists == "move_batch_norm"
        or (factor.in_layer_lists is not None and len(factor.levels) > 1)
    }


def _changed_layers(
    base: Path, overrides: Sequence[str | Change], what: InLayerLists, level: Level
) -> Change:
    layers = _layers(base, overrides)
    if layers is None:
        raise TypeError(f"{base} was read, and has no list of layers")
    if what == "move_batch_norm":
        changed = with_batch_norm_at(layers, cast("BatchNormPosition", level.label))
    else:
        changed = with_activation(layers, level.changes[0].value)
    return Change("model.layers", layers.position, changed)


def _layers(base: Path, overrides: Sequence[str | Change]) -> ListNode | None:
    """The layer list of the changed config, if it has one."""
    root, _ = override(compose_files(base).root, without_roles(base, overrides))
    model = root.entries["model"].node if "model" in root.entries else None
    layers = model.entries.get("layers") if isinstance(model, MapNode) else None
    return layers.node if layers and isinstance(layers.node, ListNode) else None


def _check_moves(arms: Sequence[Arm], moving: Mapping[str, InLayerLists]) -> None:
    """Arms that differ in the place of batch norm alone have the same layers, batch norm aside."""
    moved = [name for name, what in moving.items() if what == "move_batch_norm"]
    groups: dict[tuple[str, ...], list[Arm]] = {}
    for arm in arms:
        rest = tuple(label for name, label in arm.levels.items() if name not in moved)
        groups.setdefault(rest, []).append(arm)
    for members in groups.values():
        check_only_batch_norm_moved(
            [(arm.name, plain_layers(arm.config.model.layers)) for arm in members]
        )


def _refuse_one_arm(arms: Sequence[Arm]) -> None:
    if len(arms) < 2:
        raise StudyError.at(
            "factors",
            rule="a study compares at least two arms",
            received=f"one, `{arms[0].name}`",
            advice="give one of its factors a second value",
        )


def _refuse_equal_arms(arms: Sequence[Arm]) -> None:
    first_with: dict[str, Arm] = {}
    for arm in arms:
        earlier = first_with.setdefault(config_digest(arm.config), arm)
        if earlier is not arm:
            raise StudyError.at(
                "factors",
                rule="no two arms of a study may be the same network, trained in the same way",
                received=f"`{earlier.name}` and `{arm.name}`",
                advice=_why_equal(earlier, arm),
            )


def _why_equal(earlier: Arm, arm: Arm) -> str:
    """What to do about two arms that differ in what was written and not in what it comes to."""
    varied = [change for change in arm.overrides if change not in earlier.overrides]
    of_blocks = [change.partition("=")[0] for change in varied if change.startswith(_OF_BLOCKS)]
    has_blocks = any(layer.kind in _BLOCKS for layer in arm.config.model.layers)
    if of_blocks and not has_blocks:
        return f"`{of_blocks[0]}` says something about blocks alone, and the config has none"
    if of_blocks:
        return f"look for layers that say something else than `{of_blocks[0]}` themselves"
    return "leave one of their values out"
