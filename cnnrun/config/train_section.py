"""The section `train`: how the network learns, and what decides about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, get_args

from cnnrun.config.backbone_spec import TRAINABLE, TrainableFrom
from cnnrun.config.keras_calls import NOTHING, Call
from cnnrun.config.kinds import Either, ListOf, MapOf, Nullable
from cnnrun.config.records import Record
from cnnrun.config.scalar_kinds import Boolean, Choice, Integer, Number, Text
from cnnrun.config.values import KerasCall

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]

# Of more, TensorFlow's own pool ends the process where the system has no room for them.
_MOST_THREADS: Final = 1024
_MOST_DEVICES: Final = 1024
# Keras counts the steps of an execution in 32 bits.
_MOST_STEPS: Final = 2**31 - 1

_OPTIMIZER: Final = Call("optimizers")
_WEIGHTS: Final = Either((Choice(("balanced",)), MapOf(Number(0), "weights by class name")))


@dataclass(frozen=True, kw_only=True)
class BestSpec:
    """What decides which epoch's weights are kept."""

    monitor: Annotated[
        str,
        Text("the name of a metric"),
        "the number of an epoch that decides, such as val_accuracy",
    ] = "val_loss"
    mode: Annotated[
        Literal["auto", "min", "max"],
        Choice(("auto", "min", "max")),
        "whether its minimum or its maximum is the best; auto knows it by the name",
    ] = "auto"


@dataclass(frozen=True, kw_only=True)
class FusedBatchNormSpec:
    """Which batch norm faster kernels than Keras's own compute in training.

    `channel_multiple` None stands for what is best in the precision, which resolved.yaml says.
    """

    least_numbers: Annotated[
        int, Integer(0), "how many numbers (height x width x channels x images) a batch has to hold"
    ] = 65_536
    channel_multiple: Annotated[
        int | None,
        Nullable(Integer(1)),
        "of which number the channels have to be a multiple for the fused kernel; by default 4 in"
        " float32, and 16 in 16 bits",
    ] = None
    few_channels: Annotated[
        int,
        Integer(0),
        "up to how many of other channels several pixels are summed at once",
    ] = 7


@dataclass(frozen=True, kw_only=True)
class ParameterGroupsSpec:
    """Which weights the optimizer treats unlike others, in every stage."""

    weight_decay: Annotated[
        Literal["all", "kernels"],
        Choice(("all", "kernels")),
        "which weights the optimizer's weight_decay shrinks; kernels spares biases, all of batch"
        " norm and other normalization, and slopes and scales such as PReLU's",
    ] = "all"
    learning_rates: Annotated[
        Mapping[str, float] | None,
        Nullable(MapOf(Number(above=0.0), "factors by the names or patterns of layers")),
        "how many times the optimizer's rate layers have, by name, by block or by pattern such as"
        " conv_*; the first that names a layer counts",
    ] = None
    first_layer: Annotated[
        float | None,
        Nullable(Number(above=0.0, maximum=1.0)),
        "how many times the rate of the last layer, or of all behind a backbone, the first layer"
        " has; those between are geometric by depth",
    ] = None


@dataclass(frozen=True, kw_only=True)
class StageSpec:
    """A part of the training, and what changes in it; None keeps what `train` says."""

    epochs: Annotated[
        int | None, Nullable(Integer(1)), "how many epochs the stage has; train.epochs by default"
    ] = None
    trainable: Annotated[
        Literal["all", "none"] | TrainableFrom | None,
        Nullable(TRAINABLE),
        "what of the backbone learns in the stage; what model.backbone.trainable says, by default",
    ] = None
    optimizer: Annotated[
        KerasCall | None,
        Nullable(_OPTIMIZER),
        "the stage's optimizer, which begins afresh; train.optimizer by default",
    ] = None
    bottleneck: Annotated[
        bool,
        Boolean(),
        "whether the frozen backbone's features are computed once for all epochs of the stage",
    ] = False


@dataclass(frozen=True, kw_only=True)
class ThresholdsSpec:
    """From which probability on an image is said to have a label, chosen on validation images."""

    each: Annotated[
        bool, Boolean(), "whether each label has a threshold of its own, or one holds for all"
    ] = True
    by: Annotated[
        Literal["f1", "precision"],
        Choice(("f1", "precision")),
        "what decides: the largest F1, or the lowest threshold with the wanted precision",
    ] = "f1"
    at_least: Annotated[
        float, Number(above=0, maximum=1), "the wanted precision, where that decides"
    ] = 0.9


_GROUPS: Final = Record(
    ParameterGroupsSpec, "a map of `weight_decay`, `learning_rates` and `first_layer`"
)
_BEST: Final = Record(BestSpec, "a map of `monitor` and `mode`")
STAGE: Final = Record(StageSpec, "a map of what changes in the stage")
THRESHOLDS: Final = Record(ThresholdsSpec, "a map of `each`, `by` and `at_least`")
FUSED_BATCH_NORM: Final = Record(
    FusedBatchNormSpec, "a map of `least_numbers`, `channel_multiple` and `few_channels`"
)


@dataclass(frozen=True, kw_only=True)
class TrainSpec:
    """How the network is trained; what is None here is chosen when training begins.

    Choices are written to resolved.yaml. `best` None keeps the last epoch, and `fused_batch_norm`
    None leaves all batch norm to Keras.
    """

    epochs: Annotated[int, Integer(1), "how often every training image is seen"] = 10
    batch_size: Annotated[int, Integer(1), "how many images a step of the optimizer sees"] = 32
    precision: Annotated[
        Precision,
        Choice(get_args(Precision)),
        "what layers compute in; mixed_bfloat16 is fast where the processor has units for it",
    ] = "float32"
    optimizer: Annotated[
        KerasCall, _OPTIMIZER, "the optimizer of Keras, by name or with its arguments"
    ] = KerasCall("optimizers", "Adam")
    parameter_groups: Annotated[
        ParameterGroupsSpec | None,
        Nullable(_GROUPS),
        "which weights have a learning rate of their own, and which do not decay",
    ] = None
    loss: Annotated[
        KerasCall | None,
        Nullable(Call("losses")),
        "the loss of Keras; without one it follows from the last layer",
    ] = None
    metrics: Annotated[
        tuple[KerasCall, ...],
        ListOf(Call("metrics"), "metrics"),
        "metrics of Keras that are measured besides the loss",
    ] = (KerasCall("metrics", "accuracy"),)
    class_weight: Annotated[
        Literal["balanced"] | Mapping[str, float] | None,
        Nullable(_WEIGHTS, NOTHING),
        "the weight of each class in the loss; balanced gives all classes the same sum",
    ] = None
    thresholds: Annotated[
        ThresholdsSpec | None,
        Nullable(THRESHOLDS),
        "with several labels an image, how the thresholds of their probabilities are chosen on "
        "validation images; one a label by F1 by default",
    ] = None
    best: Annotated[
        BestSpec | None,
        Nullable(_BEST, ("last",), written="last"),
        "which epoch's weights become model.keras; `last` for those of the last one",
    ] = BestSpec()
    until_training_loss: Annotated[
        float | None,
        Nullable(Number(above=0)),
        "a loss on the training images, as the network predicts (without augmentation, dropout and"
        " penalties), at which a stage ends; it is measured after each epoch, as `training_loss`",
    ] = None
    callbacks: Annotated[
        tuple[KerasCall, ...],
        ListOf(Call("callbacks"), "callbacks"),
        "callbacks of Keras, such as EarlyStopping",
    ] = ()
    stages: Annotated[
        tuple[StageSpec, ...],
        ListOf(STAGE, "stages"),
        "parts of the training, one after the other, such as a head first and then all layers",
    ] = ()
    threads: Annotated[
        int | None,
        Nullable(Integer(1, _MOST_THREADS)),
        "how many threads a computation has; all cores by default. It changes sums, and so bits",
    ] = None
    devices: Annotated[
        int | Literal["all"],
        Either((Integer(1, _MOST_DEVICES), Choice(("all",)))),
        "how many GPUs share each batch; all takes those that there are, and without any the"
        " processor. It changes sums, and so bits",
    ] = 1
    steps_per_execution: Annotated[
        int | None,
        Nullable(Integer(1, _MOST_STEPS)),
        "how many steps run between two looks of Python at them; chosen by size by default",
    ] = None
    fused_batch_norm: Annotated[
        FusedBatchNormSpec | None,
        Nullable(FUSED_BATCH_NORM, NOTHING),
        "the sizes for which TensorFlow's fused kernel, or sums over several pixels, compute batch"
        " norm; `none` for never",
    ] = FusedBatchNormSpec()
    diagnostics: Annotated[
        bool,
        Boolean(),
        "whether variances, saturated and dead shares and gradients of each layer are recorded at"
        " the start and after each epoch, and drawn; nothing that is trained changes by it",
    ] = False
