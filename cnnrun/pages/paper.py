"""What a paper needs of a study: tables, figures, methods, the raw numbers, the plan's hash."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from cnnrun.errors import RunError
from cnnrun.pages.figures import pdf, svg
from cnnrun.pages.latex import latex_table, latex_text
from cnnrun.pages.markdown_sections import ReportTable, report_paragraphs, report_tables
from cnnrun.pages.study_figures import (
    DAMAGES,
    curves_figure,
    forest_figure,
    scatter_figure,
    slopes_figure,
    tuning_figure,
)
from cnnrun.pages.study_folder import StudyFolder
from cnnrun.runs.files import storage_errors, write_bytes, write_text
from cnnrun.runs.tables import markdown_table

_METHODS: Final = ("What is estimated", "Tuning", "The search", "Confirmation")
_ARM: Final = "arm"


def write_paper(study: StudyFolder, folder: Path) -> Path:
    """Write what a paper needs of a study into a folder, which is the result.

    Args:
        study: the study, finished.
        folder: where it goes; files of an earlier time are replaced, others stay.

    Raises:
        RunError: the study has no report or no results yet.
        StorageError: the folder cannot be written to.
    """
    text, results, plan = study.report(), study.results(), study.plan()
    if text is None or results is None or plan is None or "arms" not in results:
        raise RunError.at(
            study.path,
            rule="a paper needs a study that has finished, with report.md and results.json",
            received="one without" if text is None or results is None else "one without arms",
            advice="the `cnnrun ablate` that began it goes on with it",
        )
    try:
        tables = [
            (name, *_by_factor(table, results)) for name, table in _named(report_tables(text))
        ]
        figures = _figures(study, results, plan)
    except DAMAGES as error:
        raise RunError.at(
            study.path / "results.json",
            rule="must hold the results of a study",
            received="a damaged file, or one of another kind of folder",
            advice="the `cnnrun ablate` that wrote it writes it again",
        ) from error
    with storage_errors(folder):
        (folder / "figures").mkdir(parents=True, exist_ok=True)
    for name, header, rows in tables:
        write_text(folder / f"{name}.md", markdown_table(header, rows))
        write_text(folder / f"{name}.tex", latex_table(header, rows))
    for name, figure in figures:
        write_bytes(folder / "figures" / f"{name}.svg", svg(figure))
        write_bytes(folder / "figures" / f"{name}.pdf", pdf(figure))
    paragraphs = [*_methods(text), _of_plan(study)]
    write_text(folder / "methods.md", "\n\n".join(paragraphs) + "\n")
    write_text(folder / "methods.tex", "\n\n".join(map(latex_text, paragraphs)) + "\n")
    write_text(folder / "cells.csv", study.cells_text() or "")
    write_bytes(folder / "plan.json", study.plan_content())
    return folder


def _named(tables: Sequence[ReportTable]) -> list[tuple[str, ReportTable]]:
    """A file's name for each table: that of its section, numbered where it has several."""
    named, seen = [], dict.fromkeys((table.section for table in tables), 0)
    for table in tables:
        seen[table.section] += 1
        name = re.sub(r"[^a-z0-9]+", "_", table.section.lower()).strip("_") or "table"
        number = seen[table.section]
        named.append((name if number == 1 else f"{name}_{number}", table))
    return named


def _by_factor(
    table: ReportTable, results: Mapping[str, Any]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """A table whose column of arms becomes a column a factor."""
    levels = {arm["name"]: arm.get("levels") or {} for arm in results["arms"]}
    factors = list(next(iter(levels.values()), {}))
    known = all(row[0] in levels for row in table.rows)
    if table.header[:1] != (_ARM,) or not factors or not known:
        return table.header, list(table.rows)
    rows = [(*(levels[row[0]].get(name, "") for name in factors), *row[1:]) for row in table.rows]
    return (*factors, *table.header[1:]), rows


def _figures(
    study: StudyFolder, results: Mapping[str, Any], plan: Mapping[str, Any]
) -> list[tuple[str, Figure]]:
    cells, tune, repeat = study.cells(), plan.get("tune") or {}, plan.get("repeat") or {}
    draws: dict[str, Callable[[Mapping[str, Any]], Figure | None]] = {
        "contrasts": partial(forest_figure, unit="fold" if "folds" in repeat else "seed"),
        "pairs": slopes_figure,
        "learning_curves": partial(curves_figure, study, cells=cells),
        "arms": partial(scatter_figure, cells=cells),
        "tuning": partial(tuning_figure, is_logarithmic=tune.get("scale") == "log"),
    }
    drawn = ((name, draw(results)) for name, draw in draws.items())
    return [(name, figure) for name, figure in drawn if figure is not None]


def _methods(text: str) -> list[str]:
    """How the study was made, in the words of its report."""
    return [each for section in _METHODS for each in report_paragraphs(text, section) if each]


def _of_plan(study: StudyFolder) -> str:
    """When the plan was written, and what tells it from another."""
    content = study.plan_content()
    with storage_errors(study.path):
        written = datetime.fromtimestamp((study.path / "plan.json").stat().st_mtime, UTC)
    return (
        f"The plan (plan.json) was last written on {written:%Y-%m-%d at %H:%M:%S UTC} by the date"
        f" of its file; its SHA-256 is {hashlib.sha256(content).hexdigest()}."
    )
