"""Writes the manual's table of what the named studies answered, from a course's folders.

cnnrun ablate --all --jobs 2            # about an hour on two quiet cores; goes on where it was
python tests/benchmarks/write_answers.py experiments
"""

import sys
from pathlib import Path

from cnnrun.ablation.reporting.answers import read_answer
from cnnrun.ablation.reporting.course_page import ANSWER_COLUMNS, answer_rows
from cnnrun.ablation.studies.named_studies import study_names
from cnnrun.runs.tables import markdown_table

CHAPTER = Path(__file__).parents[2] / "cnnrun" / "manual" / "studies.md"
HEADING = "## What they answered"


def main() -> None:
    """Replaces the table below the heading, and says which studies are missing."""
    experiments = Path(sys.argv[1])
    found = {name: read_answer(experiments / name) for name in study_names()}
    answers = [answer for answer in found.values() if answer is not None]
    table = markdown_table(ANSWER_COLUMNS, answer_rows(answers))
    before, heading, section = CHAPTER.read_text(encoding="utf-8").partition(HEADING)
    own, separator, after = section.partition("\n## ")
    lines = own.split("\n")
    rows = [number for number, line in enumerate(lines) if line.startswith("|")]
    lines[rows[0] : rows[-1] + 1] = table.rstrip("\n").split("\n")
    text = before + heading + "\n".join(lines) + separator + after
    CHAPTER.write_text(text, encoding="utf-8")
    missing = [name for name, answer in found.items() if answer is None]
    print(f"{len(answers)} of {len(found)} studies; not finished: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
