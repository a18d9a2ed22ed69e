"""Keeping what TensorFlow says while it loads off the user's screen."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cnnrun.cli.terminal import waiting
from cnnrun.models.keras_start import load_keras


def load_tensorflow(*, quiet: bool = False) -> None:
    """Loads TensorFlow without its start-up notes on processor features, graphics cards, oneDNN.

    It takes some seconds, which a terminal is told, unless it is to be quiet.

    Its C++ side writes them from static initializers, some of which heed no variable, so that
    only a closed door helps. What the user has set is kept.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever ~/.keras/keras.json says
    with waiting("loading TensorFlow", quiet=quiet), standard_error_discarded():
        load_keras()


@contextmanager
def standard_error_discarded() -> Iterator[None]:
    """Within the block, what any code writes to the process's standard error is lost."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
