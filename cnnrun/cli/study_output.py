"""What `cnnrun ablate` prints: the studies there are, a study before it runs, and its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cnnrun.ablation.analysis.power import Power
from cnnrun.ablation.analysis.results import StudyResults
from cnnrun.ablation.execution.cell_room import BYTES_A_PARAMETER
from cnnrun.ablation.planning.plan import StudyPlan
from cnnrun.ablation.reporting.answers import StudyAnswer
from cnnrun.ablation.reporting.report import layer_changes, layer_differences, size_answer
from cnnrun.ablation.reporting.sentences import (
    claim_sentences,
    selection_sentence,
    sentence,
    supposition,
)
from cnnrun.ablation.reporting.tables import (
    CONSERVATIVE,
    EFFECTIVE,
    INFLUENTIAL,
    NO_NUMBERS,
    OVER_BOTH,
    OVER_SEEDS,
    arm_columns,
    arm_rows,
    contrast_columns,
    contrast_rows,
)
from cnnrun.ablation.reporting.tuning_report import tuned_sentence
from cnnrun.ablation.studies.named_studies import FoundStudy
from cnnrun.ablation.studies.study import Study
from cnnrun.cli.output import print_json, print_sentence, print_table, print_text
from cnnrun.runs.disk_room import size_text
from cnnrun.wording import duration


@dataclass(frozen=True)
class DryRun:
    """A study before it runs.

    Attributes:
        study: its question.
        plan: its arms and cells.
        folder: where it would go.
        parameters: arm -> parameters.
        multiply_adds: arm -> multiply-adds of an image.
        jobs: cells at a time.
        seconds: the wall time to expect.
        power: at several effects, with all seeds that are planned.
        equivalence_power: at several margins; none where no margin is declared.
    """

    study: Study
    plan: StudyPlan
    folder: Path
    parameters: Mapping[str, int]
    multiply_adds: Mapping[str, int]
    jobs: int
    seconds: float
    power: Sequence[Power]
    equivalence_power: Sequence[Power]

    @property
    def model_bytes(self) -> int:
        """The room that the models of all cells take."""
        tuning = self.plan.tuning
        models = [cell.arm for cell in self.plan.cells]
        models += tuning.arms * tuning.trials_an_arm if tuning else ()
        return BYTES_A_PARAMETER * sum(map(self.parameters.__getitem__, models))

    def as_json(self) -> dict[str, Any]:
        """The dry run as maps and lists."""
        return {
            "folder": str(self.folder),
            "question": self.study.question,
            "seeds": self.plan.seeds,
            "cells": len(self.plan.cells),
            "tuning": None if self.plan.tuning is None else asdict(self.plan.tuning),
            "jobs": self.jobs,
            "seconds": self.seconds,
            "bytes": self.model_bytes,
            "metric": self.study.metric.name,
            "contrasts": [contrast.name for contrast in self.plan.family],
            "arms": [
                {
                    "name": arm.name,
                    "overrides": arm.overrides,
                    "parameters": self.parameters[arm.name],
                    "multiply_adds": self.multiply_adds[arm.name],
                }
                for arm in self.plan.arms
            ],
            "looks": self.plan.repetition.looks,
            "power": [asdict(power) for power in self.power],
            "equivalence_power": [asdict(power) for power in self.equivalence_power],
        }


def print_studies(
    studies: Sequence[FoundStudy], answers: Mapping[str, StudyAnswer], *, as_json: bool
) -> None:
    """Prints the studies that come with cnnrun, and what their last runs answered.

    Args:
        studies: the studies.
        answers: study -> the answer of its last run, of those that were run.
        as_json: whether as a JSON document.
    """
    if as_json:
        document = [
            {
                "name": each.name,
                "question": each.study.question,
                "claim": each.study.claim,
                "last_run": answers[each.name].as_json() if each.name in answers else None,
            }
            for each in studies
        ]
        print_json({"studies": document})
        return
    columns = ["study", "question", *(["last answer"] if answers else []), "what is said"]
    rows = []
    for each in studies:
        last = [answers[each.name].in_words if each.name in answers else ""] if answers else []
        rows.append((each.name, each.study.question, *last, each.study.claim))
    print_table(tuple(columns), rows, expendable=("what is said",))


def print_dry_run(dry_run: DryRun) -> None:
    """Prints what a study is going to do, how long it takes and what it can find."""
    plan = dry_run.plan
    seeds = f"{len(plan.seeds)} seeds ({plan.seeds[0]} to {plan.seeds[-1]})"
    print_sentence(f"{plan.name}: {dry_run.study.question}")
    if plan.tuning is not None:
        values = ", ".join(f"{value:g}" for value in plan.tuning.values)
        print_sentence(
            f"{plan.tuning.trials} trials first, to"
            f" give each arm its own {plan.tuning.what}: {values}, with"
            f" {len(plan.tuning.seeds)} seeds each; more where an arm is best at an end"
        )
    print_text(
        f"{len(plan.cells)} cells: {len(plan.arms)} arms x {seeds} -> {dry_run.folder}\n"
        f"about {duration(dry_run.seconds)}, {dry_run.jobs} at a time, by one timed trial\n"
        f"about {size_text(dry_run.model_bytes)} on the disk, for the models of all cells\n"
    )
    print_table(
        ("arm", "changes", "parameters", "multiply-adds"),
        [
            (
                arm.name,
                ", ".join(arm.overrides),
                f"{dry_run.parameters[arm.name]:,}",
                f"{dry_run.multiply_adds[arm.name]:,}",
            )
            for arm in plan.arms
        ],
        numeric=frozenset({"parameters", "multiply-adds"}),
        expendable=("changes",),
    )
    changed, differences = layer_changes(dry_run.study), layer_differences(plan.arms)
    if changed and differences:
        print_sentence(f"\ntheir layers differ in {changed}, and in nothing else:\n")
        print_text("\n\n".join(differences))
    number = len(plan.family)
    corrected = f"{number} contrasts by Holm's correction" if number > 1 else "1 contrast"
    print_sentence(f"\ntested: {dry_run.study.metric.name}, {corrected}")
    print_text("\n".join(f"  {contrast.name}" for contrast in plan.family))
    print_sentence(f"\n{_seeds_of_power(plan)}:\n")
    print_power(dry_run.power, "true difference", "chance to find it", of=number)
    if dry_run.equivalence_power:
        margin = dry_run.study.metric.margin
        print_sentence(f"\nwhether arms are equivalent within ±{margin:g}, if they are equal:\n")
        print_power(dry_run.equivalence_power, "that margin", "chance to say so", of=number)


def _seeds_of_power(plan: StudyPlan) -> str:
    """With which seeds the power is to be had, and what it leaves out."""
    looks = plan.repetition.looks
    alone = "over seeds alone; that other images could be tested takes more"
    if plan.tuning is not None:
        alone += (
            "; the error of the tuned choice is in it, where the loss rises from the best value to"
            " the next one that is tried by a quarter of a standard deviation, which costs most"
        )
    if looks:
        listed = " and ".join(map(str, looks))
        return (
            f"what {looks[-1]} seeds find, looked at once ({alone}, and looks at {listed} seeds"
            " about a point)"
        )
    return f"what {len(plan.seeds)} seeds find ({alone})"


def print_power(powers: Sequence[Power], effect: str, chance: str, *, of: int) -> None:
    """Prints chances to find something, alone and as one of several contrasts."""
    columns = [f"{effect} in standard deviations", chance, *([f"as one of {of}"] if of > 1 else [])]
    print_table(
        tuple(columns),
        [
            (f"{each.effect:g}", f"{each.alone:.0%}", f"{each.corrected:.0%}")[: len(columns)]
            for each in powers
        ],
        numeric=frozenset(columns[1:]),
    )


def print_results(results: StudyResults, folder: Path) -> None:
    """Prints a study's tables, its answer, and what to beware of."""
    print_sentence(f"{results.plan.name}: {results.study.question}\n")
    columns = arm_columns(results)
    print_table(
        columns,
        list(arm_rows(results)),
        numeric=frozenset(columns[1:]),
        expendable=("seconds to it", "generalization_gap", "multiply-adds", "parameters"),
    )
    print_text("")
    print_contrasts(results)
    print_sentence(f"{supposition(results)}\n")
    if results.tuning is not None:
        print_sentence(tuned_sentence(results.tuning))
    for each in size_answer(results):
        print_sentence(each)
    for finding in results.findings:
        if not finding.contrast.beside:
            print_sentence(sentence(finding, results))
    if results.claim is not None:
        print_text("")
        whole, *parts = claim_sentences(results.claim)
        print_sentence(f"claim {whole}")
        for part in parts:
            print_sentence(part)
        print_text("")
    if results.best is not None:
        print_sentence(selection_sentence(results))
    for warning in results.warnings:
        print_sentence(f"beware: {warning}")
    print_text(f"{folder / 'report.md'}")


def print_contrasts(results: StudyResults) -> None:
    """Prints the table of contrasts, as many of its columns as fit."""
    columns = contrast_columns(results)
    print_table(
        columns,
        list(contrast_rows(results)),
        numeric=frozenset(columns) - NO_NUMBERS,
        expendable=(
            "in deviations",
            "pairs",
            "p",
            # Unless it is the only interval that there is.
            *([CONSERVATIVE] if {OVER_SEEDS, OVER_BOTH} & set(columns) else []),
            "won",
            "could find",
            INFLUENTIAL,
            EFFECTIVE,
        ),
    )
