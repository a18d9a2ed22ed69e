"""Keras starts without libraries that it does not need here, which work when asked for.

Each is tried in a process of its own, for this one has loaded them all.
"""

import subprocess
import sys

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


def run(program: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_what_keras_does_not_need_is_not_loaded_and_loads_afterwards() -> None:
    run(LOADED_QUICKLY + ALL_WORK)


def test_what_was_loaded_before_is_left_to_keras() -> None:
    run(LOADED_BEFORE)
