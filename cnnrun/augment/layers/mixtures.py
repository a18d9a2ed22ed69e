"""Layers that are made of others: RandomColorJitter, RandAugment, AugMix."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, gammaincinv

from cnnrun.augment.layers import hues, levels, moves, neighbourhoods
from cnnrun.augment.layers.layer import (
    Arguments,
    Draws,
    ImageLayer,
    Images,
    Shape,
    limits,
    per_image,
    single,
)
from cnnrun.augment.lottery import Lottery

_JITTERS: Final = {
    "brightness": levels.BRIGHTNESS,
    "contrast": levels.CONTRAST,
    "saturation": hues.SATURATION,
    "hue": hues.HUE,
}
"""The steps of RandomColorJitter, in its order."""

OPERATIONS: Final[Mapping[str, ImageLayer]] = {
    "random_shear": moves.SHEAR,
    "random_translation": moves.TRANSLATION,
    "random_rotation": moves.ROTATION,
    "random_posterization": levels.POSTERIZATION,
    "solarization": levels.SOLARIZATION,
    "auto_contrast": levels.AUTO_CONTRAST,
    "equalization": levels.EQUALIZATION,
    "random_brightness": levels.BRIGHTNESS,
    "random_color_degeneration": levels.DEGENERATION,
    "random_contrast": levels.CONTRAST,
    "random_sharpness": neighbourhoods.SHARPNESS,
}
"""What RandAugment and AugMix choose from, under the names of Keras's attributes."""

_WITHOUT_COLOURS: Final = tuple(OPERATIONS)[:7]
"""What AugMix chooses from with `all_ops: false`."""

_KERAS_BITS = 8
_WHITE = np.float32(255)


@dataclass(frozen=True, eq=False)
class Step:
    """What some of the images go through at once.

    Attributes:
        operation: its name in OPERATIONS.
        rows: which images.
        draws: the operation's, a row for each of those.
    """

    operation: str
    rows: NDArray[np.int64]
    draws: Draws


def _draw_jitter(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    return {
        name: layer.draw(lottery.within(name), {"factor": factor}, shape)
        for name, layer in _JITTERS.items()
        if (factor := arguments[f"{name}_factor"]) is not None
    }


def _jitter(images: Images, draws: Draws, arguments: Arguments) -> Images:
    for name, drawn in draws.items():
        images = _JITTERS[name].apply(images, drawn, arguments)
    return images


def _words_of_jitter(draws: Draws, row: int) -> str:
    return ", ".join(_JITTERS[name].words(drawn, row) for name, drawn in draws.items())


def _draw_rand_augment(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    # An operation that comes twice does the same twice, as in Keras.
    names = np.array(list(OPERATIONS))
    chosen = [lottery.choice(f"op_{number}", names) for number in range(arguments["num_ops"])]
    return {
        "ops": [_steps(lottery, operations, arguments, shape) for operations in chosen],
    }


def _steps(
    lottery: Lottery, operations: NDArray[np.str_], arguments: Arguments, shape: Shape
) -> list[Step]:
    """What each image goes through, the images of an operation together."""
    given = operation_arguments(arguments)
    steps = []
    for name in OPERATIONS:
        rows = np.flatnonzero(operations == name)
        if len(rows):
            some = lottery.of(rows).within(name)
            steps.append(Step(name, rows, OPERATIONS[name].draw(some, given[name], shape)))
    return steps


def operation_arguments(arguments: Arguments) -> dict[str, dict[str, Any]]:
    """The arguments that RandAugment and AugMix give to each of their operations."""
    factor = limits(arguments["factor"], least=0)
    how: dict[str, Any] = {
        "interpolation": arguments["interpolation"],
        "fill_mode": "reflect",
        "fill_value": 0.0,
    }
    special: dict[str, dict[str, Any]] = {
        "random_shear": {"x_factor": factor, "y_factor": factor},
        "random_translation": {"height_factor": factor, "width_factor": factor},
        "solarization": {"addition_factor": factor, "threshold_factor": factor},
        "random_posterization": {"factor": max(1, int(_KERAS_BITS * factor[1]))},
        "equalization": {"bins": 256},
    }
    return {name: how | special.get(name, {"factor": factor}) for name in OPERATIONS}


def _rand_augment(images: Images, draws: Draws, arguments: Arguments) -> Images:
    for steps in draws["ops"]:
        images = _through(images, steps, arguments)
    return images


def _through(images: Images, steps: list[Step], arguments: Arguments) -> Images:
    given = operation_arguments(arguments)
    for step in steps:
        operation = OPERATIONS[step.operation]
        images[step.rows] = operation.apply(images[step.rows], step.draws, given[step.operation])
    return images


def _words_of_steps(draws: Draws, row: int) -> str:
    return ", ".join(word for steps in draws["ops"] if (word := _word_of(steps, row)))


def _word_of(steps: list[Step], row: int) -> str:
    """What an image goes through at a step, which at most one operation is."""
    for step in steps:
        found = np.flatnonzero(step.rows == row)
        if len(found):
            return OPERATIONS[step.operation].words(step.draws, int(found[0]))
    return ""


def _draw_aug_mix(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    names = np.array([*(OPERATIONS if arguments["all_ops"] else _WITHOUT_COLOURS), ""])
    chains = [
        [
            _steps(place, place.choice("op", names), arguments, shape)
            for place in (
                lottery.within(f"chain_{chain}.{depth}")
                for depth in range(arguments["chain_depth"])
            )
        ]
        for chain in range(arguments["num_chains"])
    ]
    alpha = arguments["alpha"]
    return {
        "chains": chains,
        "weights": single(_dirichlet(lottery, alpha, len(chains))),
        "original": single(beta(lottery, "original", alpha)),
    }


def _dirichlet(lottery: Lottery, alpha: float, length: int) -> NDArray[np.float64]:
    """Shares that sum to 1, `(images, length)`."""
    numbers = [lottery.uniform(f"weight_{place}", 0, 1) for place in range(length)]
    gammas = gammaincinv(alpha, np.stack(numbers, axis=1))
    sums = gammas.sum(axis=1, keepdims=True)
    even = np.full_like(gammas, 1 / length)
    shares: NDArray[np.float64] = np.divide(gammas, sums, out=even, where=sums > 0)
    return shares


def beta(lottery: Lottery, column: str, alpha: float) -> NDArray[np.float64]:
    """Numbers of the distribution Beta(alpha, alpha), `(images,)`."""
    numbers: NDArray[np.float64] = betaincinv(alpha, alpha, lottery.uniform(column, 0, 1))
    return numbers


def _aug_mix(images: Images, draws: Draws, arguments: Arguments) -> Images:
    mixed = np.zeros_like(images)
    for number, chain in enumerate(draws["chains"]):
        changed = images.copy()
        for steps in chain:
            changed = _through(changed, steps, arguments)
        mixed += changed * per_image(draws["weights"][:, number])
    original = per_image(draws["original"])
    return np.clip(original * images + (np.float32(1) - original) * mixed, 0, _WHITE)


def _words_of_aug_mix(draws: Draws, row: int) -> str:
    return f"original {draws['original'][row]:.0%}, and {len(draws['chains'])} chains"


COLOR_JITTER = ImageLayer(_draw_jitter, _jitter, _words_of_jitter)
RAND_AUGMENT = ImageLayer(_draw_rand_augment, _rand_augment, _words_of_steps)
AUG_MIX = ImageLayer(_draw_aug_mix, _aug_mix, _words_of_aug_mix)
