"""Another network's layers within this one: copied under their own names, with their weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import keras

from cnnrun.models.backbone_sources import Donor, Origin
from cnnrun.models.layer_calls import attends
from cnnrun.models.layer_factory import LayerFactory, Tensor
from cnnrun.models.layer_failures import LayerError, shape_text
from cnnrun.models.weights_files import finish_loading

_STANDARDIZING: Final = (keras.layers.Normalization, keras.layers.Rescaling)


@dataclass(frozen=True, eq=False)
class BackboneLayers:
    """The part of a network that another one lent.

    Attributes:
        origin: which network that is.
        names: its layers, in the order of their calls.
        output: where the head begins.
        notes: what a user would hardly expect.
    """

    origin: Origin
    names: tuple[str, ...]
    output: Tensor
    notes: tuple[str, ...]


def inline_backbone(
    donor: Donor, x: Tensor, *, factory: LayerFactory, is_whole_network: bool
) -> BackboneLayers:
    """The donor's layers on top of a tensor, each a layer of this network.

    Layers that hold others, and operations, become plain layers of Keras; what augments images
    lets them pass. What standardizes pixels, and the network's last layer, compute in float32.

    Args:
        donor: the network.
        x: standardized images.
        factory: makes the layers; initial weights depend on its seed and the layers' names.
        is_whole_network: whether nothing comes after it.

    Raises:
        LayerError: a layer does not fit where it stands, or its name is taken.
    """
    before = len(factory.called)
    last = donor.model.outputs[0]._keras_history.operation if is_whole_network else None

    def run(operation: Any, *arguments: Any, **_: Any) -> Tensor:
        if attends(operation) and any(one is not arguments[0] for one in arguments):
            raise LayerError(
                "attention in a backbone must be of an image to itself",
                f"`{operation.name}` of {donor.origin.title}, which attends to another layer",
                "end the backbone before it with `output_layer`",
            )
        if _augments(operation):
            return factory.apply(arguments[0], "Identity", operation.name)
        in_float32 = isinstance(operation, _STANDARDIZING) or operation is last
        changed = {"dtype": "float32"} if in_float32 else {}
        if isinstance(operation, keras.Sequential):
            return _through_all(operation, arguments[0], donor, factory)
        if isinstance(operation, keras.layers.Layer):
            layer = factory.copy(operation, operation.name, **changed)
            return _through(layer, arguments[0], operation, donor, factory)
        return _computed(operation, arguments, donor, factory)

    output = donor.model._run_through_graph(x, call_fn=run)
    return BackboneLayers(
        origin=donor.origin,
        names=tuple(made.layer.name for made in factory.called[before:]),
        output=output,
        notes=(*donor.notes, *_augmentation_notes(donor)),
    )


def stem_notes(donor: Donor) -> Iterator[str]:
    """What a stem has to know of a network of keras.applications that standardizes by itself."""
    first = next((one for one in donor.model.operations if not _is_input(one)), None)
    if donor.origin.name is not None and isinstance(first, _STANDARDIZING):
        yield (
            f"`{first.name}` of {donor.origin.title} standardizes what the stem gives, which should"
            " be in the range of pixels, 0 to 255"
        )


def _is_input(operation: Any) -> bool:
    return isinstance(operation, keras.layers.InputLayer)


def _augments(operation: Any) -> bool:
    """Whether a layer changes images at random, which no rate of 0 switches off when frozen."""
    kind = type(operation).__name__
    return kind.startswith("Rand") or kind == "AugMix"


def _augmentation_notes(donor: Donor) -> Iterator[str]:
    for operation in donor.model.operations:
        if _augments(operation):
            yield (
                f"`{operation.name}` of {donor.origin.title} lets images pass as they are: a"
                " backbone does not augment, `augment` does"
            )


def _through(layer: Any, x: Tensor, original: Any, donor: Donor, factory: LayerFactory) -> Tensor:
    """The copy's output, once it has its original's weights."""
    output = factory.call(layer, x)
    if donor.origin.weights == "none":
        return output
    for copied, given in zip(layer.weights, original.weights, strict=True):
        if copied.shape != given.shape:
            raise LayerError(
                f"`{layer.name}` of {donor.origin.title} must take what it took there",
                f"input {shape_text(x.shape)}, for which its weights would be {copied.shape}"
                f" instead of {given.shape}",
                "give images of the same size, or end the backbone before it with `output_layer`",
            )
        copied.assign(given)
    finish_loading(layer)
    return output


def _through_all(sequential: Any, x: Tensor, donor: Donor, factory: LayerFactory) -> Tensor:
    for inner in sequential.layers:
        layer = factory.copy(inner, f"{sequential.name}/{inner.name}")
        x = _through(layer, x, inner, donor, factory)
    return x


def _computed(
    operation: Any, arguments: tuple[Any, ...], donor: Donor, factory: LayerFactory
) -> Tensor:
    """The sum or product that an operation gives, by a layer of the operation's name."""
    kind, name = type(operation).__name__, operation.name
    tensors = [one for one in arguments if isinstance(one, keras.KerasTensor)]
    numbers = [one for one in arguments if isinstance(one, int | float)]
    if kind in ("Add", "Multiply") and len(tensors) == len(arguments):
        return factory.apply(tensors, kind, name)
    if kind in ("Add", "Multiply") and len(tensors) == len(numbers) == 1:
        given = {"scale": 1.0, "offset": numbers[0]} if kind == "Add" else {"scale": numbers[0]}
        return factory.apply(tensors[0], "Rescaling", name, **given)
    raise LayerError(
        "the operations of a backbone must be sums and products",
        f"{kind} ({name}) in {donor.origin.title}",
        "end the backbone before it with `output_layer`",
    )
