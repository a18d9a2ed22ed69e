"""The blocks that rearrange an image's numbers: attention over positions, channels split, shuffled.

As in blocks.py, each takes the tensor `x`, a `factory`, its `name`, and the fields that the block
has in a config. All are made of layers of Keras, so that files and exports hold nothing else.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from cnnrun.models.layer_factory import LayerFactory, Tensor
from cnnrun.models.layer_failures import LayerError, shape_text
from cnnrun.models.nested_blocks import Layers

_RANK_OF_IMAGES: Final = 4


def self_attention(
    x: Tensor,
    *,
    factory: LayerFactory,
    name: str,
    num_heads: int,
    key_dim: int | None,
    attention_dropout: float,
    use_bias: bool,
    kernel_initializer: Any,
    kernel_regularizer: Any,
) -> Tensor:
    """Every position attends to all positions (Vaswani et al. 2017, arXiv:1706.03762).

    Args:
        x: `(batch, height, width, channels)`, or a sequence `(batch, positions, channels)`.
        factory: makes the layers.
        name: path of the block.
        num_heads: how many attend apart.
        key_dim: numbers a head; the channels divided among the heads if None.
        attention_dropout: share of attention weights that are dropped.
        use_bias: whether the projections add biases.
        kernel_initializer: of the projections' kernels.
        kernel_regularizer: penalty on them.

    Returns:
        The shape of `x`.

    Raises:
        LayerError: the channels cannot be divided, or `x` has no positions.
    """
    shape = tuple(x.shape)
    if len(shape) not in (3, _RANK_OF_IMAGES):
        raise LayerError(
            "self_attention must stand where there are positions",
            f"input {shape_text(shape)}",
            "move it before Flatten or the global pooling",
        )
    channels = int(shape[-1])
    if key_dim is None and channels % num_heads:
        raise LayerError(
            "`num_heads` must divide the channels",
            f"{num_heads} heads for {channels} channels",
            "choose another number, or write `key_dim`, the numbers that a head has",
        )
    if len(shape) == _RANK_OF_IMAGES:  # converters know attention of sequences alone
        positions = (int(shape[1]) * int(shape[2]), channels)
        x = factory.apply(x, "Reshape", f"{name}/positions", target_shape=positions)
    x = factory.apply(
        x,
        "MultiHeadAttention",
        f"{name}/attention",
        num_heads=num_heads,
        key_dim=key_dim or channels // num_heads,
        dropout=attention_dropout,
        use_bias=use_bias,
        kernel_initializer=kernel_initializer,
        kernel_regularizer=kernel_regularizer,
    )
    if len(shape) == _RANK_OF_IMAGES:
        x = factory.apply(x, "Reshape", f"{name}/image", target_shape=shape[1:])
    return x


def channel_shuffle(x: Tensor, *, factory: LayerFactory, name: str, groups: int) -> Tensor:
    """The channels dealt out of their groups in turn (Zhang et al. 2018, arXiv:1707.01083).

    Args:
        x: `(batch, height, width, channels)`.
        factory: makes the layers.
        name: path of the block.
        groups: how many groups the channels come in.

    Returns:
        The shape of `x`: of 6 channels in 2 groups, the channels 0, 3, 1, 4, 2, 5.

    Raises:
        LayerError: the groups do not divide the channels.
    """
    height, width, channels = _image(x, "channel_shuffle")
    if channels % groups:
        raise LayerError(
            "`groups` must divide the channels",
            f"{groups} groups for {channels} channels",
            "choose another number of groups, or of filters before",
        )
    grouped = (height, width, groups, channels // groups)
    x = factory.apply(x, "Reshape", f"{name}/groups", target_shape=grouped)
    x = factory.apply(x, "Permute", f"{name}/deal", dims=(1, 2, 4, 3))
    return factory.apply(x, "Reshape", f"{name}/image", target_shape=(height, width, channels))


def channel_split(
    x: Tensor, *, factory: LayerFactory, name: str, layers: Layers, groups: int
) -> Tensor:
    """Half of the channels past the layers, the other half through them, joined and shuffled.

    The unit of ShuffleNet V2 (Ma et al. 2018, arXiv:1807.11164).

    Args:
        x: `(batch, height, width, channels)`; of an odd number, the layers get the greater half.
        factory: makes the layers.
        name: path of the block.
        layers: runs the layers, which keep height and width.
        groups: in how many groups the result is shuffled; 1 leaves it as it is joined.

    Returns:
        `(batch, height, width, channels of the first half + channels of the layers' output)`.

    Raises:
        LayerError: the sizes do not fit.
    """
    height, width, channels = _image(x, "channel_split")
    if channels == 1:
        raise LayerError(
            "channel_split must have channels to split", "1 channel", "place a convolution before"
        )
    half = channels // 2
    deep = (height, width, channels, 1)  # Keras crops three axes of a volume
    volume = factory.apply(x, "Reshape", f"{name}/volume", target_shape=deep)

    def cropped(before: int, after: int, which: str) -> Tensor:
        part = factory.apply(
            volume,
            "Cropping3D",
            f"{name}/{which}_half",
            cropping=((0, 0), (0, 0), (before, after)),
        )
        sizes = (height, width, channels - before - after)
        return factory.apply(part, "Reshape", f"{name}/{which}_image", target_shape=sizes)

    past = cropped(0, channels - half, "first")
    through = layers(cropped(half, 0, "second"), name)
    if tuple(through.shape[1:-1]) != (height, width):
        raise LayerError(
            "the layers of channel_split must keep height and width",
            f"{height}x{width} and {shape_text(through.shape)}",
            "write `padding: same` and no strides, or `branches` where both sides shrink",
        )
    x = factory.apply([past, through], "Concatenate", f"{name}/join")
    if groups == 1:
        return x
    return channel_shuffle(x, factory=factory, name=f"{name}/shuffle", groups=groups)


def _image(x: Tensor, block: str) -> tuple[int, int, int]:
    shape = tuple(x.shape)
    if len(shape) != _RANK_OF_IMAGES:
        raise LayerError(
            f"{block} must stand where there are images",
            f"input {shape_text(shape)}",
            "move it before Flatten or the global pooling",
        )
    return int(shape[1]), int(shape[2]), int(shape[3])


BUILDERS: Final[Mapping[str, Callable[..., Tensor]]] = {
    "self_attention": self_attention,
    "channel_shuffle": channel_shuffle,
    "channel_split": channel_split,
}
"""What builds each block, by the name that it has in a config."""
