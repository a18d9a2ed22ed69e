"""Layers that make one image of two: MixUp and CutMix."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import betaincinv

from cnnrun.augment.layers.layer import Arguments, Draws, Images, Shape, limits, per_image, single
from cnnrun.augment.layers.mixtures import beta
from cnnrun.augment.layers.neighbourhoods import box_edges, box_slices
from cnnrun.augment.lottery import Lottery

# Keeps the parameter of the distribution from being 0 (_generate_mix_weight).
_KERAS_EPSILON = 1e-6


@dataclass(frozen=True)
class PairLayer:
    """An image layer that mixes an image with a partner.

    Attributes:
        draw: as of an ImageLayer; the column "share" is what each image has of its own label.
        apply: from images, their partners, draws and arguments to mixed images.
        words: from draws and a row of them to a few words.
    """

    draw: Callable[[Lottery, Arguments, Shape], Draws]
    apply: Callable[[Images, Images, Draws, Arguments], Images]
    words: Callable[[Draws, int], str]


def _draw_mix_up(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    return {"share": single(beta(lottery, "share", arguments["alpha"]))}


def _mix_up(images: Images, partners: Images, draws: Draws, arguments: Arguments) -> Images:
    share = per_image(draws["share"])
    mixed: Images = share * images + (np.float32(1) - share) * partners
    return mixed


def _draw_cut_mix(lottery: Lottery, arguments: Arguments, shape: Shape) -> Draws:
    height, width, _ = shape
    low, high = limits(arguments["factor"], least=0)
    alphas = lottery.uniform("alpha", low, high) + _KERAS_EPSILON
    # Keras draws one parameter for a batch; here each image has its own.
    ratio = np.sqrt(1 - betaincinv(alphas, alphas, lottery.uniform("share", 0, 1)))
    left, right = box_edges(lottery, "x", length=width, share=ratio)
    top, bottom = box_edges(lottery, "y", length=height, share=ratio)
    covered = (right - left) * (bottom - top) / np.float32(width * height)
    return {
        "share": np.float32(1) - covered,
        "box": np.stack([top, bottom, left, right], axis=1),
    }


def _cut_mix(images: Images, partners: Images, draws: Draws, arguments: Arguments) -> Images:
    for row, box in enumerate(draws["box"]):
        inside = box_slices(box)
        images[row][inside] = partners[row][inside]
    return images


def _words_of_share(draws: Draws, row: int) -> str:
    return f"{draws['share'][row]:.0%} its own"


PAIR_LAYERS: Final[Mapping[str, PairLayer]] = {
    "MixUp": PairLayer(_draw_mix_up, _mix_up, _words_of_share),
    "CutMix": PairLayer(_draw_cut_mix, _cut_mix, _words_of_share),
}
