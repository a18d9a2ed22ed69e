"""An exported folder: what is in it, how it appears whole or not at all, and how it is opened.

`onnx/` beside a run holds `model.onnx`, `classes.json`, `preprocessing.json`, `predict.py`,
`README.md` and `export.json`, which says what was measured and the hashes of the first three; where
an image may have several labels `thresholds.json`, hashed too.
"""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from blake3 import blake3

from cnnrun.errors import ExportError, RunError
from cnnrun.export.formats import FORMATS, Format
from cnnrun.export.image_rule import ImageRule
from cnnrun.runs.files import PARTIAL_PREFIX, read_json, storage_errors
from cnnrun.runs.thresholds import is_share
from cnnrun.shown_text import shown

EXPORT: Final = "export"
"""The folder of a run's exports, beside its other files."""

_ANEW: Final = "copy the folder again, or export the run again"
_LARGEST_TEXT: Final = 16 * 2**20


@final
@dataclass(frozen=True)
class ExportFolder:
    """A folder to hand over and the places of its files, whether they exist yet or not."""

    path: Path

    @property
    def export_json(self) -> Path:
        """What was exported and what came of measuring it."""
        return self.path / "export.json"

    @property
    def classes_json(self) -> Path:
        """The class names in the order of the network's outputs."""
        return self.path / "classes.json"

    @property
    def preprocessing_json(self) -> Path:
        """How an image becomes pixels: see image_rule.py."""
        return self.path / "preprocessing.json"

    @property
    def thresholds_json(self) -> Path:
        """From which probability on an image has a label, by label; not of one class an image."""
        return self.path / "thresholds.json"

    @property
    def predict_py(self) -> Path:
        """A script that needs neither cnnrun nor, but for a SavedModel, TensorFlow."""
        return self.path / "predict.py"

    @property
    def readme_md(self) -> Path:
        """The model card."""
        return self.path / "README.md"

    def hashes(self, *, is_multi_label: bool) -> dict[str, str]:
        """The hashes of what an answer rests on beside the network, by file name."""
        texts = self._of_answers(is_multi_label=is_multi_label)
        return {path.name: network_hash(path) for path in texts}

    def _of_answers(self, *, is_multi_label: bool) -> tuple[Path, ...]:
        thresholds = (self.thresholds_json,) if is_multi_label else ()
        return self.classes_json, self.preprocessing_json, *thresholds

    def refuse_changed_texts(self, hashes: object, *, is_multi_label: bool) -> None:
        """Raise unless the classes, the rule and the thresholds are those that were exported.

        Args:
            hashes: what export.json says of them; earlier exports say nothing.
            is_multi_label: whether there are thresholds.

        Raises:
            ExportError: they are not.
        """
        if not isinstance(hashes, dict):
            return
        for path in self._of_answers(is_multi_label=is_multi_label):
            if hashes.get(path.name) != network_hash(path):
                raise _damaged(path, "another content than export.json says")

    @property
    def texts(self) -> tuple[Path, ...]:
        """All of it but the network."""
        return (
            self.export_json,
            self.classes_json,
            self.preprocessing_json,
            self.thresholds_json,
            self.predict_py,
            self.readme_md,
        )


@final
@dataclass(frozen=True)
class Exported:
    """An exported folder that was found whole.

    Attributes:
        folder: the folder.
        form: the format of its network.
        network: the network's file.
        classes: in the order of its outputs.
        rule: how images become its pixels.
        thresholds: of labels, several of which an image may have; None for classes.
    """

    folder: ExportFolder
    form: Format
    network: Path
    classes: tuple[str, ...]
    rule: ImageRule
    thresholds: tuple[float, ...] | None = None


def looks_like_export(path: Path) -> bool:
    """Whether a folder is an exported one, even one that lacks files."""
    return os.path.isfile(ExportFolder(path).export_json)


def open_export(path: Path) -> Exported:
    """The exported folder at a path; nothing of it is run.

    Raises:
        ExportError: it lacks files, or they are damaged.
    """
    folder = ExportFolder(path)
    described = _read(folder.export_json)
    rule, classes = _read(folder.preprocessing_json), _read(folder.classes_json)
    form = FORMATS.get(str(described.get("format"))) if isinstance(described, dict) else None
    if form is None or not _is_name(described.get("file")):
        raise _damaged(folder.export_json, "no format and file of a network")
    is_list = isinstance(classes, list) and all(isinstance(each, str) for each in classes)
    is_multi_label = described.get("task") == "multi_label"
    fewest = 1 if is_multi_label else 2
    if not is_list or len(classes) < fewest or len(classes) != described.get("classes"):
        raise _damaged(folder.classes_json, f"not the names of {described.get('classes')} classes")
    network = path / described["file"]
    if not network.exists():
        raise ExportError.at(
            path,
            rule="an exported folder must have all its files",
            received=f"one without {network.name}",
            advice=_ANEW,
        )
    if network_hash(network) != described.get("hash"):
        raise _damaged(network, "another content than export.json says")
    thresholds = _thresholds(folder, classes) if is_multi_label else None
    folder.refuse_changed_texts(described.get("hashes"), is_multi_label=is_multi_label)
    try:
        found = ImageRule.from_json(rule)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, IndexError) as error:
        raise _damaged(folder.preprocessing_json, f"no rule for images: {error}") from error
    return Exported(folder, form, network, tuple(classes), found, thresholds)


def _thresholds(folder: ExportFolder, labels: Sequence[str]) -> tuple[float, ...]:
    """The threshold of each label, in their order."""
    written = _read(folder.thresholds_json)
    found = written if isinstance(written, dict) else {}
    if not all(is_share(found.get(name)) for name in labels):
        raise _damaged(folder.thresholds_json, "no number from 0 to 1 for each label")
    return tuple(float(found[name]) for name in labels)


def network_hash(network: Path) -> str:
    """The hash of a network's file, or of all files of its folder and their names.

    Raises:
        ExportError: it cannot be read.
    """
    files = sorted(file for file in network.rglob("*") if file.is_file()) or [network]
    found = blake3()
    try:
        for file in files:
            name = file.relative_to(network).as_posix()
            found.update(f"{name}\0{os.path.getsize(file)}\0".encode(errors="surrogateescape"))
            found.update_mmap(file)
    except OSError as error:
        raise ExportError.at(
            network,
            rule="must be readable",
            received=str(error.strerror or error),
            advice="check its permissions",
        ) from error
    return found.hexdigest(length=16)


def network_bytes(network: Path) -> int:
    """The size of a network's file, or of all files of its folder."""
    files = [file for file in network.rglob("*") if file.is_file()] or [network]
    return sum(os.path.getsize(file) for file in files)


@contextmanager
def whole_folder(path: Path) -> Iterator[ExportFolder]:
    """A folder beside `path` to write to; when the block ends well it takes the place of `path`.

    When the block fails, `path` is as it was and nothing is left beside it.

    Raises:
        ExportError: `path` holds what no export has written.
        StorageError: no space is left, or the place cannot be written to.
    """
    refuse_other_content(path)
    partial = path.with_name(f"{PARTIAL_PREFIX}{secrets.token_hex(4)}-{path.name}")
    with storage_errors(path):
        _remove_partial(path)
        partial.mkdir(parents=True)
    try:
        yield ExportFolder(partial)
        with storage_errors(path):
            _take_the_place(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def refuse_other_content(path: Path) -> None:
    """Raise unless a folder is absent, empty or an export with nothing else in it.

    Raises:
        ExportError: it is not; what is in it is the user's, and stays.
    """
    if not os.path.lexists(path):
        return
    if not path.is_dir() or path.is_symlink():
        raise ExportError.at(
            path,
            rule="an export needs a folder of its own",
            received="a link" if path.is_symlink() else "a file",
            advice="name another folder with --out",
        )
    own = {file.name for file in ExportFolder(path).texts}
    if looks_like_export(path):
        try:
            own.add(str(_read(ExportFolder(path).export_json).get("file")))
        except (ExportError, AttributeError):
            own |= {f"{form.file}{form.suffix}" for form in FORMATS.values()}
    else:
        own = set()
    others = sorted(entry.name for entry in path.iterdir() if entry.name not in own)
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise ExportError.at(
            path,
            rule="an export replaces an earlier one and nothing else",
            received=f"a folder that holds {shown(Path(others[0]))}{more}",
            advice="move that away, or name another folder with --out",
        )


def _take_the_place(partial: Path, path: Path) -> None:
    former = partial.with_name(f"{partial.name}-former")
    if path.exists():
        os.replace(path, former)
    try:
        os.replace(partial, path)
    except OSError:
        if former.exists():
            os.replace(former, path)
        raise
    shutil.rmtree(former, ignore_errors=True)


def _remove_partial(path: Path) -> None:
    """Remove what processes have left that were killed; put back what one had put aside."""
    for left in path.parent.glob(f"{PARTIAL_PREFIX}*-{path.name}-former"):
        if path.exists():
            shutil.rmtree(left, ignore_errors=True)
        else:
            os.replace(left, path)
    for left in path.parent.glob(f"{PARTIAL_PREFIX}*-{path.name}"):
        shutil.rmtree(left, ignore_errors=True)


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > _LARGEST_TEXT:
            raise _damaged(path, "more than 16 MB")
        return read_json(path)
    except FileNotFoundError as error:
        raise ExportError.at(
            path.parent,
            rule="an exported folder must have all its files",
            received=f"one without {path.name}",
            advice=_ANEW,
        ) from error
    except (RunError, OSError) as error:
        raise _damaged(path, "no JSON that can be read") from error


def _is_name(value: object) -> bool:
    """Whether a text is the name of a file in the folder itself."""
    return isinstance(value, str) and value not in ("", ".", "..") and Path(value).name == value


def _damaged(path: Path, received: str) -> ExportError:
    return ExportError.at(
        path, rule="must be as cnnrun exported it", received=received, advice=_ANEW
    )
