"""What finished studies answered to their claims, read from their folders alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cnnrun.ablation.execution.cell_records import RUNS_FOLDER, read_record
from cnnrun.errors import RunError
from cnnrun.runs.files import read_json
from cnnrun.runs.folder import RunFolder

_RESULTS: Final = "results.json"
_PLAN: Final = "plan.json"


@dataclass(frozen=True)
class StudyAnswer:
    """What a finished study answered.

    Attributes:
        study: its name.
        folder: its folder.
        base: the name of the config's file.
        finished: when its results were written.
        minutes: the processor time of its cells and trials.
        claim: what results.json says of its claim; None where none can be answered.
    """

    study: str
    folder: Path
    base: str
    finished: datetime
    minutes: float
    claim: Mapping[str, Any] | None

    @property
    def answer(self) -> str:
        """Such as "held"."""
        return "no claim" if self.claim is None else str(self.claim["answer"])

    @property
    def parts(self) -> Sequence[Mapping[str, Any]]:
        """The contrasts that the claim speaks of, as results.json has them."""
        return () if self.claim is None else self.claim["contrasts"]

    @property
    def in_words(self) -> str:
        """The answer with its date and its config."""
        return f"{self.answer} ({self.finished:%Y-%m-%d}, {self.base})"

    def as_json(self) -> dict[str, Any]:
        """The answer as maps and lists."""
        return {
            "answer": self.answer,
            "contrasts": list(self.parts),
            "folder": str(self.folder),
            "base": self.base,
            "finished": self.finished.isoformat(timespec="seconds"),
            "minutes": round(self.minutes, 1),
        }


def last_answers(experiments: Path) -> dict[str, StudyAnswer]:
    """Study -> what its last run in a folder of experiments answered; of finished ones alone."""
    found: dict[str, StudyAnswer] = {}
    folders = sorted(experiments.iterdir()) if experiments.is_dir() else []
    for folder in folders:
        answer = read_answer(folder)
        if answer is not None and (
            answer.study not in found or answer.finished > found[answer.study].finished
        ):
            found[answer.study] = answer
    return found


def read_answer(folder: Path) -> StudyAnswer | None:
    """What the study in a folder answered; None for no study, or one that is not finished."""
    results = folder / _RESULTS
    if not (results.is_file() and (folder / _PLAN).is_file()):
        return None
    try:
        written, plan = read_json(results), read_json(folder / _PLAN)
        return StudyAnswer(
            study=str(written["study"]),
            folder=folder,
            base=str(plan["base"]),
            finished=datetime.fromtimestamp(results.stat().st_mtime, tz=UTC),
            minutes=_minutes(folder),
            claim=written.get("claim"),
        )
    except (RunError, KeyError, TypeError):
        return None


def _minutes(folder: Path) -> float:
    """The processor time of all runs; their wall time where that was not recorded."""
    runs = folder / RUNS_FOLDER
    records = [read_record(RunFolder(run)) for run in runs.iterdir()] if runs.is_dir() else []
    each = [record.seconds for record in records if record is not None]
    return sum(seconds.get("processor", seconds.get("total", 0.0)) for seconds in each) / 60
