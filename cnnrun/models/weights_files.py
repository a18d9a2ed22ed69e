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

from cnnrun.errors import DownloadError, ModelFileError
from cnnrun.file_kinds import not_a_file
from cnnrun.models.hdf5_files import UNREADABLE_HDF5, damaged, open_weights
from cnnrun.models.stored_networks import Pair, nearest_of, places_in, weights_of

_DOWNLOAD_AGAIN: Final = "delete it, and it is downloaded again"
_LOCK: Final = ".downloading.lock"
_NUMBERS: Final = "fiu"  # NumPy's kinds


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
        path: a `.weights.h5`, `.h5` or `.keras` file of the network: by itself, below another
            head, or as a model within the saved one.
        title: the network, for messages.

    Raises:
        ModelFileError: there is no such file, it is damaged, holds weights of another network (the
            first layer that differs is named, with the shapes), or several that fit.
    """
    _require_file(path)
    with open_weights(path) as file:
        try:
            places = places_in(file, model)
        except UNREADABLE_HDF5 as error:
            raise damaged(path, error) from error
        fitting = {place.name: reading for place in places if (reading := place.fitting())}
        _refuse_a_choice(path, title, list(fitting))
        reading = next(iter(fitting.values()), None) or nearest_of(places)
        try:
            for pair in reading:
                _refuse_other_than_numbers(path, pair)
        except UNREADABLE_HDF5 as error:
            raise damaged(path, error) from error
        for pair in reading:
            _refuse_mismatch(path, title, pair)
        for pair in reading:
            _load(path, pair)


def _refuse_a_choice(path: Path, title: str, places: list[str]) -> None:
    """Raise if a file holds several such networks: an ensemble, or a network and its copy."""
    if len(places) > 1:
        named = ", ".join(f"`{place}`" if place else "the model itself" for place in places)
        raise ModelFileError.at(
            path,
            rule=f"a weights file must hold one network that {title} can be",
            received=f"{len(places)}: {named}",
            advice="save the one that is meant by itself, in Python"
            " `model.get_layer(NAME).save_weights('one.weights.h5')`",
        )


def _refuse_other_than_numbers(path: Path, pair: Pair) -> None:
    for stored in pair.stored:
        if not isinstance(stored, h5py.Dataset):
            received = f"a {type(stored).__name__.lower()}"
        elif stored.dtype.kind not in _NUMBERS:
            received = f"values of type {stored.dtype}"
        else:
            continue
        raise ModelFileError.at(
            path,
            rule="weights must be arrays of numbers",
            received=f"{received} for {pair.name_in_file}",
            advice="it is no file of weights, or a damaged one",
        )


def _refuse_mismatch(path: Path, title: str, pair: Pair) -> None:
    if pair.fits:
        return
    there = f"the file's {pair.name_in_file} has {_listed(pair.received)}"
    if pair.layer is None:
        told = f"{there}, and the network ends before it"
    elif not pair.received:
        told = f"{_described(pair.layer)} has {_listed(pair.expected)}, the file none for it"
    else:
        told = f"{_described(pair.layer)} has {_listed(pair.expected)}, {there}"
    raise ModelFileError.at(
        path,
        rule=f"the weights must be those of {title} as it is configured",
        received=f"others; the first that differ: {told}",
        advice="check the network's name and arguments, such as alpha and include_top",
    )


def _load(path: Path, pair: Pair) -> None:
    for variable, stored in zip(weights_of(pair.layer), pair.stored, strict=True):
        try:
            values = stored[()]
        except UNREADABLE_HDF5 as error:
            raise damaged(path, error) from error
        variable.assign(values)
    finish_loading(pair.layer)


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
        raise DownloadError.at(
            "",
            rule=f"the weights of {title} must be downloaded once",
            received=reason,
            advice=f"put the file {origin} at {path}, or write `weights: none`",
        ) from error


def _refuse_damaged(path: Path, file_hash: str | None) -> None:
    if file_hash is not None and not file_utils.validate_file(path, file_hash):
        raise _cached_damaged(path, "its checksum is not the one that Keras has")
    try:
        h5py.File(path).close()
    except OSError as error:
        raise _cached_damaged(path, f"it is no whole HDF5 file ({error})") from error


def _cached_damaged(path: Path, reason: str) -> ModelFileError:
    return ModelFileError.at(
        path,
        rule="must be a file of weights",
        received=f"a damaged file: {reason}",
        advice=_DOWNLOAD_AGAIN,
    )


def _require_file(path: Path) -> None:
    if kind := not_a_file(path):
        raise ModelFileError.at(
            path,
            rule="weights must be a .weights.h5, .h5 or .keras file",
            received=kind,
            advice="an earlier run is named without `name`",
        )


def _described(layer: Any) -> str:
    return f"{layer.name} ({type(layer).__name__})"


def _listed(shapes: Sequence[tuple[int, ...]]) -> str:
    return "weights of " + (", ".join(map(str, shapes)) if shapes else "no shape")
