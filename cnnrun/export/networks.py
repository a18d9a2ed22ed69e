"""Writes and opens a network's file by the module of its format, which nothing else imports."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.export.formats import Format

Infer = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From pixels `(images, height, width, channels)` to probabilities `(images, classes)`."""


def module_of(form: Format) -> Any:
    """The module of a format."""
    return import_module(form.module)


def open_network(form: Format, path: Path, *, threads: int | None) -> Infer:
    """A function from pixels to probabilities, computed by the format's own runtime.

    Args:
        form: the format.
        path: the network's file.
        threads: how many compute; None for one a core.

    Raises:
        ExportError: the file is damaged, or no network that cnnrun has exported.
    """
    infer: Infer = module_of(form).open_network(path, threads=threads)
    return infer
