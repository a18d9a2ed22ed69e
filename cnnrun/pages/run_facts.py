"""What a run was made of and with, as a page shows it: data, time and memory, code, commands."""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from cnnrun.errors import RunError
from cnnrun.pages.page_files import SeenData, read_data
from cnnrun.runs.data_states import SPLITS, ImageRecord, images_of
from cnnrun.runs.disk_room import size_text
from cnnrun.runs.files import read_json
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.result import RunResult
from cnnrun.runs.state import RunState

_DIFF_LETTERS: Final = 20_000


@dataclass(frozen=True)
class DataView:
    """The images that a run was made with.

    Attributes:
        rows: of each class: its name and how many images each of `SPLITS` has.
        totals: how many images each of `SPLITS` has.
        left_out: (path, reason) of images that could not be read.
        unread: how many images were in no split.
        notes: how the source was read.
        first_batch: (`data:` address, class) of the first training images.
        augmented_by: the parameters of `augment` that are on.
        fingerprint: what tells these images from others; empty where not recorded.
    """

    rows: tuple[tuple[str, tuple[int, ...]], ...]
    totals: tuple[int, ...]
    left_out: tuple[tuple[str, str], ...]
    unread: int
    notes: tuple[str, ...]
    first_batch: tuple[tuple[str, str], ...]
    augmented_by: tuple[str, ...]
    fingerprint: str


def data_view(
    run: RunFolder, classes: Sequence[str], environment: Mapping[str, Any]
) -> DataView | None:
    """The images of a run; None where nothing tells of them."""
    seen = read_data(run)
    recorded = environment.get("data")
    fingerprint = recorded.get("blake3", "") if isinstance(recorded, dict) else ""
    if seen is not None and all(len(each) == len(classes) for each in seen.counts.values()):
        return _of_page(seen, classes, str(fingerprint))
    try:
        images = images_of(run)
    except RunError:
        return None
    return None if images is None else _of_list(images, classes, str(fingerprint))


def _of_page(seen: SeenData, classes: Sequence[str], fingerprint: str) -> DataView:
    counts = [seen.counts.get(split, (0,) * len(classes)) for split in SPLITS]
    return DataView(
        rows=tuple(zip(classes, zip(*counts, strict=True), strict=True)),
        totals=tuple(map(sum, counts))
        if seen.totals is None
        else tuple(seen.totals.get(split, 0) for split in SPLITS),
        left_out=seen.left_out,
        unread=len(seen.left_out),
        notes=seen.notes,
        first_batch=tuple(
            (
                f"data:image/webp;base64,{webp}",
                (label or "no label") if isinstance(label, str) else classes[label],
            )
            for webp, label in seen.first_batch
            if isinstance(label, str) or 0 <= label < len(classes)
        ),
        augmented_by=seen.augmented_by,
        fingerprint=fingerprint,
    )


def _of_list(images: Sequence[ImageRecord], classes: Sequence[str], fingerprint: str) -> DataView:
    counts = Counter((image.split, image.label) for image in images)
    rows = [(name, tuple(counts[split, name] for split in SPLITS)) for name in classes]
    return DataView(
        rows=tuple(rows),
        totals=tuple(sum(each[1][number] for each in rows) for number in range(len(SPLITS))),
        left_out=(),
        unread=sum(not image.split for image in images),
        notes=(),
        first_batch=(),
        augmented_by=(),
        fingerprint=fingerprint,
    )


def time_facts(result: RunResult | None, state: RunState | None) -> Iterator[tuple[str, str]]:
    """What it took, a name and a value each."""
    if state is not None:
        yield "begun", state.started.replace("T", " ").replace("+00:00", " UTC")
    if result is None:
        return
    yield "in all", f"{result.seconds['total']:,.1f} s" if "total" in result.seconds else ""
    if "fit" in result.seconds:
        yield "training", f"{result.seconds['fit']:,.1f} s"
    if result.images_per_second == result.images_per_second:
        yield "speed", f"{result.images_per_second:,.0f} training images a second"
    if result.peak_memory_bytes is not None:
        yield "most memory", size_text(result.peak_memory_bytes)
    yield "parameters", f"{result.parameters:,}, {result.trainable_parameters:,} of them trained"
    yield "multiply-adds", f"{result.multiply_adds:,} for an image"


def made_with(environment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Machine, packages and the state of the code, a name and a value each."""
    processor = environment.get("processor")
    if isinstance(processor, dict):
        yield "processor", f"{processor.get('model')}, {environment.get('threads')} threads"
    if environment.get("gpus"):
        yield "GPUs", ", ".join(map(str, environment["gpus"]))
    if "platform" in environment:
        yield "system", f"{environment['platform']}, Python {environment.get('python')}"
    packages = environment.get("packages")
    if isinstance(packages, dict):
        yield "packages", ", ".join(f"{name} {version}" for name, version in packages.items())
    for key, name in (("git", "git"), ("cnnrun_git", "git of cnnrun")):
        state = environment.get(key)
        yield name, _git(state) if isinstance(state, dict) else "none"


def git_diff(environment: Mapping[str, Any]) -> str:
    """How the config's files differed from the commit; empty where they did not."""
    state = environment.get("git")
    diff = str(state.get("diff", "")) if isinstance(state, dict) else ""
    return diff if len(diff) <= _DIFF_LETTERS else f"{diff[:_DIFF_LETTERS]}\n…"


def given_command(environment: Mapping[str, Any]) -> str:
    """The command that made the run; empty where it is not known."""
    words = environment.get("command_line")
    if not isinstance(words, list) or not words:
        return ""
    first, *rest = map(str, words)
    return shlex.join([PurePath(first).name, *rest])


def environment_of_run(run: RunFolder) -> Mapping[str, Any]:
    """What environment.json says; nothing where it is absent or damaged."""
    try:
        written = read_json(run.environment_json)
    except RunError:
        return {}
    return written if isinstance(written, dict) else {}


def _git(state: Mapping[str, Any]) -> str:
    commit = state.get("commit") or "no commit yet"
    return f"{commit}{', with changes that were not committed' if state.get('dirty') else ''}"
