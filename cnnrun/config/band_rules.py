"""What holds of `data.bands` and `data.value_range`: files that are not eight bits of colour."""

from collections.abc import Mapping
from typing import Any

from cnnrun.config.augment_section import AugmentSpec
from cnnrun.config.data_section import CHANNELS, DataSpec
from cnnrun.config.places import Place


def check_bands(place: Place, values: Mapping[str, Any]) -> None:
    """Bands and a value range are of files, and bands agree with the colours that are named."""
    for key in ("bands", "value_range"):
        in_memory = [each for each in ("arrays", "keras_dataset") if values.get(each) is not None]
        if in_memory and values.get(key) is not None:
            place.refuse_key(
                key,
                f"`{key}` is of image files",
                received=f"`{key}` beside `{in_memory[0]}`",
                advice="write it as `arrays: {file: ..., value_range: [0, 1]}`"
                if key == "value_range"
                else "write the channels that you want into the arrays",
            )
    bands, mode = values.get("bands"), values.get("color_mode")
    if bands is None:
        return
    repeated = sorted({band for band in bands if bands.count(band) > 1})
    if repeated:
        place.entry("bands").refuse(
            "each band must stand in the list once",
            received=f"{', '.join(map(str, repeated))} more than once",
        )
    if mode is not None and len(bands) != CHANNELS[mode]:
        place.refuse_key(
            "color_mode",
            f"`{mode}` is {CHANNELS[mode]} channel{'s' * (CHANNELS[mode] > 1)}",
            received=f"{len(bands)} bands in `bands`",
            advice="leave `color_mode` out: bands are taken as they are",
        )


def check_augmented_bands(place: Place, values: Mapping[str, Any]) -> None:
    """Brightness is of grey or of red, green and blue, as in ImageDataGenerator."""
    data, augment = values.get("data"), values.get("augment")
    if not isinstance(data, DataSpec) or not isinstance(augment, AugmentSpec):
        return
    if augment.brightness_range and data.bands and len(data.bands) not in (1, 3):
        place.at("augment").refuse_key(
            "brightness_range",
            "`brightness_range` is of grey or of red, green and blue",
            received=f"{len(data.bands)} bands in `data.bands`",
            advice="leave it out; `channel_shift_range` takes any number of bands",
        )
