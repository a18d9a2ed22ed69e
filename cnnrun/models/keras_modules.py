"""The modules of Keras whose classes a config may name, by family."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Final

import keras

from cnnrun.config.keras_table import FAMILIES, module_of

_IMAGE_LAYER: Final = keras.layers.RandomFlip.__base__
_ALSO_IMAGE_LAYERS: Final = ("ZeroPadding2D",)
"""What recipes write among them: a crop is often one of an image with a border."""


def _image_layers() -> SimpleNamespace:
    """The part of keras.layers that changes images, labels or both."""
    return SimpleNamespace(
        **{
            name: member
            for name, member in vars(keras.layers).items()
            if name in _ALSO_IMAGE_LAYERS
            or (inspect.isclass(member) and issubclass(member, _IMAGE_LAYER))
        }
    )


MODULES: Final[Mapping[str, Any]] = {
    family: _image_layers() if family == "image_layers" else import_module(module_of(family))
    for family in FAMILIES
    if family != "activations"
}
