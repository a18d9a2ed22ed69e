"""ImageNet's classes, by the index that Keras's `decode_predictions` reads."""

import io
import json
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
from filelock import FileLock
from keras.src.backend.config import keras_home

from cnnrun.errors import DownloadError, ModelFileError

_FILE: Final = "imagenet_class_index.json"
_ADDRESS: Final = (
    f"https://storage.googleapis.com/download.tensorflow.org/data/{_FILE}"  # as in Keras
)
_CLASSES: Final = 1000


@dataclass(frozen=True)
class ImageNetClass:
    """A class: its name, such as "tabby", and its synset in WordNet, such as "n02123045"."""

    name: str
    wnid: str


def imagenet_classes() -> tuple[ImageNetClass, ...]:
    """The 1,000 classes in the order of the networks' outputs; downloaded to Keras's cache once.

    Raises:
        ModelFileError: the file in the cache is damaged.
        DownloadError: it is not there, and cannot be downloaded.
    """
    path = Path(keras_home()).expanduser() / "models" / _FILE
    if not path.exists():
        _download(path)
    try:
        index: dict[str, Any] = json.loads(path.read_bytes())
        pairs = [index[str(number)] for number in range(_CLASSES)]
        return tuple(ImageNetClass(name=name, wnid=wnid) for wnid, name in pairs)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError.at(
            path,
            rule="must be the list of ImageNet's classes",
            received="a file that is damaged or cannot be read",
            advice="delete it, and it is downloaded again",
        ) from error


def _download(path: Path) -> None:
    """The file at its place, by Keras's own download."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Keras shows its progress on standard output, which is for results.
        with FileLock(f"{path}.lock"), redirect_stdout(io.StringIO()):
            if not path.exists():  # another process may have been faster
                sys.stderr.write(f"downloading the names of ImageNet's classes to {path}\n")
                keras.utils.get_file(
                    path.name, _ADDRESS, cache_dir=path.parents[1], cache_subdir="models"
                )
    except Exception as error:  # Keras raises nothing more precise
        reason = str(error).removeprefix(f"URL fetch failure on {_ADDRESS}: None -- ")
        raise DownloadError.at(
            "",
            rule="the names of ImageNet's classes must be downloaded once",
            received=reason,
            advice=f"put the file {_ADDRESS} at {path}",
        ) from error
