"""Figures as files that are the same for the same figure: SVG and PDF without a date."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import matplotlib
from matplotlib.figure import Figure

from cnnrun.plots.figures import house_style, lay_out

_SALT: Final = "cnnrun"
_SVG_OF_ANY_DAY: Final = ("Date", "Creator")
_PDF_OF_ANY_DAY: Final = ("CreationDate", "Creator", "Producer")


def svg(figure: Figure) -> bytes:
    """A figure as an SVG file."""
    return _file(figure, "svg", _SVG_OF_ANY_DAY)


def pdf(figure: Figure) -> bytes:
    """A figure as a PDF file, its letters as letters."""
    return _file(figure, "pdf", _PDF_OF_ANY_DAY)


def _file(figure: Figure, form: str, left_out: Sequence[str]) -> bytes:
    # None leaves a field out, of which matplotlib's types know nothing.
    metadata: Any = dict.fromkeys(left_out)
    lay_out(figure)
    with _reproducible():
        stream = io.BytesIO()
        figure.savefig(stream, format=form, facecolor="white", metadata=metadata)
        return stream.getvalue()


@contextmanager
def _reproducible() -> Iterator[None]:
    with house_style(), matplotlib.rc_context({"svg.hashsalt": _SALT, "pdf.fonttype": 42}):
        yield
