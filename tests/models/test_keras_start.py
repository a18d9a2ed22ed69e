"""Keras starts without libraries that it does not need here, which work when asked for.

Each is tried in a process of its own, for this one has loaded them all.
"""

import os
import platform
import subprocess
import sys

import pytest

LOADED_QUICKLY = """
import sys
from cnnrun.models.keras_start import load_keras

load_keras()
for name in ("sklearn", "joblib", "scipy.stats", "matplotlib"):
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

LOADED_BEFORE = """
import sklearn
from cnnrun.models.keras_start import load_keras

load_keras()
from keras.src.wrappers import fixes

assert fixes.sklearn is sklearn
"""

WITH_FEW_COLLECTIONS = """
import gc
from cnnrun.models.keras_start import load_keras

load_keras()
collections = [generation["collections"] for generation in gc.get_stats()]
assert sum(collections) < 50, collections
"""

# TensorFlow's own switch; which of its kernels compute is nowhere to be read.
WITH_ONEDNN = """
import os
from cnnrun.models.keras_start import load_keras

load_keras()
from tensorflow.python.util import _pywrap_util_port

assert _pywrap_util_port.IsMklEnabled() == {enabled}, os.environ["TF_ENABLE_ONEDNN_OPTS"]
"""


def run(program: str, **environment: str) -> None:
    left = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    subprocess.run(
        [sys.executable, "-W", "error", "-c", program], check=True, env=left | environment
    )


def test_what_keras_does_not_need_is_not_loaded_and_loads_afterwards() -> None:
    run(LOADED_QUICKLY + ALL_WORK)


def test_what_was_loaded_before_is_left_to_keras() -> None:
    run(LOADED_BEFORE)


def test_garbage_is_seldom_looked_for_while_keras_loads() -> None:
    """Oracle: Python's own count, which is 900 with Python's own thresholds."""
    run(WITH_FEW_COLLECTIONS)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="oneDNN is of x86")
def test_onednn_computes_unless_the_user_says_otherwise() -> None:
    """Oracle: TensorFlow's answer. Without AVX-512 it leaves oneDNN out by itself."""
    run(WITH_ONEDNN.format(enabled=True))
    run(WITH_ONEDNN.format(enabled=False), TF_ENABLE_ONEDNN_OPTS="0")
