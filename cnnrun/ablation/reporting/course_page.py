"""A course: the named studies one after the other, and the page that says what each answered."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cnnrun.ablation.reporting.answers import StudyAnswer
from cnnrun.ablation.reporting.sentences import CLAIM_RULE, interval_words
from cnnrun.runs.files import storage_errors, write_text
from cnnrun.runs.tables import markdown_table

CONSERVATIVELY: Final = " (conservative)"
ANSWER_COLUMNS: Final = ("study", "answer", "claim", "minutes")
CONTRAST_COLUMNS: Final = (
    "study",
    "contrast",
    "expected: found",
    "difference",
    "95 % over seeds",
    "95 % over seeds and images",
)


def course_file(experiments: Path, config: Path | None) -> Path:
    """Where the page of a course stands."""
    return experiments / (f"course-{config.stem}.md" if config else "course.md")


def write_course(
    file: Path,
    answers: Sequence[StudyAnswer],
    *,
    refused: Mapping[str, str],
    waiting: Sequence[str],
) -> None:
    """The page of a course, with those of its studies that are finished.

    Args:
        file: the page.
        answers: of the studies that are finished, in the order of the course.
        refused: study -> why the config cannot be asked.
        waiting: the studies that are not finished.

    Raises:
        StorageError: it cannot be written.
    """
    with storage_errors(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, "\n".join(_parts(file, answers, refused, waiting)) + "\n")


def answer_rows(answers: Sequence[StudyAnswer]) -> Iterator[tuple[str, ...]]:
    """A row of `ANSWER_COLUMNS` for each study."""
    for each in answers:
        claim = "" if each.claim is None else str(each.claim["claim"])
        yield (each.study, each.answer, claim, f"{each.minutes:.1f}")


def contrast_rows(answers: Sequence[StudyAnswer]) -> Iterator[tuple[str, ...]]:
    """A row of `CONTRAST_COLUMNS` for each contrast that a claim speaks of."""
    for each in answers:
        for part in each.parts:
            yield (each.study, *_part_cells(part))


def refused_for(refused: Mapping[str, str]) -> dict[str, str]:
    """What a config lacks -> the studies that cannot be asked for it, each reason once."""
    found: dict[str, str] = {}
    for study, why in refused.items():
        found[why] = f"{found[why]}, {study}" if why in found else study
    return found


def _part_cells(part: Mapping[str, Any]) -> tuple[str, ...]:
    said = (str(part["name"]), f"{part['expects']}: {part['verdict']}")
    if part["difference"] is None:
        return (*said, "", "", "")
    beyond = ""
    if part["over_seeds_and_images"] is not None:
        beyond = interval_words(*part["over_seeds_and_images"])
    elif part["conservative"] is not None:
        beyond = f"{interval_words(*part['conservative'])}{CONSERVATIVELY}"
    seeds = "" if part["over_seeds"] is None else interval_words(*part["over_seeds"])
    return (*said, f"{part['difference']:+.3g}", seeds, beyond)


def _parts(
    file: Path, answers: Sequence[StudyAnswer], refused: Mapping[str, str], waiting: Sequence[str]
) -> Iterator[str]:
    yield "# What the named studies answered\n"
    if answers:
        first, last = (f(each.finished for each in answers) for f in (min, max))
        dates = sorted({f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}"})
        bases = ", ".join(sorted({f"`{each.base}`" for each in answers}))
        yield f"{len(answers)} studies of {bases}, finished {' to '.join(dates)}. {CLAIM_RULE}"
        yield "Minutes are the processor time of all cells and trials.\n"
        yield markdown_table(ANSWER_COLUMNS, answer_rows(answers))
        yield (
            "What each answer rests on. The interval over seeds is of these runs; that over seeds"
            " and images is for other such images as well, and is what a verdict rests on.\n"
        )
        yield markdown_table(CONTRAST_COLUMNS, contrast_rows(answers))
        yield "Reports, each with its arms, learning curves and what to beware of:\n"
        for each in answers:
            yield f"- [{each.study}]({each.folder.name}/report.md)"
        yield ""
    if waiting:
        yield f"Not finished yet: {', '.join(waiting)}. The same command goes on with them.\n"
    for why, studies in refused_for(refused).items():
        yield f"Not asked of this config: {studies}.\n\n```text\n{why}\n```\n"
