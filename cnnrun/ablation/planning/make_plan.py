"""From a study and a base config to a plan: arms, the tested contrasts, seeds and cells."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Final

from cnnrun.ablation.planning.arms import change_text, make_arms
from cnnrun.ablation.planning.contrasts import USUAL_SEEDS, declared_family, fewest_seeds
from cnnrun.ablation.planning.looks import check_looks
from cnnrun.ablation.planning.plan import Arm, Cell, Repetition, StudyPlan
from cnnrun.ablation.planning.tuning import plan_tuning
from cnnrun.ablation.studies.study import FEWEST_SEEDS, SEEDS_ADVICE, SEEDS_RULE, Repeat, Study
from cnnrun.config.data_section import SplitSpec
from cnnrun.config.metric_names import MetricName, metric_names, outputs_of
from cnnrun.config.scalar_kinds import LARGEST_SEED
from cnnrun.config.sections import Config
from cnnrun.errors import ConfigError, Problem, StudyError
from cnnrun.runs.result import LABEL_TEST_METRICS, TEST_METRICS
from cnnrun.wording import quoted, suggestion

_ALSO_MEASURED: Final = ("val_loss_area", "generalization_gap")
_MEASURED_OF_METRICS: Final = ("test_{}", "val_{}_area")
"""What a study has of each metric of the config."""
_ONLY_DESCRIBED: Final = ("epochs_to_target", "seconds_to_target")


@dataclass(frozen=True)
class Planned:
    """A plan, and what its reader should know before it starts."""

    plan: StudyPlan
    notes: tuple[str, ...]


def plan_study(
    study: Study,
    *,
    name: str,
    base: Path,
    overrides: Sequence[str],
    seeds: int | None,
) -> Planned:
    """The plan of a study, as though it had never been started.

    Args:
        study: the study.
        name: its name.
        base: the config that all arms start from.
        overrides: values of the command line that all arms share.
        seeds: the number of seeds; None for what the study says, or else what its contrasts need.

    Raises:
        ConfigError: values that the config refuses, or a metric that is not there.
        StudyError: one arm, equal arms, one seed, no contrast that has arms, looks that can find
            nothing, or a tuning that has nothing to go by.
    """
    if seeds is not None and seeds < FEWEST_SEEDS:
        raise StudyError.at("--seeds", rule=SEEDS_RULE, received=str(seeds), advice=SEEDS_ADVICE)
    arms = make_arms(study, base=base, overrides=overrides, with_settings=True)
    _check_metric(study, arms[0].config)
    family = declared_family(study, arms)
    needed = fewest_seeds(len(family.tested))
    usual = study.looks[0] if study.looks else max(USUAL_SEEDS, needed)
    number = seeds or study.seeds or usual
    if study.repeat is not None:
        check_folds(study.repeat, arms[0].config, seeds=seeds, resplit=study.resplit)
        number = study.repeat.folds * study.repeat.times
    check_looks(study.looks, seeds=number, contrasts=len(family.tested))
    every = seed_numbers(arms[0].config.seed, number)

    def arms_at(value: float) -> Sequence[Arm]:
        tuned = {arm.name: value for arm in arms}
        return make_arms(study, base=base, overrides=overrides, with_settings=True, tuned=tuned)

    plan = StudyPlan(
        name=name,
        base=base,
        shared=(*map(change_text, study.settings), *overrides),
        arms=arms,
        contrasts=family.contrasts,
        repetition=repetition_of(study, arms[0].config),
        seeds=every,
        added_seeds=every[study.looks[-1] :] if study.looks else (),
        cells=tuple(cells_of(study, arms, every)),
        tuning=plan_tuning(study, arms, arms_at=arms_at),
    )
    is_few = number < needed and not (study.resplit or study.repeat)
    few = (too_few_seeds(number, len(family.tested)),) if is_few else ()
    return Planned(plan, (*family.left_out, *few))


def check_folds(repeat: Repeat, config: Config, *, seeds: int | None, resplit: bool) -> None:
    """Raise unless the images of a config can be cut into folds.

    Raises:
        StudyError: seeds or their splits are asked for as well, or words say what the test is.
    """
    if resplit:
        raise StudyError.at(
            "resplit",
            rule="must be left out of a study with `repeat`, each of whose folds has its own split",
            received="true",
            advice="leave it out",
        )
    if seeds is not None:
        raise StudyError.at(
            "--seeds",
            rule="a study of folds trains each arm once a fold,"
            f" {repeat.folds} x {repeat.times} times",
            received=str(seeds),
            advice="leave it out, or change `repeat.times` in the study",
        )
    if "test" in config.data.split.words:
        raise StudyError.at(
            "data.split.test",
            rule="must be a share where a study has `repeat`, which cuts its folds from all images",
            received=quoted(config.data.split.words["test"]),
            advice="leave `test` out of data.split, or `repeat` out of the study",
        )


def repetition_of(study: Study, config: Config) -> Repetition:
    """What each seed draws anew."""
    validation, test = config.data.split.shares
    if study.repeat is not None:
        test = 1 / study.repeat.folds
        return Repetition(
            draws_splits=True,
            tested_share=validation if study.metric.name.startswith("val_") else test,
            trained_share=1 - test - validation,
            looks=(),
            folds=study.repeat.folds,
        )
    return Repetition(
        draws_splits=study.resplit and test > 0,
        tested_share=validation if study.metric.name.startswith("val_") else test,
        trained_share=1 - test - validation,
        looks=study.looks,
        folds=None,
    )


def seed_numbers(first: int, number: int) -> tuple[int, ...]:
    """So many seeds from the config's own on; after the largest comes 0."""
    return tuple((first + index) % (LARGEST_SEED + 1) for index in range(number))


def cells_of(study: Study, arms: Sequence[Arm], seeds: Sequence[int]) -> Iterator[Cell]:
    """All arms of a seed, then those of the next, so that pairs are complete early."""
    for index, seed in enumerate(seeds):
        for arm in arms:
            config = replace(arm.config, seed=seed)
            split = _split_of(study, config, index=index)
            config = replace(config, data=replace(config.data, split=split))
            diagnostics = study.diagnostics or config.train.diagnostics
            yield Cell(arm.name, seed, config, diagnostics, study.target)


def _split_of(study: Study, config: Config, *, index: int) -> SplitSpec:
    """The split of a cell whose seed is the one of this index."""
    split = config.data.split
    if study.repeat is not None:
        cut, fold = divmod(index, study.repeat.folds)
        seed = (split.seed + cut) % (LARGEST_SEED + 1)
        return replace(split, seed=seed, fold=(fold + 1, study.repeat.folds))
    return replace(split, seed=config.seed) if study.resplit else split


def too_few_seeds(seeds: int, contrasts: int) -> str:
    """That so many seeds cannot tell any contrast from chance, and how many could."""
    of = "its contrast" if contrasts == 1 else f"any of its {contrasts} contrasts"
    return (
        f"{seeds} seeds are too few to tell {of} from chance, whatever comes out: the smallest"
        f" p that {seeds} pairs can have is {2 / 2**seeds:.3g}; it takes {fewest_seeds(contrasts)}"
        f" seeds, `--seeds {fewest_seeds(contrasts)}`. Nothing will be claimed"
    )


def measured_names(config: Config) -> tuple[str, ...]:
    """What a study of this config can test."""
    own = [
        form.format(number)
        for metric in _metrics_of(config)
        for number in metric.in_lines
        for form in _MEASURED_OF_METRICS
    ]
    tested = LABEL_TEST_METRICS if config.data.is_multi_label else TEST_METRICS
    always = (*(f"test_{each}" for each in tested), *_ALSO_MEASURED)
    return tuple(dict.fromkeys([*always, *own]))


def _metrics_of(config: Config) -> tuple[MetricName, ...]:
    return metric_names(config.train.metrics, outputs=outputs_of(config.model, config.data))


def _check_metric(study: Study, config: Config) -> None:
    name = study.metric.name
    known = measured_names(config)
    if name in known:
        return
    rule, advice = "must be a metric of the study", suggestion(name, known)
    if name in _ONLY_DESCRIBED:
        rule = "must be a metric that every cell has"
        advice = "some may never reach the target: test `val_loss_area`, and it is listed beside"
    for metric, form in product(_metrics_of(config), _MEASURED_OF_METRICS):
        if name == form.format(metric.name):
            rule, advice = "must be a single number", metric.advice(form)
        elif metric.numbers is None and re.fullmatch(form.format(rf"{metric.name}_\d+"), name):
            return
    position = study.metric.written.position if study.metric.written else None
    raise ConfigError([Problem(position, "metric.name", rule, f"`{name}`", advice)])
