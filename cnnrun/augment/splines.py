"""Interpolation of orders 2 to 5, which stays SciPy's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cnnrun.augment.geometry import Coordinates


def write_splines(
    out: NDArray[np.float32],
    image: NDArray[Any],
    matrix: Coordinates,
    *,
    fill_mode: str,
    cval: float,
    interpolation_order: int,
) -> None:
    """Write an image that is interpolated by splines.

    Args:
        out: `(height, width, channels)`.
        image: `(height, width, channels)`.
        matrix: `(2, 3)`, see `source_matrices`.
        fill_mode: what stands outside of the image.
        cval: the level outside, for "constant".
        interpolation_order: the order of the splines.
    """
    for channel in range(out.shape[2]):
        out[..., channel] = ndimage.affine_transform(
            image[..., channel].astype(np.float32),
            matrix[:, :2],
            matrix[:, 2],
            order=interpolation_order,
            mode=fill_mode,
            cval=cval,
        )
