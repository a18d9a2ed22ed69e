"""The cells of a study, and the trials of a search, as tables of a page that sort and filter."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cnnrun.pages.study_folder import StudyFolder

_OF_CELLS: Final = ("arm", "seed", "state", "test_accuracy", "test_loss", "seconds_fit")
_OF_LABELS: Final = ("test_mean_average_precision", "test_exact_match")
"""What stands in place of the accuracy where images have several labels each."""
_NOT_OF_TRIALS: Final = ("run",)
_WORDS: Final = ("arm", "trial", "seed", "state", "why")

Rows = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class CellsTable:
    """A table of trainings.

    Attributes:
        title: what they are.
        explained: the same in a sentence.
        headings: (name, whether its column is sorted by numbers).
        rows: of each training: where its run is, and of each column its text and what sorts by it.
    """

    title: str
    explained: str
    headings: tuple[tuple[str, bool], ...]
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def cells_tables(
    study: StudyFolder, cells: Rows, results: Mapping[str, Any] | None, *, beside: bool
) -> list[CellsTable]:
    """The tables of a study's folder.

    Args:
        study: the folder.
        cells: the rows of its cells.csv.
        results: its results.json.
        beside: whether the page is going to stand in it, so that it can lead to the runs.
    """
    found = []
    if trials := study.trials():
        columns = [name for name in trials[0] if name not in _NOT_OF_TRIALS]
        words = "A trial is the training of one choice of values, judged on validation images"
        found.append(_table(study, "Every trial", words, trials, columns, beside=beside))
    if cells:
        words = "A cell is the training of an arm with a seed"
        columns = list(_columns_of_cells(cells, results))
        found.append(_table(study, "Every cell", words, cells, columns, beside=beside))
    return found


def _table(
    study: StudyFolder,
    title: str,
    explained: str,
    trainings: Rows,
    columns: Sequence[str],
    *,
    beside: bool,
) -> CellsTable:
    shown = [name for name in columns if any(each.get(name) for each in trainings)]
    return CellsTable(
        title,
        explained,
        tuple((name, name not in _WORDS) for name in shown),
        tuple(
            (
                _address(study, each.get("run", ""), beside=beside),
                tuple(_text(each.get(name, ""), name) for name in shown),
            )
            for each in trainings
        ),
    )


def _columns_of_cells(cells: Rows, results: Mapping[str, Any] | None) -> Iterator[str]:
    """The arm, the seed, what became of it, the tested metric and the usual ones."""
    metric = (results or {}).get("metric")
    tested = [str(metric["name"])] if isinstance(metric, dict) and "name" in metric else []
    numbers = (_OF_LABELS if _OF_LABELS[0] in cells[0] else _OF_CELLS[3:4]) + _OF_CELLS[4:]
    wanted = (*_OF_CELLS[:3], *tested, *numbers, "why")
    return (name for name in dict.fromkeys(wanted) if name in cells[0])


def _text(text: str, name: str) -> tuple[str, str]:
    """A cell as it is read, and what sorts by it."""
    if name in _WORDS:
        return text, text
    try:
        value = float(text)
    except ValueError:
        return text, ""
    return f"{value:.1f}" if name.startswith("seconds") else f"{value:.4g}", repr(value)


def _address(study: StudyFolder, name: str, *, beside: bool) -> str:
    """Where a run is from the page; nothing where it is not there."""
    if not name or not beside or not study.run(name).is_dir():
        return ""
    return f"runs/{study.run(name).name}/"
