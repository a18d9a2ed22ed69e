"""Families of networks, with random weights. Oracle: the Keras network itself.

All 40 networks at their own size: tests/benchmarks/export_networks.py.
"""

from pathlib import Path

import keras
import numpy as np
import pytest

from cnnrun.assembly.targets import Output
from cnnrun.export.formats import FORMATS
from cnnrun.export.networks import module_of, open_network
from cnnrun.export.tracing import Classifying, compiled

SIDE = 64
# What is unlike the others: compiled functions and exact GELU, squeeze and excite, hard swish,
# swish with its rescaling, concatenations of everything before.
FAMILIES = {
    "ConvNeXtTiny": ("onnx", "litert"),
    "EfficientNetV2B0": ("onnx",),
    "MobileNetV3Small": ("onnx", "litert"),
    "MobileNetV2": ("litert",),
    "ResNet50V2": ("onnx",),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_the_smallest_of_a_family_is_exported(name: str, tmp_path: Path) -> None:
    model = getattr(keras.applications, name)(weights=None, input_shape=(SIDE, SIDE, 3), classes=10)
    random = np.random.default_rng(0)
    for variable in model.variables:  # as of a network that has learnt a little; more, and rounding
        if len(variable.shape) == 1:  # errors grow from layer to layer until they decide
            variable.assign(variable.numpy() + random.uniform(-0.1, 0.1, variable.shape))
    network = Classifying(model, Output(10, "probabilities"), None)
    pixels = random.uniform(0, 255, (3, SIDE, SIDE, 3)).astype(np.float32)
    expected = compiled(model)(pixels)
    for form in map(FORMATS.__getitem__, FAMILIES[name]):
        file = tmp_path / f"{form.file}{form.suffix}"
        module_of(form).write_network(
            network, file, precision="float32", opset=None, images=lambda: iter(()), metadata={}
        )
        found = open_network(form, file, threads=None)(pixels)
        np.testing.assert_allclose(found, expected, atol=1e-5)
