"""Loops over pixels compiled to machine code by Numba, once for all runs on a machine."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_HOW: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
_lock = threading.Lock()


def inlined(function: Function) -> Function:
    """A function for compiled ones of the same file to call."""
    result: Function = numba.njit(**_HOW)(function)
    return result


def compiled(function: Function, signature: Any) -> Function:
    """A function in machine code, which other threads run beside.

    It is kept on disk where Numba finds a place: beside the source, or in the user's cache folder.

    Args:
        function: what Numba can compile; what it calls is of its own file, whose changes are seen.
        signature: its result and arguments as Numba's types.
    """
    with _lock:
        before = numba.config.SLP_VECTORIZE
        # Channels beside each other are reckoned at once: a third of the time for colours.
        numba.config.SLP_VECTORIZE = 1
        try:
            return _kept_on_disk(function, signature)
        finally:
            numba.config.SLP_VECTORIZE = before


def _kept_on_disk(function: Function, signature: Any) -> Function:
    result: Function
    try:
        result = numba.njit(signature, cache=True, **_HOW)(function)
    except (OSError, RuntimeError):  # no place, or no room: a second or two each time
        result = numba.njit(signature, **_HOW)(function)
    return result
