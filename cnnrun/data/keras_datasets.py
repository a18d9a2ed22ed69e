"""The image data sets that Keras downloads.

Keras unpacks CIFAR with pickle, after comparing the archive with the SHA-256 in its own source.
"""

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy.typing as npt

from cnnrun.errors import DataError
from cnnrun.shown_text import shown

# What Keras looks for in its own folder before it downloads, and where to get it. Archives keep
# the name that Keras gives them, which has no suffix.
FASHION_MNIST_FILES = (
    "train-labels-idx1-ubyte.gz",
    "train-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
)
CACHED_AS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mnist": ("mnist.npz",),
        "fashion_mnist": tuple(f"fashion-mnist/{name}" for name in FASHION_MNIST_FILES),
        "cifar10": ("cifar-10-batches-py-target_archive",),
        "cifar100": ("cifar-100-python-target_archive",),
    }
)


def arrays_of_keras_dataset(name: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of one of Keras's data sets, downloaded where Keras does not have it yet.

    Args:
        name: "mnist", "fashion_mnist", "cifar10" or "cifar100".

    Returns:
        `x_train`, `y_train`, `x_test` and `y_test` as Keras gives them.

    Raises:
        DataError: the data set is neither there nor can be downloaded.
    """
    try:
        # Keras reports its download on stdout, which is for results.
        with contextlib.redirect_stdout(sys.stderr):
            train, test = getattr(keras.datasets, name).load_data()
    except Exception as error:
        # A failed download is a plain Exception; anything more special is not ours to explain.
        if not (type(error) is Exception or isinstance(error, (OSError, ValueError, EOFError))):
            raise
        raise _unavailable(name, error) from error
    return {"x_train": train[0], "y_train": train[1], "x_test": test[0], "y_test": test[1]}


def _unavailable(name: str, error: Exception) -> Exception:
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"
    files = ", ".join(CACHED_AS[name])
    return DataError.at(
        f"data.keras_dataset {name}",
        rule="must be in Keras's folder or within reach of the network",
        received=" ".join(str(error).split()),
        advice=f"connect, or put {files} from another machine's Keras folder into {shown(folder)}",
    )
