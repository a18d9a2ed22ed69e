"""Standardization as the model's first layers, so that training and prediction cannot disagree.

The formulas and their order are those of `ImageDataGenerator.standardize`
(keras.src.legacy.preprocessing.image), and of `preprocess_input` of keras.applications. They
are made of Keras's own layers and operations, all in float32, and so load where there is no cnnrun.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from keras import ops
from numpy.typing import NDArray

from cnnrun.config.preprocess_rules import channels_refusal
from cnnrun.config.preprocess_section import PREPROCESSING_FUNCTIONS, Form
from cnnrun.errors import ConfigError, Problem
from cnnrun.models.layer_factory import LayerFactory, MadeLayer, Tensor

Floats = NDArray[np.float64]

SMALLEST_DEVIATION: Final = 1e-6
"""What ImageDataGenerator adds to a standard deviation before it divides by it."""

_PREFIX: Final = "preprocess_"
"""What the names of all layers and operations begin with that standardize."""

_IMAGE_AXES: Final = (1, 2, 3)

_MEANS: Final[Mapping[Form, Floats]] = {
    "caffe": np.array([103.939, 116.779, 123.68]),  # blue, green, red
    "torch": 255 * np.array([0.485, 0.456, 0.406]),
}
_DEVIATIONS: Final[Mapping[Form, Floats]] = {
    "caffe": np.ones(3),
    "torch": 255 * np.array([0.229, 0.224, 0.225]),
}
"""Of ImageNet, from keras.applications.imagenet_utils."""


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """What happens to pixels, 0 to 255, before the first layer of the config; in this order.

    Attributes:
        function: a module of keras.applications, whose `preprocess_input` comes first; or None.
        rescale: what follows is multiplied with this.
        samplewise_center: whether each image's own mean is subtracted.
        samplewise_std_normalization: whether each image is divided by its standard deviation.
        mean: what is subtracted from each channel, `(channels,)`, or None.
        std: what each channel is divided by, `(channels,)`, or None; only beside `mean`.
        zca_matrix: `(features, features)`, which the flattened image is multiplied with from the
            right; or None.
    """

    function: str | None
    rescale: float
    samplewise_center: bool
    samplewise_std_normalization: bool
    mean: Floats | None
    std: Floats | None
    zca_matrix: Floats | None


@dataclass(frozen=True)
class Step:
    """A part of the preprocessing that is there.

    Attributes:
        name: of its layer, or of its last operation.
        address: the config's key behind it.
        kind: its class of `keras.layers`, or the function of `keras.ops` that gives its result.
        layer: the layer; None for operations.
        formula: for operations, the same in Python, with `{x}` for what it takes.
        statistics: how many numbers it holds that were fitted to the training images.
        looks_around: whether a position of its output depends on others than its own.
    """

    name: str
    address: str
    kind: str
    layer: MadeLayer | None
    formula: str
    statistics: int
    looks_around: bool


def preprocess(
    pixels: Tensor, preprocessing: Preprocessing, *, channels: int, factory: LayerFactory
) -> tuple[Tensor, tuple[Step, ...]]:
    """The tensor that the first layer of the config gets, and the steps that lead to it.

    Args:
        pixels: `(batch, height, width, channels)`, 0 to 255, float32.
        preprocessing: what to do.
        channels: how many the result has: those of the pixels, or more if these are grey, for a
            network that takes colours.
        factory: makes the layers.

    Returns:
        A tensor of the same height, width and type; what changes nothing is left out.

    Raises:
        ConfigError: the function is for colours, and the images are not.
    """
    chain = _Chain(factory, pixels, [])
    # Statistics of grey images come before the colours, a function's means of colours after them.
    fits_grey = preprocessing.mean is not None and preprocessing.mean.size == 1
    if not fits_grey:
        _repeat_channels(chain, channels)
    _function(chain, preprocessing.function)
    if preprocessing.rescale != 1:
        chain.layer("rescale", "Rescaling", address="rescale", scale=preprocessing.rescale)
    if preprocessing.samplewise_center:
        _center_samples(chain)
    if preprocessing.samplewise_std_normalization:
        _divide_samples(chain)
    if preprocessing.mean is not None:
        _normalize_features(chain, preprocessing.mean, preprocessing.std)
    if preprocessing.zca_matrix is not None:
        _whiten(chain, preprocessing.zca_matrix)
    _repeat_channels(chain, channels)
    return chain.x, tuple(chain.steps)


def standardized_output(model: Any) -> Tensor:
    """What the preprocessing of a saved network hands on; its input where there is none."""
    steps = [one for one in model.operations if one.name.startswith(_PREFIX)]
    return steps[-1].output if steps else model.inputs[0]


def saved_statistics(model: Any) -> tuple[Floats | None, Floats | None, Floats | None]:
    """A saved network's statistics: mean and standard deviation of channels, matrix of ZCA.

    None stands for what its preprocessing does without.
    """
    layers = {layer.name.removeprefix(_PREFIX): layer for layer in model.layers}
    mean = deviation = matrix = None
    if normalization := layers.get("featurewise"):
        mean = np.array(normalization.input_mean, np.float64)
        deviation = np.sqrt(np.array(normalization.input_variance)) - SMALLEST_DEVIATION
    if whitening := layers.get("zca"):
        features = math.prod(whitening.input.shape[1:])
        matrix = np.array(whitening.kernel, np.float64).reshape(features, features)
    return mean, deviation, matrix


@dataclass
class _Chain:
    """The steps so far, and what they lead to."""

    factory: LayerFactory
    x: Tensor
    steps: list[Step]

    def layer(
        self,
        key: str,
        kind: str,
        *,
        address: str,
        statistics: int = 0,
        looks_around: bool = False,
        **arguments: Any,
    ) -> Any:
        """Append a layer, and return it."""
        path = f"{_PREFIX}{key}"
        self.x = self.factory.apply(self.x, kind, path, dtype="float32", **arguments)
        made = self.factory.called[-1]
        address = f"preprocess.{address}"
        self.steps.append(Step(path, address, kind, made, "", statistics, looks_around))
        return made.layer

    def operations(
        self, key: str, x: Tensor, *, address: str, formula: str, looks_around: bool
    ) -> None:
        """Append what operations lead to; `formula` says the same in Python."""
        self.x = x
        name = f"{_PREFIX}{key}"
        kind = type(x._keras_history.operation).__name__
        self.steps.append(Step(name, address, kind, None, formula, 0, looks_around))

    def operate(self, key: str, operation: Any, *inputs: Any, **arguments: Any) -> Tensor:
        """The result of a function of keras.ops, named."""
        return self.factory.operate(f"{_PREFIX}{key}", operation, *inputs, **arguments)


def _repeat_channels(chain: _Chain, channels: int) -> None:
    """Grey as so many equal channels; colours stay as they are."""
    if int(chain.x.shape[-1]) != 1 or channels == 1:
        return
    chain.operations(
        "channels",
        chain.operate("channels", ops.repeat, chain.x, channels, axis=-1),
        address="model.backbone",
        formula=f"ops.repeat({{x}}, {channels}, axis=-1)",
        looks_around=False,
    )


def _function(chain: _Chain, function: str | None) -> None:
    """`preprocess_input` of a module of keras.applications."""
    if function is None:
        return
    form, address = PREPROCESSING_FUNCTIONS[function], "preprocessing_function"
    refusal = channels_refusal(function, int(chain.x.shape[-1]))
    if refusal is not None:
        raise ConfigError([Problem(None, f"preprocess.{address}", *refusal)])
    if form == "tf":
        chain.layer("function", "Rescaling", address=address, scale=1 / 127.5, offset=-1.0)
    if form == "caffe":
        reversed_channels = chain.operate("bgr", ops.flip, chain.x, axis=-1)
        chain.operations(
            "bgr",
            reversed_channels,
            address=f"preprocess.{address}",
            formula="ops.flip({x}, axis=-1)",
            looks_around=False,
        )
    if form in _MEANS:
        mean, variance = _MEANS[form], np.square(_DEVIATIONS[form])
        chain.layer(
            "function",
            "Normalization",
            address=address,
            mean=mean.tolist(),
            variance=variance.tolist(),
        )


def _center_samples(chain: _Chain) -> None:
    mean = chain.operate("samplewise_mean", ops.mean, chain.x, axis=_IMAGE_AXES, keepdims=True)
    chain.operations(
        "samplewise_center",
        chain.operate("samplewise_center", ops.subtract, chain.x, mean),
        address="preprocess.samplewise_center",
        formula=f"ops.subtract({{x}}, ops.mean({{x}}, axis={_IMAGE_AXES}, keepdims=True))",
        looks_around=True,
    )


def _divide_samples(chain: _Chain) -> None:
    std = chain.operate("samplewise_std", ops.std, chain.x, axis=_IMAGE_AXES, keepdims=True)
    divisor = chain.operate("samplewise_divisor", ops.add, std, SMALLEST_DEVIATION)
    chain.operations(
        "samplewise_scale",
        chain.operate("samplewise_scale", ops.divide, chain.x, divisor),
        address="preprocess.samplewise_std_normalization",
        formula=f"ops.divide({{x}}, ops.std({{x}}, axis={_IMAGE_AXES}, keepdims=True)"
        f" + {SMALLEST_DEVIATION})",
        looks_around=True,
    )


def _normalize_features(chain: _Chain, mean: Floats, std: Floats | None) -> None:
    """Normalization with given statistics divides by the root of the variance, and no more."""
    deviation = np.ones_like(mean) if std is None else std + SMALLEST_DEVIATION
    chain.layer(
        "featurewise",
        "Normalization",
        address="featurewise_center" if std is None else "featurewise_std_normalization",
        statistics=mean.size if std is None else 2 * mean.size,
        mean=mean.tolist(),
        variance=np.square(deviation).tolist(),
    )


def _whiten(chain: _Chain, matrix: Floats) -> None:
    shape = tuple(int(size) for size in chain.x.shape[1:])
    layer = chain.layer(
        "zca",
        "EinsumDense",
        address="zca_whitening",
        statistics=matrix.size,
        looks_around=True,
        equation="bhwc,hwcxyz->bxyz",
        output_shape=shape,
        kernel_initializer="zeros",
        trainable=False,
    )
    layer.kernel.assign(matrix.reshape(*shape, *shape))  # (height, width, channels) twice
