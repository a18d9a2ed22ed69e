"""`cnnrun ablate --all`: the named studies one after the other, with one page at the end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cnnrun.cli.output import print_json, print_note, print_sentence, print_table, print_text
from cnnrun.errors import ConfigError, InputError, StudyError, WorkError

if TYPE_CHECKING:
    from cnnrun.ablation.reporting.answers import StudyAnswer
    from cnnrun.cli.ablate import AskedStudy


@dataclass(frozen=True)
class Course:
    """The named studies of a config.

    Attributes:
        asked: those that can be asked, in the order in which they run.
        refused: the others, with the reason.
        page: where their answers are going to stand.
    """

    asked: "tuple[AskedStudy, ...]"
    refused: Mapping[str, str]
    page: Path


def config_of_course(
    study: str | None, config: Path | None, *, values: Sequence[str], into: Path | None
) -> Path | None:
    """The config that a course is of: the only argument, where there is one.

    Raises:
        InputError: a study is named as well, or an option that is of one study.
    """
    if study is not None and config is not None:
        raise InputError.at(
            "--all",
            rule="takes a config alone, since it runs all studies",
            received=f"`{study}` and `{config}`",
            advice="leave the study, or --all, out",
        )
    for option, is_given in (("--values", bool(values)), ("--into", into is not None)):
        if is_given:
            raise InputError.at(
                option,
                rule="is of one study",
                received="--all",
                advice="name a study, or leave the option out",
            )
    return config if study is None else Path(study)


def prepare_course(
    config: Path | None, prepare: "Callable[[str, Path | None], AskedStudy]", *, experiments: Path
) -> Course:
    """The course of a config, each study checked as far as can be before a cell is trained.

    Args:
        config: the config; None for each study's own example.
        prepare: the study of a name.
        experiments: the folder that the page goes to.

    Raises:
        StudyError: no study can be asked of the config.
    """
    from cnnrun.ablation.reporting.course_page import course_file
    from cnnrun.ablation.studies.named_studies import study_names

    asked, refused = [], {}
    errors: list[ConfigError | StudyError] = []
    for name in study_names():
        try:
            asked.append(prepare(name, config))
        except (ConfigError, StudyError) as error:
            refused[name] = str(error)
            errors.append(error)
    if not asked:
        raise errors[0]
    return Course(tuple(asked), refused, course_file(experiments, config))


def show_course(course: Course, *, jobs: int | None, as_json: bool, quiet: bool) -> None:
    """Prints what each study of a course is going to do, how long it takes and what it can find."""
    from cnnrun.ablation.analysis.crossed_intervals import detectable
    from cnnrun.ablation.execution.run_cells import study_seconds, time_trial
    from cnnrun.cli.terminal import waiting
    from cnnrun.runs.environment import usable_cores
    from cnnrun.wording import duration

    workers = jobs or usable_cores()
    rows, document, total = [], [], 0.0
    refused = dict(course.refused)
    for asked in course.asked:
        plan = asked.plan
        try:
            with waiting(f"training an epoch of {plan.name}", quiet=quiet):
                trial = time_trial(
                    {arm.name: arm.config for arm in plan.arms},
                    diagnostics=any(cell.diagnostics for cell in plan.cells),
                    folder=asked.folder.parent,
                )
        except InputError as error:
            refused[plan.name] = str(error)
            continue
        seconds = study_seconds(plan, trial, jobs=workers)
        total += seconds
        trials = plan.tuning.trials if plan.tuning else 0
        pairs = len(plan.seeds)
        finds = detectable(variance=1 / pairs, freedom=pairs - 1)
        rows.append(
            (plan.name, str(trials), str(len(plan.cells)), f"{seconds / 60:.1f}", f"{finds:.2g}")
        )
        document.append(
            {
                "study": plan.name,
                "folder": str(asked.folder),
                "trials": trials,
                "cells": len(plan.cells),
                "seconds": seconds,
                "finds_in_deviations": finds,
            }
        )
    if as_json:
        print_json(
            {"studies": document, "seconds": total, "jobs": workers}
            | {"refused": refused, "page": str(course.page)}
        )
        return
    print_table(
        ("study", "trials", "cells", "minutes", "finds"),
        rows,
        numeric=frozenset({"trials", "cells", "minutes", "finds"}),
    )
    print_sentence(
        f"\nabout {duration(total)} in all, {workers} cells at a time, by a timed trial of each;"
        " “finds” is the difference between two arms that is found in four of five cases, in"
        " standard deviations of the seeds' differences, where other images do not add to them"
    )
    print_refused(refused)
    print_text(f"\n{course.page}")


def run_course(
    course: Course, run: "Callable[[AskedStudy], None]", *, as_json: bool, quiet: bool
) -> None:
    """Runs the studies of a course that are not finished, and writes its page.

    Args:
        course: the course.
        run: runs a study, or finds that it is done.
        as_json: whether the answers are printed as a JSON document.
        quiet: whether nothing else is said.

    Raises:
        InputError: no study can be asked of these images.
        WorkError: cells of some study failed; the others were run.
    """
    from cnnrun.ablation.reporting.answers import read_answer
    from cnnrun.ablation.reporting.course_page import write_course

    failed: dict[str, str] = {}
    refused = dict(course.refused)
    errors: list[InputError] = []
    for number, asked in enumerate(course.asked, start=1):
        print_note(f"study {number} of {len(course.asked)}", quiet=quiet)
        try:
            run(asked)
        except InputError as error:  # such as too few images for what it changes
            refused[asked.plan.name] = str(error)
            errors.append(error)
        except WorkError as error:
            failed[asked.plan.name] = str(error)
            print_note(str(error), quiet=quiet)
        answers = [answer for each in course.asked if (answer := read_answer(each.folder))]
        settled = {answer.study for answer in answers} | refused.keys()
        waiting = [each.plan.name for each in course.asked if each.plan.name not in settled]
        write_course(course.page, answers, refused=refused, waiting=waiting)
    if len(errors) == len(course.asked):
        raise errors[0]
    if as_json:
        studies = [{"study": each.study, **each.as_json()} for each in answers]
        print_json({"studies": studies, "refused": refused, "page": str(course.page)})
    else:
        print_answers(answers)
        print_refused(refused)
        print_text(f"\n{course.page}")
    if failed:
        raise WorkError.at(
            course.page,
            rule="says what the studies answered whose cells have all been trained",
            received=f"{len(failed)} whose cells failed, the first {next(iter(failed))}:"
            f" {next(iter(failed.values()))}",
            advice="the same command tries these again, and nothing else",
        )


def print_answers(answers: "Sequence[StudyAnswer]") -> None:
    """Prints what studies answered, and the contrasts that their claims speak of."""
    from cnnrun.ablation.reporting.course_page import (
        ANSWER_COLUMNS,
        CONTRAST_COLUMNS,
        answer_rows,
        contrast_rows,
    )

    print_table(ANSWER_COLUMNS, list(answer_rows(answers)), numeric=frozenset({"minutes"}))
    print_text("")
    print_table(
        CONTRAST_COLUMNS,
        list(contrast_rows(answers)),
        numeric=frozenset({"difference"}),
        expendable=("95 % over seeds",),
    )


def print_refused(refused: Mapping[str, str]) -> None:
    """Prints which studies the config cannot be asked, and what it lacks."""
    from cnnrun.ablation.reporting.course_page import refused_for

    for why, studies in refused_for(refused).items():
        print_text("")
        print_sentence(f"not asked of this config: {studies}")
        print_text(why)
