"""The section `augment`: ImageDataGenerator's parameters for training images, and their ranges."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Final, Literal, get_args

from cnnrun.config.augment_layers import IMAGE_LAYERS
from cnnrun.config.kinds import Either, ListOf, Nullable
from cnnrun.config.places import Place
from cnnrun.config.scalar_kinds import Boolean, Choice, Integer, Number
from cnnrun.config.values import KerasCall

FillMode = Literal["nearest", "reflect", "constant", "wrap"]

_SHIFT: Final = Either(
    (Integer(0), Number(0), ListOf(Number(), "numbers", minimum=1)),
    "a number of at least 0, or a list of numbers to choose from",
)
_PIXELS: Final = "if below 1, else pixels; an integer draws whole pixels below it"


def check_pairs(place: Place, values: Mapping[str, Any]) -> None:
    """The first number of a range is not above the second."""
    for key in ("brightness_range", "zoom_range"):
        pair = values.get(key)
        if isinstance(pair, tuple) and pair[0] > pair[1]:
            place.entry(key).refuse(
                "the first number must not be above the second",
                received=f"[{pair[0]:g}, {pair[1]:g}]",
                advice=f"write [{pair[1]:g}, {pair[0]:g}]",
            )


@dataclass(frozen=True, kw_only=True)
class AugmentSpec:
    """What happens to training images, drawn anew each epoch; nothing by default.

    Names and meanings are ImageDataGenerator's, but for `layers`, which are Keras's image layers.
    """

    rotation_range: Annotated[
        float, Number(0), "the largest rotation to either side, in degrees"
    ] = 0.0
    width_shift_range: Annotated[
        float | tuple[float, ...], _SHIFT, f"the largest shift, a share of the width {_PIXELS}"
    ] = 0.0
    height_shift_range: Annotated[
        float | tuple[float, ...], _SHIFT, f"the largest shift, a share of the height {_PIXELS}"
    ] = 0.0
    brightness_range: Annotated[
        tuple[float, float] | None,
        Nullable(ListOf(Number(0), "numbers", length=2)),
        "the lowest and the highest factor of the levels",
    ] = None
    shear_range: Annotated[
        float, Number(0), "the largest angle of the shear to either side, in degrees"
    ] = 0.0
    zoom_range: Annotated[
        float | tuple[float, float],
        Either(
            (Number(0, 1), ListOf(Number(above=0), "numbers", length=2)),
            "a number from 0 to 1, or a list of 2 numbers above 0",
        ),
        "how far the zoom is from 1, or the lowest and the highest zoom",
    ] = 0.0
    channel_shift_range: Annotated[
        float, Number(0), "the most that is added to a channel's levels or taken off, of 255"
    ] = 0.0
    fill_mode: Annotated[
        FillMode, Choice(get_args(FillMode)), "what stands outside of an image that was moved"
    ] = "nearest"
    cval: Annotated[float, Number(), "the level outside of an image, for fill_mode: constant"] = 0.0
    horizontal_flip: Annotated[bool, Boolean(), "whether half of the images are mirrored"] = False
    vertical_flip: Annotated[
        bool, Boolean(), "whether half of the images are turned upside down"
    ] = False
    interpolation_order: Annotated[
        int,
        Integer(0, 5),
        "0 for the nearest pixel, 1 for bilinear interpolation, up to 5 splines",
    ] = 1
    engine: Annotated[
        Literal["fast", "keras"],
        Choice(("fast", "keras")),
        "whose code moves the pixels; both give the same, cnnrun's many times as fast",
    ] = "fast"

    layers: Annotated[
        tuple[KerasCall, ...] | None,
        Nullable(IMAGE_LAYERS),
        "Keras's image layers, which change the images in this order, after all of the above",
    ] = None

    @property
    def ranges(self) -> dict[str, Any]:
        """The parameters that draw something, as `draw` takes them."""
        return {name: getattr(self, name) for name in DRAWN}


DRAWN: Final = tuple(
    each.name
    for each in fields(AugmentSpec)
    if each.name not in ("fill_mode", "cval", "interpolation_order", "engine", "layers")
)
"""The names of the parameters that draw something; the others are the engine's, or layers."""
