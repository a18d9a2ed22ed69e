"""Arguments of Keras whose values the words of keras_table.json cannot describe.

Each bound is that of the class's constructor, in keras/src of the supported version.
"""

from collections.abc import Mapping
from typing import Final

from cnnrun.config.kinds import Either, Kind, ListOf, Nullable
from cnnrun.config.scalar_kinds import LARGEST_SEED, Boolean, Choice, Integer, Number


def special_kind(owner: str, argument: str) -> Kind | None:
    """What an argument takes, where keras_table.json says it too widely; else None."""
    return _OF_ONE_CLASS.get(f"{owner}.{argument}") or _OF_ANY_CLASS.get(argument)


def _pair_or_one(number: Number) -> Kind:
    return Either((number, ListOf(number, "numbers", length=2)))


def _margins(dimensions: int) -> Kind:
    """What is cut off or added at each side: for all, for each dimension, or for each end."""
    size = Integer(0)
    ends = ListOf(size, "integers", length=2)
    if dimensions == 1:
        return Either((size, ends))
    each = Either((size, ends), "an integer of at least 0 or a list of 2")
    what = f"an integer of at least 0 or a list of {dimensions} integers or pairs of integers"
    return Either((size, ListOf(each, "integers or pairs", length=dimensions)), what)


_SHARE: Final = _pair_or_one(Number(0, 1))
_SIGNED_SHARE: Final = _pair_or_one(Number(-1, 1))
_ZOOM: Final = _pair_or_one(Number(above=-1, maximum=1))
_NOT_NEGATIVE: Final = Number(0)
_CUDNN: Final = Either((Choice(("auto",)), Boolean()))
_DIMENSION: Final = Nullable(Integer(1))
_SHAPE: Final = ListOf(_DIMENSION, "sizes, of which null stands for any")
_THRESHOLD: Final = Number(0, 1)

_OF_ANY_CLASS: Final[Mapping[str, Kind]] = {
    # An unsigned integer of 32 bits is what Keras's seed generators hold.
    "seed": Nullable(Integer(0, LARGEST_SEED)),
    "value_range": ListOf(Number(), "numbers", length=2),
    "noise_shape": Nullable(_SHAPE),
    "thresholds": Nullable(Either((_THRESHOLD, ListOf(_THRESHOLD, "numbers")))),
    "use_cudnn": _CUDNN,
}

_OF_ONE_CLASS: Final[Mapping[str, Kind]] = {
    "AUC.thresholds": Nullable(ListOf(_THRESHOLD, "numbers", minimum=1)),
    "ActivityRegularization.l1": _NOT_NEGATIVE,
    "ActivityRegularization.l2": _NOT_NEGATIVE,
    "AdamW.weight_decay": _NOT_NEGATIVE,
    "AugMix.factor": _SHARE,
    "BinaryIoU.target_class_ids": ListOf(Integer(0, 1), "class numbers"),
    "CategoricalGeneralizedCrossEntropy.q": Number(above=0, below=1),
    "Cropping1D.cropping": _margins(1),
    "Cropping2D.cropping": _margins(2),
    "Cropping3D.cropping": _margins(3),
    "Dot.axes": Either((Integer(), ListOf(Integer(), "integers", length=2))),
    "EinsumDense.output_shape": Either((Integer(1), _SHAPE)),
    "F1Score.threshold": Nullable(Number(above=0, maximum=1)),
    "FBetaScore.beta": Number(above=0),
    "FBetaScore.threshold": Nullable(Number(above=0, maximum=1)),
    "Ftrl.initial_accumulator_value": _NOT_NEGATIVE,
    "Ftrl.l1_regularization_strength": _NOT_NEGATIVE,
    "Ftrl.l2_regularization_strength": _NOT_NEGATIVE,
    "Ftrl.l2_shrinkage_regularization_strength": _NOT_NEGATIVE,
    "Ftrl.learning_rate_power": Number(maximum=0),
    "GaussianNoise.stddev": Number(0, 1),
    "IoU.target_class_ids": ListOf(Integer(0), "class numbers"),
    "L1.l1": _NOT_NEGATIVE,
    "L1L2.l1": _NOT_NEGATIVE,
    "L1L2.l2": _NOT_NEGATIVE,
    "L2.l2": _NOT_NEGATIVE,
    "Lion.beta_1": Number(above=0, maximum=1),
    "OneHotIoU.target_class_ids": ListOf(Integer(0), "class numbers"),
    "RandAugment.factor": _SHARE,
    "RandomBrightness.factor": _SIGNED_SHARE,
    "RandomColorDegeneration.factor": _SIGNED_SHARE,
    "RandomColorJitter.brightness_factor": Nullable(_SIGNED_SHARE),
    "RandomColorJitter.contrast_factor": Nullable(_SHARE),
    "RandomColorJitter.hue_factor": Nullable(_SHARE),
    "RandomColorJitter.saturation_factor": Nullable(_SIGNED_SHARE),
    "RandomContrast.factor": _SHARE,
    "RandomElasticTransform.factor": _SHARE,
    "RandomElasticTransform.scale": _SHARE,
    "RandomErasing.factor": _SHARE,
    "RandomErasing.scale": _SHARE,
    "RandomGaussianBlur.factor": _SHARE,
    "RandomGaussianBlur.sigma": _SHARE,
    "RandomGrayscale.factor": Number(0, 1),
    "RandomHue.factor": _SHARE,
    "RandomInvert.factor": _SHARE,
    "RandomPerspective.factor": _SHARE,
    "RandomPerspective.scale": Number(0, 1),
    "RandomPosterization.factor": Integer(1, 8),
    "RandomRotation.factor": _SIGNED_SHARE,
    "RandomSaturation.factor": _SIGNED_SHARE,
    "RandomSharpness.factor": _SHARE,
    "RandomShear.x_factor": _SHARE,
    "RandomShear.y_factor": _SHARE,
    "RandomTranslation.height_factor": _SIGNED_SHARE,
    "RandomTranslation.width_factor": _SIGNED_SHARE,
    "RandomZoom.height_factor": _ZOOM,
    "RandomZoom.width_factor": Nullable(_ZOOM),
    "ReLU.threshold": _NOT_NEGATIVE,
    "ReduceLROnPlateau.factor": Number(above=0, below=1),
    "Reshape.target_shape": ListOf(Integer(-1), "integers", minimum=1),
    "Solarization.addition_factor": _SHARE,
    "Solarization.threshold_factor": _SHARE,
    "UpSampling1D.size": Integer(1),
    "ZeroPadding1D.padding": _margins(1),
    "ZeroPadding2D.padding": _margins(2),
    "ZeroPadding3D.padding": _margins(3),
}
