"""The config beside the small network's: the same images, on top of MobileNet."""

from collections.abc import Iterator

from cnnrun.starter import choices
from cnnrun.starter.comments import comment, quoted
from cnnrun.starter.survey import Survey


def variant_lines(survey: Survey, *, name: str) -> Iterator[str]:
    """The config, line by line.

    Args:
        survey: what is known of the images.
        name: the small network's config, without `.yaml`.
    """
    yield from comment(
        f"{name}: the same images, classified on top of MobileNet, which has seen ImageNet's 1.2 "
        "million photographs. With few images of your own this often beats a network that begins "
        "with nothing; compare the two with `cnnrun compare`."
    )
    yield from comment(f"Train it with: cnnrun train configs/{name}_mobilenet.yaml")
    yield ""
    yield from comment("The images, their classes and splits are said there, and hold here too.")
    yield f"extends: {quoted(f'{name}.yaml')}"
    yield ""
    yield "data:"
    yield from data_lines(survey)
    yield "model:"
    yield from model_lines()
    yield "train:"
    yield from train_lines(survey)


def data_lines(survey: Survey) -> Iterator[str]:
    """What of the section `data` is another than in the small network's config."""
    size = choices.backbone_image_size(survey.sizes)
    yield from comment(size.reason, indent=2)
    yield f"  image_size: [{size.height}, {size.width}]"
    if size.keep_aspect:
        yield from comment(
            "The middle square of each image is used, so that none is squeezed.", indent=2
        )
        yield "  resize: {keep_aspect: true}"
    if survey.is_grey:
        yield from comment(
            "MobileNet takes red, green and blue; in grey images they are equal.", indent=2
        )
        yield "  color_mode: rgb"


def model_lines() -> Iterator[str]:
    """The section `model`."""
    yield "  backbone:"
    yield "    name: MobileNet"
    yield from comment(
        "13 MB, downloaded once to Keras's cache, ~/.keras/models or where KERAS_HOME says.",
        indent=4,
    )
    yield "    weights: imagenet"
    yield from comment(
        "It stays as it is: few images would sooner spoil than improve what it has learned. To go "
        "on from there, add to train.stages `- {trainable: {from: conv_dw_12}, epochs: 5, "
        "optimizer: {Adam: {learning_rate: 1e-4}}}`.",
        indent=4,
    )
    yield "    trainable: none"
    yield from comment("The head: what it finds in an image, averaged, decides.", indent=2)
    yield "  layers:"
    yield "    - GlobalAveragePooling2D"
    yield "    - Dropout: {rate: 0.3}"
    yield "    - classifier"


def train_lines(survey: Survey) -> Iterator[str]:
    """The section `train`."""
    yield "  stages:"
    yield from comment(
        "MobileNet's features of each image are computed once and kept, so that an epoch takes "
        "moments. Augmentation would change the images every epoch: leave `bottleneck` out with "
        "it.",
        indent=4,
    )
    yield "    - bottleneck: true"
    yield f"      epochs: {choices.HEAD_EPOCHS}"
    if not survey.holds_back:
        return
    yield "  callbacks:"
    yield f"    - EarlyStopping: {{patience: {choices.HEAD_PATIENCE}}}"
