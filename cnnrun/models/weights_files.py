"""Files of weights: Keras's cache of ImageNet's, and a user's own, checked before they are used."""

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import keras
from filelock import FileLock
from keras.src.backend.config import keras_home
from keras.src.utils import file_utils
from keras.src.utils.naming import to_snake_case

from cnnrun.errors import DownloadError, ModelFileError
from cnnrun.file_kinds import not_a_file
from cnnrun.models.hdf5_files import UNREADABLE_HDF5, damaged, open_weights

_DOWNLOAD_AGAIN: Final = "delete it, and it is downloaded again"
_LOCK: Final = ".downloading.lock"
_NUMBERS: Final = "fiu"  # NumPy's kinds
_ORDER: Final = "layer_names"  # an attribute of the files that Keras 2 wrote


@dataclass
class Asked:
    """The file of ImageNet's weights that a constructor asked for, once it did."""

    path: Path | None = None

    def refuse_damage(self, error: BaseException) -> None:
        """Raise if what a constructor failed over is the file that it asked for.

        Raises:
            ModelFileError: so it is.
        """
        if self.path is not None:
            reason = "what it holds are not the weights of this network"
            raise _cached_damaged(self.path, reason) from error


@contextmanager
def imagenet_files(title: str) -> Iterator[Asked]:
    """Within the block, constructors of keras.applications get their weights' files from here.

    Keras by itself prints to standard output, downloads a damaged file again without a word,
    deletes it where there is no network, and looks elsewhere if its folder cannot be written to.

    Args:
        title: the network, for messages.
    """
    asked, original = Asked(), file_utils.get_file

    def fetched(fname: str, origin: str, *, file_hash: str | None = None, **_: Any) -> str:
        path = Path(keras_home()).expanduser() / "models" / fname
        if not path.exists():
            _download(original, path, origin, title=title)
        _refuse_damaged(path, file_hash)
        asked.path = path
        return str(path)

    file_utils.get_file = fetched
    try:
        yield asked
    finally:
        file_utils.get_file = original


def load_weights_file(model: Any, path: Path, *, title: str) -> None:
    """Give a network the weights of a file, if it is the file of such a network.

    Args:
        model: the network; it is of keras.applications.
        path: a `.weights.h5`, `.h5` or `.keras` file; in the last two, layers are told apart by
            their order alone.
        title: the network, for messages.

    Raises:
        ModelFileError: there is no such file, it is damaged, or holds weights of another network;
            the first layer that differs is named, with the shapes.
    """
    _require_file(path)
    with open_weights(path) as file:
        try:
            pairs = list(_in_order(file, model) if _is_in_order(file) else _by_kind(file, model))
            for pair in pairs:
                pair.refuse_other_than_numbers(path)
        except UNREADABLE_HDF5 as error:
            raise damaged(path, error) from error
        for pair in pairs:
            pair.refuse_mismatch(path, title)
        for pair in pairs:
            pair.load(path)


@dataclass(frozen=True, eq=False)
class _Pair:
    """A layer, and what a file holds for it; nothing if it ends before."""

    layer: Any
    name_in_file: str
    stored: tuple[Any, ...]

    def refuse_other_than_numbers(self, path: Path) -> None:
        """Raise unless what is stored are arrays of numbers."""
        for stored in self.stored:
            if not isinstance(stored, h5py.Dataset):
                received = f"a {type(stored).__name__.lower()}"
            elif stored.dtype.kind not in _NUMBERS:
                received = f"values of type {stored.dtype}"
            else:
                continue
            raise ModelFileError(
                f"{path}: weights must be arrays of numbers, received {received} for"
                f" {self.name_in_file}; it is no file of weights, or a damaged one"
            )

    def refuse_mismatch(self, path: Path, title: str) -> None:
        """Raise unless the weights have the layer's shapes."""
        received = [tuple(each.shape) for each in self.stored]
        expected = [] if self.layer is None else [tuple(w.shape) for w in _weights(self.layer)]
        if received == expected:
            return
        there = f"the file's {self.name_in_file} has {_listed(received)}"
        if self.layer is None:
            told = f"{there}, and the network ends before it"
        elif not received:
            told = f"{_described(self.layer)} has {_listed(expected)}, the file none for it"
        else:
            told = f"{_described(self.layer)} has {_listed(expected)}, {there}"
        raise ModelFileError(
            f"{path}: the weights must be those of {title} as it is configured; the first that"
            f" differ: {told}; check the network's name and arguments, such as alpha and"
            " include_top"
        )

    def load(self, path: Path) -> None:
        """Assign the weights."""
        for variable, stored in zip(_weights(self.layer), self.stored, strict=True):
            try:
                values = stored[()]
            except UNREADABLE_HDF5 as error:
                raise damaged(path, error) from error
            variable.assign(values)
        finish_loading(self.layer)


def finish_loading(layer: Any) -> None:
    """Let a layer take note of weights that were assigned: Normalization computes with copies."""
    if isinstance(layer, keras.layers.Normalization):
        layer.finalize_state()


def _download(get_file: Any, path: Path, origin: str, *, title: str) -> None:
    """The file at its place, by Keras's own download, which shows its progress on a terminal."""
    sys.stderr.write(f"downloading the weights of {title} from {origin} to {path}\n")
    shown = sys.stderr if sys.stderr.isatty() else io.StringIO()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.parent / _LOCK), redirect_stdout(shown):
            if not path.exists():  # another process may have been faster
                get_file(path.name, origin, cache_dir=path.parents[1], cache_subdir="models")
    except Exception as error:  # Keras raises nothing more precise
        reason = (
            str(error).removeprefix(f"URL fetch failure on {origin}: ").removeprefix("None -- ")
        )
        raise DownloadError(
            f"the weights of {title} cannot be downloaded: {reason}; put the file {origin} at"
            f" {path}, or write `weights: none`"
        ) from error


def _refuse_damaged(path: Path, file_hash: str | None) -> None:
    if file_hash is not None and not file_utils.validate_file(path, file_hash):
        raise _cached_damaged(path, "its checksum is not the one that Keras has")
    try:
        h5py.File(path).close()
    except OSError as error:
        raise _cached_damaged(path, f"it is no whole HDF5 file ({error})") from error


def _cached_damaged(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(f"{path}: the weights file is damaged: {reason}; {_DOWNLOAD_AGAIN}")


def _require_file(path: Path) -> None:
    if kind := not_a_file(path):
        raise ModelFileError(
            f"{path}: weights must be a .weights.h5, .h5 or .keras file, received {kind}; an"
            " earlier run is named without `name`"
        )


def _is_in_order(file: h5py.File) -> bool:
    return _ORDER in _root(file).attrs


def _root(file: h5py.File) -> Any:
    """The group of the weights: all of the file, unless Keras 2 saved a whole model."""
    return file.get("model_weights", file)


def _in_order(file: h5py.File, model: Any) -> Iterator[_Pair]:
    """Layers with weights and what a file of Keras 2's format has at the same number."""
    root = _root(file)
    layers = [layer for layer in model.layers if _weights(layer)]
    groups = [(name, tuple(_of_group(root[name]))) for name in _texts(root.attrs[_ORDER])]
    groups = [(name, stored) for name, stored in groups if stored]
    for number in range(max(len(layers), len(groups))):
        layer = layers[number] if number < len(layers) else None
        yield _Pair(layer, *(groups[number] if number < len(groups) else ("", ())))


def _of_group(group: Any) -> Iterator[Any]:
    for name in _texts(group.attrs["weight_names"]):
        yield group[name]


def _texts(names: Sequence[Any]) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _by_kind(file: h5py.File, model: Any, folder: str = "layers") -> Iterator[_Pair]:
    """Layers with weights and what a file of Keras 3's format has: `conv2d`, `conv2d_1` and so on.

    What else the file has, such as the weights of a top, is passed over, as Keras does.
    """
    seen: dict[str, int] = {}
    for layer in model.layers:
        kind = to_snake_case(type(layer).__name__)
        seen[kind] = seen.get(kind, -1) + 1
        path = f"{folder}/{kind}_{seen[kind]}" if seen[kind] else f"{folder}/{kind}"
        if isinstance(layer, keras.Sequential):
            yield from _by_kind(file, layer, f"{path}/layers")
        elif _weights(layer):
            group = file.get(f"{path}/vars", {})
            yield _Pair(layer, path, tuple(group[str(n)] for n in range(len(group))))


def _weights(layer: Any) -> list[Any]:
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _described(layer: Any) -> str:
    return f"{layer.name} ({type(layer).__name__})"


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return "weights of " + (", ".join(map(str, shapes)) if shapes else "no shape")
