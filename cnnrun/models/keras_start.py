"""Loading Keras with what makes it fast, and without libraries that are never used with it."""

import gc
import importlib
import os
import platform
import sys
from types import ModuleType
from typing import Final, cast

_NOT_NEEDED: Final = ("sklearn", "matplotlib")
"""What Keras imports where it is installed: for wrappers of its models, and for drawings."""


_HAVE_ONEDNN: Final = ("x86_64", "AMD64")
_COLLECTION_THRESHOLDS: Final = (50_000, 20, 20)
"""New objects before garbage is looked for among them, and how often among older ones as well.

By Python's own measure, of 700, garbage is looked for a thousand times while TensorFlow loads its
350,000 objects and a training step is traced, most of which stay.
"""


def load_keras() -> None:
    """Loads TensorFlow and Keras, in half of the processor time of `import keras`.

    Python looks for garbage less often from here on.

    TensorFlow computes with oneDNN on every x86 processor, unless `TF_ENABLE_ONEDNN_OPTS` says
    otherwise. By itself it does so only where it finds AVX-512; on others, convolutions take up to
    1.8 times as long and know no `channels_first`.

    Scikit-learn and Matplotlib look absent to Keras while it loads, so that its wrappers of
    scikit-learn and its drawings do not work in this process. Both import normally afterwards:
    what needs them loads them when it does. A library that is loaded already stays as it is.
    """
    if platform.machine() in _HAVE_ONEDNN:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    gc.set_threshold(*_COLLECTION_THRESHOLDS)
    hidden = [name for name in _NOT_NEEDED if name not in sys.modules]
    # To Python's import, None stands for a module that is not there.
    sys.modules.update(cast("dict[str, ModuleType]", dict.fromkeys(hidden)))
    try:
        importlib.import_module("tensorflow")
        importlib.import_module("keras")
    finally:
        for name in hidden:
            del sys.modules[name]
