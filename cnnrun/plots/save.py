"""A figure becomes a file."""

from pathlib import Path

from matplotlib.figure import Figure

from cnnrun.plots.figures import DOTS_PER_INCH, house_style, lay_out
from cnnrun.runs.files import replacing, storage_errors


def save_figure(figure: Figure, path: Path) -> None:
    """The figure as a PNG at `path`, whose folder is created when absent.

    Raises:
        StorageError: no space is left, or the place cannot be written to.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    lay_out(figure)
    with house_style(), replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=DOTS_PER_INCH, facecolor="white")
