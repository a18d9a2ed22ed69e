"""First configs for a user's own images, each choice explained in a comment."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnnrun.config.data_section import AT_A_PATH
from cnnrun.config.sections import DATA
from cnnrun.errors import DataError
from cnnrun.starter import choices
from cnnrun.starter.backbone_variant import variant_lines
from cnnrun.starter.comments import comment, quoted
from cnnrun.starter.new_files import write_new_files
from cnnrun.starter.survey import Survey, survey_images

MOST_NAMED_CLASSES = 50  # beyond, the config gives their number and the folder their names


def write_fitted_configs(place: Path, *, project: Path, layout: str | None) -> tuple[Path, Path]:
    """Writes two configs for a user's images, and returns their paths.

    `configs/<place>.yaml` has a small network, `configs/<place>_mobilenet.yaml` a head on top of
    MobileNet.

    Args:
        place: a folder, a CSV file or an .npz file.
        project: the folder that gets `configs`.
        layout: how the paths of a folder are read, where that is said.

    Raises:
        DataError: there are no such images, or their meaning is not certain.
        InputError: one of them exists already.
        StorageError: one of them cannot be written.
    """
    survey = survey_images(place, layout=layout)
    if not survey.sizes:
        raise DataError.at(
            place,
            rule="must hold images that can be read",
            received=f"{len(survey.unreadable)} that cannot, {survey.unreadable[0]} among them",
            advice="save them again as PNG or JPEG",
        )
    stem = place.resolve().name if place.is_dir() else place.stem
    name = re.sub(r"[^\w-]+", "-", stem).strip("-") or "images"
    config = project / "configs" / f"{name}.yaml"
    variant = config.with_name(f"{name}_mobilenet.yaml")
    lines = {
        config: config_lines(survey, name=name, folder=config.parent),
        variant: variant_lines(survey, name=name),
    }
    write_new_files({path: f"{chr(10).join(text)}\n".encode() for path, text in lines.items()})
    return config, variant


def config_lines(survey: Survey, *, name: str, folder: Path) -> Iterator[str]:
    """The config, line by line.

    Args:
        survey: what is known of the images.
        name: the config's, without `.yaml`.
        folder: the folder that it will lie in.
    """
    kind = "training images" if survey.splits else "images"
    yield from comment(
        f"{name}: {survey.total:,} {kind} {_of_what(survey)}. "
        "Written by `cnnrun init --data`; every choice below is a beginning, not a verdict."
    )
    yield from comment(f"Train it with: cnnrun train configs/{name}.yaml")
    yield ""
    yield "seed: 0"
    yield "data:"
    yield from source_lines(survey, folder)
    yield from data_lines(survey)
    yield "model:"
    yield from model_lines(survey)
    yield "train:"
    yield from train_lines(survey)


def _of_what(survey: Survey) -> str:
    if survey.data.is_multi_label:
        return f"of {len(survey.classes)} labels, several or none an image"
    return f"in {len(survey.classes)} classes"


def source_lines(survey: Survey, folder: Path) -> Iterator[str]:
    """The keys of the section `data` that say what the images are and how they are read.

    Paths are relative to the config, so that both can be handed over together.
    """
    written = DATA.write(survey.data, relative_to=folder.resolve())
    for key in AT_A_PATH:
        if key in written:
            yield f"  {key}: {_flow(_said(key, written[key]))}"
    for reason in survey.reason:
        yield from comment(f"{reason[0].upper()}{reason[1:]}.", indent=2)
    if survey.data.layout == ("{label}/**",):
        yield from comment("Each folder is a class, with all that is in it.", indent=2)
    for key in ("task", "layout", "exclude", "value_range"):
        if key in written:
            yield f"  {key}: {_flow(written[key])}"
    if survey.data.is_multi_label:
        yield from comment(
            "Each label is a question of its own; `cnnrun help labels` has the manual. Other names "
            "for labels, and what is none or unknown: "
            '`label_map: {"No Finding": null, "-1": unknown}`.',
            indent=2,
        )


def _said(key: str, source: Any) -> Any:
    """A source's keys that are not as they would be anyway."""
    if not isinstance(source, dict):
        return source
    usual = {"path": "path", "label": "label"} if key == "csv" else {}
    said = {key: value for key, value in source.items() if usual.get(key) != value}
    return said["file"] if list(said) == ["file"] else said


def _flow(value: Any) -> str:
    """A value in one line of YAML."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return quoted(value) if isinstance(value, str) else f"{value}"


def data_lines(survey: Survey) -> Iterator[str]:
    """What else the section `data` says: classes, sizes, colours, splits."""
    if survey.too_small:
        yield from comment(
            f"Left out, with too few images to hold any back: {', '.join(survey.too_small)}.",
            indent=2,
        )
    if survey.too_small or len(survey.classes) <= MOST_NAMED_CLASSES:
        noun = "labels" if survey.data.is_multi_label else "classes"
        yield from comment(f"The {noun}, in the order of the network's outputs.", indent=2)
        yield "  classes:"
        yield from (f"    - {quoted(label)}" for label in survey.classes)
    else:
        yield f"  classes: {len(survey.classes)}"
    size = choices.image_size(survey.sizes)
    yield from comment(size.reason, indent=2)
    yield f"  image_size: [{size.height}, {size.width}]"
    if size.keep_aspect:
        yield "  resize: {keep_aspect: true}"
    if survey.is_grey:
        yield from comment("No colour in the images looked at: one channel is enough.", indent=2)
        yield "  color_mode: grayscale"
    else:
        yield from comment("The images are in colour.", indent=2)
        yield "  color_mode: rgb"
    yield from split_lines(survey)
    if survey.unreadable:
        yield from comment(
            f"Not every image can be read ({survey.unreadable[0]}): these are left out. "
            "`cnnrun check-data` lists them.",
            indent=2,
        )
        yield "  on_bad_image: skip"


def split_lines(survey: Survey) -> Iterator[str]:
    """What is held back for validation and test."""
    split = choices.split_shares(survey)
    words = {key: list(value) for key, value in survey.data.split.words.items()}
    said = {key: _flow(value[0] if len(value) == 1 else value) for key, value in words.items()}
    if split is None:
        yield from comment("The images come with their splits.", indent=2)
    else:
        yield from comment(split.reason, indent=2)
        said = {
            "validation": f"{split.validation:g}",
            "test": f"{split.test:g}",
            "seed": "0",
        } | said
    if said:
        order = [key for key in ("train", "validation", "test", "seed") if key in said]
        yield f"  split: {{{', '.join(f'{key}: {said[key]}' for key in order)}}}"


def model_lines(survey: Survey) -> Iterator[str]:
    """The section `model`: stages of convolutions, each halving the image, then an average."""
    size = choices.image_size(survey.sizes)
    stages = choices.filters(size)
    yield "  blocks:"
    yield from comment(
        "Batch norm lets a small network learn fast. Keras's own momentum of 0.99 needs many steps "
        "before validation can be believed; 0.9 suits a small data set.",
        indent=4,
    )
    yield "    batch_norm: {position: before_activation, momentum: 0.9}"
    yield "    activation: relu"
    yield "  layers:"
    halvings = len(stages) - 1
    yield from comment(
        f"{len(stages)} stages; pooling between them brings {size.height} x {size.width} down to "
        f"{size.height >> halvings} x {size.width >> halvings}, so that the last sees most of it.",
        indent=4,
    )
    for stage, filters in enumerate(stages):
        if stage > 0:
            yield "    - MaxPooling2D: {pool_size: 2}"
        yield f"    - conv_block: {{filters: {filters}, kernel_size: 3}}"
    yield "    - GlobalAveragePooling2D"
    yield from comment("Dropout, as few images are soon known by heart.", indent=4)
    yield "    - Dropout: {rate: 0.3}"
    yield "    - classifier"


def train_lines(survey: Survey) -> Iterator[str]:
    """The section `train`."""
    held_back = choices.split_shares(survey)
    share = 1 - (held_back.validation + held_back.test if held_back else 0)
    plan = choices.schedule(max(1, int(share * survey.total)))
    yield from comment(
        "Epochs for about as many steps as a small network can use; it ends earlier when "
        f"validation has not improved for {plan.patience} epochs, and the best epoch is kept.",
        indent=2,
    )
    yield f"  epochs: {plan.epochs}"
    yield f"  batch_size: {plan.batch_size}"
    yield "  optimizer: {Adam: {learning_rate: 1e-3}}"
    ratio = choices.imbalance(survey.images)
    if ratio >= choices.NOTABLE_IMBALANCE and not survey.data.is_multi_label:
        yield from comment(
            f"The largest class has {ratio:.1f} times the images of the smallest: rare classes "
            "count for more, so that all matter alike.",
            indent=2,
        )
        yield "  class_weight: balanced"
    if not survey.holds_back:
        yield from comment("Nothing to judge epochs by: the last one is kept.", indent=2)
        yield "  best: last"
        return
    yield "  best: {monitor: val_loss}"
    yield "  callbacks:"
    yield f"    - EarlyStopping: {{patience: {plan.patience}}}"
