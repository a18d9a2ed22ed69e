"""Rules of `preprocess`: what suits the images' channels, and how large they can be whitened."""

import math
from collections.abc import Mapping
from typing import Any, Final

from cnnrun.config.applications import APPLICATIONS
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
    model = values.get("model")
    if isinstance(model, ModelSpec) and model.backbone:
        if model.stem and model.backbone.name and channels is not None:
            _check_below_stem(place, preprocess, model.backbone.name, channels)
        # Straight below a backbone, grey images have three equal channels before all else.
    elif preprocess.preprocessing_function is not None and channels is not None:
        refusal = channels_refusal(preprocess.preprocessing_function, channels)
        _refuse(place, "preprocessing_function", refusal)
    if preprocess.zca_whitening and data.image_size is not None:
        _refuse(place, "zca_whitening", whitening_refusal((*data.image_size, channels or 1)))


def _check_below_stem(
    place: Place, preprocess: PreprocessSpec, backbone: str, channels: int
) -> None:
    """What a stem takes has the images' own channels, which the backbone's means may not fit."""
    is_said = preprocess != PreprocessSpec()
    own = APPLICATIONS[backbone].module
    function = preprocess.preprocessing_function if is_said else own
    refusal = channels_refusal(function, channels) if function is not None else None
    if refusal is None:
        return
    if is_said:
        _refuse(place, "preprocessing_function", refusal)
        return
    rule, received, _ = refusal
    place.at("model", "stem").refuse(
        rule,
        received=received,
        advice="say how images are standardized for the stem, such as `preprocess:"
        " {samplewise_center: true, samplewise_std_normalization: true}`",
    )


def _refuse(place: Place, key: str, refusal: Refusal | None) -> None:
    if refusal is not None:
        rule, received, advice = refusal
        place.at("preprocess").refuse_key(key, rule, received=received, advice=advice)


def _gibibytes(size: int) -> str:
    return f"{size / 2**30:,.2f}".rstrip("0").rstrip(".") + " GiB"
