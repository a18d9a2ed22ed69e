"""What a figure says and shows."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from cnnrun.plots.figures import house_style


@pytest.fixture
def texts_of() -> Callable[[Figure], list[str]]:
    """The texts that stand in a figure, top to bottom of its parts, without numbers of axes."""

    def texts(figure: Figure) -> list[str]:
        found = [text.get_text() for text in figure.findobj(Text) if text.get_visible()]
        return [text for text in found if text and not text.replace(".", "").isdigit()]

    return texts


@pytest.fixture
def pixels_of() -> Callable[[Figure], np.ndarray]:
    """The figure as drawn, `(height, width, 3)`; a warning of the drawing fails the test."""

    def pixels(figure: Figure) -> np.ndarray:
        drawn = BytesIO()
        with house_style():
            figure.savefig(drawn, format="png", dpi=50)
        return np.asarray(Image.open(drawn).convert("RGB"))

    return pixels
