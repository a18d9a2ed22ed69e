"""What other libraries, and other places of a config, call what Keras has: and what to write."""

from collections.abc import Mapping
from typing import Final

from cnnrun.config.keras_table import argument_rows, keras_table

_PART: Final = "write `RandomCrop` to a smaller size, and behind it `Resizing` to data.image_size"
_CUTOUT: Final = "write `RandomErasing: {factor: [1, 1], fill_value: 0}`"
_ONE_OPERATION: Final = (
    "write `RandAugment: {num_ops: 1}`, which draws one operation an image, and its strength"
)
_WHOLE_LIST: Final = (
    "every layer of the list is applied to every image; `factor: [0.3, 0.3]` of RandomErasing,"
    " RandomInvert, RandomGaussianBlur and RandomPerspective is a probability, and RandAugment"
    " chooses among operations"
)
_COSINE: Final = "write `CosineDecay: {initial_learning_rate: 0.1, decay_steps: 30 epochs}`"

NAMES_ELSEWHERE: Final[Mapping[str, Mapping[str, str]]] = {
    "image_layers": {
        "AutoAugment": "its learnt policies are not Keras's; write `RandAugment: {factor: 0.3}`",
        "CoarseDropout": _CUTOUT,
        "Cutout": _CUTOUT,
        "RandomApply": _WHOLE_LIST,
        "RandomChoice": _WHOLE_LIST,
        "RandomCropAndResize": _PART,
        "RandomCutout": _CUTOUT,
        "RandomHorizontalFlip": "write `RandomFlip: {mode: horizontal}`",
        "RandomResizedCrop": _PART,
        "RandomVerticalFlip": "write `RandomFlip: {mode: vertical}`",
        "TrivialAugment": _ONE_OPERATION,
        "TrivialAugmentWide": _ONE_OPERATION,
    },
    "schedules": {
        "CosineAnnealingLR": _COSINE,
        "CosineAnnealingWarmRestarts": "write `CosineDecayRestarts: {initial_learning_rate: 0.1,"
        " first_decay_steps: 10 epochs}`",
        "ExponentialLR": "write `ExponentialDecay: {initial_learning_rate: 0.1, decay_steps: 1"
        " epoch, decay_rate: 0.95}`",
        "LinearLR": "write `warmup: {warmup_steps: 5 epochs, learning_rate: 0.1}`",
        "MultiStepLR": "write `PiecewiseConstantDecay: {boundaries: [60 epochs, 120 epochs],"
        " values: [0.1, 0.02, 0.004]}`",
        "PolynomialLR": "write `PolynomialDecay: {initial_learning_rate: 0.1, decay_steps: 30"
        " epochs}`",
        "StepLR": "write `ExponentialDecay: {initial_learning_rate: 0.1, decay_steps: 30 epochs,"
        " decay_rate: 0.1, staircase: true}`",
        "cosine": _COSINE,
    },
}
"""Family -> a name that Keras has not -> what to write."""

_STRENGTH: Final = "write `factor: 0.3`: each operation has a strength from 0 to it, of 1"

ARGUMENTS_ELSEWHERE: Final[Mapping[str, str]] = {
    "CutMix.alpha": "write `factor: [1, 1]` for an alpha of 1; a single number is the end of a"
    " range from 0, of which Keras draws alpha",
    "RandAugment.magnitude": _STRENGTH,
    "RandomErasing.p": "write `factor: [0.5, 0.5]` for a probability of 0.5",
    "RandomErasing.probability": "write `factor: [0.5, 0.5]` for a probability of 0.5",
    "RandomFlip.p": "leave it out: half of the images are mirrored",
    "SparseCategoricalCrossentropy.label_smoothing": "write `CategoricalCrossentropy:"
    " {label_smoothing: 0.1}`; labels are brought into the form that a loss takes",
}
"""Arguments that are looked for in a class, `class.argument`, and what to write."""


def places_of_training() -> dict[str, str]:
    """Where stands what is looked for in `train` itself: key -> a part of `train`."""
    owners = {
        name: owner for owner in ("SGD", "Adam") for name in argument_rows("optimizers", owner)
    } | {"weight_decay": "AdamW"}
    del owners["name"]
    of_optimizer = {
        name: f"optimizer: {{{owner}: {{{name}: ...}}}}" for name, owner in owners.items()
    }
    rate = of_optimizer["learning_rate"]
    of_rate = dict.fromkeys(("lr", "lr_schedule", "scheduler", "learning_rate_schedule"), rate)
    rise = rate.replace("...", "{warmup: {warmup_steps: ..., learning_rate: ...}}")
    of_rise = dict.fromkeys(("warmup", "warmup_steps", "warmup_epochs"), rise)
    smoothing = "loss: {CategoricalCrossentropy: {label_smoothing: ...}}"
    callbacks = {name: f"callbacks: [{name}]" for name in keras_table()["callbacks"]}
    return of_optimizer | of_rate | of_rise | callbacks | {"label_smoothing": smoothing}
