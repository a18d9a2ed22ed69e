"""The cells of a study with their keys, and what is refused before one is trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnrun.ablation.execution.cell_records import cell_folder
from cnnrun.ablation.execution.schedule import Numbered
from cnnrun.ablation.execution.tasks import CellTask
from cnnrun.ablation.planning.cell_keys import cell_key, data_content, weights_content
from cnnrun.ablation.planning.plan import Cell
from cnnrun.data.sources import read_manifest
from cnnrun.data.splits import cut_splits
from cnnrun.runs.environment import installed_packages
from cnnrun.runs.work_share import WorkShare


def refuse_small_shares(cells: Sequence[Cell]) -> None:
    """Raise where a share of the training images leaves none of a class, before a cell is trained.

    Raises:
        DataError: it does; or the source cannot be read.
    """
    shared = [each.config.data for each in cells if each.config.data.train_share is not None]
    manifests = {repr(data.uncut()): data for data in shared}
    for source, one in manifests.items():
        manifest = read_manifest(one)
        for data in shared:
            if repr(data.uncut()) == source:
                cut_splits(manifest, data)


def numbered_cells(
    cells: Sequence[Cell], folder: Path, *, with_git: bool, share: WorkShare | None
) -> list[Numbered]:
    """The cells with their keys; images are read once for each source of them.

    The cells of a share have the first turn, and then the shares that follow it.
    """
    versions = installed_packages()
    contents: dict[str, Mapping[str, Any]] = {}
    numbered = []
    for number, cell in enumerate(cells):
        data = cell.config.data
        source = repr(data.uncut())
        if source not in contents:
            contents[source] = data_content(data, cache_folder=folder)
        key = cell_key(
            cell.config,
            diagnostics=cell.diagnostics,
            data=contents[source],
            weights=weights_content(cell.config),
            versions=versions,
            is_tested=cell.is_tested,
        )
        task = CellTask(
            config=cell.config,
            diagnostics=cell.diagnostics,
            key=key,
            data=contents[source],
            versions=versions,
            folder=cell_folder(folder, key),
            cache_folder=folder,
            with_git=with_git,
            is_tested=cell.is_tested,
            pause_after=cell.pause_after,
        )
        turn = share.distance(number) if share else 0
        numbered.append(Numbered(number, cell, task, turn))
    return numbered
