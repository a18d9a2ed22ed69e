"""The section `preprocess`: what happens to every image, inside the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from cnnrun.config.kinds import Either, Nullable
from cnnrun.config.scalar_kinds import Boolean, Choice, Number

Form = Literal["caffe", "tf", "torch", "unchanged"]

PREPROCESSING_FUNCTIONS: Final[Mapping[str, Form]] = {
    "convnext": "unchanged",
    "densenet": "torch",
    "efficientnet": "unchanged",
    "efficientnet_v2": "unchanged",
    "inception_resnet_v2": "tf",
    "inception_v3": "tf",
    "mobilenet": "tf",
    "mobilenet_v2": "tf",
    "mobilenet_v3": "unchanged",
    "nasnet": "tf",
    "resnet": "caffe",
    "resnet50": "caffe",
    "resnet_v2": "tf",
    "vgg16": "caffe",
    "vgg19": "caffe",
    "xception": "tf",
}
"""The modules of keras.applications, and what the `preprocess_input` of each does.

The forms are the modes of `keras.applications.imagenet_utils.preprocess_input`; "unchanged" are the
networks that hold their own preprocessing. tests/models compares them with Keras.
"""

COLORED: Final[frozenset[Form]] = frozenset({"caffe", "torch"})
"""The forms with numbers for red, green and blue."""


WHOLE_RANGE: Final = 255
"""The largest pixel; the smallest is 0."""


@dataclass(frozen=True, kw_only=True)
class PreprocessSpec:
    """Standardization of every image, inside the model, in the order of ImageDataGenerator.

    Pixels are 0 to 255 at first. On top of a backbone, saying nothing means what the backbone
    expects. The names are ImageDataGenerator's, and so is the order: the
    preprocessing function, `rescale`, the samplewise steps, the featurewise ones, ZCA.
    """

    preprocessing_function: Annotated[
        str | None,
        Nullable(Choice(tuple(PREPROCESSING_FUNCTIONS))),
        "the module of keras.applications whose preprocess_input comes first",
    ] = None
    rescale: Annotated[
        float | Literal["auto"],
        Either((Number(), Choice(("auto",))), "a number or `auto`"),
        "the factor of pixels, which are 0 to 255; auto is 1/255, or none after a function",
    ] = "auto"
    samplewise_center: Annotated[bool, Boolean(), "whether each image's own mean is subtracted"] = (
        False
    )
    samplewise_std_normalization: Annotated[
        bool, Boolean(), "whether each image is centred and divided by its own standard deviation"
    ] = False
    featurewise_center: Annotated[
        bool, Boolean(), "whether the training images' mean of each channel is subtracted"
    ] = False
    featurewise_std_normalization: Annotated[
        bool,
        Boolean(),
        "whether channels are centred and divided by the training images' standard deviation",
    ] = False
    zca_whitening: Annotated[
        bool,
        Boolean(),
        "whether an image's numbers are centred and made uncorrelated over the training images",
    ] = False
    zca_epsilon: Annotated[
        float, Number(0), "what is added to ZCA's singular values before they divide"
    ] = 1e-6

    @property
    def is_more_than_scaling(self) -> bool:
        """Whether pixels are centred, divided, whitened or passed through a function."""
        plain = PreprocessSpec(rescale=self.rescale, zca_epsilon=self.zca_epsilon)
        return self != plain

    @property
    def factor(self) -> float:
        """The number that `rescale` comes to; 0 is none, as in ImageDataGenerator."""
        if self.rescale == "auto":
            return 1 / WHOLE_RANGE if self.preprocessing_function is None else 1.0
        return self.rescale or 1.0
