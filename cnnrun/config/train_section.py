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

_OPTIMIZER: Final = Call("optimizers")
_WEIGHTS: Final = Either((Choice(("balanced",)), MapOf(Number(0), "weights by class name")))


@dataclass(frozen=True, kw_only=True)
class BestSpec:
    """What decides which epoch's weights are kept."""

    monitor: Annotated[str, Text("the name of a metric"), "the metric that decides"] = "val_loss"
    mode: Annotated[
        Literal["auto", "min", "max"],
        Choice(("auto", "min", "max")),
        "whether less or more of it is better",
    ] = "auto"


@dataclass(frozen=True, kw_only=True)
class FusedBatchNormSpec:
    """Which batch norm TensorFlow's fused kernel computes in training: where it is the faster one.

    Attributes:
        least_numbers: numbers in a batch, height x width x channels x images, from which on it is.
        channel_multiple: of what the channels have to be a multiple.
    """

    least_numbers: Annotated[int, Integer(0), "how many numbers a batch has to hold"] = 131_072
    channel_multiple: Annotated[int, Integer(1), "of what the channels have to be a multiple"] = 16


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

    epochs: Annotated[int | None, Nullable(Integer(1)), "how many epochs the stage has"] = None
    trainable: Annotated[
        Literal["all", "none"] | TrainableFrom | None,
        Nullable(TRAINABLE),
        "what learns in the stage",
    ] = None
    optimizer: Annotated[KerasCall | None, Nullable(_OPTIMIZER), "the optimizer of the stage"] = (
        None
    )
    bottleneck: Annotated[
        bool, Boolean(), "whether the frozen backbone's features are computed once for all epochs"
    ] = False


_BEST: Final = Record(BestSpec, "a map of `monitor` and `mode`")
STAGE: Final = Record(StageSpec, "a map of what changes in the stage")
FUSED_BATCH_NORM: Final = Record(
    FusedBatchNormSpec, "a map of `least_numbers` and `channel_multiple`"
)


@dataclass(frozen=True, kw_only=True)
class TrainSpec:
    """How the network is trained.

    `loss` None follows from the last layer; `best` None keeps the last epoch; `threads` and
    `steps_per_execution` None are chosen when training begins, and written to resolved.yaml.
    `fused_batch_norm` None leaves all batch norm to Keras.
    """

    epochs: Annotated[int, Integer(1), "how often every training image is seen"] = 10
    batch_size: Annotated[int, Integer(1), "how many images one step sees"] = 32
    precision: Annotated[
        Precision, Choice(get_args(Precision)), "the precision of the computation"
    ] = "float32"
    optimizer: Annotated[KerasCall, _OPTIMIZER, "the optimizer"] = KerasCall("optimizers", "Adam")
    loss: Annotated[
        KerasCall | None,
        Nullable(Call("losses")),
        "the loss; without one it follows from the last layer",
    ] = None
    metrics: Annotated[
        tuple[KerasCall, ...],
        ListOf(Call("metrics"), "metrics"),
        "what is measured besides the loss",
    ] = (KerasCall("metrics", "accuracy"),)
    class_weight: Annotated[
        Literal["balanced"] | Mapping[str, float] | None,
        Nullable(_WEIGHTS, NOTHING),
        "the weight of each class in the loss",
    ] = None
    best: Annotated[
        BestSpec | None,
        Nullable(_BEST, ("last",), written="last"),
        "which epoch's weights are kept",
    ] = BestSpec()
    callbacks: Annotated[
        tuple[KerasCall, ...], ListOf(Call("callbacks"), "callbacks"), "callbacks of Keras"
    ] = ()
    stages: Annotated[
        tuple[StageSpec, ...],
        ListOf(STAGE, "stages"),
        "parts of the training, one after the other",
    ] = ()
    threads: Annotated[
        int | None,
        Nullable(Integer(1)),
        "the threads of a computation; as many as there are cores if none is given",
    ] = None
    steps_per_execution: Annotated[
        int | None,
        Nullable(Integer(1)),
        "how many steps run at once; chosen by size if none is given",
    ] = None
    fused_batch_norm: Annotated[
        FusedBatchNormSpec | None,
        Nullable(FUSED_BATCH_NORM, NOTHING),
        "the size from which TensorFlow's fused kernel computes batch norm; `none` for never",
    ] = FusedBatchNormSpec()
