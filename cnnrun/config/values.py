"""The values of a checked config: frozen dataclasses, whose defaults are cnnrun's defaults.

A field without a default is one that the user has to write, or that `model.blocks` fills in.
Positions and the config's own file do not count when two configs are compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cnnrun.errors import Position

BatchNormPosition = Literal["none", "before_activation", "after_activation", "before_convolution"]
ColorMode = Literal["rgb", "grayscale", "rgba"]
Convolution = Literal["Conv2D", "SeparableConv2D", "DepthwiseConv2D"]
FillMode = Literal["nearest", "reflect", "constant", "wrap"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
KerasDataset = Literal["mnist", "fashion_mnist", "cifar10", "cifar100"]
Padding = Literal["valid", "same"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]


@dataclass(frozen=True)
class KerasCall:
    """An object of Keras, by name and arguments, as the config gives it.

    Attributes:
        family: the module of Keras that holds it: "layers", "optimizers", "schedules", "losses",
            "metrics", "callbacks", "initializers", "regularizers", "constraints", "activations".
        name: a class ("Adam"), or a function's name or alias as Keras spells it ("relu").
        arguments: argument -> None, bool, int, float, str, a tuple of these, or a KerasCall.
    """

    family: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BatchNorm:
    """Where a block normalizes its batches, and with which arguments of BatchNormalization."""

    position: BatchNormPosition
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LayerSpec:
    """One entry of a layer list.

    Attributes:
        kind: a class of keras.layers ("Conv2D") or a block ("conv_block", "dense_block",
            "residual", "branches", "repeat", "classifier").
        arguments: a Keras layer's arguments as written, without its name; every field of a
            block's dataclass below.
        path: its name, or its kind in snake case and its number among that kind in its own list
            ("conv_block_2"); relative to that list.
        address: where it stands in the config, such as "model.layers[2].Conv2D".
        position: where it stands in the file.
        named: whether `path` is a name that the user gave.
    """

    kind: str
    arguments: Mapping[str, Any]
    path: str
    address: str
    position: Position | None = field(default=None, compare=False)
    named: bool = False


@dataclass(frozen=True, kw_only=True)
class ConvBlock:
    """A convolution with batch norm and activation in a chosen order, and dropout last."""

    filters: int | None = None
    kernel_size: int | tuple[int, int]
    strides: int | tuple[int, int] = 1
    padding: Padding = "same"
    dilation_rate: int | tuple[int, int] = 1
    groups: int = 1
    use_bias: bool
    convolution: Convolution = "Conv2D"
    depth_multiplier: int = 1
    batch_norm: BatchNorm
    activation: KerasCall | None
    kernel_initializer: KerasCall
    bias_initializer: KerasCall = KerasCall("initializers", "zeros")
    kernel_regularizer: KerasCall | None
    bias_regularizer: KerasCall | None = None
    kernel_constraint: KerasCall | None = None
    bias_constraint: KerasCall | None = None
    dropout: float
    spatial_dropout: float = 0.0
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class DenseBlock:
    """A Dense layer with batch norm and activation in a chosen order, and dropout last."""

    units: int
    use_bias: bool
    batch_norm: BatchNorm
    activation: KerasCall | None
    kernel_initializer: KerasCall
    bias_initializer: KerasCall = KerasCall("initializers", "zeros")
    kernel_regularizer: KerasCall | None
    bias_regularizer: KerasCall | None = None
    kernel_constraint: KerasCall | None = None
    bias_constraint: KerasCall | None = None
    dropout: float
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Residual:
    """Layers whose result is added to their input."""

    layers: tuple[LayerSpec, ...]
    shortcut: Literal["auto", "identity", "projection"] = "auto"
    activation: KerasCall | None = None
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Branches:
    """Parallel lists of layers over one input, merged by a merging layer of Keras."""

    branches: tuple[tuple[LayerSpec, ...], ...]
    merge: KerasCall = KerasCall("layers", "Concatenate")
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """Layers that stand `times` times in a row, each time with weights of their own."""

    times: int
    layers: tuple[LayerSpec, ...]


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """The last layer: Dense with one unit a class."""

    activation: KerasCall | None = KerasCall("activations", "softmax")
    use_bias: bool
    kernel_initializer: KerasCall
    bias_initializer: KerasCall = KerasCall("initializers", "zeros")
    kernel_regularizer: KerasCall | None
    bias_regularizer: KerasCall | None = None
    kernel_constraint: KerasCall | None = None
    bias_constraint: KerasCall | None = None
    name: str = "classifier"


@dataclass(frozen=True, kw_only=True)
class BlocksSpec:
    """What every block of the network uses unless it says otherwise."""

    batch_norm: BatchNorm = BatchNorm("none")
    activation: KerasCall | None = KerasCall("activations", "relu")
    kernel_initializer: KerasCall = KerasCall("initializers", "glorot_uniform")
    kernel_regularizer: KerasCall | None = None
    use_bias: bool = True
    dropout: float = 0.0


@dataclass(frozen=True)
class TrainableFrom:
    """Only the layer of this name, and those after it, learn."""

    layer: str


@dataclass(frozen=True, kw_only=True)
class BackboneSpec:
    """A network that is there already, and on top of which `model.layers` stand.

    Attributes:
        name: a network of keras.applications; None for the network of an earlier run.
        weights: "imagenet", "none" for initial ones, a weights file, or, without a name, the
            folder of an earlier run.
        output_layer: the layer whose output the head gets; None is the last one, in a network
            without a top, and the last before the classifier in a run's.
        trainable: what of the backbone learns in a stage that says nothing.
        batch_norm: whether the backbone's batch norm stays frozen where its layers learn.
        arguments: the constructor's own arguments, as written; `include_top` is false by default.
    """

    name: str | None = None
    weights: Literal["imagenet", "none"] | Path = "imagenet"
    output_layer: str | None = None
    trainable: Literal["all", "none"] | TrainableFrom = "none"
    batch_norm: Literal["frozen", "train"] = "frozen"
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """The network: its backbone if it has one, its layers, and what its blocks have in common.

    `layers` are all of the network, or the head on top of the backbone.
    """

    blocks: BlocksSpec = BlocksSpec()
    backbone: BackboneSpec | None = None
    layers: tuple[LayerSpec, ...]


@dataclass(frozen=True, kw_only=True)
class ResizeSpec:
    """How an image is brought to `image_size`; `keep_aspect` crops its centre, not squeezes it."""

    interpolation: Interpolation = "bilinear"
    keep_aspect: bool = False


@dataclass(frozen=True, kw_only=True)
class SplitSpec:
    """Shares of the images that are held out, and the seed that chooses them."""

    validation: float = 0.15
    test: float = 0.15
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class CsvSource:
    """A table of images; `path`, `label`, `split` and `group` are names of its columns."""

    file: Path
    path: str = "path"
    label: str = "label"
    split: str | None = None
    group: str | None = None


@dataclass(frozen=True, kw_only=True)
class ArraysSource:
    """An .npz file of images and labels; `value_range` says what 0 and 255 are in it."""

    file: Path
    value_range: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """The images: exactly one of four sources, their size and colours, and their splits."""

    directory: Path | None = None
    csv: CsvSource | None = None
    arrays: ArraysSource | None = None
    keras_dataset: KerasDataset | None = None
    image_size: tuple[int, int] | None = None
    color_mode: ColorMode | None = None
    resize: ResizeSpec = ResizeSpec()
    split: SplitSpec = SplitSpec()
    classes: tuple[str, ...] | int | None = None
    on_bad_image: Literal["error", "skip"] = "error"
    cache_memory_mb: int = 256


@dataclass(frozen=True, kw_only=True)
class PreprocessSpec:
    """Standardization of every image, inside the model, in the order of ImageDataGenerator.

    Pixels are 0 to 255 at first. On top of a backbone, saying nothing means what the backbone
    expects. The names are ImageDataGenerator's, and so is the order: the
    preprocessing function, `rescale`, the samplewise steps, the featurewise ones, ZCA.

    Attributes:
        preprocessing_function: a module of keras.applications, whose `preprocess_input` is meant.
        rescale: a factor; 0 for none, as in Keras; "auto" is 1/255, and none beside a
            preprocessing function, which scales by itself.
        samplewise_center: whether each image's own mean is subtracted.
        samplewise_std_normalization: whether each image is divided by its own standard deviation;
            centres it, too.
        featurewise_center: whether the training images' mean of each channel is subtracted.
        featurewise_std_normalization: whether channels are divided by the training images'
            standard deviation; centres them, too.
        zca_whitening: whether numbers are made uncorrelated over the training images; centres
            them, and takes the place of featurewise_std_normalization.
        zca_epsilon: what is added to ZCA's singular values before they divide.
    """

    preprocessing_function: str | None = None
    rescale: float | Literal["auto"] = "auto"
    samplewise_center: bool = False
    samplewise_std_normalization: bool = False
    featurewise_center: bool = False
    featurewise_std_normalization: bool = False
    zca_whitening: bool = False
    zca_epsilon: float = 1e-6


@dataclass(frozen=True, kw_only=True)
class AugmentSpec:
    """What happens to training images, drawn anew each epoch; nothing by default.

    Names and meanings are ImageDataGenerator's.

    Attributes:
        rotation_range: degrees, to either side.
        width_shift_range: a float below 1 is a share of the width, others are pixels; an int draws
            whole pixels below it, a tuple is chosen from, both with either sign.
        height_shift_range: the same of the height.
        brightness_range: the lowest and the highest factor.
        shear_range: degrees, to either side.
        zoom_range: the lowest and the highest zoom, or how far they are from 1.
        channel_shift_range: levels, to either side.
        fill_mode: what stands outside of an image.
        cval: the level outside, for "constant".
        horizontal_flip: whether half of the images are mirrored.
        vertical_flip: whether half of them are turned upside down.
        interpolation_order: of the splines between pixels; 1 is bilinear.
        engine: whose code moves the pixels; both give the same, "fast" many times as fast.
    """

    rotation_range: float = 0.0
    width_shift_range: float | tuple[float, ...] = 0.0
    height_shift_range: float | tuple[float, ...] = 0.0
    brightness_range: tuple[float, float] | None = None
    shear_range: float = 0.0
    zoom_range: float | tuple[float, float] = 0.0
    channel_shift_range: float = 0.0
    fill_mode: FillMode = "nearest"
    cval: float = 0.0
    horizontal_flip: bool = False
    vertical_flip: bool = False
    interpolation_order: int = 1
    engine: Literal["fast", "keras"] = "fast"


@dataclass(frozen=True, kw_only=True)
class BestSpec:
    """What decides which epoch's weights are kept."""

    monitor: str = "val_loss"
    mode: Literal["auto", "min", "max"] = "auto"


@dataclass(frozen=True, kw_only=True)
class FusedBatchNormSpec:
    """Which batch norm TensorFlow's fused kernel computes in training: where it is the faster one.

    Attributes:
        least_numbers: numbers in a batch, height x width x channels x images, from which on it is.
        channel_multiple: of what the channels have to be a multiple.
    """

    least_numbers: int = 131_072
    channel_multiple: int = 16


@dataclass(frozen=True, kw_only=True)
class StageSpec:
    """A part of the training, and what changes in it; None keeps what `train` says.

    Attributes:
        epochs: how many there are.
        trainable: what learns beside the head: "none" or "all" of the backbone, or the network
            from a layer on; None is what `model.backbone.trainable` says, and "all" without one.
        optimizer: begins afresh, whether it is the stage's own or the training's.
        bottleneck: whether the frozen backbone's features are computed once for all epochs.
    """

    epochs: int | None = None
    trainable: Literal["all", "none"] | TrainableFrom | None = None
    optimizer: KerasCall | None = None
    bottleneck: bool = False


@dataclass(frozen=True, kw_only=True)
class TrainSpec:
    """How the network is trained.

    `loss` None follows from the last layer; `best` None keeps the last epoch; `threads` and
    `steps_per_execution` None are chosen when training begins, and written to resolved.yaml.
    `fused_batch_norm` None leaves all batch norm to Keras.
    """

    epochs: int = 10
    batch_size: int = 32
    precision: Precision = "float32"
    optimizer: KerasCall = KerasCall("optimizers", "Adam")
    loss: KerasCall | None = None
    metrics: tuple[KerasCall, ...] = (KerasCall("metrics", "accuracy"),)
    class_weight: Literal["balanced"] | Mapping[str, float] | None = None
    best: BestSpec | None = BestSpec()
    callbacks: tuple[KerasCall, ...] = ()
    stages: tuple[StageSpec, ...] = ()
    threads: int | None = None
    steps_per_execution: int | None = None
    fused_batch_norm: FusedBatchNormSpec | None = FusedBatchNormSpec()


@dataclass(frozen=True, kw_only=True)
class Config:
    """A checked config. `source` is the file it was read from."""

    seed: int = 0
    data: DataSpec
    preprocess: PreprocessSpec = PreprocessSpec()
    augment: AugmentSpec = AugmentSpec()
    model: ModelSpec
    train: TrainSpec = TrainSpec()
    source: Path = field(default=Path(), compare=False)
