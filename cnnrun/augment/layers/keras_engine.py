"""Draws of image layers applied to pixels by Keras's own layers: the slow engine, and the oracle.

Each draw is handed to `transform_images` of the layer, in the form in which Keras's
`get_random_transformation` would return it.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from cnnrun.augment.layers.chain import Engine, Link
from cnnrun.augment.layers.layer import Draws, Images
from cnnrun.augment.layers.mixtures import OPERATIONS, Step
from cnnrun.augment.layers.neighbourhoods import box_slices, fill_of

Transformation = Any
"""What a layer of Keras calls so."""

_BITS: Final = 8
_WHITE: Final = 255


def _alone(link: Link, images: Images, draws: Draws) -> Images:
    layer = _layer(link)
    if link.name in _ONE_BY_ONE:
        transform = _ONE_BY_ONE[link.name]
        changed = [
            transform(layer, images[row : row + 1], draws, row) for row in range(len(images))
        ]
        return np.concatenate(changed) if changed else images
    if link.name not in _TRANSFORMATIONS:
        return _numbers(layer(images, training=True))
    transformation = _TRANSFORMATIONS[link.name](draws, images)
    return _numbers(layer.transform_images(_tensor(images), transformation))


def _pair(link: Link, images: Images, partners: Images, draws: Draws) -> Images:
    """Both halves as one batch, whose first half is mixed with its second."""
    count = len(images)
    both = np.concatenate([images, partners])
    order = np.concatenate([np.arange(count, 2 * count), np.arange(count)])
    twice = {column: np.concatenate([drawn, drawn]) for column, drawn in draws.items()}
    transformation = {"permutation_order": order, "mix_weight": _tensor(twice["share"])}
    if "box" in twice:
        transformation["batch_masks"] = _masks(twice["box"], both.shape)
    return _numbers(_layer(link).transform_images(_tensor(both), transformation))[:count]


KERAS: Final = Engine(_alone, _pair)
"""Keras's own code."""


def _layer(link: Link) -> keras.Layer:
    return _made(link.name, tuple(sorted(link.arguments.items())))


@lru_cache(maxsize=64)
def _made(name: str, arguments: tuple[tuple[str, Any], ...]) -> keras.Layer:
    layer: keras.Layer = getattr(keras.layers, name)(**dict(arguments), dtype="float32")
    return layer


def _jitter(layer: keras.Layer, image: Images, draws: Draws, row: int) -> Images:
    """RandomColorJitter draws while it transforms: its parts are told what."""
    for name, drawn in draws.items():
        part = getattr(layer, f"random_{name}")
        transformation = _TRANSFORMATIONS[_JITTERS[name]](_row(drawn, row), image)
        part.get_random_transformation = lambda *_, told=transformation, **__: dict(told)
    return _numbers(layer.transform_images(_tensor(image), None))


def _rand_augment(layer: keras.Layer, image: Images, draws: Draws, row: int) -> Images:
    chosen = [_chosen(steps, row) for steps in draws["ops"]]
    told = {name: _operation(name, drawn, image) for name, drawn in chosen}
    names = list(layer._AUGMENT_LAYERS)
    transforms = {
        # What was not chosen is reckoned too, and thrown away.
        name: told[name] if name in told else getattr(layer, name).get_random_transformation(image)
        for name in names
    }
    places = np.array([names.index(name) for name, _ in chosen])
    transformation = {"transforms": transforms, "layer_idxes": places}
    return _numbers(layer.transform_images(_tensor(image), transformation))


def _aug_mix(layer: keras.Layer, image: Images, draws: Draws, row: int) -> Images:
    chains = [
        [
            {"layer_name": name, "transformation": _operation(name, drawn, image)}
            for name, drawn in (_chosen(steps, row) for steps in chain)
            if name
        ]
        for chain in draws["chains"]
    ]
    transformation = {
        "chain_mixing_weights": draws["weights"][row],
        "weight_sample": draws["original"][row],
        "chain_transforms": chains,
    }
    return _numbers(layer.transform_images(_tensor(image), transformation))


def _blur(layer: keras.Layer, image: Images, draws: Draws, row: int) -> Images:
    transformation = {
        "should_apply_blur": draws["blurs"][row : row + 1],
        "blur_factor": draws["sigmas"][row],
    }
    return _numbers(layer.transform_images(_tensor(image), transformation))


def _crop(layer: keras.Layer, image: Images, draws: Draws, row: int) -> Images:
    place = int(draws["tops"][row]), int(draws["lefts"][row])
    return _numbers(layer.transform_images(_tensor(image), place))


def _erase(layer: keras.Layer, image: Images, draws: Draws, row: int) -> Images:
    fill = np.zeros_like(image)
    inside = fill[0][box_slices(draws["box"][row])]
    inside[...] = fill_of(layer.fill_value, int(draws["noise"][row]), inside.shape)
    transformation = {
        "apply_erasing": draws["erases"][row : row + 1],
        "batch_masks": _masks(draws["box"][row : row + 1], image.shape),
        "fill_value": np.clip(fill, 0, _WHITE),
    }
    return _numbers(layer.transform_images(_tensor(image), transformation))


def _equalize(layer: keras.Layer, image: Images, draws: Draws, row: int) -> Images:
    return _numbers(layer.transform_images(_tensor(image), None))


def _chosen(steps: list[Step], row: int) -> tuple[str, Draws]:
    """The operation that an image goes through, with its draws; "" for none."""
    for step in steps:
        found = np.flatnonzero(step.rows == row)
        if len(found):
            return step.operation, _row(step.draws, int(found[0]))
    return "", {}


def _operation(name: str, draws: Draws, image: Images) -> Transformation:
    make = _TRANSFORMATIONS.get(_CLASSES[name])
    return None if make is None else make(draws, image)


def _row(draws: Draws, row: int) -> Draws:
    return {column: drawn[row : row + 1] for column, drawn in draws.items()}


def _masks(boxes: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether each level stands within its image's box, as Keras's `_generate_batch_mask`."""
    _, height, width, _ = shape
    y = np.arange(height, dtype=np.float32)[None, :, None, None]
    x = np.arange(width, dtype=np.float32)[None, None, :, None]
    top, bottom, left, right = (edge[:, None, None, None] for edge in boxes.T)
    masks = (x >= left) & (x < right) & (y >= top) & (y < bottom)
    return np.broadcast_to(masks, shape)


def _shifts(draws: Draws, images: Images) -> Transformation:
    return {"translations": _tensor(np.stack([draws["across"], draws["down"]], axis=1))}


def _perspective(draws: Draws, images: Images) -> Transformation:
    count, height, width, _ = images.shape
    right, bottom = width - 1, height - 1
    corners = np.array([[0, 0], [right, 0], [0, bottom], [right, bottom]], np.float32)
    return {
        "apply_perspective": draws["happens"],
        "start_points": _tensor(np.repeat(corners[None], count, axis=0)),
        "end_points": _tensor(draws["corners"]),
    }


def _spread(column: str, name: str) -> Callable[[Draws, Images], Transformation]:
    """A transformation of one number an image, `(images, 1, 1, 1)`."""
    return lambda draws, images: {name: _tensor(draws[column][:, None, None, None])}


_TRANSFORMATIONS: Final[Mapping[str, Callable[[Draws, Images], Transformation]]] = {
    "RandomBrightness": _spread("delta", "rgb_delta"),
    "RandomColorDegeneration": _spread("factor", "factor"),
    "RandomContrast": _spread("factor", "contrast_factor"),
    "RandomFlip": lambda draws, images: {
        "flips": (draws["mirrored"] | draws["upside_down"])[:, None, None, None]
    },
    "RandomGrayscale": lambda draws, images: draws["greys"][:, None, None, None],
    "RandomHue": lambda draws, images: {"factor": _tensor(draws["turn"])},
    "RandomInvert": lambda draws, images: {"apply_inversion": draws["inverts"]},
    "RandomPerspective": _perspective,
    "RandomPosterization": lambda draws, images: {
        "shift_factor": keras.ops.convert_to_tensor(np.uint8(_BITS) - draws["bits"])
    },
    "RandomRotation": lambda draws, images: {"rotation_matrix": _tensor(draws["matrices"])},
    "RandomSaturation": lambda draws, images: {"factor": _tensor(draws["factor"])},
    "RandomSharpness": lambda draws, images: {"factor": _tensor(draws["factor"])},
    "RandomShear": lambda draws, images: {
        "shear_factor": _tensor(np.stack([draws["x"], draws["y"]], axis=1))
    },
    "RandomTranslation": _shifts,
    "RandomZoom": lambda draws, images: {
        "height_zoom": _tensor(draws["down"][:, None]),
        "width_zoom": _tensor(draws["across"][:, None]),
    },
    "Solarization": lambda draws, images: {
        "additions": _tensor(draws["addition"][:, None, None, None]),
        "thresholds": _tensor(draws["threshold"][:, None, None, None]),
    },
}
"""From draws to what Keras's layer would have drawn; others draw nothing."""

_ONE_BY_ONE: Final[Mapping[str, Callable[[keras.Layer, Images, Draws, int], Images]]] = {
    "AugMix": _aug_mix,
    "Equalization": _equalize,
    "RandAugment": _rand_augment,
    "RandomColorJitter": _jitter,
    "RandomCrop": _crop,
    "RandomErasing": _erase,
    "RandomGaussianBlur": _blur,
}
"""Layers that draw, or count, once for a whole batch; or noise, which is drawn again here."""

_JITTERS: Final = {
    "brightness": "RandomBrightness",
    "contrast": "RandomContrast",
    "saturation": "RandomSaturation",
    "hue": "RandomHue",
}
_CLASSES: Final = {
    name: "".join(word.capitalize() for word in name.split("_")) for name in OPERATIONS
}
"""The classes of what RandAugment and AugMix choose from."""


def _tensor(numbers: NDArray[Any]) -> Any:
    return keras.ops.convert_to_tensor(np.asarray(numbers, np.float32))


def _numbers(tensor: Any) -> Images:
    return np.array(keras.ops.convert_to_numpy(tensor), np.float32)
