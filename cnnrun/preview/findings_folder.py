"""What check-data found, as files: a table, contact sheets, and the groups that mend a leak."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cnnrun.data.bad_image import BadImageError
from cnnrun.data.check import DataReport, Look
from cnnrun.data.decoding import Decoding
from cnnrun.data.image_facts import Finding
from cnnrun.data.images import image_loader
from cnnrun.data.manifest import Manifest
from cnnrun.data.near_copies import connected
from cnnrun.plots.contact_sheet import Block, ContactSheet, Group, Tile, draw_contact_sheet
from cnnrun.plots.save import save_figure
from cnnrun.runs.files import write_text
from cnnrun.runs.tables import csv_lines
from cnnrun.wording import counted

SHOWN_AT_MOST = 24  # entries of a finding on its sheet
COPIES_SHOWN = 4  # of one picture

# Findings that are seen by looking, in the order of the sheets.
SEEN = (
    "conflicting_labels",
    "duplicates_across_splits",
    "near_copies_under_two_labels",
    "near_copies_across_splits",
    "near_copies",
    "blank",
    "odd_size",
    "odd_aspect",
    "transparent",
    "suspicious_labels",
    "outliers",
)


def write_findings(
    folder: Path, report: DataReport, look: Look, manifest: Manifest, decoding: Decoding
) -> tuple[Path, ...]:
    """The files that were written.

    `findings.csv` has a row for each image of each finding, with which a user deletes or regroups.
    `groups.csv`, where there are copies in files, is a table for `data.csv` with a group for each
    image. Sheets show the first pictures of each finding that can be seen.

    Raises:
        StorageError: one cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "findings.csv"
    write_text(table, csv_lines(_finding_rows(report, look)))
    written = [table]
    has_files = manifest.root is not None and manifest.packing is None
    if has_files and (groups := _groups(look)):
        path = folder / "groups.csv"
        write_text(path, csv_lines(_group_rows(manifest, groups, folder)))
        written.append(path)
    for finding in report.findings:
        if finding.kind in SEEN and finding.paths:
            path = folder / f"{finding.kind}.png"
            save_figure(draw_contact_sheet(sheet_of(finding, manifest, look, decoding)), path)
            written.append(path)
    return tuple(written)


def _finding_rows(report: DataReport, look: Look) -> Iterator[Sequence[object]]:
    facts = {fact.path: fact for fact in look.facts}
    yield "finding", "severity", "set", "path", "class", "split", "what"
    for finding in report.findings:
        for number, (paths, text) in enumerate(zip(finding.paths, finding.images, strict=False), 1):
            for path in paths:
                fact = facts[path]
                yield (
                    finding.kind,
                    finding.severity,
                    number,
                    path,
                    fact.label,
                    fact.split,
                    text,
                )


def _groups(look: Look) -> list[list[int]]:
    """The images that have to stay together: with the same pixels, or nearly."""
    first: dict[bytes, int] = {}
    same = [
        (first.setdefault(fact.digest, row), row)
        for row, fact in enumerate(look.facts)
        if not fact.reason
    ]
    return connected(len(look.facts), [*same, *look.near])


def _group_rows(
    manifest: Manifest, groups: Sequence[Sequence[int]], folder: Path
) -> Iterator[Sequence[object]]:
    """A table of all images: those of a group by its first one, groups of the source kept."""
    given = manifest.groups
    names = [given[row] if given else path for row, path in enumerate(manifest.paths)]
    # A group of copies joins the groups that its images had.
    pairs = [(group[0], row) for group in groups for row in group]
    if given:
        rows = {name: row for row, name in enumerate(given)}
        pairs += [(rows[name], row) for row, name in enumerate(given)]
    for together in connected(len(manifest), pairs):
        for row in together:
            names[row] = names[together[0]]
    yield "path", "label", "group"
    for row, name in enumerate(names):
        path = Path(os.path.relpath(f"{manifest.root}/{manifest.paths[row]}", folder)).as_posix()
        yield path, manifest.label_text(row), name


def sheet_of(finding: Finding, manifest: Manifest, look: Look, decoding: Decoding) -> ContactSheet:
    """The first pictures of a finding, copies side by side, as the network will see them."""
    load = _loader(manifest, decoding)
    rows = {path: row for row, path in enumerate(manifest.paths)}
    shown = finding.paths[:SHOWN_AT_MOST]
    groups = []
    for number, paths in enumerate(shown):
        text = finding.images[number] if number < len(finding.images) else ""
        detail = text.removeprefix(paths[0]).removeprefix(": ") if len(paths) == 1 else ""
        tiles = []
        for path in paths[:COPIES_SHOWN]:
            fact = look.facts[rows[path]]
            words = (path, f"{fact.label} {fact.split}".strip(), *detail.split(", "))
            tiles.append(Tile(load(rows[path]), tuple(filter(None, words)), outline=None))
        more = f", {len(paths) - COPIES_SHOWN} more" if len(paths) > COPIES_SHOWN else ""
        heading = f"{len(paths)} pictures{more}" if len(paths) > 1 else ""
        groups.append(Group(heading, "", tuple(tiles)))
    widest = max(len(group.tiles) for group in groups)
    blocks = [
        Block("", "", tuple(group for group in groups if len(group.tiles) == width))
        for width in range(widest, 0, -1)
        if any(len(group.tiles) == width for group in groups)
    ]
    rest = len(finding.paths) - len(shown)
    caption = [f"{finding.severity}: {finding.message}."]
    if rest > 0:
        first = counted(len(shown), "entry", "entries")
        caption.append(f"The first {first}; findings.csv has {rest:,} more.")
    return ContactSheet(finding.kind.replace("_", " "), tuple(caption), (), tuple(blocks))


def _loader(manifest: Manifest, decoding: Decoding) -> Any:
    """A function from a row to a picture of one size; grey where it cannot be decoded."""
    load, shape, _ = image_loader(manifest, decoding)

    def pixels(row: int) -> npt.NDArray[Any]:
        try:
            return load(row)
        except BadImageError:
            return np.full(shape, 128, np.uint8)

    return pixels
