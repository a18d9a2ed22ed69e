"""The sections of a config: `data`, `preprocess`, `model`, `train`; `augment` is in its module.

To add a section or a key: add a field to its dataclass in values.py, and its row here.
"""

from collections.abc import Mapping
from typing import Any, Final, get_args

from cnnrun.config.augmentation import (
    AUGMENT,
    BELONGS_TO_AUGMENT,
    BELONGS_TO_DATA,
    BELONGS_TO_PREPROCESS,
)
from cnnrun.config.backbone_uses import check_backbone, check_head
from cnnrun.config.backbones import TRAINABLE, Backbone
from cnnrun.config.blocks import BLOCKS
from cnnrun.config.keras_calls import NOTHING, Call
from cnnrun.config.kinds import Either, ListOf, MapOf, Nullable
from cnnrun.config.layer_lists import LayerList
from cnnrun.config.places import Place, listed
from cnnrun.config.preprocess_rules import PREPROCESSING_FUNCTIONS, check_preprocessing
from cnnrun.config.records import Key, Record
from cnnrun.config.scalar_kinds import (
    LARGEST_SEED,
    Boolean,
    Choice,
    FilePath,
    Integer,
    Label,
    Number,
    Text,
)
from cnnrun.config.train_rules import check_training, check_whole
from cnnrun.config.values import (
    ArraysSource,
    BestSpec,
    ColorMode,
    Config,
    CsvSource,
    DataSpec,
    FusedBatchNormSpec,
    Interpolation,
    KerasDataset,
    ModelSpec,
    Precision,
    PreprocessSpec,
    ResizeSpec,
    SplitSpec,
    StageSpec,
    TrainSpec,
)

SOURCES: Final = ("directory", "csv", "arrays", "keras_dataset")
_SEED: Final = Integer(0, LARGEST_SEED)
_COLUMN: Final = Text("the name of a column")


def _check_split(place: Place, values: Mapping[str, Any]) -> None:
    """Some images are left to train on."""
    validation, test = values.get("validation", 0), values.get("test", 0)
    if validation + test >= 1:
        place.refuse(
            "validation and test together must be below 1",
            received=f"{validation:g} + {test:g} = {validation + test:g}",
            advice="the rest is what the network trains on",
        )


def _check_value_range(place: Place, values: Mapping[str, Any]) -> None:
    low, high = values.get("value_range") or (0, 1)
    if low >= high:
        place.entry("value_range").refuse(
            "the first number must be below the second",
            received=f"[{low:g}, {high:g}]",
            advice="give the value of black, then that of white",
        )


def _check_sources(place: Place, values: Mapping[str, Any]) -> None:
    """Exactly one source, and a size where the images do not have one size already."""
    given = [key for key in SOURCES if place.has_key(key) and values.get(key, "") is not None]
    if not given:
        place.refuse(
            f"one of {listed(SOURCES)} is required",
            received="none of them",
            advice="name the folder of your images, `directory: ../images`",
        )
    for key in given[1:]:
        place.refuse_key(
            key,
            f"only one of {listed(SOURCES)} can be given",
            received=f"`{key}` beside `{given[0]}`",
            advice=f"leave one of them out; one of a base file goes with `{given[0]}: null`",
        )
    files = [key for key in given if key in ("directory", "csv")]
    if files and values.get("image_size", "") is None:
        place.refuse_key(
            files[0],
            f"`image_size` is required beside `{files[0]}`",
            received="nothing for it",
            advice="add the height and width that images are brought to, `image_size: [64, 64]`",
        )


def _check_classes(place: Place, values: Mapping[str, Any]) -> None:
    classes = values.get("classes")
    if isinstance(classes, tuple):
        repeated = sorted({name for name in classes if classes.count(name) > 1})
        if repeated:
            place.entry("classes").refuse(
                "each class must stand in the list once",
                received=f"{listed(repeated)} more than once",
                advice="keep one of them",
            )


RESIZE: Final = Record(
    ResizeSpec,
    "a map of `interpolation` and `keep_aspect`",
    {
        "interpolation": Key(Choice(get_args(Interpolation)), "how pixels are interpolated"),
        "keep_aspect": Key(Boolean(), "whether the centre is cropped to keep the proportions"),
    },
)

SPLIT: Final = Record(
    SplitSpec,
    "a map of `validation`, `test` and `seed`",
    {
        "validation": Key(Number(0, below=1), "the share of images held out for validation"),
        "test": Key(Number(0, below=1), "the share of images held out for the test"),
        "seed": Key(_SEED, "the seed that chooses the images"),
    },
    checks=(_check_split,),
)

CSV: Final = Record(
    CsvSource,
    "the path of a CSV file, or a map with `file`",
    {
        "file": Key(FilePath("a CSV file"), "the path of a CSV file with a header"),
        "path": Key(_COLUMN, "the column of image paths, relative to the file"),
        "label": Key(_COLUMN, "the column of class names"),
        "split": Key(Nullable(_COLUMN), "the column of train, validation or test"),
        "group": Key(Nullable(_COLUMN), "the column of groups that no split divides"),
    },
    short="file",
)

ARRAYS: Final = Record(
    ArraysSource,
    "the path of an .npz file, or a map with `file`",
    {
        "file": Key(FilePath("an .npz file"), "the path of an .npz file"),
        "value_range": Key(
            Nullable(ListOf(Number(), "numbers", length=2)),
            "the values of black and white; floats need it",
        ),
    },
    checks=(_check_value_range,),
    short="file",
)

_CLASSES: Final = Either((Integer(2), ListOf(Label("a class name"), "class names", minimum=2)))

DATA: Final = Record(
    DataSpec,
    "a map of where the images are",
    {
        "directory": Key(
            Nullable(FilePath("a folder")),
            "a folder with a folder for each class, or with train, validation and test folders",
        ),
        "csv": Key(Nullable(CSV), "a CSV file of images and labels"),
        "arrays": Key(Nullable(ARRAYS), "an .npz file of images and labels"),
        "keras_dataset": Key(
            Nullable(Choice(get_args(KerasDataset))), "a data set that Keras downloads"
        ),
        "image_size": Key(
            Nullable(ListOf(Integer(1), "integers", length=2)), "height and width of the input"
        ),
        "color_mode": Key(Nullable(Choice(get_args(ColorMode))), "the channels of the input"),
        "resize": Key(RESIZE, "how images are brought to image_size"),
        "split": Key(SPLIT, "the shares that are held out"),
        "classes": Key(Nullable(_CLASSES), "the classes: their order, or their number"),
        "on_bad_image": Key(Choice(("error", "skip")), "what happens when an image cannot be read"),
        "cache_memory_mb": Key(Integer(0), "the memory for decoded images, in megabytes"),
    },
    checks=(_check_sources, _check_classes),
    elsewhere=BELONGS_TO_AUGMENT | BELONGS_TO_PREPROCESS | BELONGS_TO_DATA,
)

PREPROCESS: Final = Record(
    PreprocessSpec,
    "a map of what happens to every image",
    {
        "preprocessing_function": Key(
            Nullable(Choice(tuple(PREPROCESSING_FUNCTIONS))),
            "the module of keras.applications whose preprocess_input comes first",
        ),
        "rescale": Key(
            Either((Number(), Choice(("auto",))), "a number or `auto`"),
            "the factor of pixels, which are 0 to 255; auto is 1/255, or none after a function",
        ),
        "samplewise_center": Key(Boolean(), "whether each image's mean is subtracted"),
        "samplewise_std_normalization": Key(
            Boolean(), "whether each image is divided by its standard deviation"
        ),
        "featurewise_center": Key(
            Boolean(), "whether the training images' mean of each channel is subtracted"
        ),
        "featurewise_std_normalization": Key(
            Boolean(), "whether channels are divided by the training images' standard deviation"
        ),
        "zca_whitening": Key(
            Boolean(), "whether numbers are made uncorrelated over the training images"
        ),
        "zca_epsilon": Key(Number(0), "what is added to ZCA's singular values"),
    },
    elsewhere=BELONGS_TO_AUGMENT | BELONGS_TO_DATA,
)

MODEL: Final = Record(
    ModelSpec,
    "a map with `layers`",
    {
        "blocks": Key(BLOCKS, "what every block uses unless it says otherwise"),
        "backbone": Key(
            Nullable(Backbone(), NOTHING), "a network that model.layers stand on, or `none`"
        ),
        "layers": Key(
            LayerList(is_whole_network=True), "the layers of the network, or those on the backbone"
        ),
    },
    checks=(check_head,),
    bequeaths="blocks",
)

_OPTIMIZER: Final = Call("optimizers")
_BEST: Final = Record(
    BestSpec,
    "a map of `monitor` and `mode`",
    {
        "monitor": Key(Text("the name of a metric"), "the metric that decides"),
        "mode": Key(Choice(("auto", "min", "max")), "whether less or more of it is better"),
    },
)

STAGE: Final = Record(
    StageSpec,
    "a map of what changes in the stage",
    {
        "epochs": Key(Nullable(Integer(1)), "how many epochs the stage has"),
        "trainable": Key(Nullable(TRAINABLE), "what learns in the stage"),
        "optimizer": Key(Nullable(_OPTIMIZER), "the optimizer of the stage"),
        "bottleneck": Key(
            Boolean(), "whether the frozen backbone's features are computed once for all epochs"
        ),
    },
)

FUSED_BATCH_NORM: Final = Record(
    FusedBatchNormSpec,
    "a map of `least_numbers` and `channel_multiple`",
    {
        "least_numbers": Key(Integer(0), "how many numbers a batch has to hold"),
        "channel_multiple": Key(Integer(1), "of what the channels have to be a multiple"),
    },
)

TRAIN: Final = Record(
    TrainSpec,
    "a map of how the network is trained",
    {
        "epochs": Key(Integer(1), "how often every training image is seen"),
        "batch_size": Key(Integer(1), "how many images one step sees"),
        "precision": Key(Choice(get_args(Precision)), "the precision of the computation"),
        "optimizer": Key(_OPTIMIZER, "the optimizer"),
        "loss": Key(Nullable(Call("losses")), "the loss; it follows from the last layer"),
        "metrics": Key(ListOf(Call("metrics"), "metrics"), "what is measured besides the loss"),
        "class_weight": Key(
            Nullable(
                Either(
                    (Choice(("balanced",)), MapOf(Number(0), "weights by class name")),
                ),
                NOTHING,
            ),
            "the weight of each class in the loss",
        ),
        "best": Key(Nullable(_BEST, ("last",)), "which epoch's weights are kept"),
        "callbacks": Key(ListOf(Call("callbacks"), "callbacks"), "callbacks of Keras"),
        "stages": Key(ListOf(STAGE, "stages"), "parts of the training, one after the other"),
        "threads": Key(Nullable(Integer(1)), "the threads of a computation; all cores"),
        "steps_per_execution": Key(
            Nullable(Integer(1)), "how many steps run at once; chosen by size"
        ),
        "fused_batch_norm": Key(
            Nullable(FUSED_BATCH_NORM, NOTHING),
            "the size from which TensorFlow's fused kernel computes batch norm; `none` for never",
        ),
    },
    checks=(check_training,),
)

CONFIG: Final = Record(
    Config,
    "a map of sections",
    {
        "seed": Key(_SEED, "the seed of everything that is drawn"),
        "data": Key(DATA, "the images"),
        "preprocess": Key(PREPROCESS, "what happens to every image, inside the model"),
        "augment": Key(AUGMENT, "what happens to training images alone"),
        "model": Key(MODEL, "the network"),
        "train": Key(TRAIN, "the training"),
    },
    checks=(check_whole, check_backbone, check_preprocessing),
    elsewhere=BELONGS_TO_AUGMENT | BELONGS_TO_PREPROCESS | BELONGS_TO_DATA,
)
