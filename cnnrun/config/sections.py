"""A whole config: its sections, and the rules that their values follow.

Each section's dataclass declares its keys, in data_section.py and so on.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Final

from cnnrun.config.augment_layers import MIXING
from cnnrun.config.augment_rules import check_augment_layers
from cnnrun.config.augment_section import AugmentSpec, check_pairs
from cnnrun.config.backbone_uses import check_backbone, check_head
from cnnrun.config.band_rules import check_augmented_bands, check_bands
from cnnrun.config.data_section import DataSpec, check_classes, check_sources
from cnnrun.config.data_sources import check_value_range
from cnnrun.config.keras_table import names_of
from cnnrun.config.loss_rules import check_loss
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.names_elsewhere import places_of_training
from cnnrun.config.output_rules import check_output
from cnnrun.config.pixel_layer_rules import check_pixel_layers
from cnnrun.config.preprocess_rules import check_preprocessing
from cnnrun.config.preprocess_section import PreprocessSpec
from cnnrun.config.records import Record
from cnnrun.config.scalar_kinds import SEED
from cnnrun.config.task_rules import check_label_map, check_label_source, check_task
from cnnrun.config.train_rules import check_training, check_whole
from cnnrun.config.train_section import TrainSpec

_OF_DATA: Final = {"validation_split": "data.split"}
_OF_PREPROCESS: Final = {each.name: "preprocess" for each in fields(PreprocessSpec)}
_OF_AUGMENT: Final = {each.name: "augment" for each in fields(AugmentSpec) if each.name != "layers"}
_IMAGE_LAYERS: Final = dict.fromkeys(names_of("image_layers"), "augment.layers")

DATA: Final = Record(
    DataSpec,
    "a map of where the images are",
    checks=(
        check_sources,
        check_classes,
        check_value_range,
        check_bands,
        check_label_source,
        check_label_map,
    ),
    elsewhere=_OF_AUGMENT | _OF_PREPROCESS | _OF_DATA,
)
PREPROCESS: Final = Record(
    PreprocessSpec,
    "a map of what happens to every image",
    elsewhere=_OF_AUGMENT | _OF_DATA,
)
AUGMENT: Final = Record(
    AugmentSpec,
    "a map of what happens to training images",
    checks=(check_pairs,),
    elsewhere=_OF_PREPROCESS | _OF_DATA | _IMAGE_LAYERS,
)
MODEL: Final = Record(ModelSpec, "a map with `layers`", checks=(check_head,), bequeaths="blocks")
TRAIN: Final = Record(
    TrainSpec,
    "a map of how the network is trained",
    checks=(check_training, check_loss),
    elsewhere=places_of_training() | dict.fromkeys(MIXING, "augment.layers"),
)


@dataclass(frozen=True, kw_only=True)
class Config:
    """A checked config. `source` is the file it was read from."""

    seed: Annotated[int, SEED, "the seed of initial weights, order, augmentation and dropout"] = 0
    data: Annotated[DataSpec, DATA, "which images, and which of them are held out"]
    preprocess: Annotated[
        PreprocessSpec, PREPROCESS, "what happens to every image, inside the model"
    ] = PreprocessSpec()
    augment: Annotated[AugmentSpec, AUGMENT, "what happens to training images alone"] = (
        AugmentSpec()
    )
    model: Annotated[ModelSpec, MODEL, "the network"]
    train: Annotated[TrainSpec, TRAIN, "the training"] = TrainSpec()
    source: Path = field(default=Path(), compare=False)


CONFIG: Final = Record(
    Config,
    "a map of sections",
    checks=(
        check_whole,
        check_backbone,
        check_preprocessing,
        check_augmented_bands,
        check_augment_layers,
        check_output,
        check_task,
        check_pixel_layers,
    ),
    elsewhere=_OF_AUGMENT | _OF_PREPROCESS | _OF_DATA,
)
