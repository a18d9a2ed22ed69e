"""The blocks that hold lists of layers: residual, branches, repeat.

As in blocks.py, each takes the tensor `x`, a `factory`, its `name` (the path of the block in the
network), and the fields that the block has in a config.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cnnrun.models.blocks import BatchNormChoice, normalized
from cnnrun.models.layer_factory import LayerFactory, Tensor
from cnnrun.models.layer_failures import LayerError, shape_text

Layers = Callable[[Tensor, str], Tensor]
"""Runs a list of layers: takes a tensor, and the path that the list stands under."""


def residual(
    x: Tensor,
    *,
    factory: LayerFactory,
    name: str,
    layers: Layers,
    shortcut: str,
    activation: Any,
    kernel_initializer: Any,
    kernel_regularizer: Any,
    use_bias: bool,
    batch_norm: BatchNormChoice,
) -> Tensor:
    """The layers' output plus their input (He et al. 2016, arXiv:1512.03385).

    Args:
        x: `(batch, height, width, channels)` or `(batch, ..., features)`.
        factory: makes the layers.
        name: path of the block.
        layers: runs the layers.
        shortcut: "identity" adds the input itself, "projection" a 1x1 convolution of it, and
            "auto" projects only where the shapes differ.
        activation: after the addition; a name, a layer, or None.
        kernel_initializer: of the projection; the same holds for the next three.
        kernel_regularizer: penalty on the projection's kernel.
        use_bias: whether the projection adds a bias.
        batch_norm: where blocks normalize; unless "none", the projection is normalized.

    Returns:
        The shape that the layers return.

    Raises:
        LayerError: the input cannot be brought to the output's shape.
    """
    y = layers(x, name)
    same = tuple(x.shape) == tuple(y.shape)
    if shortcut == "identity" and not same:
        raise LayerError(
            "an identity shortcut needs layers that keep the shape",
            f"input {shape_text(x.shape)} and output {shape_text(y.shape)}",
            "use `shortcut: auto` or `shortcut: projection`",
        )
    if shortcut == "projection" or not same:
        x = _projected(
            x,
            tuple(y.shape),
            factory,
            name,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            kernel_regularizer=kernel_regularizer,
        )
        x = normalized(x, factory, f"{name}/shortcut_batch_norm", batch_norm)
    x = factory.apply([y, x], "Add", f"{name}/add")
    return factory.activate(x, activation, f"{name}/activation")


def branches(
    x: Tensor,
    *,
    factory: LayerFactory,
    name: str,
    branches: Sequence[Layers],
    merge: Any,
) -> Tensor:
    """Parallel lists of layers over one input, merged.

    Args:
        x: any shape.
        factory: makes the layers.
        name: path of the block.
        branches: runs each list.
        merge: a merging layer, such as `keras.layers.Concatenate()`.

    Returns:
        The merged outputs.

    Raises:
        LayerError: the branches' outputs do not fit each other.
    """
    outputs = [
        layers(x, f"{name}/branch_{number}") for number, layers in enumerate(branches, start=1)
    ]
    return factory.call(merge, outputs)


def repeat(x: Tensor, *, name: str, times: int, layers: Layers) -> Tensor:
    """The layers `times` times in a row, each time with weights of their own.

    Args:
        x: any shape.
        name: path of the block; the layers of the second time stand under `{name}/2`.
        times: how often.
        layers: runs the layers.

    Returns:
        What the last time returns.
    """
    for number in range(1, times + 1):
        x = layers(x, f"{name}/{number}")
    return x


def _projected(
    x: Tensor, shape: tuple[int | None, ...], factory: LayerFactory, name: str, **arguments: Any
) -> Tensor:
    """The input brought to the shape: by a 1x1 convolution, or a Dense where there is no image."""
    path = f"{name}/shortcut"
    if len(shape) == 4 and len(x.shape) == 4:
        strides = tuple(
            _stride(size, target) for size, target in zip(x.shape[1:3], shape[1:3], strict=True)
        )
        if None not in strides:
            return factory.apply(
                x,
                "Conv2D",
                path,
                filters=shape[-1],
                kernel_size=1,
                strides=strides,
                padding="same",
                **arguments,
            )
    elif tuple(x.shape[:-1]) == shape[:-1]:
        return factory.apply(x, "Dense", path, units=shape[-1], **arguments)
    raise LayerError(
        "the shortcut must be able to reach the layers' output by a 1x1 convolution with strides",
        f"input {shape_text(x.shape)} and output {shape_text(shape)}",
        "let the layers change height and width by strides alone: `padding: same`, and no Flatten",
    )


def _stride(size: int, target: int | None) -> int | None:
    """The stride with which "same" padding turns `size` into `target`, if there is one."""
    return next((step for step in range(1, size + 1) if -(-size // step) == target), None)


BUILDERS: Final[Mapping[str, Callable[..., Tensor]]] = {
    "residual": residual,
    "branches": branches,
    "repeat": repeat,
}
"""What builds each block, by the name that it has in a config."""
