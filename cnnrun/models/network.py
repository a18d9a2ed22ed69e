"""From a checked layer list to a keras.Model, with the config line behind each of its layers."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

import keras

from cnnrun.config.applications import APPLICATIONS, size_refusal
from cnnrun.config.backbone_rules import has_top
from cnnrun.config.backbone_spec import BackboneSpec
from cnnrun.config.blocks import BlocksSpec
from cnnrun.config.layer_lists import STEM
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.values import BatchNorm, LayerSpec
from cnnrun.errors import ConfigError, Problem
from cnnrun.models import blocks, channel_blocks, nested_blocks
from cnnrun.models.backbone import BackboneLayers, inline_backbone, stem_notes
from cnnrun.models.backbone_sources import Donor, Origin, channels_taken, open_donor
from cnnrun.models.channel_axis import refuse_channels_first_on_channels_last
from cnnrun.models.keras_objects import complete_arguments, keras_object, layer_arguments
from cnnrun.models.layer_factory import LayerFactory, MadeLayer, Tensor
from cnnrun.models.layer_failures import LayerError, shape_text
from cnnrun.models.penalties import PenaltyApart
from cnnrun.models.preprocessing import Preprocessing, Step, preprocess
from cnnrun.wording import counted

INPUT_PATH: Final = "pixels"
_BACKBONE: Final = "model.backbone"
_STEM_ADDRESS: Final = "model.stem"
_IMAGE_AXES: Final = 3
_LISTS: Final = ("layers", "branches")

_BUILDERS: Final[Mapping[str, Callable[..., Tensor]]] = {
    **blocks.BUILDERS,
    **nested_blocks.BUILDERS,
    **channel_blocks.BUILDERS,
}


@dataclass(frozen=True)
class BuiltLayer:
    """A layer of the network, and the config's line that it comes from.

    Attributes:
        name: the Keras layer's name.
        path: where it stands, such as `residual_1/conv_block_2/conv`; seeds derive from it.
        spec: the innermost entry of a layer list that made it.
        layer: the Keras layer.
        arguments: what its constructor got.
        assigned: weight -> initializer, for random weights that no argument seeds.
    """

    name: str
    path: str
    spec: LayerSpec
    layer: Any
    arguments: Mapping[str, Any]
    assigned: Mapping[str, Any]


@dataclass(frozen=True)
class Network:
    """A model that takes raw pixels, 0 to 255.

    Attributes:
        model: the Keras model; its logs have penalties apart from the loss.
        preprocessing: its first layers as a model of their own, from pixels to what the config's
            first layer gets.
        steps: what the preprocessing is made of.
        layers: the stem's, the backbone's and then the config's own, in the order of their calls.
        stem: how many of them stand below the backbone.
        backbone: what of them another network lent; None if nothing.
        classes: how many classes there are.
    """

    model: Any
    preprocessing: Any
    steps: tuple[Step, ...]
    layers: tuple[BuiltLayer, ...]
    stem: int
    backbone: BackboneLayers | None
    classes: int

    @property
    def stem_layers(self) -> tuple[BuiltLayer, ...]:
        """The layers below the backbone."""
        return self.layers[: self.stem]

    @property
    def lent_layers(self) -> tuple[BuiltLayer, ...]:
        """The layers of the backbone."""
        lent = len(self.backbone.names) if self.backbone else 0
        return self.layers[self.stem : self.stem + lent]

    @property
    def own_layers(self) -> tuple[BuiltLayer, ...]:
        """The layers on the backbone; without one, all of the network."""
        return self.layers[self.stem + len(self.lent_layers) :]


def build_network(
    model: ModelSpec,
    *,
    input_shape: tuple[int, int, int],
    classes: int,
    preprocessing: Preprocessing,
    seed: int,
    precision: str,
) -> Network:
    """The network of a config, with initial weights that depend on (seed, layer path) alone.

    Args:
        model: the layers, checked.
        input_shape: `(height, width, channels)` of the images.
        classes: how many classes there are.
        preprocessing: what happens to pixels, in float32, before the first layer.
        seed: what every initializer and stochastic layer without a seed derives its own from.
        precision: the dtype policy of the layers; the last entry computes in float32 even so.

    Returns:
        The network, of stock Keras layers only.

    Raises:
        ConfigError: a layer does not fit where it stands; the shapes are in the message. Or the
            images are not of the colours that the preprocessing, or the backbone, is for.
        ModelFileError: the backbone's weights cannot be used.
        DownloadError: they are not at hand, and cannot be downloaded.
    """
    factory = LayerFactory(seed, precision)
    assembly = _Assembly(factory, model.blocks, classes)
    donor = _donor(model.backbone, input_shape) if model.backbone and not model.stem else None
    if model.stem:
        _refuse_statistics_of_others(preprocessing, input_shape)
    pixels = factory.input(INPUT_PATH, input_shape)
    channels = int(donor.model.inputs[0].shape[-1]) if donor else input_shape[-1]
    standardized, steps = preprocess(pixels, preprocessing, channels=channels, factory=factory)
    before, x = len(factory.called), standardized
    if model.backbone and model.stem:
        x = assembly.run(model.stem, standardized, STEM)
        donor = _donor_on_stem(model.backbone, x)
    stem = len(factory.called) - before
    backbone = assembly.backbone(donor, x, is_all=not model.layers) if donor else None
    if donor and backbone and stem:
        backbone = replace(backbone, notes=(*backbone.notes, *stem_notes(donor)))
    x = backbone.output if backbone else x
    if model.layers:
        x = assembly.top(model.layers, x)
    return Network(
        model=PenaltyApart(pixels, x, name="cnnrun"),
        preprocessing=keras.Model(pixels, standardized, name="preprocessing"),
        steps=steps,
        layers=tuple(assembly.built(made) for made in factory.called[before:]),
        stem=stem,
        backbone=backbone,
        classes=classes,
    )


def _refuse_statistics_of_others(
    preprocessing: Preprocessing, input_shape: tuple[int, int, int]
) -> None:
    """Raise where an earlier run's statistics, which come with it, are not of such images."""
    matrix, mean = preprocessing.zca_matrix, preprocessing.mean
    fits_mean = mean is None or mean.size == input_shape[-1]
    fits_matrix = matrix is None or len(matrix) == math.prod(input_shape)
    if fits_mean and fits_matrix:
        return
    raise ConfigError(
        [
            Problem(
                None,
                _STEM_ADDRESS,
                "the earlier run's preprocessing has statistics of images of its own size and"
                " channels",
                f"images {shape_text((None, *input_shape))} for the stem",
                "say how they are standardized, such as `preprocess: {samplewise_center: true}`",
            )
        ]
    )


def _donor(spec: BackboneSpec, input_shape: tuple[int, int, int]) -> Donor:
    """The network that lends its layers to one of such images."""
    arguments = keras_object(dict(spec.arguments), address=_BACKBONE)
    if spec.name is not None:
        arguments = {"include_top": False, **arguments}
    origin = Origin(spec.name, spec.weights, arguments, spec.output_layer)
    try:
        return open_donor(origin, input_shape=input_shape)
    except LayerError as error:
        raise _backbone_error(error) from error


def _donor_on_stem(spec: BackboneSpec, x: Tensor) -> Donor:
    """The network that lends its layers to what the stem makes of images."""
    shape = tuple(x.shape[1:])
    refusal = _stem_refusal(spec, shape)
    if refusal is not None:
        received = f"output {shape_text(tuple(x.shape))}"
        raise ConfigError([Problem(None, _STEM_ADDRESS, refusal[0], received, refusal[1])])
    return _donor(spec, shape)


def _stem_refusal(spec: BackboneSpec, shape: tuple[Any, ...]) -> tuple[str, str] | None:
    """Why a backbone cannot stand on what a stem gives, and what to do; None if it can."""
    taken = channels_taken(spec.name, spec.weights)
    if len(shape) != _IMAGE_AXES or shape[-1] != taken or None in shape:
        rule = f"the stem must give the backbone images of {counted(taken, 'channel')}"
        return rule, f"end it with `Conv2D: {{filters: {taken}, kernel_size: 1}}`"
    if spec.name is None:
        return None
    has_imagenets_top = spec.weights == "imagenet" and has_top(spec)
    refusal = size_refusal(APPLICATIONS[spec.name], shape[:2], has_imagenets_top=has_imagenets_top)
    return (f"on the stem, {refusal[0]}", str(refusal[2])) if refusal is not None else None


def _backbone_error(error: LayerError) -> ConfigError:
    return ConfigError([Problem(None, _BACKBONE, error.rule, error.received, error.advice)])


@dataclass
class _Assembly:
    """Builds layer lists, and remembers which entry each layer belongs to."""

    factory: LayerFactory
    blocks: BlocksSpec
    classes: int
    owners: dict[str, LayerSpec] = field(default_factory=dict)

    def backbone(self, donor: Donor, x: Tensor, *, is_all: bool) -> BackboneLayers:
        """The tensor through another network's layers; `is_all` if nothing comes after them."""
        try:
            lent = inline_backbone(donor, x, factory=self.factory, is_whole_network=is_all)
        except LayerError as error:
            raise _backbone_error(error) from error
        for made in self.factory.called[-len(lent.names) :]:
            kind = type(made.layer).__name__
            self.owners[made.layer.name] = LayerSpec(kind, {}, made.path, _BACKBONE)
        return lent

    def top(self, specs: Sequence[LayerSpec], x: Tensor) -> Tensor:
        """The tensor through the network's own list, whose last entry computes in float32."""
        *inner, last = specs
        x = self.run(inner, x, "")
        return replace(self, factory=replace(self.factory, dtype="float32")).run([last], x, "")

    def run(self, specs: Sequence[LayerSpec], x: Tensor, path: str) -> Tensor:
        """The tensor through a list of layers that stands under `path`."""
        for spec in specs:
            x = self._entry(spec, x, f"{path}/{spec.path}" if path else spec.path)
        return x

    def built(self, made: MadeLayer) -> BuiltLayer:
        """The layer with its entry."""
        return BuiltLayer(
            name=made.layer.name,
            path=made.path,
            spec=self.owners[made.layer.name],
            layer=made.layer,
            arguments=made.arguments,
            assigned=made.assigned,
        )

    def _entry(self, spec: LayerSpec, x: Tensor, path: str) -> Tensor:
        """The tensor through one entry of a list."""
        before = len(self.factory.called)
        try:
            if spec.kind in _BUILDERS:
                x = self._block(spec, x, path)
            else:
                x = self._keras_layer(spec, x, path)
        except LayerError as error:
            problem = Problem(spec.position, spec.address, error.rule, error.received, error.advice)
            raise ConfigError([problem]) from error
        for made in self.factory.called[before:]:
            # Inner entries have claimed their layers already; what is left is the block's own.
            self.owners.setdefault(made.layer.name, spec)
        return x

    def _keras_layer(self, spec: LayerSpec, x: Tensor, path: str) -> Tensor:
        arguments = self._resolved(spec, complete_arguments(spec.kind, spec.arguments), path)
        refuse_channels_first_on_channels_last(x, arguments)
        return self.factory.apply(x, spec.kind, path, **arguments)

    def _block(self, spec: LayerSpec, x: Tensor, path: str) -> Tensor:
        fields = {key: value for key, value in spec.arguments.items() if key != "name"}
        arguments = {**self._of_network(spec.kind), **fields}
        lists = {key: self._runner(arguments.pop(key)) for key in _LISTS if key in arguments}
        resolved = self._resolved(spec, arguments, path)
        return _BUILDERS[spec.kind](x, name=path, **lists, **resolved)

    def _runner(self, specs: Any) -> Any:
        """What runs a list of entries, as the blocks want it; for lists of lists, a list of it."""
        if specs and isinstance(specs[0], tuple):
            return [self._runner(inner) for inner in specs]
        return partial(self.run, specs)

    def _of_network(self, kind: str) -> dict[str, Any]:
        """What a block needs beside its own fields."""
        if kind == "repeat":
            return {}
        if kind == "residual":
            shared = ("kernel_initializer", "kernel_regularizer", "use_bias", "batch_norm")
            projection = {name: getattr(self.blocks, name) for name in shared}
            return {"factory": self.factory, **projection}
        if kind == "classifier":
            return {"factory": self.factory, "classes": self.classes}
        return {"factory": self.factory}

    def _resolved(self, spec: LayerSpec, arguments: Mapping[str, Any], path: str) -> dict[str, Any]:
        """The arguments with Keras's objects in place of the config's."""
        plain = {
            name: {"position": value.position, **value.arguments}
            if isinstance(value, BatchNorm)
            else value
            for name, value in arguments.items()
        }
        return layer_arguments(
            plain,
            factory=self.factory,
            path=path,
            address=spec.address,
            position=spec.position,
        )
