"""How every figure looks.

Figures are made with matplotlib's objects, not with pyplot, which keeps figures in a global list.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cnnrun.plots.lettering import font_families

DOTS_PER_INCH = 150  # of saved figures
INK = "#22272e"
QUIET_INK = "#6b7280"
GRID = "#e5e7eb"
SHADE = "#f3f4f6"
BLUE = "#1f6fb2"
ORANGE = "#e0701a"

_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": QUIET_INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
    "font.size": 9,
    "grid.color": GRID,
    "legend.frameon": False,
    "text.color": INK,
    "xtick.color": QUIET_INK,
    "xtick.labelcolor": INK,
    "ytick.color": QUIET_INK,
    "ytick.labelcolor": INK,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Within the block figures look as cnnrun's do, whatever the user's matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        matplotlib.rcParams["font.family"] = list(font_families())
        yield


def new_figure(*, width_inches: float, height_inches: float) -> Figure:
    """An empty figure with its canvas, whose parts make room for each other."""
    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def lay_out(figure: Figure) -> None:
    """Give the parts of a figure their places, which they keep in files of every form.

    Matplotlib would find them anew for each, which takes longer than to write an SVG file.
    """
    engine = figure.get_layout_engine()
    if engine is None:
        return
    figure.dpi = DOTS_PER_INCH  # the widths of letters depend on it
    with house_style():
        if figure.axes:
            engine.execute(figure)
        figure.set_layout_engine(None)


def frameless(axes: Axes) -> None:
    """Axes without ticks and spines, for images."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def showable(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """An image as matplotlib shows it: grey `(height, width)` or colour with 3 or 4 channels.

    Args:
        pixels: `(height, width, channels)` from 0 to 255; what is beyond is clipped. Of two
            channels the first is shown, of more than four the first three as red, green and blue.

    Returns:
        Values from 0 to 1.
    """
    values = np.clip(np.nan_to_num(pixels.astype(np.float64)) / 255, 0, 1)
    channels = values.shape[-1]
    if channels < 3:
        return values[..., 0]
    return values if channels <= 4 else values[..., :3]
