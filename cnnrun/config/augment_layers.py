"""The list `augment.layers`: Keras's image layers, for training images alone.

Their names and arguments are Keras's; here is what holds between them and the images that they get.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cnnrun.config.keras_calls import Call
from cnnrun.config.keras_table import argument_rows
from cnnrun.config.kinds import ListOf
from cnnrun.config.values import KerasCall

IMAGE_LAYERS: Final = ListOf(Call("image_layers"), "image layer of Keras", minimum=1)

MIXING: Final = ("MixUp", "CutMix")
"""Layers that make one image, and one label, of two."""

Size = tuple[int, int]
"""(height, width)."""

_OF_RED_GREEN_AND_BLUE: Final = ("RandomHue", "RandomSaturation")
_OF_ONE_OR_THREE: Final = ("AugMix", "RandAugment", "RandomColorDegeneration", "RandomGrayscale")
_JITTERS_OF_COLOUR: Final = ("saturation_factor", "hue_factor")
_RESIZING_OPTIONS: Final = ("antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio")
_INTERPOLATIONS: Final = ("bilinear", "nearest")


@dataclass(frozen=True)
class Fault:
    """What a layer of the list cannot be meant to do with the images that reach it.

    Attributes:
        index: its place in the list.
        argument: the argument that is at fault, or "" for the layer itself.
        rule: what holds.
        received: what is there instead.
        advice: the next step.
    """

    index: int
    argument: str
    rule: str
    received: str
    advice: str


def arguments_of(call: KerasCall) -> dict[str, Any]:
    """The arguments of an image layer, with Keras's defaults for those that are not written."""
    rows = argument_rows(call.family, call.name)
    return {name: _plain(row.get("default")) for name, row in rows.items()} | dict(call.arguments)


def mixes(layers: Sequence[KerasCall]) -> bool:
    """Whether images are mixed with others, and labels with theirs."""
    return any(layer.name in MIXING for layer in layers)


def images_in_one(layers: Sequence[KerasCall]) -> int:
    """How many images, one behind the other in the epoch's order, each image is made of."""
    return int(2 ** sum(layer.name in MIXING for layer in layers))


def layer_paths(layers: Sequence[KerasCall]) -> tuple[str, ...]:
    """What each layer's draws are called: its class and its number among that class."""
    names = [layer.name for layer in layers]
    return tuple(f"{name}_{names[:index].count(name) + 1}" for index, name in enumerate(names))


def faults(
    layers: Sequence[KerasCall], *, image_size: Size | None, channels: int | None
) -> Iterator[Fault]:
    """What layers cannot do with images of a size and colours, as far as these are known."""
    yield from _faults_of_channels(layers, channels)
    yield from _faults_of_sizes(layers, image_size)


def size_behind(call: KerasCall, size: Size) -> Size:
    """The size of an image behind a layer."""
    arguments = arguments_of(call)
    if call.name in ("CenterCrop", "RandomCrop", "Resizing"):
        return arguments["height"], arguments["width"]
    if call.name == "ZeroPadding2D":
        (top, bottom), (left, right) = margins(arguments["padding"])
        return size[0] + top + bottom, size[1] + left + right
    return size


def margins(padding: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """What ZeroPadding2D adds above and below, and to the left and right."""
    rows, columns = padding if isinstance(padding, tuple) else (padding, padding)
    return _both_ends(rows), _both_ends(columns)


def _both_ends(margin: Any) -> tuple[int, int]:
    first, last = margin if isinstance(margin, tuple) else (margin, margin)
    return first, last


def _faults_of_channels(layers: Sequence[KerasCall], channels: int | None) -> Iterator[Fault]:
    if channels is None:
        return
    received = f"images of {channels} channel{'s' * (channels > 1)}"
    for index, layer in enumerate(layers):
        jitters = [name for name in _JITTERS_OF_COLOUR if layer.arguments.get(name) is not None]
        if channels != 3 and (layer.name in _OF_RED_GREEN_AND_BLUE or jitters):
            yield Fault(
                index,
                jitters[0] if jitters else "",
                f"{layer.name} turns colours, and needs red, green and blue",
                received,
                "leave it out",
            )
        elif channels not in (1, 3) and layer.name in _OF_ONE_OR_THREE:
            yield Fault(
                index,
                "",
                f"{layer.name} mixes colours with grey, and needs grey, or red, green and blue",
                received,
                "leave it out, or write `color_mode: rgb` in `data`",
            )
        value = layer.arguments.get("fill_value")
        if isinstance(value, tuple) and channels != len(value):
            yield Fault(
                index,
                "fill_value",
                f"a list is a level for each of {len(value)} channels",
                received,
                "write one number, for all of them",
            )


def _faults_of_sizes(layers: Sequence[KerasCall], image_size: Size | None) -> Iterator[Fault]:
    size = image_size
    for index, layer in enumerate(layers):
        arguments = arguments_of(layer)
        if layer.name == "Resizing":
            yield from _faults_of_resizing(index, arguments)
        if size is None:
            continue
        behind = size_behind(layer, size)
        if layer.name in ("CenterCrop", "RandomCrop") and (
            behind[0] > size[0] or behind[1] > size[1]
        ):
            yield Fault(
                index,
                "height" if behind[0] > size[0] else "width",
                f"{layer.name} cuts out of an image of {_written(size)}",
                f"{_written(behind)}",
                "write a ZeroPadding2D before it, such as `ZeroPadding2D: {padding: 4}`",
            )
            return
        size = behind
    if image_size is not None and size != image_size:
        index = max(i for i, each in enumerate(layers) if size_behind(each, (-1, -1)) != (-1, -1))
        yield Fault(
            index,
            "",
            f"behind all layers, images must be {_written(image_size)} again, as those that"
            " validate and test are",
            f"{_written(size or image_size)} behind {layers[index].name}",
            _advice_on_size(layers[index].name, image_size),
        )


def _faults_of_resizing(index: int, arguments: Mapping[str, Any]) -> Iterator[Fault]:
    for option in _RESIZING_OPTIONS:
        if arguments[option]:
            yield Fault(
                index,
                option,
                f"`{option}` is not available in `augment.layers`, whose images are cut and padded"
                " by layers of their own",
                "true",
                "leave it out",
            )
    if arguments["interpolation"] not in _INTERPOLATIONS:
        yield Fault(
            index,
            "interpolation",
            "must be `bilinear` or `nearest` in `augment.layers`",
            f"`{arguments['interpolation']}`",
            "write `bilinear`",
        )


def _advice_on_size(name: str, size: Size) -> str:
    height, width = size
    if name == "RandomCrop":
        return (
            f"pad before it and cut {_written(size)}: `ZeroPadding2D: {{padding: 4}}`, `RandomCrop:"
            f" {{height: {height}, width: {width}}}`; or write `Resizing: {{height: {height},"
            f" width: {width}}}` behind it"
        )
    return f"end with `Resizing: {{height: {height}, width: {width}}}`"


def _written(size: Size) -> str:
    return f"{size[0]} x {size[1]}"


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, list) else value
