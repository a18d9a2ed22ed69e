"""Writes the manual's table of what the named studies answered, from a course's folders.

cnnrun ablate --all --jobs 2            # about an hour on two quiet cores; goes on where it was
python tests/benchmarks/write_answers.py experiments
"""

import re
import sys
from pathlib import Path

from cnnrun.ablation.reporting.answers import read_answer
from cnnrun.ablation.reporting.course_page import (
    ANSWER_COLUMNS,
    CONTRAST_COLUMNS,
    answer_rows,
    contrast_rows,
)
from cnnrun.ablation.studies.named_studies import study_names
from cnnrun.runs.tables import markdown_table

CHAPTER = Path(__file__).parents[2] / "cnnrun" / "manual" / "studies.md"
HEADING = "## What they answered"


def main() -> None:
    """Replaces the two tables below the heading, and says which studies are missing."""
    experiments = Path(sys.argv[1])
    found = {name: read_answer(experiments / name) for name in study_names()}
    answers = [answer for answer in found.values() if answer is not None]
    tables = (
        markdown_table(ANSWER_COLUMNS, answer_rows(answers)),
        markdown_table(CONTRAST_COLUMNS, contrast_rows(answers)),
    )
    before, heading, section = CHAPTER.read_text(encoding="utf-8").partition(HEADING)
    own, separator, after = section.partition("\n## ")
    text_then_tables = re.split(r"(?:^\|.*\n)+", own, flags=re.MULTILINE)
    own = text_then_tables[0]
    for table, text in zip(tables, text_then_tables[1:], strict=True):
        own += table.rstrip("\n") + "\n" + text
    text = before + heading + own + separator + after
    CHAPTER.write_text(text, encoding="utf-8")
    missing = [name for name, answer in found.items() if answer is None]
    print(f"{len(answers)} of {len(found)} studies; not finished: {', '.join(missing) or 'none'}")


if __name__ == "__main__":
    main()
