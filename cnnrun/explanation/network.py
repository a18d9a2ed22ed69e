"""A network taken apart: its layers that still have places of the image, and its classes' scores.

Layers are read from the calls that lead to the output (Keras's nodes), not from `layer.output`,
which layers that hold others have for themselves, and operations without a layer do not have.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from cnnrun.config.output_rules import BETWEEN_0_AND_1, PASSES_ON, SUMS_TO_ONE
from cnnrun.errors import InputError
from cnnrun.models.preprocessing import standardized_output
from cnnrun.wording import nearest, quoted

_IMAGE_DIMENSIONS: Final = 4
_PROBABILITIES: Final = SUMS_TO_ONE | BETWEEN_0_AND_1
_EDGES: Final = frozenset({"Cropping2D", "ZeroPadding2D"})
_MIXES_PLACES: Final = frozenset({"Reshape", "Transpose"})
"""Operations after which a row and a column are not those of the image any more."""


@dataclass(frozen=True, eq=False)
class MapLayer:
    """A layer whose output has the image's height and width, if fewer of either.

    Attributes:
        name: its name.
        layer: the Keras layer.
        tensor: its output, symbolic.
        height: how many rows its output has.
        width: how many columns.
        channels: how many channels.
        channels_axis: 3, or 1 where channels come first.
        is_passed_by_all: whether all that leads from the image to the classes leads through it.
    """

    name: str
    layer: Any
    tensor: Any
    height: int
    width: int
    channels: int
    channels_axis: int
    is_passed_by_all: bool

    @property
    def places(self) -> int:
        """How many places a channel has."""
        return self.height * self.width

    def channels_last(self, values: NDArray[Any]) -> NDArray[Any]:
        """Its output as `(images, height, width, channels)`."""
        return np.moveaxis(values, self.channels_axis, -1)

    def index(self, row: int, column: int, channel: int) -> tuple[int, int, int]:
        """Where a value of one image is in its output."""
        return (channel, row, column) if self.channels_axis == 1 else (row, column, channel)


@dataclass(frozen=True, eq=False)
class ExplainedNetwork:
    """A network taken apart.

    Attributes:
        pixels: its input, symbolic: `(images, height, width, channels)`, 0 to 255.
        standardized: what its preprocessing makes of them; the same where there is none.
        scores: what its last layer gives before it makes probabilities of it (logits),
            `(images, units)`, symbolic.
        layers: those with places, without the preprocessing, in the order of their calls.
        names: of all layers after the preprocessing.
        of_labels: whether each unit judges a label by itself, several of which an image may have.
    """

    pixels: Any
    standardized: Any
    scores: Any
    layers: tuple[MapLayer, ...]
    names: tuple[str, ...]
    of_labels: bool

    def until(self, *tensors: Any) -> Any:
        """The network from pixels to some tensors."""
        return keras.Model(self.pixels, list(tensors))

    @property
    def last(self) -> MapLayer | None:
        """The last layer with places that everything passes; None where there is none."""
        return next((each for each in reversed(self.layers) if each.is_passed_by_all), None)

    @property
    def last_of_each_size(self) -> tuple[MapLayer, ...]:
        """The last layer of each height and width, in the order of their calls.

        Without those that only add an edge or cut one off.
        """
        layers = [each for each in self.layers if type(each.layer).__name__ not in _EDGES]
        last = {(each.height, each.width): each for each in layers}
        return tuple(each for each in layers if last[each.height, each.width] is each)

    def layer(self, name: str) -> MapLayer:
        """The layer of a name.

        Raises:
            InputError: the network has none, or what it gives has no height and width.
        """
        found = next((each for each in self.layers if each.name == name), None)
        if found is not None:
            return found
        known = [each.name for each in self.layers]
        if name not in self.names:
            raise InputError.at(
                "--layer",
                rule="must be the name of a layer of the network",
                received=f"`{name}`",
                advice=nearest(name, self.names, otherwise=f"the last are {quoted(known[-3:])}"),
            )
        raise InputError.at(
            "--layer",
            rule="must be a layer whose output has a height and a width",
            received=f"`{name}`, which has none left",
            advice=f"the last with both is `{known[-1]}`" if known else NO_MAPS_ADVICE,
        )


NO_MAPS_ADVICE: Final = "no layer of this network has: give `--what occlusion`, which needs none"


def explained_network(model: Any, *, of_labels: bool) -> ExplainedNetwork:
    """A network taken apart; from now on all of it computes in float32.

    Gradients of half precision are rough, and those of float16 vanish: so the weights, which are
    float32 whatever the precision, are used as they are.

    Args:
        model: takes raw pixels; nobody else may need its precision.
        of_labels: whether each of its units judges a label by itself.
    """
    for layer in model._flatten_layers():
        layer.dtype_policy = keras.DTypePolicy("float32")
    steps = tuple(_steps(model))
    standardized = standardized_output(model)
    begins = _position(steps, standardized) + 1
    layers = [step.operation for step in steps[begins:] if isinstance(step.operation, keras.Layer)]
    return ExplainedNetwork(
        pixels=model.inputs[0],
        standardized=standardized,
        scores=_scores(steps),
        layers=tuple(_map_layers(steps, begins, model.inputs[0])),
        names=tuple(layer.name for layer in layers),
        of_labels=of_labels,
    )


def class_scores(scores: Any, classes: Sequence[int], *, of_labels: bool) -> Any:
    """The score of a class for each image: its unit, or of a single unit the sign of it.

    A unit of its own label speaks for that label, also where there is no other.

    Args:
        scores: `(images, units)`.
        classes: a class number, or a label's, for each image.
        of_labels: whether each unit judges a label by itself.

    Returns:
        A list of scalars, one an image.
    """
    if int(scores.shape[-1]) == 1 and not of_labels:
        return [scores[row, 0] * (1 if number else -1) for row, number in enumerate(classes)]
    return [scores[row, number] for row, number in enumerate(classes)]


@dataclass(frozen=True, eq=False)
class _Step:
    """A call of a layer or an operation."""

    operation: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]


def _steps(model: Any) -> Iterator[_Step]:
    """The calls that lead from input to output, each after those that it needs."""
    by_depth = model._nodes_by_depth
    for depth in sorted(by_depth, reverse=True):
        for node in by_depth[depth]:
            yield _Step(node.operation, tuple(node.input_tensors), tuple(node.output_tensors))


def _position(steps: Sequence[_Step], tensor: Any) -> int:
    return next(
        number
        for number, step in enumerate(steps)
        if any(output is tensor for output in step.outputs)
    )


def _scores(steps: Sequence[_Step]) -> Any:
    """What the last layer that computes something gives, without its softmax or sigmoid."""
    number = next(
        number for number in reversed(range(len(steps))) if not _passes_on(steps[number].operation)
    )
    last = steps[number]
    kind = type(last.operation).__name__
    activation = getattr(getattr(last.operation, "activation", None), "__name__", "linear")
    if kind == "Softmax" or (kind == "Activation" and activation in _PROBABILITIES):
        scores = last.inputs[0]
    elif activation in _PROBABILITIES:
        scores = _without_activation(last)
    else:
        scores = last.outputs[0]
    for step in steps[number + 1 :]:
        scores = step.operation(scores)
    return scores


def _passes_on(operation: Any) -> bool:
    kind = type(operation).__name__
    is_cast = kind == "Activation" and operation.activation is keras.activations.linear
    return is_cast or kind in PASSES_ON


def _without_activation(step: _Step) -> Any:
    """The output of a layer like this one, with the same weights, that has no activation."""
    layer = step.operation
    twin = type(layer).from_config(layer.get_config() | {"activation": "linear"})
    scores = twin(step.inputs[0])
    twin.set_weights(layer.get_weights())
    return scores


def _map_layers(steps: Sequence[_Step], begins: int, pixels: Any) -> Iterator[MapLayer]:
    """The layers after the preprocessing whose output has places of the image."""
    axes: dict[int, int] = {id(pixels): len(pixels.shape) - 1}
    passed_by_all = _passed_by_all(steps)
    for number, step in enumerate(steps):
        output = step.outputs[0]
        axis = _channels_axis(step, axes)
        if axis is None:
            continue
        axes[id(output)] = axis
        channels = output.shape[axis]
        height, width = (size for at, size in enumerate(output.shape) if at not in (0, axis))
        if number < begins or not isinstance(step.operation, keras.Layer) or height * width < 2:
            continue
        yield MapLayer(
            name=step.operation.name,
            layer=step.operation,
            tensor=output,
            height=int(height),
            width=int(width),
            channels=int(channels),
            channels_axis=axis,
            is_passed_by_all=number in passed_by_all,
        )


def _channels_axis(step: _Step, axes: dict[int, int]) -> int | None:
    """Which axis of a call's output holds the channels; None where rows and columns are lost."""
    output = step.outputs[0]
    if id(output) in axes:
        return axes[id(output)]
    known = [tensor for tensor in step.inputs if id(tensor) in axes]
    if not known or len(step.outputs) > 1 or len(output.shape) != _IMAGE_DIMENSIONS:
        return None
    kind, axis = type(step.operation).__name__, axes[id(known[0])]
    if kind in _MIXES_PLACES:
        return None
    if kind == "Permute":
        dims = tuple(step.operation.dims)
        # Rows and columns that change places would lay the map over the image askew.
        keeps_order = dims in ((1, 2, 3), (2, 3, 1), (3, 1, 2))
        return int(dims.index(axis)) + 1 if keeps_order else None
    return axis


def _passed_by_all(steps: Sequence[_Step]) -> set[int]:
    """The calls that everything between input and output passes.

    Steps are in order, so it is those after which nothing that was computed before is taken again.
    """
    last_use = {id(tensor): number for number, step in enumerate(steps) for tensor in step.inputs}
    found, still_needed = set(), -1
    for number, step in enumerate(steps):
        if still_needed <= number:
            found.add(number)
        still_needed = max(still_needed, *(last_use.get(id(each), -1) for each in step.outputs))
    return found
