"""A study's folder as a page reads it: what is there of its files, damaged ones being as absent."""

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cnnrun.errors import RunError
from cnnrun.runs.files import read_content, read_json
from cnnrun.runs.folder import looks_like_run
from cnnrun.runs.tables import read_csv_table

_PLAN: Final = "plan.json"
_CELL: Final = "cell.json"


@dataclass(frozen=True)
class StudyFolder:
    """The folder of a study, a search or of folds, and the places of its files."""

    path: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.absolute().name

    @property
    def report_html(self) -> Path:
        """The study as one page."""
        return self.path / "report.html"

    @property
    def plots(self) -> Path:
        """The folder of the figures."""
        return self.path / "plots"

    def report(self) -> str | None:
        """What report.md says; None where it is not there."""
        return self._text("report.md")

    def results(self) -> Mapping[str, Any] | None:
        """What results.json says of arms: of a search, of what confirmed its best trials."""
        written = self._json("results.json")
        confirmation = (written or {}).get("confirmation")
        return confirmation if isinstance(confirmation, dict) else written

    def plan(self) -> Mapping[str, Any] | None:
        """What plan.json says; None where it is damaged."""
        return self._json(_PLAN)

    def plan_content(self) -> bytes:
        """plan.json as it is; nothing where it cannot be read."""
        try:
            return read_content(self.path / _PLAN)
        except OSError:
            return b""

    def cells_text(self) -> str | None:
        """cells.csv as it is; None where it is not there."""
        return self._text("cells.csv")

    def cells(self) -> tuple[Mapping[str, str], ...]:
        """The rows of cells.csv by the names of its columns; none where it is not there."""
        return _rows(self.cells_text())

    def trials(self) -> tuple[Mapping[str, str], ...]:
        """The rows of a search's trials.csv; none where it is not there."""
        return _rows(self._text("trials.csv"))

    def run(self, name: str) -> Path:
        """The folder of a cell's run, by what cells.csv calls it."""
        # A name, and no way out of the folder.
        return self.path / "runs" / os.path.basename(name)

    def cells_done(self) -> int:
        """How many cells are done, listed or not."""
        return sum(1 for _ in (self.path / "runs").glob(f"*/{_CELL}"))

    def _json(self, name: str) -> Mapping[str, Any] | None:
        try:
            written = read_json(self.path / name)
        except RunError:
            return None
        return written if isinstance(written, dict) else None

    def _text(self, name: str) -> str | None:
        try:
            return read_content(self.path / name).decode("utf-8", errors="replace")
        except OSError:
            return None


def looks_like_study(path: Path) -> bool:
    """Whether a folder is that of a study, even one that has not finished."""
    return os.path.isfile(path / _PLAN) and not looks_like_run(path)


def _rows(text: str | None) -> tuple[Mapping[str, str], ...]:
    """The rows of a table by the names of its columns; none of a damaged one."""
    try:
        header, *rows = read_csv_table(text or "")
        return tuple(dict(zip(header, row, strict=True)) for row in rows)
    except (csv.Error, ValueError):
        return ()
