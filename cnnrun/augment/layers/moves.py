"""Layers that move pixels: flips, rotation, translation, shear, zoom, perspective."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.layers.layer import (
    Arguments,
    Draws,
    ImageLayer,
    Images,
    Shape,
    happens,
    limits,
    single,
)
from cnnrun.augment.layers.projection import Matrices, projected
from cnnrun.augment.lottery import Lottery

_RADIANS = np.float32(np.pi / 180)
_HALF, _ONE = np.float32(0.5), np.float32(1)
_DEGREES = 360


def _draw_flip(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    mode, flips = arguments["mode"], lottery.uniform("flips", 0, 1) <= 0.5
    none = np.zeros_like(flips)
    # As in Keras, one coin is thrown for both directions.
    return {
        "mirrored": flips if mode != "vertical" else none,
        "upside_down": flips if mode != "horizontal" else none,
    }


def _flip(images: Images, draws: Draws, arguments: Arguments) -> Images:
    mirrored, upside_down = draws["mirrored"], draws["upside_down"]
    images[mirrored] = images[mirrored][:, :, ::-1]
    images[upside_down] = images[upside_down][:, ::-1]
    return images


def _words_of_flip(draws: Draws, row: int) -> str:
    words = {"mirrored": "mirrored", "upside_down": "upside down"}
    return ", ".join(text for column, text in words.items() if draws[column][row])


def _draw_rotation(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    low, high = limits(arguments["factor"], least=-1)
    degrees = single(lottery.uniform("angle", low * _DEGREES, high * _DEGREES))
    return {"degrees": degrees, "matrices": _rotations(degrees, shape)}


def _rotations(degrees: NDArray[np.float32], shape: Shape) -> Matrices:
    """Turns about the centre (_compute_affine_matrix of Keras)."""
    height, width, _ = shape
    x, y = _HALF * np.float32(width - 1), _HALF * np.float32(height - 1)
    angles = degrees * _RADIANS
    cosines, sines = np.cos(angles), np.sin(angles)
    return _matrices(
        len(degrees),
        cosines,
        -sines,
        x - x * cosines - y * -sines,
        sines,
        cosines,
        y - x * sines - y * cosines,
    )


def _draw_translation(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    height, width, _ = shape
    down, across = (
        single(lottery.uniform(axis, *_either_side(arguments[f"{axis}_factor"])))
        * np.float32(length)
        for axis, length in (("height", height), ("width", width))
    )
    matrices = _matrices(len(lottery), 1, 0, -across, 0, 1, -down)
    return {"down": down, "across": across, "matrices": matrices}


def _draw_shear(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    signs = np.where(lottery.uniform("sign", 0, 1) > 0.5, -1, 1)
    x, y = (
        single(lottery.uniform(axis, *_either_side(arguments[f"{axis}_factor"])) * signs)
        for axis in "xy"
    )
    return {"x": x, "y": y, "matrices": _matrices(len(lottery), 1, x, 0, y, 1, 0)}


def _draw_zoom(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    height, width, _ = shape
    down = _draw_one_zoom(lottery, "height", arguments["height_factor"])
    of_width = arguments["width_factor"]
    across = down if of_width is None else _draw_one_zoom(lottery, "width", of_width)
    x = np.float32((width - 1) / 2) * (_ONE - across)
    y = np.float32((height - 1) / 2) * (_ONE - down)
    matrices = _matrices(len(lottery), across, 0, x, 0, down, y)
    return {"down": down, "across": across, "matrices": matrices}


def _draw_one_zoom(lottery: Lottery, axis: str, factor: Any) -> NDArray[np.float32]:
    low, high = _either_side(factor)
    return single(lottery.uniform(axis, 1 + low, 1 + high))


def _draw_perspective(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    height, width, _ = shape
    reach = 0.5 * arguments["scale"]
    factors = np.stack(
        [lottery.uniform(f"corner_{number}", -reach, reach) for number in range(8)], axis=1
    ).reshape(-1, 4, 2)
    right, bottom = width - 1, height - 1
    corners = np.array([[0, 0], [right, 0], [0, bottom], [right, bottom]], np.float32)
    moved = corners + corners * single(factors)
    if not right or not bottom:  # a line of pixels has no corners that tell
        nothing = np.zeros(len(lottery), np.bool_)
        return {"happens": nothing, "corners": moved, "matrices": _matrices(len(lottery))}
    return {
        "happens": happens(lottery, arguments["factor"]),
        "corners": moved,
        "matrices": _homographies(corners, moved),
    }


def _homographies(corners: NDArray[np.float32], moved: NDArray[np.float32]) -> Matrices:
    """Matrices from moved corners to corners (compute_homography_matrix of Keras).

    Args:
        corners: `(4, 2)`, x and y.
        moved: `(images, 4, 2)`.
    """
    count = len(moved)
    x, y = moved[..., 0].astype(np.float64), moved[..., 1].astype(np.float64)
    to_x, to_y = corners[:, 0], corners[:, 1]
    equations = np.zeros((count, 4, 2, 8))
    equations[:, :, 0, 0] = equations[:, :, 1, 3] = x
    equations[:, :, 0, 1] = equations[:, :, 1, 4] = y
    equations[:, :, 0, 2] = equations[:, :, 1, 5] = 1
    equations[:, :, 0, 6], equations[:, :, 0, 7] = -to_x * x, -to_x * y
    equations[:, :, 1, 6], equations[:, :, 1, 7] = -to_y * x, -to_y * y
    wanted = np.broadcast_to(corners.reshape(1, 8, 1), (count, 8, 1))
    solved: Matrices = np.linalg.solve(equations.reshape(count, 8, 8), wanted)[..., 0]
    return single(solved)


def _move(images: Images, draws: Draws, arguments: Arguments) -> Images:
    return projected(
        images,
        draws["matrices"],
        fill_mode=arguments["fill_mode"],
        fill_value=arguments["fill_value"],
        interpolation=arguments["interpolation"],
    )


def _tilt(images: Images, draws: Draws, arguments: Arguments) -> Images:
    tilted = draws["happens"]
    images[tilted] = projected(
        images[tilted],
        draws["matrices"][tilted],
        fill_mode="constant",
        fill_value=arguments["fill_value"],
        interpolation=arguments["interpolation"],
    )
    return images


def _words_of_rotation(draws: Draws, row: int) -> str:
    degrees = draws["degrees"][row]
    return f"rotation {abs(degrees):.1f}° {'↺' if degrees > 0 else '↻'}"


def _words_of_translation(draws: Draws, row: int) -> str:
    down, across = draws["down"][row], draws["across"][row]
    return (
        f"shift {abs(down):.1f} px {'down' if down > 0 else 'up'},"
        f" {abs(across):.1f} px {'right' if across > 0 else 'left'}"
    )


def _words_of_perspective(draws: Draws, row: int) -> str:
    return "perspective" if draws["happens"][row] else ""


def _matrices(count: int, *rows: Any) -> Matrices:
    """The six numbers that matrices without perspective have, for all images or each."""
    matrices = np.zeros((count, 8), np.float32)
    for column, values in enumerate(rows):
        matrices[:, column] = values
    return matrices


def _either_side(factor: Any) -> tuple[float, float]:
    """A range whose two ends a single number is (_set_factor of shifts, shears and zooms)."""
    return limits(factor, least=-1)


FLIP = ImageLayer(_draw_flip, _flip, _words_of_flip)
ROTATION = ImageLayer(_draw_rotation, _move, _words_of_rotation)
TRANSLATION = ImageLayer(_draw_translation, _move, _words_of_translation)
SHEAR = ImageLayer(
    _draw_shear,
    _move,
    lambda draws, row: f"shear ↔ {draws['x'][row]:+.2f} ↕ {draws['y'][row]:+.2f}",
)
ZOOM = ImageLayer(
    _draw_zoom,
    _move,
    lambda draws, row: f"zoom ↕ {draws['down'][row]:.2f} ↔ {draws['across'][row]:.2f}",
)
PERSPECTIVE = ImageLayer(_draw_perspective, _tilt, _words_of_perspective)
