"""First configs for a user's own folder of images, each choice explained in a comment."""

import re
from collections.abc import Iterator
from pathlib import Path

from cnnrun.errors import DataError
from cnnrun.starter import choices
from cnnrun.starter.backbone_variant import variant_lines
from cnnrun.starter.comments import comment, quoted
from cnnrun.starter.new_files import write_new_files
from cnnrun.starter.survey import Survey, survey_folder

MOST_NAMED_CLASSES = 50  # beyond, the config gives their number and the folder their names


def write_fitted_configs(folder: Path, *, project: Path) -> tuple[Path, Path]:
    """Writes two configs for a folder of images, and returns their paths.

    `configs/<folder>.yaml` has a small network, `configs/<folder>_mobilenet.yaml` a head on top of
    MobileNet.

    Args:
        folder: class folders, or split folders that hold class folders.
        project: the folder that gets `configs`.

    Raises:
        DataError: the folder does not hold such images.
        InputError: one of them exists already.
        StorageError: one of them cannot be written.
    """
    survey = survey_folder(folder)
    if not survey.sizes:
        raise DataError(
            f"{folder} must hold images that can be read, and none of its {len(survey.unreadable)} "
            f"can, {survey.unreadable[0]} among them; save them again as PNG or JPEG"
        )
    name = re.sub(r"[^\w-]+", "-", folder.resolve().name).strip("-") or "images"
    config = project / "configs" / f"{name}.yaml"
    variant = config.with_name(f"{name}_mobilenet.yaml")
    lines = {
        config: config_lines(survey, name=name, directory=reference(folder, project)),
        variant: variant_lines(survey, name=name),
    }
    write_new_files({path: f"{chr(10).join(text)}\n".encode() for path, text in lines.items()})
    return config, variant


def reference(folder: Path, project: Path) -> str:
    """How the config names the folder: relative to itself within the project, else in full."""
    folder, project = folder.resolve(), project.resolve()
    if folder.is_relative_to(project):
        return (Path("..") / folder.relative_to(project)).as_posix()
    return folder.as_posix()


def config_lines(survey: Survey, *, name: str, directory: str) -> Iterator[str]:
    """The config, line by line."""
    kind = "training images" if survey.splits else "images"
    yield from comment(
        f"{name}: {sum(survey.images):,} {kind} in {len(survey.classes)} classes. "
        "Written by `cnnrun init --data`; every choice below is a beginning, not a verdict."
    )
    yield from comment(f"Train it with: cnnrun train configs/{name}.yaml")
    yield ""
    yield "seed: 0"
    yield "data:"
    yield from data_lines(survey, directory)
    yield "model:"
    yield from model_lines(survey)
    yield "train:"
    yield from train_lines(survey)


def data_lines(survey: Survey, directory: str) -> Iterator[str]:
    """The section `data`."""
    yield f"  directory: {quoted(directory)}"
    if len(survey.classes) <= MOST_NAMED_CLASSES:
        yield from comment("The folders' names, in the order of the network's outputs.", indent=2)
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
    if split is None:
        yield from comment("The folders train, validation and test are the splits.", indent=2)
        return
    yield from comment(split.reason, indent=2)
    shares = f"validation: {split.validation:g}, test: {split.test:g}"
    yield f"  split: {{{shares}, seed: 0}}"


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
    plan = choices.schedule(max(1, int(share * sum(survey.images))))
    yield from comment(
        "Epochs for about as many steps as a small network can use; it ends earlier when "
        f"validation has not improved for {plan.patience} epochs, and the best epoch is kept.",
        indent=2,
    )
    yield f"  epochs: {plan.epochs}"
    yield f"  batch_size: {plan.batch_size}"
    yield "  optimizer: {Adam: {learning_rate: 1e-3}}"
    ratio = choices.imbalance(survey.images)
    if ratio >= choices.NOTABLE_IMBALANCE:
        yield from comment(
            f"The largest class has {ratio:.1f} times the images of the smallest: rare classes "
            "count for more, so that all matter alike.",
            indent=2,
        )
        yield "  class_weight: balanced"
    yield "  best: {monitor: val_loss}"
    yield "  callbacks:"
    yield f"    - EarlyStopping: {{patience: {plan.patience}}}"
