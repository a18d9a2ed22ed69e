"""Where images are standardized twice, or in another way than a backbone knows."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from cnnrun.config.applications import APPLICATIONS
from cnnrun.config.backbone_spec import BackboneSpec
from cnnrun.config.load import load_config
from cnnrun.config.preprocess_section import PREPROCESSING_FUNCTIONS, WHOLE_RANGE, PreprocessSpec
from cnnrun.config.sections import Config
from cnnrun.config.values import LayerSpec
from cnnrun.errors import ConfigError, InputError

_SMALL: Final = 2 / WHOLE_RANGE
"""The largest factor that is meant for pixels of 0 to 255: 1/127.5."""

_MEAN_OF_SMALL: Final = 2
"""The largest mean of pixels that are standardized already."""

_OF_PIXELS: Final = frozenset(
    {
        "CenterCrop",
        "Dropout",
        "GaussianNoise",
        "Identity",
        "Normalization",
        "Rescaling",
        "Resizing",
        "ZeroPadding2D",
    }
)
"""Layers, beside the random ones, that give pixels for pixels."""


def standardized_twice(config: Config) -> str | None:
    """A note of what is done twice, or otherwise than a backbone knows it, and what to remove.

    Args:
        config: a checked config.

    Returns:
        The note; None where images are standardized once.
    """
    backbone, preprocess = config.model.backbone, config.preprocess
    if backbone is None:
        return _by_layers(config)
    if preprocess == PreprocessSpec():
        return None
    if backbone.name is None:
        return _before_run(Path(backbone.weights), preprocess)
    return _before_backbone(backbone, backbone.name, preprocess)


def _by_layers(config: Config) -> str | None:
    """The note on a network whose first layers rescale what `preprocess` or one of them has."""
    layers = [layer.address for layer in _rescaling(config.model.layers)]
    if (by := _what_standardizes(config.preprocess)) is not None:
        return None if not layers else _twice([f"`{by}`", *layers], _removal(layers))
    return None if len(layers) < 2 else _twice(layers, _removal(layers[1:]))


def _twice(by: Sequence[str], advice: str) -> str:
    *first, last = by
    times = {2: "twice"}.get(len(by), f"{len(by)} times")
    return (
        f"preprocess: images are standardized {times}: by {', by '.join(first)}, and by {last};"
        f" {advice}"
    )


def _removal(layers: Sequence[str]) -> str:
    return "remove that layer" if len(layers) == 1 else f"remove {' and '.join(layers)}"


def _rescaling(layers: Sequence[LayerSpec]) -> Iterator[LayerSpec]:
    """The layers that bring pixels of 0 to 255 to small numbers."""
    for layer in layers:
        if _is_for_pixels(layer):
            yield layer
        elif layer.kind not in _OF_PIXELS and not layer.kind.startswith("Random"):
            return


def _is_for_pixels(layer: LayerSpec) -> bool:
    if layer.kind == "Rescaling":
        scale = layer.arguments["scale"]
        return isinstance(scale, int | float) and 0 < scale <= _SMALL
    mean = layer.arguments.get("mean") if layer.kind == "Normalization" else None
    means = mean if isinstance(mean, tuple | list) else (mean,)
    return any(isinstance(each, int | float) and each > _MEAN_OF_SMALL for each in means)


def _what_standardizes(preprocess: PreprocessSpec) -> str | None:
    if _divides(preprocess):
        return f"rescale: {preprocess.factor:.6g}"
    return preprocess.preprocessing_function if _standardizes(preprocess) else None


def _before_run(folder: Path, preprocess: PreprocessSpec) -> str | None:
    """The note on an earlier run, whose network knows images as the run has standardized them."""
    try:
        run = load_config(folder / "resolved.yaml")
    except (ConfigError, InputError):  # told by whoever opens the run
        return None
    layers = [f"{folder.name}'s {layer.address}" for layer in _rescaling(run.model.layers)]
    own, by = _what_standardizes(run.preprocess), _what_standardizes(preprocess)
    advice = "remove `preprocess`: the run's own is taken then"
    if by is not None and layers:
        return _twice([f"`{by}`", *layers], advice)
    if own == by:
        return None
    had, has = (f"`{each}`" if each else "nothing" for each in (own, by))
    return (
        f"preprocess: images are standardized by {has}, and were by {had} when {folder.name} was"
        f" trained; {advice}"
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
