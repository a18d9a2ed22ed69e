"""`cnnrun report`: one HTML page of a run, of a study, or of runs side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnrun.cli import completion
from cnnrun.cli.options import Quiet
from cnnrun.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMPARISON = Path("comparison.html")


def report(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN_OR_STUDY",
            help="A run, a study, or several runs or folders of runs to compare.",
            autocompletion=completion.runs_and_studies,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE.html",
            help="Where the page goes; else report.html in its folder, or comparison.html here.",
        ),
    ] = None,
    paper: Annotated[
        Path | None,
        typer.Option(
            "--paper",
            metavar="DIR",
            help="Write a study's tables, figures and methods for a paper instead.",
        ),
    ] = None,
    maps: Annotated[
        bool,
        typer.Option(
            "--maps", help="Draw also what a run's network looked at in its mistakes (Grad-CAM)."
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Write a run or a study as one HTML page that needs no network, or runs side by side.

    It is made from their files alone. `train` and `ablate` write it at their end.

    For example: `cnnrun report experiments/digits`
    """
    from cnnrun.cli.output import print_text
    from cnnrun.pages.study_folder import looks_like_study
    from cnnrun.runs.folder import looks_like_run, open_run

    if len(paths) == 1 and not paths[0].is_dir():
        open_run(paths[0])  # says what it is instead
    is_study = len(paths) == 1 and looks_like_study(paths[0])
    if maps:
        is_run = len(paths) == 1 and not is_study and looks_like_run(paths[0])
        refuse_maps_of_others(paths, is_run=is_run, paper=paper)
        draw_maps(paths[0], quiet=quiet)
    if paper is not None:
        print_text(f"{paper_of(paths, is_study=is_study, folder=paper, out=out)}")
    elif is_study:
        print_text(f"{study_report(paths[0], out=out)}")
    elif len(paths) == 1 and looks_like_run(paths[0]):
        print_text(f"{run_report(paths[0], out=out)}")
    else:
        print_text(f"{comparison_report(paths, out=out or COMPARISON)}")


def run_report(path: Path, *, out: Path | None) -> Path:
    """The page of a run, at `out` or in its folder."""
    from cnnrun.pages.run_page import run_page
    from cnnrun.pages.written_page import write_page
    from cnnrun.runs.folder import RunFolder

    run = RunFolder(path)
    return write_page(run_page(run), out or run.report_html)


def refuse_maps_of_others(paths: "Sequence[Path]", *, is_run: bool, paper: Path | None) -> None:
    """Refuses maps of anything but one run."""
    if is_run and paper is None:
        return
    raise InputError.at(
        "--maps",
        rule="goes with one run's folder, and without --paper",
        received="--paper" if is_run else ", ".join(path.as_posix() for path in paths),
        advice="leave one of the two out" if is_run else "give one that `cnnrun train` made",
    )


def draw_maps(path: Path, *, quiet: bool) -> None:
    """Draws what a run's network looked at in its mistakes into its `page/`."""
    from cnnrun.cli.output import print_note
    from cnnrun.cli.tensorflow_chatter import load_tensorflow
    from cnnrun.cli.terminal import waiting
    from cnnrun.pages.page_files import require_mistakes
    from cnnrun.runs.folder import open_run, require_files

    run = open_run(path)
    require_files(run, run.resolved_yaml, run.classes_json, run.model_keras)
    require_mistakes(run)
    load_tensorflow(quiet=quiet)
    with waiting("looking at the mistakes", quiet=quiet):
        from cnnrun.explanation.page_maps import draw_page_maps

        notes = draw_page_maps(run)
    for note in notes:
        print_note(note, quiet=quiet)


def study_report(path: Path, *, out: Path | None) -> Path:
    """The page of a study, at `out` or in its folder."""
    from cnnrun.pages.study_folder import StudyFolder
    from cnnrun.pages.study_page import study_page
    from cnnrun.pages.written_page import write_page

    study = StudyFolder(path)
    return write_page(study_page(study, beside=out is None), out or study.report_html)


def comparison_report(paths: "Sequence[Path]", *, out: Path) -> Path:
    """The page of several runs, grouped as `compare` groups them."""
    from cnnrun.ablation.analysis.compared_runs import (
        DIFFERENCE_COLUMNS,
        compare_groups,
        comparison_sentences,
        difference_rows,
    )
    from cnnrun.pages.comparison_page import ComparedWords, comparison_page
    from cnnrun.pages.written_page import write_page
    from cnnrun.runs.comparing import compare_runs

    comparison = compare_runs(paths)
    compared, not_compared = compare_groups(comparison.groups)
    words = [
        ComparedWords(
            second=each.second,
            sentences=tuple(comparison_sentences(each)),
            columns=DIFFERENCE_COLUMNS,
            rows=tuple(difference_rows(each)),
        )
        for each in compared
    ]
    missing = [f"group {left.second}: {left.why}" for left in not_compared]
    return write_page(comparison_page(comparison, words, missing), out)


def paper_of(paths: "Sequence[Path]", *, is_study: bool, folder: Path, out: Path | None) -> Path:
    """A study's tables, figures and methods in a folder."""
    from cnnrun.pages.paper import write_paper
    from cnnrun.pages.study_folder import StudyFolder

    if not is_study:
        raise InputError.at(
            "--paper",
            rule="goes with a study's folder",
            received=", ".join(path.as_posix() for path in paths),
            advice="give one that `cnnrun ablate` made",
        )
    if out is not None:
        raise InputError.at(
            "--paper", rule="does not go with --out", received="both", advice="leave --out away"
        )
    return write_paper(StudyFolder(paths[0]), folder)
