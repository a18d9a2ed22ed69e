"""The section `augment`: ImageDataGenerator's parameters for training images, and their ranges."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, get_args

from cnnrun.config.kinds import Either, Kind, ListOf, Nullable
from cnnrun.config.places import Place
from cnnrun.config.records import Key, Record
from cnnrun.config.scalar_kinds import Boolean, Choice, Integer, Number
from cnnrun.config.values import AugmentSpec, FillMode, PreprocessSpec

BELONGS_TO_AUGMENT: Final = {each.name: "augment" for each in fields(AugmentSpec)}
BELONGS_TO_PREPROCESS: Final = {each.name: "preprocess" for each in fields(PreprocessSpec)}
BELONGS_TO_DATA: Final = {"validation_split": "data.split"}


def _check_pairs(place: Place, values: Mapping[str, Any]) -> None:
    """The first number of a range is not above the second."""
    for key in ("brightness_range", "zoom_range"):
        pair = values.get(key)
        if isinstance(pair, tuple) and pair[0] > pair[1]:
            place.entry(key).refuse(
                "the first number must not be above the second",
                received=f"[{pair[0]:g}, {pair[1]:g}]",
                advice=f"write [{pair[1]:g}, {pair[0]:g}]",
            )


def _shift(size: str) -> Key:
    kind: Kind = Either(
        (Integer(0), Number(0), ListOf(Number(), "numbers", minimum=1)),
        "a number of at least 0, or a list of numbers to choose from",
    )
    return Key(
        kind,
        f"the largest shift, a share of the {size} if below 1, else pixels; an integer draws whole"
        " pixels below it",
    )


AUGMENT: Final = Record(
    AugmentSpec,
    "a map of what happens to training images",
    {
        "rotation_range": Key(Number(0), "the largest rotation, in degrees"),
        "width_shift_range": _shift("width"),
        "height_shift_range": _shift("height"),
        "brightness_range": Key(
            Nullable(ListOf(Number(0), "numbers", length=2)),
            "the lowest and the highest factor of the levels",
        ),
        "shear_range": Key(Number(0), "the largest angle of the shear, in degrees"),
        "zoom_range": Key(
            Either(
                (Number(0, 1), ListOf(Number(above=0), "numbers", length=2)),
                "a number from 0 to 1, or a list of 2 numbers above 0",
            ),
            "how far the zoom is from 1, or the lowest and the highest zoom",
        ),
        "channel_shift_range": Key(Number(0), "the most that is added to the levels"),
        "fill_mode": Key(Choice(get_args(FillMode)), "what stands outside of an image"),
        "cval": Key(Number(), "the level outside of an image, for fill_mode: constant"),
        "horizontal_flip": Key(Boolean(), "whether half of the images are mirrored"),
        "vertical_flip": Key(Boolean(), "whether half of the images are turned upside down"),
        "interpolation_order": Key(
            Integer(0, 5), "0 for the nearest pixel, 1 for bilinear interpolation, up to 5 splines"
        ),
        "engine": Key(
            Choice(("fast", "keras")), "whose code moves the pixels; they are the same for both"
        ),
    },
    checks=(_check_pairs,),
    elsewhere=BELONGS_TO_PREPROCESS | BELONGS_TO_DATA,
)
