"""Where images are standardized twice, or in another way than a backbone knows."""

from dataclasses import replace
from typing import Final

from cnnrun.config.applications import APPLICATIONS
from cnnrun.config.backbone_spec import BackboneSpec
from cnnrun.config.preprocess_section import PREPROCESSING_FUNCTIONS, WHOLE_RANGE, PreprocessSpec
from cnnrun.config.sections import Config

_SMALL: Final = 2 / WHOLE_RANGE
"""The largest factor that is meant for pixels of 0 to 255: 1/127.5."""


def standardized_twice(config: Config) -> str | None:
    """A note of what is done twice and what to remove, or None.

    Args:
        config: a checked config. Backbones of earlier runs are not looked into.
    """
    backbone, preprocess = config.model.backbone, config.preprocess
    if backbone is None:
        return _by_first_layer(config)
    if backbone.name is None or preprocess == PreprocessSpec():
        return None
    return _before_backbone(backbone, backbone.name, preprocess)


def _by_first_layer(config: Config) -> str | None:
    """The note on a network whose own first layer rescales what `preprocess` has rescaled."""
    preprocess, layers = config.preprocess, config.model.layers
    if not layers or layers[0].kind != "Rescaling":
        return None
    scale = layers[0].arguments["scale"]
    is_small = isinstance(scale, int | float) and 0 < scale <= _SMALL
    if not is_small or not (_standardizes(preprocess) or _divides(preprocess)):
        return None
    function = preprocess.preprocessing_function
    by = f"rescale: {preprocess.factor:.6g}" if _divides(preprocess) else function
    return (
        f"preprocess: images are standardized twice: by `{by}`, and by {layers[0].address};"
        " remove that layer"
    )


def _before_backbone(backbone: BackboneSpec, name: str, preprocess: PreprocessSpec) -> str | None:
    """The note on a network of keras.applications, beside what the config says for it."""
    application = APPLICATIONS[name]
    function = preprocess.preprocessing_function
    if backbone.arguments.get("include_preprocessing") is False:
        return None
    if _standardizes(preprocess) and function is not None:
        if PREPROCESSING_FUNCTIONS[function] != application.form:
            own = "standardizes by itself" if application.form == "unchanged" else "has its own"
            return (
                f"preprocess: {name} {own}, and `preprocessing_function: {function}` is that of"
                " another network; remove that line"
            )
        if not _divides(preprocess):
            return None
    elif application.form != "unchanged" or not _divides(preprocess):
        return None
    by = f"`preprocessing_function: {function}`" if function else f"{name} itself"
    is_alone = function is not None or replace(preprocess, rescale="auto") == PreprocessSpec()
    advice = "remove that line" if is_alone else "write `rescale: 1`"
    return (
        f"preprocess: images are standardized twice: by `rescale: {preprocess.factor:.6g}`, and by"
        f" {by}; {advice}"
    )


def _standardizes(preprocess: PreprocessSpec) -> bool:
    function = preprocess.preprocessing_function
    return function is not None and PREPROCESSING_FUNCTIONS[function] != "unchanged"


def _divides(preprocess: PreprocessSpec) -> bool:
    return 0 < preprocess.factor <= _SMALL
