"""What the tests of augmentation share: draws with everything on, and noise to move about."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cnnrun.augment.draws import Draws, draw

NOTHING: dict[str, Any] = {
    "rotation_range": 0.0,
    "width_shift_range": 0.0,
    "height_shift_range": 0.0,
    "shear_range": 0.0,
    "zoom_range": 0.0,
    "horizontal_flip": False,
    "vertical_flip": False,
    "brightness_range": None,
    "channel_shift_range": 0.0,
}


class Sheet:
    """Noise and draws for it."""

    def images(
        self, count: int, size: tuple[int, int], channels: int, *, seed: int = 0
    ) -> NDArray[np.uint8]:
        """Images without a flat spot, on which every misplaced pixel shows."""
        random = np.random.default_rng(seed)
        return random.integers(0, 256, (count, *size, channels), np.uint8)

    def draws(
        self, count: int, size: tuple[int, int], *, seed: int = 0, epoch: int = 0, **parameters: Any
    ) -> Draws:
        """Draws of an epoch for images 0, 1, 2, ..."""
        ids = np.arange(count, dtype=np.uint64)
        return draw(ids, seed=seed, epoch=epoch, image_size=size, **(NOTHING | parameters))


@pytest.fixture(scope="session")
def sheet() -> Sheet:
    """Noise and draws for it."""
    return Sheet()
