"""What a config with several labels an image cannot have, and one with a single label neither."""

from collections.abc import Mapping
from typing import Any, Final

from cnnrun.config.blocks import SOFTMAX_BY_DEFAULT
from cnnrun.config.data_section import DataSpec
from cnnrun.config.keras_table import class_of
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.output_rules import SUMS_TO_ONE, loss_class
from cnnrun.config.places import Place
from cnnrun.config.train_section import TrainSpec
from cnnrun.config.values import KerasCall, LayerSpec
from cnnrun.wording import listed

LABEL_LOSSES: Final = ("BinaryCrossentropy", "BinaryFocalCrossentropy")
"""Losses that compare each label of an image on its own."""
LABEL_METRICS: Final = (
    "accuracy",
    "acc",
    "AUC",
    "BinaryAccuracy",
    "F1Score",
    "FBetaScore",
    "Precision",
    "Recall",
)
"""Metrics of Keras that are measured over labels of which it is known whether images have them."""
_OF_CLASSES: Final = {
    "train_images_per_class": "counts the images of each class, and an image has several labels",
    "train_share": "takes a share of each class, and an image has several labels",
}


def check_label_source(place: Place, values: Mapping[str, Any]) -> None:
    """Several labels stand in a table or an array, and keys about them beside such a task."""
    is_several = values.get("task") == "multi_label"
    csv = values.get("csv")
    if not is_several:
        if csv is not None and getattr(csv, "separator", None) is not None:
            place.entry("csv").refuse_key(
                "separator",
                "goes with `task: multi_label`",
                received="a task of one label an image",
                advice="leave it out, or add `task: multi_label` under `data`",
            )
        return
    if not (place.has_key("csv") or place.has_key("arrays")):
        place.refuse_key(
            "task",
            "several labels an image come from a table (csv) or an array (arrays)",
            received="neither of them",
            advice="write a table of images and labels, and name it as `csv`",
        )
    if getattr(csv, "pixels", None) is not None:
        place.refuse_key(
            "task",
            "several labels an image go with a table that names files",
            received="`csv.pixels`, a table that holds the pixels",
            advice="write the images and their labels into an .npz file, and name it as `arrays`",
        )
    if any("{label}" in pattern for pattern in values.get("layout") or ()):
        place.refuse_key(
            "layout",
            "several labels an image stand in the table, not in paths",
            received="`{label}` in the layout",
            advice="leave the layout out",
        )
    for key, reason in _OF_CLASSES.items():
        if values.get(key) is not None:
            place.refuse_key(
                key,
                "does not go with `task: multi_label`",
                received=f"`{key}`, which {reason}",
                advice="leave it out",
            )


def check_label_map(place: Place, values: Mapping[str, Any]) -> None:
    """Names are given to labels of tables."""
    if values.get("label_map") is not None and values.get("csv", "") is None:
        place.refuse_key(
            "label_map",
            "renames labels of a table",
            received="no `csv`",
            advice="rename the folders, or the numbers with `classes`",
        )


def check_task(place: Place, values: Mapping[str, Any]) -> None:
    """Output, loss and metrics judge each label on its own where an image may have several."""
    data, train, model = (values.get(section) for section in ("data", "train", "model"))
    if not isinstance(data, DataSpec) or not isinstance(train, TrainSpec):
        return
    if not data.is_multi_label:
        if train.thresholds is not None:
            place.entry("train").refuse_key(
                "thresholds",
                "goes with `task: multi_label`: the most probable of classes needs none",
                received="a task of one label an image",
                advice="leave it out, or add `task: multi_label` under `data`",
            )
        return
    if isinstance(model, ModelSpec) and model.layers:
        _check_last_layer(place.at("model", "layers", len(model.layers) - 1), model.layers[-1])
    if train.loss is not None and train.loss.arguments.get("reduction") == "sum":
        place.at("train", "loss", train.loss.name, "reduction").refuse(
            "the loss of several labels an image must be a mean over the images",
            received="`sum`",
            advice="leave it out",
        )
    if train.loss is not None and loss_class(train.loss) not in LABEL_LOSSES:
        place.at("train", "loss").refuse(
            "the loss of several labels an image must compare each on its own",
            received=f"`{train.loss.name}`, which compares classes that exclude each other",
            advice=f"write one of {listed(LABEL_LOSSES)}, or leave it out for the first",
        )
    for index, metric in enumerate(train.metrics):
        if not {metric.name, class_of("metrics", metric.name)} & set(LABEL_METRICS):
            place.at("train", "metrics", index).refuse(
                "a metric of several labels an image must look at each on its own",
                received=f"`{metric.name}`",
                advice=f"the metrics are {', '.join(LABEL_METRICS)}; average precision is among "
                "the numbers of the test",
            )
    if isinstance(train.class_weight, Mapping):
        place.at("train", "class_weight").refuse(
            "must be `balanced` where an image may have several labels",
            received="weights by name",
            advice="write `balanced`: in each label images with and without it then weigh the same",
        )


def _check_last_layer(place: Place, last: LayerSpec) -> None:
    activation = last.arguments.get("activation")
    if not isinstance(activation, KerasCall) or activation is SOFTMAX_BY_DEFAULT:
        return
    if activation.name.lower() in SUMS_TO_ONE:
        place.refuse(
            "several labels an image need a probability each",
            received=f"`{activation.name}`, whose numbers sum to 1",
            advice="write `activation: sigmoid`, or end the list with `classifier`",
        )
