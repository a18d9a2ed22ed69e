"""Keras starts without what it does not need here, which works when asked for.

Each is tried in a process of its own, for this one has loaded them all.
"""

import os
import platform
import subprocess
import sys

import pytest

STARTED = """
from cnnrun.models.keras_start import load_keras

load_keras()
"""

LOADED_QUICKLY = """
import sys

for name in ("sklearn", "joblib", "scipy.stats", "matplotlib"):
    assert name not in sys.modules, name
for name in ("tensorflow._api.v2.compat.v1", "tensorflow.python.keras.models"):
    assert name not in sys.modules, name
"""

ALL_WORK = """
import keras
import numpy as np
import sklearn.linear_model
from matplotlib.figure import Figure

images, labels = np.eye(4, dtype="float32"), np.arange(4)
model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(4, activation="softmax")])
model.compile(loss="sparse_categorical_crossentropy")
model.fit(images, labels, verbose=0)
sklearn.linear_model.LogisticRegression().fit(model.predict(images, verbose=0), labels)
Figure().savefig(__import__("io").BytesIO(), format="png")
"""

OF_OTHER_DAYS = """
import tensorflow as tf
import tensorflow.compat.v1 as tf1
from tensorflow.compat.v1 import SummaryMetadata
from tensorflow.python.keras.layers import Dense

assert tf1.train.AdamOptimizer and tf.compat.v1 is tf1
assert tf.feature_column.numeric_column and tf.__internal__.feature_column.FeatureColumn
assert tf.nn.RNNCellDropoutWrapper.__name__ == "DropoutWrapper"
assert not hasattr(tf.nn, "RNNCell")
"""

# All that dir() finds, and where it is from.
PRINT_NAMES = """
from types import ModuleType

import tensorflow as tf

def names(module, path):
    for name in dir(module):
        if name.startswith("__") and name != "__internal__":
            continue
        value = getattr(module, name)
        yield f"{path}.{name} of {getattr(value, '__module__', '')}"
        if type(value) is ModuleType and value.__name__.startswith("tensorflow._api"):
            if path.count(".") < 6:
                yield from names(value, f"{path}.{name}")

for name in ("RNNCellDeviceWrapper", "RNNCellDropoutWrapper", "RNNCellResidualWrapper"):
    print(f"tf.nn.{name} of {getattr(tf.nn, name).__module__}")
print(*(line for line in names(tf, "tf") if ".nn.RNNCell" not in line), sep="\\n")
"""

LOADED_BEFORE = """
import sklearn
from cnnrun.models.keras_start import load_keras

load_keras()
from keras.src.wrappers import fixes

assert fixes.sklearn is sklearn
"""

WITH_FEW_COLLECTIONS = """
import gc

collections = [generation["collections"] for generation in gc.get_stats()]
assert sum(collections) < 50, collections
"""

# TensorFlow's own switch; which of its kernels compute is nowhere to be read.
WITH_ONEDNN = """
import os

from tensorflow.python.util import _pywrap_util_port

assert _pywrap_util_port.IsMklEnabled() == {enabled}, os.environ["TF_ENABLE_ONEDNN_OPTS"]
"""


def run(program: str, **environment: str) -> str:
    left = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(
        command, check=True, env=left | environment, stdout=subprocess.PIPE, text=True
    ).stdout


def test_what_keras_does_not_need_is_not_loaded_and_loads_afterwards() -> None:
    run(STARTED + LOADED_QUICKLY + ALL_WORK)


def test_interfaces_of_other_days_load_when_they_are_used() -> None:
    run(STARTED + OF_OTHER_DAYS)


@pytest.mark.slow
def test_tensorflow_has_all_its_names() -> None:
    """Oracle: TensorFlow as it loads by itself; 37,000 names with their modules."""
    usual = run(PRINT_NAMES)

    assert usual.count("\n") > 30_000
    assert run(STARTED + PRINT_NAMES) == usual


def test_what_was_loaded_before_is_left_to_keras() -> None:
    run(LOADED_BEFORE)


def test_garbage_is_seldom_looked_for_while_keras_loads() -> None:
    """Oracle: Python's own count, which is 900 with Python's own thresholds."""
    run(STARTED + WITH_FEW_COLLECTIONS)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="oneDNN is of x86")
def test_onednn_computes_unless_the_user_says_otherwise() -> None:
    """Oracle: TensorFlow's answer. Without AVX-512 it leaves oneDNN out by itself."""
    run(STARTED + WITH_ONEDNN.format(enabled=True))
    run(STARTED + WITH_ONEDNN.format(enabled=False), TF_ENABLE_ONEDNN_OPTS="0")
