"""Rules of `preprocess`: what suits the images' channels, and how large they can be whitened."""

import math
from collections.abc import Mapping
from typing import Any, Final

from cnnrun.config.data_section import CHANNELS, DataSpec
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.places import Place, Refusal
from cnnrun.config.preprocess_section import COLORED, PREPROCESSING_FUNCTIONS, PreprocessSpec

LARGEST_WHITENING_BYTES: Final = 5 * 2**29
# float64: the covariance, a copy of it that becomes its eigenvectors, their copy in NumPy's order,
# and twice its size for LAPACK's divide and conquer.
_BYTES_AN_ENTRY: Final = 5 * 8


def whitening_refusal(shape: tuple[int, int, int]) -> Refusal | None:
    """Why images of (height, width, channels) are too large for ZCA, or None if they are not."""
    height, width, channels = shape
    needed = whitening_bytes(math.prod(shape))
    if needed <= LARGEST_WHITENING_BYTES:
        return None
    side = math.isqrt(math.isqrt(LARGEST_WHITENING_BYTES // _BYTES_AN_ENTRY) // channels)
    return (
        "ZCA needs a matrix of all pairs of an image's numbers, which must fit into"
        f" {_gibibytes(LARGEST_WHITENING_BYTES)} of memory",
        f"images of {height}x{width}x{channels}, for which it takes {_gibibytes(needed)}",
        f"take smaller images, up to `data.image_size: [{side}, {side}]`, or leave it out",
    )


def whitening_bytes(features: int) -> int:
    """The memory that fitting ZCA takes at its peak, for images of so many numbers."""
    return _BYTES_AN_ENTRY * features**2


def channels_refusal(function: str, channels: int) -> Refusal | None:
    """Why a preprocessing function cannot take so many channels, or None if it can."""
    if PREPROCESSING_FUNCTIONS[function] not in COLORED or channels == CHANNELS["rgb"]:
        return None
    return (
        f"the preprocessing of {function} is of red, green and blue",
        f"{channels} channel{'' if channels == 1 else 's'}",
        "write `color_mode: rgb` in `data`, or choose another preprocessing_function",
    )


def check_preprocessing(place: Place, values: Mapping[str, Any]) -> None:
    """Images have the channels that `preprocess` needs, and are not too large for it."""
    preprocess, data = values.get("preprocess"), values.get("data")
    if not isinstance(preprocess, PreprocessSpec) or not isinstance(data, DataSpec):
        return
    channels = data.known_channels
    # On top of a backbone, grey images have three equal channels before anything else happens.
    is_grey_made_colored = isinstance(model := values.get("model"), ModelSpec) and model.backbone
    function = None if is_grey_made_colored else preprocess.preprocessing_function
    if function is not None and channels is not None:
        refusal = channels_refusal(function, channels)
        _refuse(place, "preprocessing_function", refusal)
    if preprocess.zca_whitening and data.image_size is not None:
        _refuse(place, "zca_whitening", whitening_refusal((*data.image_size, channels or 1)))


def _refuse(place: Place, key: str, refusal: Refusal | None) -> None:
    if refusal is not None:
        rule, received, advice = refusal
        place.at("preprocess").refuse_key(key, rule, received=received, advice=advice)


def _gibibytes(size: int) -> str:
    return f"{size / 2**30:,.2f}".rstrip("0").rstrip(".") + " GiB"
