"""Networks that lend their layers to a backbone: those of keras.applications, and earlier runs'."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import keras
from keras.src.backend.common import global_state

from cnnrun.config.applications import APPLICATIONS
from cnnrun.config.data_section import COLOR_MODES
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.sections import Config
from cnnrun.models.layer_factory import Tensor
from cnnrun.models.layer_failures import KERAS_FAILURES, LayerError, keras_message
from cnnrun.models.preprocessing import standardized_output
from cnnrun.models.saved import load_model
from cnnrun.models.weights_files import imagenet_files, load_weights_file
from cnnrun.runs.folder import RunFolder, open_run, require_files
from cnnrun.runs.made_by import load_resolved
from cnnrun.wording import nearest, quoted

Weights = Literal["imagenet", "none"] | Path

_COLOURS: Final = 3
_NAMES: Final = "object_name_uids"  # how often Keras has given each name of its own
_UNINITIALIZED: Final = "uninitialized_variables"  # what Keras gives values to sooner or later
_OTHER_SIZE: Final = "Weights for input shape"


@dataclass(frozen=True)
class Origin:
    """Where a backbone comes from; the attributes are what `open_donor` takes."""

    name: str | None
    weights: Weights
    arguments: Mapping[str, Any]
    output_layer: str | None

    @property
    def title(self) -> str:
        """What messages call it, such as "MobileNet"."""
        return self.name or str(self.weights)


@dataclass(frozen=True, eq=False)
class Donor:
    """A network whose layers become a backbone.

    Attributes:
        origin: where it comes from.
        model: from standardized images to the backbone's output.
        notes: what a user would hardly expect.
    """

    origin: Origin
    model: Any
    notes: tuple[str, ...]


def open_donor(origin: Origin, *, input_shape: tuple[int, int, int]) -> Donor:
    """A network with its weights, up to a layer.

    Its layers have the names that they have in a new process, whatever this one has built.

    Args:
        origin: which network.
        input_shape: (height, width, channels) of the images; grey ones get more channels later.

    Raises:
        LayerError: the constructor refuses its arguments, there is no such layer, or the images
            are not of the network's colours.
        InputError: the earlier run cannot be used.
        ModelFileError: the weights' file is damaged, or of another network.
        DownloadError: the weights are not at hand, and cannot be downloaded.
    """
    if origin.name is not None:
        donor = _application(origin, origin.name, input_shape[:2])
    else:
        donor = _earlier_run(origin)
    _refuse_colours(donor, input_shape[-1])
    return replace(donor, notes=(*donor.notes, *_colour_notes(donor, input_shape[-1])))


def channels_standardized(model: ModelSpec, channels: int) -> int:
    """How many channels images have after their preprocessing.

    Args:
        model: the network's section: a backbone gets as many as it takes, a stem what there is.
        channels: how many the images have.

    Raises:
        InputError: the earlier run cannot be used.
    """
    backbone = model.backbone
    if backbone is None or model.stem:
        return channels
    return channels_taken(backbone.name, backbone.weights)


def channels_taken(name: str | None, weights: Weights) -> int:
    """How many channels a network takes after its preprocessing; see `Origin`.

    Raises:
        InputError: the earlier run cannot be used.
    """
    return (
        _COLOURS
        if name is not None
        else int(standardized_output(_model_of(Path(weights))).shape[-1])
    )


def _application(origin: Origin, name: str, image_size: tuple[int, int]) -> Donor:
    weights = "imagenet" if origin.weights == "imagenet" else None
    shape = (*image_size, _COLOURS)
    empty = _without_weights() if origin.weights == "none" else nullcontext()
    with _names_of_a_new_process(), imagenet_files(name) as asked, _told() as told, empty:
        try:
            model = getattr(keras.applications, name)(
                **origin.arguments, weights=weights, input_shape=shape
            )
        except KERAS_FAILURES as error:
            asked.refuse_damage(error)
            raise _refusal(name, image_size, error) from error
    if isinstance(origin.weights, Path):
        load_weights_file(model, origin.weights, title=name)
    return Donor(
        origin,
        model=_up_to(model, model.inputs[0], origin),
        notes=tuple(_size_notes(name, image_size, told)),
    )


def _earlier_run(origin: Origin) -> Donor:
    """The network of a run after its preprocessing, of which the new run has its own."""
    folder = Path(origin.weights)
    model = _model_of(folder)
    start = standardized_output(model)
    if origin.output_layer is None:
        end = _before_last_entry(model, load_resolved(RunFolder(folder)))
        return Donor(origin, keras.Model(start, end), notes=())
    return Donor(origin, _up_to(model, start, origin), notes=())


def _model_of(folder: Path) -> Any:
    run = open_run(folder)
    require_files(run, run.model_keras)
    return load_model(run.model_keras)


def _before_last_entry(model: Any, config: Config) -> Tensor:
    """What the last entry of a run's layers takes."""
    end = model.outputs[0]
    if config.model.layers:
        last = config.model.layers[-1].path.replace("/", "_")
        for operation in reversed(model.operations):
            if operation.name != last and not operation.name.startswith(f"{last}_"):
                break
            end = operation.input
    return end


def _refuse_colours(donor: Donor, channels: int) -> None:
    """Raise if the images have other channels than the network takes, and are not grey."""
    taken = int(donor.model.inputs[0].shape[-1])
    if channels in (1, taken):
        return
    raise LayerError(
        f"{donor.origin.title} takes images of {_channels_text(taken)}",
        f"images of {_channels_text(channels)}",
        f"write `data.color_mode: {COLOR_MODES[taken]}`" if taken in COLOR_MODES else "",
    )


def _colour_notes(donor: Donor, channels: int) -> Iterator[str]:
    taken = int(donor.model.inputs[0].shape[-1])
    if channels != taken:
        yield f"the images are grey: {donor.origin.title} gets each as {taken} equal channels"


def _channels_text(channels: int) -> str:
    count = "1 channel" if channels == 1 else f"{channels} channels"
    return f"{count} ({COLOR_MODES[channels]})" if channels in COLOR_MODES else count


@contextmanager
def _names_of_a_new_process() -> Iterator[None]:
    """Let Keras number its layers from the beginning, and go on afterwards as if nothing was."""
    before = global_state.get_global_attribute(_NAMES)
    global_state.set_global_attribute(_NAMES, None)
    try:
        yield
    finally:
        global_state.set_global_attribute(_NAMES, before)


@contextmanager
def _without_weights() -> Iterator[None]:
    """Let what is built have no values: the copies of its layers draw their own."""
    before = global_state.get_global_attribute(_UNINITIALIZED)
    global_state.set_global_attribute(_UNINITIALIZED, [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(_UNINITIALIZED, before or [])


@contextmanager
def _told() -> Iterator[list[warnings.WarningMessage]]:
    """What Keras warns of."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        yield told


def _size_notes(
    name: str, image_size: tuple[int, int], told: list[warnings.WarningMessage]
) -> Iterator[str]:
    if any(_OTHER_SIZE in str(one.message) for one in told):
        height, width = APPLICATIONS[name].default_size
        yield (
            f"ImageNet's weights of {name} for {height}x{width} are used for images of"
            f" {image_size[0]}x{image_size[1]}: there are none for this size"
        )


def _refusal(name: str, image_size: tuple[int, int], error: BaseException) -> LayerError:
    message, size = keras_message(error), f"{image_size[0]}x{image_size[1]}"
    minimum, default = APPLICATIONS[name].minimum_size, APPLICATIONS[name].default_size
    if "size must be at least" in message:
        return LayerError(
            f"the images of {name} must be at least {minimum}x{minimum}",
            size,
            "take larger ones",
        )
    if "`input_shape` should be" in message:
        return LayerError(
            f"with its top and ImageNet's weights, {name} takes images of"
            f" {default[0]}x{default[1]}",
            size,
            "take images of this size, or leave the top out",
        )
    return LayerError(f"{name} must accept its arguments", message, "")


def _up_to(model: Any, start: Tensor, origin: Origin) -> Any:
    """The model from a tensor to the output layer."""
    output_layer = origin.output_layer
    if output_layer is None:
        return keras.Model(start, model.outputs[0])
    names = [layer.name for layer in model.layers[1:]]
    if output_layer not in names:
        raise LayerError(
            f"`output_layer` must name a layer of {origin.title}",
            f"`{output_layer}`",
            nearest(output_layer, names, otherwise=f"the last ones are {quoted(names[-3:])}"),
        )
    # A layer that holds others has an output of its own, and one for where it stands.
    node = model.get_layer(output_layer)._inbound_nodes[-1]
    return keras.Model(start, node.outputs[0])
