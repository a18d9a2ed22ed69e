"""The image layers by Keras's names."""

from collections.abc import Mapping
from typing import Final

from cnnrun.augment.layers import (
    frames,
    hues,
    levels,
    mixtures,
    moves,
    neighbourhoods,
    tiles,
)
from cnnrun.augment.layers.layer import ImageLayer

IMAGE_LAYERS: Final[Mapping[str, ImageLayer]] = {
    "AugMix": mixtures.AUG_MIX,
    "AutoContrast": levels.AUTO_CONTRAST,
    "CenterCrop": frames.CENTRE_CROP,
    "ContrastLimitedAdaptiveHistogramEqualization": tiles.ADAPTIVE_EQUALIZATION,
    "Equalization": levels.EQUALIZATION,
    "RandAugment": mixtures.RAND_AUGMENT,
    "RandomBrightness": levels.BRIGHTNESS,
    "RandomColorDegeneration": levels.DEGENERATION,
    "RandomColorJitter": mixtures.COLOR_JITTER,
    "RandomContrast": levels.CONTRAST,
    "RandomCrop": frames.CROP,
    "RandomErasing": neighbourhoods.ERASING,
    "RandomFlip": moves.FLIP,
    "RandomGaussianBlur": neighbourhoods.BLUR,
    "RandomGrayscale": levels.GREY,
    "RandomHue": hues.HUE,
    "RandomInvert": levels.INVERSION,
    "RandomPerspective": moves.PERSPECTIVE,
    "RandomPosterization": levels.POSTERIZATION,
    "RandomRotation": moves.ROTATION,
    "RandomSaturation": hues.SATURATION,
    "RandomSharpness": neighbourhoods.SHARPNESS,
    "RandomShear": moves.SHEAR,
    "RandomTranslation": moves.TRANSLATION,
    "RandomZoom": moves.ZOOM,
    "Resizing": frames.RESIZING,
    "Solarization": levels.SOLARIZATION,
    "ZeroPadding2D": frames.PADDING,
}
"""Those that change an image by itself; pairs.py has those that mix two."""
