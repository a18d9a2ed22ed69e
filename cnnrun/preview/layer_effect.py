"""What one layer of a network makes of a training image, as a contact sheet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.automatic_choices import with_threads
from cnnrun.assembly.building import build, fitted_preprocessing
from cnnrun.assembly.standardizing import unfitted_preprocessing
from cnnrun.config.sections import Config
from cnnrun.errors import InputError
from cnnrun.models.network import BuiltLayer, Network
from cnnrun.plots.contact_sheet import Block, ContactSheet
from cnnrun.preview.augmented_images import TrainingImages, read_training_images
from cnnrun.preview.feature_tiles import MOST_MAPS, map_tiles, maps_of, size_text
from cnnrun.preview.seen_tiles import seen_blocks
from cnnrun.wording import nearest

# Batch norm's statistics are of a batch; one image is shown.
_BATCH: Final = 16
_CONVOLUTIONS: Final = ("Conv2D", "SeparableConv2D", "DepthwiseConv2D")
_POOLINGS: Final = ("MaxPooling2D", "AveragePooling2D")
_DROPOUTS: Final = ("Dropout", "SpatialDropout2D")

Values = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Passed:
    """What went into a layer and what came out, in training, of the first image.

    Attributes:
        built: the layer.
        inputs: what it took, each `(places..., channels)`.
        output: what it made of them.
    """

    built: BuiltLayer
    inputs: tuple[Values, ...]
    output: Values

    @property
    def kind(self) -> str:
        return type(self.built.layer).__name__


@dataclass(frozen=True, eq=False)
class _Shown:
    """Maps that stand in one block.

    Attributes:
        title: what they are.
        values: of the image.
        dropped: where it was dropped, of the same shape; or None.
        channels: which maps are shown; None for the first ones.
    """

    title: str
    values: Values
    dropped: NDArray[np.bool_] | None = None
    channels: tuple[int, ...] | None = None


def layer_sheet(config: Config, name: str) -> ContactSheet:
    """What a layer makes of the first training image, with the network's initial weights.

    Of convolutions and pooling also which pixels one number sees; of those that step over places
    what the others would make of the same maps; of dropout what the other kind would drop.

    Args:
        config: a checked config.
        name: the layer's name, as `cnnrun show` has it.

    Raises:
        ConfigError: the network cannot be built.
        DataError: the data cannot be used.
        InputError: there is no such layer, or its numbers are no maps.
    """
    config = with_threads(config, None)
    images = read_training_images(config, lambda _, rows: rows[:_BATCH])
    network = _network(config, images)
    built = _layer(network, name)
    passed = _pass(network, built, images.pixels)
    blocks = [*seen_blocks(network, name, images.pixels[0]), *_blocks(passed, seed=config.seed)]
    path = images.manifest.paths[images.rows[0]]
    return ContactSheet(
        title=f"{config.source.stem}: what {name} ({passed.kind}) makes of an image",
        caption=(
            f"The first training image of epoch 1, {path}, and the weights that the network begins"
            f" with (seed {config.seed}). Layers do what they do in training.",
        ),
        columns=(),
        blocks=tuple(blocks),
    )


def _network(config: Config, images: TrainingImages) -> Network:
    shape: tuple[int, int, int] = images.pixels.shape[1:]
    return build(
        config,
        input_shape=shape,
        classes=len(images.manifest.classes),
        preprocessing=fitted_preprocessing(config) or unfitted_preprocessing(config, shape),
    ).network


def _layer(network: Network, name: str) -> BuiltLayer:
    for built in network.layers:
        if built.name == name:
            return built
    if name in (step.name for step in network.steps):
        raise InputError.at(
            "--layer",
            rule="must be the name of a layer behind the standardization",
            received=f"`{name}`",
            advice="`cnnrun preview --batch` shows what the standardization does",
        )
    names = [built.name for built in network.layers]
    inside = [each for each in names if each.startswith(f"{name}_")]
    advice = (
        f"the layers of that block are {', '.join(f'`{each}`' for each in inside)}"
        if inside
        else nearest(name, names, otherwise=f"the last one is `{names[-1]}`")
    )
    raise InputError.at(
        "--layer",
        rule="must be the name of a layer of the network",
        received=f"`{name}`",
        advice=f"{advice} (`cnnrun show` has them all)",
    )


def _pass(network: Network, built: BuiltLayer, pixels: NDArray[Any]) -> _Passed:
    layer = built.layer
    several = isinstance(layer.input, list)
    before = keras.Model(network.model.input, layer.input)(pixels.astype(np.float32))
    after = layer(before, training=True)
    taken = before if several else [before]
    return _Passed(built, tuple(_first(each) for each in taken), _first(after))


def _first(batch: Any) -> Values:
    values: Values = keras.ops.convert_to_numpy(keras.ops.cast(batch, "float32"))[0]
    return values


def _blocks(passed: _Passed, *, seed: int) -> Iterator[Block]:
    """The blocks of maps, all in one scale where they are of one kind."""
    if passed.kind in _DROPOUTS:
        yield from _in_one_scale(_dropped(passed, seed=seed))
    elif passed.kind in _POOLINGS:
        yield from _in_one_scale(_pooled(passed))
    elif passed.kind in _CONVOLUTIONS and max(passed.built.layer.strides) > 1:
        yield from _each_in_its_scale(_inputs(passed))
        yield from _in_one_scale(_stepped(passed))
    else:
        yield from _each_in_its_scale(
            [*_inputs(passed), _Shown(f"what {passed.built.name} makes of it", passed.output)]
        )


def _inputs(passed: _Passed) -> list[_Shown]:
    if len(passed.inputs) == 1:
        return [_Shown("what goes in", passed.inputs[0])]
    return [_Shown(f"what goes in, {n}", each) for n, each in enumerate(passed.inputs, start=1)]


def _dropped(passed: _Passed, *, seed: int) -> list[_Shown]:
    """What the layer drops, beside what the other kind would with the same rate."""
    (before,) = passed.inputs
    layers = [passed.built.layer]
    if before.ndim == 3:
        other = next(name for name in _DROPOUTS if name != passed.kind)
        layers.append(getattr(keras.layers, other)(passed.built.layer.rate, seed=seed))
    # Of ones, so that what is dropped can be told from what is 0 anyway.
    ones = np.ones((1, *before.shape), np.float32)
    factors = [_first(layer(ones, training=True)) for layer in layers]
    channels = _some_dropped(factors) if before.ndim == 3 else None
    shown = [_Shown("what goes in", before, channels=channels)]
    for layer, factor in zip(layers, factors, strict=True):
        whose = "this layer" if layer is passed.built.layer else "instead of it"
        title = f"{whose}: {type(layer).__name__}, rate {layer.rate:g}"
        shown.append(_Shown(title, before * factor, factor == 0, channels))
    return shown


def _some_dropped(factors: Sequence[Values]) -> tuple[int, ...]:
    """The first maps, half of them such as are dropped whole, as far as there are so many."""
    is_dropped = np.any([(each == 0).all(axis=(0, 1)) for each in factors], axis=0)
    whole = np.flatnonzero(is_dropped)[: MOST_MAPS // 2]
    others = np.flatnonzero(~is_dropped)[: MOST_MAPS - len(whole)]
    return tuple(sorted(map(int, (*whole, *others))))


def _pooled(passed: _Passed) -> list[_Shown]:
    """What the layer keeps, beside what the other pooling and mere steps would."""
    (before,) = passed.inputs
    layer = passed.built.layer
    rows, columns = layer.strides
    height, width = passed.output.shape[:2]
    steps = before[::rows, ::columns][:height, :width]
    other = next(name for name in _POOLINGS if name != passed.kind)
    pooling = getattr(keras.layers, other)(layer.pool_size, layer.strides, layer.padding)
    return [
        *_inputs(passed),
        _Shown(f"this layer: {_pooling_text(passed.kind, layer)}", passed.output),
        _Shown(f"instead of it: {_pooling_text(other, layer)}", _first(pooling(before[None]))),
        _Shown(f"instead of it: steps of {rows} x {columns}, as strides keep", steps),
    ]


def _pooling_text(kind: str, layer: Any) -> str:
    what = "largest" if kind == "MaxPooling2D" else "mean"
    return f"{kind}, the {what} of each {_by(layer.pool_size)}"


def _stepped(passed: _Passed) -> list[_Shown]:
    """What a convolution with strides gives, beside every place of it, pooled or not."""
    layer = passed.built.layer
    (before,) = passed.inputs
    dense = type(layer).from_config({**layer.get_config(), "strides": (1, 1), "name": None})
    dense.build((None, *before.shape))
    dense.set_weights(layer.get_weights())
    every = dense(before[None])
    steps = tuple(layer.strides)
    pooled = [
        _Shown(
            f"instead of them: {kind} of {_by(steps)} after it",
            _first(getattr(keras.layers, kind)(steps, padding="same")(every)),
        )
        for kind in _POOLINGS
    ]
    return [
        _Shown("the convolution at every place, without its strides", _first(every)),
        _Shown(f"this layer: strides of {_by(steps)}", passed.output),
        *pooled,
    ]


def _by(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def _in_one_scale(shown: Sequence[_Shown]) -> Iterator[Block]:
    least = min(float(each.values.min()) for each in shown)
    greatest = max(float(each.values.max()) for each in shown)
    first, *others = shown
    scale = f"{_scale_text(least, greatest)}, as in the rows below"
    yield _block(first, least, greatest, scale=scale)
    for each in others:
        yield _block(each, least, greatest, scale="")


def _each_in_its_scale(shown: Sequence[_Shown]) -> Iterator[Block]:
    for each in shown:
        least, greatest = float(each.values.min()), float(each.values.max())
        yield _block(each, least, greatest, scale=_scale_text(least, greatest))


def _scale_text(least: float, greatest: float) -> str:
    return f"black {least:.3g}, white {greatest:.3g}"


def _block(shown: _Shown, least: float, greatest: float, *, scale: str) -> Block:
    maps = maps_of(shown.values, shown.channels)
    dropped = None if shown.dropped is None else maps_of(shown.dropped, shown.channels)
    words = [size_text(shown.values.shape, shown=len(maps)), scale]
    if shown.dropped is not None:
        words.append(f"orange: dropped, {shown.dropped.mean():.0%} of the numbers")
    remark = "; ".join(filter(None, words))
    names = shown.channels or range(len(maps))
    return Block(shown.title, remark, (map_tiles(maps, dropped, names, least, greatest),))
