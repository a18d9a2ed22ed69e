"""What values each argument of a Keras class takes, where its signature does not say.

`argument_kind` looks here first, in the order `CORRECTIONS` (one class's argument), `BY_NAME` (an
argument of any class), then the name's ending, and at last the default's type. An argument that
none of these settles is an error, so that a new Keras version cannot slip one in unchecked.

A kind is the part of a table row beside `name`, `required` and `default`. Its `kind` is one of:

- a word: "integer", "number", "boolean", "text", "any", "initializer" and other families of Keras;
- `{"choice": [...]}`: one of these words;
- `{"integers": n}`, `{"numbers": n}`: one value or a list of n, of any length where n is null;
- `{"list": word, "length": n, "least": n, "what": ...}`: a list of such values;
- `{"map": {key: kind}}`: a map with these keys, each of which may be left out.

Beside it stand `minimum`, `maximum`, `exclusive_minimum` and `exclusive_maximum` (of the value, or
of each in a list), and `nullable`. The bounds are those of the constructors in keras/src of the
supported version, which a test tries one by one; what no word can say is in
cnnrun/config/special_arguments.py.
"""

from collections.abc import Mapping
from typing import Any, Final

from cnnrun.config.scalar_kinds import LARGEST_SEED

Kind = Mapping[str, Any]


def choice(*values: str) -> Kind:
    """A kind whose values are these words."""
    return {"kind": {"choice": list(values)}}


def integer(minimum: int, maximum: int | None = None) -> Kind:
    """A kind that takes an integer."""
    return {"kind": "integer"} | _bounds(minimum=minimum, maximum=maximum)


def number(
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
) -> Kind:
    """A kind that takes a number; `above` and `below` are outside of its range."""
    return {"kind": "number"} | _bounds(minimum, maximum, above=above, below=below)


def integers(length: int | None, *, minimum: int | None = None, maximum: int | None = None) -> Kind:
    """A kind that takes one integer or a list of `length` of them."""
    return {"kind": {"integers": length}} | _bounds(minimum, maximum)


def numbers(
    length: int | None,
    minimum: float | None = None,
    maximum: float | None = None,
    *,
    above: float | None = None,
) -> Kind:
    """A kind that takes one number or a list of `length` of them, each within the bounds."""
    return {"kind": {"numbers": length}} | _bounds(minimum, maximum, above=above)


def list_of(
    item: str,
    *,
    length: int | None = None,
    least: int | None = None,
    what: str | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Kind:
    """A kind that takes a list.

    Args:
        item: "integer", "number" or "text".
        length: how many there are.
        least: how many there are at least.
        what: what they are called, where it is not "integers" and so on.
        minimum: of each.
        maximum: of each.
    """
    about = {"length": length, "least": least, "what": what}
    given = {key: value for key, value in about.items() if value is not None}
    return {"kind": {"list": item} | given} | _bounds(minimum, maximum)


def map_of(**keys: Kind) -> Kind:
    """A kind that takes a map of some of these keys."""
    return {"kind": {"map": keys}}


def nullable(kind: Kind) -> Kind:
    """A kind that takes null beside what this one takes."""
    return {**kind, "nullable": True}


def _bounds(
    minimum: float | None,
    maximum: float | None,
    *,
    above: float | None = None,
    below: float | None = None,
) -> dict[str, Any]:
    bounds = {
        "minimum": minimum,
        "maximum": maximum,
        "exclusive_minimum": above,
        "exclusive_maximum": below,
    }
    return {name: bound for name, bound in bounds.items() if bound is not None}


ANY: Final[Kind] = {"kind": "any"}
BOOLEAN: Final[Kind] = {"kind": "boolean"}
TEXT: Final[Kind] = {"kind": "text"}
INTEGER: Final[Kind] = {"kind": "integer"}
COUNT: Final[Kind] = integer(1)
NATURAL: Final[Kind] = integer(0)
NUMBER: Final[Kind] = number()
POSITIVE: Final[Kind] = number(above=0)
NOT_NEGATIVE: Final[Kind] = number(0)
SHARE: Final[Kind] = number(0, 1)
SHARES: Final[Kind] = numbers(2, 0, 1)
SIGNED_SHARES: Final[Kind] = numbers(2, -1, 1)
ZOOMS: Final[Kind] = numbers(2, maximum=1, above=-1)
THRESHOLD: Final[Kind] = nullable(number(above=0, maximum=1))
CLASS_NUMBERS: Final[Kind] = list_of("integer", what="class numbers", minimum=0)
LAYER: Final[Kind] = {"kind": "layer"}
LEARNING_RATE: Final[Kind] = {"kind": "learning_rate"}
DTYPE: Final[Kind] = nullable(
    choice("bfloat16", "float16", "float32", "float64", "mixed_bfloat16", "mixed_float16")
)
DATA_FORMAT: Final[Kind] = nullable(choice("channels_first", "channels_last"))
CONVOLUTION_PADDING: Final[Kind] = choice("same", "valid")
CALLBACK_MODE: Final[Kind] = choice("auto", "max", "min")
CATEGORIES_OUTPUT: Final[Kind] = choice("count", "multi_hot", "one_hot")

BASE_LAYER_ARGUMENTS: Final[Mapping[str, tuple[Kind, Any]]] = {
    "name": (nullable(TEXT), None),
    "trainable": (BOOLEAN, True),
    "dtype": (DTYPE, None),
    "activity_regularizer": (nullable({"kind": "regularizer"}), None),
}
"""What every layer takes through its **kwargs, with defaults.

Left out are `autocast` and Keras's internal keys.
"""

ENDINGS: Final[Mapping[str, Kind]] = {
    "_initializer": {"kind": "initializer"},
    "_regularizer": nullable({"kind": "regularizer"}),
    "_constraint": nullable({"kind": "constraint"}),
    "activation": nullable({"kind": "activation"}),
}

SPATIAL: Final[Mapping[str, Kind]] = {
    "kernel_size": COUNT,
    "strides": COUNT,
    "pool_size": COUNT,
    "dilation_rate": COUNT,
    "size": COUNT,
    "output_size": COUNT,
    "output_padding": NATURAL,
}
"""Arguments that take one integer or one for each spatial dimension of their layer."""

BY_NAME: Final[Mapping[str, Kind]] = {
    "alpha": NUMBER,
    "attention_axes": nullable(integers(None)),
    "axes": integers(None),
    "axis": integers(None),
    "baseline": nullable(NUMBER),
    "beta_1": SHARE,
    "beta_2": SHARE,
    "bias_axes": nullable(TEXT),
    "bins": COUNT,
    "boundaries": numbers(None),
    "chain_depth": COUNT,
    "class_id": nullable(NATURAL),
    "clipnorm": nullable(POSITIVE),
    "clipvalue": nullable(POSITIVE),
    "cooldown": NATURAL,
    "cropping": ANY,
    "data_format": DATA_FORMAT,
    "decay_rate": POSITIVE,
    "decay_steps": COUNT,
    "depth_multiplier": COUNT,
    "dims": integers(None, minimum=1),
    "dropout": SHARE,
    "dtype": DTYPE,
    "ema_momentum": SHARE,
    "ema_overwrite_frequency": nullable(COUNT),
    "epsilon": NOT_NEGATIVE,
    "equation": TEXT,
    "factor": SHARES,
    "fft_length": COUNT,
    "fill_mode": choice("constant", "nearest", "reflect", "wrap"),
    "fill_value": NUMBER,
    "filters": COUNT,
    "first_decay_steps": COUNT,
    "flash_attention": nullable(BOOLEAN),
    "frame_length": COUNT,
    "frame_step": nullable(COUNT),
    "global_clipnorm": nullable(POSITIVE),
    "gradient_accumulation_steps": nullable(integer(2)),
    "groups": COUNT,
    "head_dim": COUNT,
    "height": COUNT,
    "ignore_class": nullable(INTEGER),
    "initial_learning_rate": NOT_NEGATIVE,
    "inner_optimizer": {"kind": "optimizer"},
    "input_axes": nullable(integers(None)),
    "input_dim": COUNT,
    "interpolation": choice("bilinear", "nearest"),
    "key_dim": COUNT,
    "label_smoothing": SHARE,
    "label_weights": nullable(numbers(None)),
    "layer": LAYER,
    "learning_rate": LEARNING_RATE,
    "logit_soft_cap": nullable(POSITIVE),
    "loss_scale_factor": nullable(POSITIVE),
    "max_freq": nullable(POSITIVE),
    "mean": NUMBER,
    "min_delta": NOT_NEGATIVE,
    "min_lr": NOT_NEGATIVE,
    "mode": CALLBACK_MODE,
    "momentum": SHARE,
    "n": COUNT,
    "name": nullable(TEXT),
    "noise_shape": ANY,
    "num_bins": COUNT,
    "num_chains": COUNT,
    "num_classes": COUNT,
    "num_heads": COUNT,
    "num_key_value_heads": COUNT,
    "num_labels": nullable(COUNT),
    "num_ops": COUNT,
    "num_query_heads": COUNT,
    "num_thresholds": integer(2),
    "output_axes": nullable(integers(None)),
    "output_dim": COUNT,
    "output_shape": nullable(integers(None)),
    "padding": CONVOLUTION_PADDING,
    "patience": NATURAL,
    "power_iterations": COUNT,
    "precision": SHARE,
    "rate": SHARE,
    "recall": SHARE,
    "recurrent_dropout": SHARE,
    "reverse_dtype": DTYPE,
    "rho": SHARE,
    "scale": NUMBER,
    "scaling": choice("density", "spectrum"),
    "seed": nullable(integer(0, LARGEST_SEED)),
    "sensitivity": SHARE,
    "sequence_length": nullable(COUNT),
    "sequence_stride": COUNT,
    "shared_axes": nullable(integers(None, minimum=1)),
    "sliding_window": nullable(COUNT),
    "specificity": SHARE,
    "start_from_epoch": NATURAL,
    "stddev": NOT_NEGATIVE,
    "threshold": NUMBER,
    "thresholds": nullable(numbers(None, 0, 1)),
    "tile_grid_size": integers(2, minimum=1),
    "top_k": nullable(COUNT),
    "units": COUNT,
    "use_cudnn": ANY,
    "value_dim": nullable(COUNT),
    "value_range": list_of("number", length=2),
    "values": numbers(None),
    "verbose": NATURAL,
    "warmup_steps": NATURAL,
    "warmup_target": nullable(NOT_NEGATIVE),
    "weight_decay": nullable(NOT_NEGATIVE),
    "width": COUNT,
    "window": nullable(TEXT),
}

BY_NAME_IN: Final[Mapping[str, Mapping[str, Kind]]] = {
    "losses": {
        "reduction": nullable(
            choice("mean", "mean_with_sample_weight", "none", "sum", "sum_over_batch_size")
        ),
        "axis": nullable(integers(None)),
    },
    "metrics": {
        "name": nullable(TEXT),
        "threshold": nullable(NUMBER),
        "average": nullable(choice("macro", "micro", "weighted")),
    },
    "regularizers": {"factor": NOT_NEGATIVE},
}
"""Arguments whose meaning belongs to one family."""

CORRECTIONS: Final[Mapping[str, Kind]] = {
    "AUC.curve": choice("PR", "PRGAIN", "ROC"),
    "AUC.summation_method": choice("interpolation", "majoring", "minoring"),
    "Attention.score_mode": choice("concat", "dot"),
    "Bidirectional.backward_layer": nullable(LAYER),
    "Bidirectional.merge_mode": nullable(choice("ave", "concat", "mul", "sum")),
    "CategoryEncoding.num_tokens": nullable(COUNT),
    "CategoryEncoding.output_mode": CATEGORIES_OUTPUT,
    "Conv1D.padding": choice("causal", "same", "valid"),
    "Convolution1D.padding": choice("causal", "same", "valid"),
    "Discretization.bin_boundaries": nullable(numbers(None)),
    "Discretization.dtype": nullable(TEXT),
    "Discretization.output_mode": choice("count", "int", "multi_hot", "one_hot"),
    "Discretization.num_bins": nullable(COUNT),
    "Dropout.noise_shape": nullable(ANY),
    "AlphaDropout.noise_shape": nullable(ANY),
    "EinsumDense.output_shape": ANY,
    "GaussianDropout.rate": SHARE,
    "Normalization.axis": nullable(integers(None)),
    "Normalization.mean": numbers(None),
    "Normalization.variance": numbers(None),
    "OrthogonalRegularizer.mode": choice("columns", "rows"),
    "R2Score.class_aggregation": nullable(choice("uniform_average", "variance_weighted_average")),
    "AugMix.alpha": POSITIVE,
    "MixUp.alpha": POSITIVE,
    "RandomColorJitter.brightness_factor": nullable(SIGNED_SHARES),
    "RandomColorJitter.contrast_factor": nullable(SHARES),
    "RandomColorJitter.hue_factor": nullable(SHARES),
    "RandomColorJitter.saturation_factor": nullable(SIGNED_SHARES),
    "RandomErasing.fill_value": nullable(NUMBER),
    "RandomErasing.scale": SHARES,
    "RandomElasticTransform.scale": SHARES,
    "RandomFlip.mode": choice("horizontal", "horizontal_and_vertical", "vertical"),
    "RandomGaussianBlur.kernel_size": integers(2, minimum=1),
    "RandomPerspective.scale": SHARE,
    "RandomPosterization.factor": integers(2, minimum=1, maximum=8),
    "RandomZoom.width_factor": nullable(ZOOMS),
    "ReLU.max_value": nullable(NOT_NEGATIVE),
    "ReLU.negative_slope": NOT_NEGATIVE,
    "Rescaling.offset": numbers(None),
    "Rescaling.scale": numbers(None),
    "Resizing.fill_mode": choice("constant"),
    "Resizing.interpolation": choice("bicubic", "bilinear", "lanczos3", "lanczos5", "nearest"),
    "STFT.side": choice("imag", "real"),
    "STFTSpectrogram.fft_length": nullable(COUNT),
    "STFTSpectrogram.mode": choice("angle", "imag", "log", "magnitude", "psd", "real", "stft"),
    "Solarization.addition_factor": SHARES,
    "Solarization.threshold_factor": SHARES,
    "Softmax.axis": integers(None),
    "UpSampling2D.interpolation": choice("bicubic", "bilinear", "lanczos3", "lanczos5", "nearest"),
    "VarianceScaling.distribution": choice("truncated_normal", "uniform", "untruncated_normal"),
    "VarianceScaling.mode": choice("fan_avg", "fan_in", "fan_out"),
    "VarianceScaling.scale": POSITIVE,
    "ZeroPadding1D.padding": ANY,
    "ZeroPadding2D.padding": ANY,
    "ZeroPadding3D.padding": ANY,
    "BatchNormalization.axis": INTEGER,
    "BatchNormalization.epsilon": POSITIVE,
    "BatchNormalization.renorm_clipping": nullable(
        map_of(rmax=NUMBER, rmin=NUMBER, dmax=NOT_NEGATIVE)
    ),
    "GroupNormalization.groups": integer(-1),
    "BinaryFocalCrossentropy.alpha": SHARE,
    "CategoricalFocalCrossentropy.alpha": numbers(None),
    "Muon.exclude_layers": nullable(list_of("text")),
    "Concatenate.axis": INTEGER,
    "MaxNorm.max_value": NOT_NEGATIVE,
    "MelSpectrogram.num_mel_bins": COUNT,
    "MelSpectrogram.sampling_rate": COUNT,
    "Muon.adam_lr_ratio": POSITIVE,
    "LeakyReLU.negative_slope": NOT_NEGATIVE,
    "R2Score.num_regressors": NATURAL,
    "STFTInitializer.side": choice("imag", "real"),
    "SparseTopKCategoricalAccuracy.k": COUNT,
    "TopKCategoricalAccuracy.k": COUNT,
    "AUC.thresholds": nullable(list_of("number", least=1, minimum=0, maximum=1)),
    "ActivityRegularization.l1": NOT_NEGATIVE,
    "ActivityRegularization.l2": NOT_NEGATIVE,
    "AdamW.weight_decay": NOT_NEGATIVE,
    "BinaryIoU.target_class_ids": list_of("integer", what="class numbers", minimum=0, maximum=1),
    "CategoricalGeneralizedCrossEntropy.q": number(above=0, below=1),
    "Dot.axes": integers(2),
    "F1Score.threshold": THRESHOLD,
    "FBetaScore.beta": POSITIVE,
    "FBetaScore.threshold": THRESHOLD,
    "Ftrl.initial_accumulator_value": NOT_NEGATIVE,
    "Ftrl.l1_regularization_strength": NOT_NEGATIVE,
    "Ftrl.l2_regularization_strength": NOT_NEGATIVE,
    "Ftrl.l2_shrinkage_regularization_strength": NOT_NEGATIVE,
    "Ftrl.learning_rate_power": number(maximum=0),
    "GaussianNoise.stddev": SHARE,
    "IoU.target_class_ids": CLASS_NUMBERS,
    "OneHotIoU.target_class_ids": CLASS_NUMBERS,
    "L1.l1": NOT_NEGATIVE,
    "L1L2.l1": NOT_NEGATIVE,
    "L1L2.l2": NOT_NEGATIVE,
    "L2.l2": NOT_NEGATIVE,
    "Lion.beta_1": number(above=0, maximum=1),
    "RandomBrightness.factor": SIGNED_SHARES,
    "RandomColorDegeneration.factor": SIGNED_SHARES,
    "RandomGaussianBlur.sigma": SHARES,
    "RandomGrayscale.factor": SHARE,
    "RandomRotation.factor": SIGNED_SHARES,
    "RandomSaturation.factor": SIGNED_SHARES,
    "RandomShear.x_factor": SHARES,
    "RandomShear.y_factor": SHARES,
    "RandomTranslation.height_factor": SIGNED_SHARES,
    "RandomTranslation.width_factor": SIGNED_SHARES,
    "RandomZoom.height_factor": ZOOMS,
    "ReLU.threshold": NOT_NEGATIVE,
    "ReduceLROnPlateau.factor": number(above=0, below=1),
    "Reshape.target_shape": list_of("integer", least=1, minimum=-1),
    "UpSampling1D.size": COUNT,
}

REQUIRED: Final = frozenset({"Normalization.mean", "Normalization.variance"})
"""Arguments that Keras would otherwise learn with `adapt`, outside the config."""

LEFT_OUT: Final[frozenset[str]] = frozenset(
    {
        # Fine-tuning and compression of language models; LoRA's weights have no settable seed.
        "lora_rank",
        "lora_alpha",
        "quantization_config",
        "gptq_unpacked_column_size",
        # Arrays and vocabularies of text, which a config file is no place for.
        "weights",
        "vocabulary",
        "vocabulary_dtype",
        "idf_weights",
        # Sparse tensors do not reach a Dense or a convolution.
        "sparse",
        "ragged",
        # Keras takes these two and then fails, or forgets them.
        "ActivityRegularization.activity_regularizer",
        "SimpleRNN.activity_regularizer",
    }
)
"""Arguments that no config may give, in any class or in one."""


def is_left_out(owner: str, name: str) -> bool:
    """Whether no config may give this argument of the class."""
    return name in LEFT_OUT or f"{owner}.{name}" in LEFT_OUT


def argument_kind(
    owner: str, family: str, name: str, *, dimensions: int | None, default: Any
) -> Kind:
    """The kind of values that the argument takes.

    Args:
        owner: the class, such as `Conv2D`.
        family: its family, such as `layers`.
        name: the argument.
        dimensions: how many spatial dimensions the class has, if its name says so.
        default: the argument's default, or `inspect.Parameter.empty`.

    Raises:
        LookupError: neither the tables nor the default settle it.
    """
    for table, key in (
        (CORRECTIONS, f"{owner}.{name}"),
        (BY_NAME_IN.get(family, {}), name),
    ):
        if key in table:
            return table[key]
    if name in SPATIAL and dimensions is not None:
        spatial = {**SPATIAL[name], "kind": {"integers": dimensions}}
        return nullable(spatial) if default is None else spatial
    # A default's plain type outranks the name: `scale` is a switch of BatchNormalization.
    if isinstance(default, bool):
        return BOOLEAN
    if name in BY_NAME:
        return BY_NAME[name]
    for ending, kind in ENDINGS.items():
        if name.endswith(ending):
            return kind
    return kind_of_default(owner, name, default)


def kind_of_default(owner: str, name: str, default: Any) -> Kind:
    """The kind that a default's type suggests: 0.5 a number, 3 an integer, "a" a text."""
    kinds: dict[type, Kind] = {int: INTEGER, float: NUMBER, str: TEXT}
    if type(default) not in kinds:
        raise LookupError(f"argument_kinds.py does not say what {owner}.{name} takes")
    return kinds[type(default)]
