"""The blocks around one layer with weights, as functions of tensors and plain arguments.

Each takes the tensor `x`, a `factory` that makes its layers, its `name` (the path of the block in
the network), and the fields that the block has in a config. Shapes are
`(batch, height, width, channels)`. The blocks that hold lists of layers are in structure.py.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cnnrun.models.layer_factory import LayerFactory, Tensor
from cnnrun.models.layer_failures import LayerError, shape_text

BatchNormChoice = str | Mapping[str, Any]
"""A position, or `{"position": ..., "momentum": ...}` with BatchNormalization's arguments."""

POSITIONS: Final = ("none", "before_activation", "after_activation", "before_convolution")


def conv_block(
    x: Tensor,
    *,
    factory: LayerFactory,
    name: str,
    filters: int | None,
    kernel_size: int | tuple[int, int],
    strides: int | tuple[int, int],
    padding: str,
    dilation_rate: int | tuple[int, int],
    groups: int,
    use_bias: bool,
    convolution: str,
    depth_multiplier: int,
    batch_norm: BatchNormChoice,
    activation: Any,
    kernel_initializer: Any,
    bias_initializer: Any,
    kernel_regularizer: Any,
    bias_regularizer: Any,
    kernel_constraint: Any,
    bias_constraint: Any,
    dropout: float,
    spatial_dropout: float,
) -> Tensor:
    """A convolution with batch norm and activation in the order named, and dropout last.

    Args:
        x: images, `(batch, height, width, channels)`.
        factory: makes the layers.
        name: path of the block.
        filters: channels of the output; None for DepthwiseConv2D.
        kernel_size: height and width of the window.
        strides: steps of the window.
        padding: "same" or "valid".
        dilation_rate: distance of the window's taps.
        groups: groups of channels that are convolved apart; Conv2D only.
        use_bias: whether the convolution adds a bias.
        convolution: "Conv2D", "SeparableConv2D" or "DepthwiseConv2D".
        depth_multiplier: outputs per input channel of the depthwise step.
        batch_norm: where the batch norm stands.
        activation: a name, a layer, or None.
        kernel_initializer: of every kernel; the same holds for regularizer and constraint.
        bias_initializer: of the bias.
        kernel_regularizer: penalty on the kernels.
        bias_regularizer: penalty on the bias.
        kernel_constraint: projection of the kernels after each step.
        bias_constraint: projection of the bias after each step.
        dropout: share of numbers dropped at the end; 0 for none.
        spatial_dropout: share of channels dropped at the end; 0 for none.

    Returns:
        `(batch, height / strides, width / strides, filters)` with padding "same".

    Raises:
        LayerError: a layer does not fit, or an argument is not one of this convolution.
    """
    shape = _convolution_arguments(
        convolution, filters=filters, groups=groups, depth_multiplier=depth_multiplier
    )
    kernels = _kernel_arguments(
        convolution,
        initializer=kernel_initializer,
        regularizer=kernel_regularizer,
        constraint=kernel_constraint,
    )

    def convolve(x: Tensor) -> Tensor:
        return factory.apply(
            x,
            convolution,
            f"{name}/conv",
            **shape,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            dilation_rate=dilation_rate,
            use_bias=use_bias,
            **kernels,
            bias_initializer=bias_initializer,
            bias_regularizer=bias_regularizer,
            bias_constraint=bias_constraint,
        )

    x = _in_order(x, convolve, factory, name, batch_norm=batch_norm, activation=activation)
    if spatial_dropout:
        x = factory.apply(x, "SpatialDropout2D", f"{name}/spatial_dropout", rate=spatial_dropout)
    return _dropped(x, factory, name, rate=dropout)


def dense_block(
    x: Tensor,
    *,
    factory: LayerFactory,
    name: str,
    units: int,
    use_bias: bool,
    batch_norm: BatchNormChoice,
    activation: Any,
    kernel_initializer: Any,
    bias_initializer: Any,
    kernel_regularizer: Any,
    bias_regularizer: Any,
    kernel_constraint: Any,
    bias_constraint: Any,
    dropout: float,
) -> Tensor:
    """A Dense layer with batch norm and activation in the order named, and dropout last.

    Args:
        x: `(batch, ..., features)`.
        factory: makes the layers.
        name: path of the block.
        units: features of the output.
        use_bias: whether the layer adds a bias.
        batch_norm: where the batch norm stands; "before_convolution" means before the Dense.
        activation: a name, a layer, or None.
        kernel_initializer: of the kernel; the same holds for regularizer and constraint.
        bias_initializer: of the bias.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        kernel_constraint: projection of the kernel after each step.
        bias_constraint: projection of the bias after each step.
        dropout: share of numbers dropped at the end; 0 for none.

    Returns:
        `(batch, ..., units)`.

    Raises:
        LayerError: a layer does not fit its input.
    """

    def multiply(x: Tensor) -> Tensor:
        return factory.apply(
            x,
            "Dense",
            f"{name}/dense",
            units=units,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
        )

    x = _in_order(x, multiply, factory, name, batch_norm=batch_norm, activation=activation)
    return _dropped(x, factory, name, rate=dropout)


def classifier(
    x: Tensor,
    *,
    factory: LayerFactory,
    name: str,
    classes: int,
    activation: Any,
    use_bias: bool,
    kernel_initializer: Any,
    bias_initializer: Any,
    kernel_regularizer: Any,
    bias_regularizer: Any,
    kernel_constraint: Any,
    bias_constraint: Any,
) -> Tensor:
    """A Dense layer with one unit a class.

    Args:
        x: `(batch, features)`.
        factory: makes the layer.
        name: path of the block.
        classes: how many classes there are.
        activation: a name, a layer, or None for logits.
        use_bias: whether the layer adds a bias.
        kernel_initializer: of the kernel; the same holds for regularizer and constraint.
        bias_initializer: of the bias.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        kernel_constraint: projection of the kernel after each step.
        bias_constraint: projection of the bias after each step.

    Returns:
        `(batch, classes)`.

    Raises:
        LayerError: the input is still an image.
    """
    if len(x.shape) != 2:
        raise LayerError(
            "the classifier takes one row of features an image",
            f"input {shape_text(x.shape)}",
            "place Flatten or GlobalAveragePooling2D before it",
        )
    named = activation if activation is None or isinstance(activation, str) else None
    x = factory.apply(
        x,
        "Dense",
        name,
        units=classes,
        activation=named,
        use_bias=use_bias,
        kernel_initializer=kernel_initializer,
        bias_initializer=bias_initializer,
        kernel_regularizer=kernel_regularizer,
        bias_regularizer=bias_regularizer,
        kernel_constraint=kernel_constraint,
        bias_constraint=bias_constraint,
    )
    return x if named is activation else factory.activate(x, activation, f"{name}/activation")


def _in_order(
    x: Tensor,
    weigh: Callable[[Tensor], Tensor],
    factory: LayerFactory,
    name: str,
    *,
    batch_norm: BatchNormChoice,
    activation: Any,
) -> Tensor:
    """The weighted layer, batch norm and activation in the order that `batch_norm` names."""
    position = _position(batch_norm)
    path = f"{name}/batch_norm"
    if position == "before_convolution":
        x = normalized(x, factory, path, batch_norm)
    x = weigh(x)
    if position == "before_activation":
        x = normalized(x, factory, path, batch_norm)
    x = factory.activate(x, activation, f"{name}/activation")
    if position == "after_activation":
        x = normalized(x, factory, path, batch_norm)
    return x


def normalized(x: Tensor, factory: LayerFactory, path: str, batch_norm: BatchNormChoice) -> Tensor:
    """The tensor through batch norm, or as it is where the position is "none"."""
    if _position(batch_norm) == "none":
        return x
    arguments = {} if isinstance(batch_norm, str) else dict(batch_norm)
    arguments.pop("position", None)
    return factory.apply(x, "BatchNormalization", path, **arguments)


def _position(batch_norm: BatchNormChoice) -> str:
    position = batch_norm if isinstance(batch_norm, str) else batch_norm["position"]
    if position not in POSITIONS:
        raise LayerError(
            "the position of batch norm must be known",
            repr(position),
            f"use {', '.join(POSITIONS)}",
        )
    return str(position)


def _dropped(x: Tensor, factory: LayerFactory, name: str, *, rate: float) -> Tensor:
    return factory.apply(x, "Dropout", f"{name}/dropout", rate=rate) if rate else x


def _convolution_arguments(
    convolution: str, *, filters: int | None, groups: int, depth_multiplier: int
) -> dict[str, Any]:
    """The arguments of these three that the convolution has; others must be left alone."""
    if convolution == "Conv2D":
        refused = {"depth_multiplier": depth_multiplier != 1, "filters": filters is None}
        own = {"filters": filters, "groups": groups}
    elif convolution == "SeparableConv2D":
        refused = {"groups": groups != 1, "filters": filters is None}
        own = {"filters": filters, "depth_multiplier": depth_multiplier}
    else:
        refused = {"groups": groups != 1, "filters": filters is not None}
        own = {"depth_multiplier": depth_multiplier}
    wrong = [argument for argument, is_wrong in refused.items() if is_wrong]
    if wrong:
        raise LayerError(
            f"the arguments must be those of {convolution}",
            " and ".join(f"`{argument}`" for argument in wrong),
            "give `filters` to Conv2D and SeparableConv2D, `groups` to Conv2D, and"
            " `depth_multiplier` to the other two",
        )
    return own


def _kernel_arguments(
    convolution: str, *, initializer: Any, regularizer: Any, constraint: Any
) -> dict[str, Any]:
    kernels = {
        "Conv2D": ("kernel",),
        "SeparableConv2D": ("depthwise", "pointwise"),
        "DepthwiseConv2D": ("depthwise",),
    }[convolution]
    values = {"initializer": initializer, "regularizer": regularizer, "constraint": constraint}
    return {f"{kernel}_{key}": value for kernel in kernels for key, value in values.items()}


BUILDERS: Final[Mapping[str, Callable[..., Tensor]]] = {
    "conv_block": conv_block,
    "dense_block": dense_block,
    "classifier": classifier,
}
"""What builds each block, by the name that it has in a config."""
