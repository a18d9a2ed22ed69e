"""Inference in bfloat16 only where it is near enough to float32."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from cnnrun.errors import FeaturesError
from cnnrun.features.inference import Infer, fast_inference

Precision = Literal["float32", "bfloat16"]

ERROR_AT_MOST: Final = 0.01


def checked_bfloat16(
    model: Any, tensors: Sequence[Any], names: Sequence[str], *, sample: NDArray[Any]
) -> tuple[Infer, dict[str, float]]:
    """A function as `fast_inference` gives it in bfloat16, and how far it is off on some images.

    Args:
        model: a functional Keras model.
        tensors: what is computed.
        names: what messages call them.
        sample: images on which it is compared with float32, `(images, height, width, channels)`.

    Returns:
        The function, and by name the largest relative error of a sample's image: the norm of the
        difference through the norm in float32. No errors without a sample.

    Raises:
        FeaturesError: one is off by more than 1 %.
    """
    infer = fast_inference(model, tensors, precision="bfloat16")
    if not len(sample):
        return infer, {}
    exact = fast_inference(model, tensors, precision="float32")(sample)
    errors = {
        name: _relative_error(rounded, whole)
        for name, rounded, whole in zip(names, infer(sample), exact, strict=True)
    }
    name, error = max(errors.items(), key=lambda item: item[1])
    if not error <= ERROR_AT_MOST:
        raise FeaturesError.at(
            "--precision bfloat16",
            rule=f"must change no image's features by more than {ERROR_AT_MOST:.0%}",
            received=f"{error:.1%} in {name}",
            advice="give `--precision float32`",
        )
    return infer, errors


def _relative_error(rounded: NDArray[np.float32], exact: NDArray[np.float32]) -> float:
    off, whole = ((rounded - exact).reshape(len(exact), -1), exact.reshape(len(exact), -1))
    norms = np.linalg.norm(whole, axis=1)
    return float(np.max(np.linalg.norm(off, axis=1) / np.where(norms == 0, 1, norms)))
