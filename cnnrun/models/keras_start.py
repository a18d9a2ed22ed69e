"""Loading Keras with what makes it fast, and without what is never used with it."""

import gc
import importlib
import os
import platform
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final, cast

_NOT_NEEDED: Final = ("sklearn", "matplotlib")
"""What Keras imports where it is installed: for wrappers of its models, and for drawings."""

_LOADED_WHEN_USED: Final = (
    "tensorflow._api.v2.__internal__.feature_column",
    "tensorflow._api.v2.compat",
    "tensorflow._api.v2.feature_column",
    "tensorflow.python.keras",
)
"""A fifth of TensorFlow's modules: its interfaces of TensorFlow 1 and Keras 2."""

_RNN_WRAPPERS: Final = "tensorflow.python.keras.layers.rnn_cell_wrapper_v2"
_IN_TF_NN: Final = {
    f"RNNCell{name}": name for name in ("DeviceWrapper", "DropoutWrapper", "ResidualWrapper")
}
"""The classes by whose sake `tf.nn` would load all layers of Keras 2: name there, name here."""

_HAVE_ONEDNN: Final = ("x86_64", "AMD64")
_COLLECTION_THRESHOLDS: Final = (50_000, 20, 20)
"""New objects before garbage is looked for among them, and how often among older ones as well.

By Python's own measure, of 700, garbage is looked for a thousand times while TensorFlow loads its
350,000 objects and a training step is traced, most of which stay.
"""


def load_keras() -> None:
    """Loads TensorFlow and Keras, in less than half of the processor time of `import keras`.

    Python looks for garbage less often from here on.

    TensorFlow computes with oneDNN on every x86 processor, unless `TF_ENABLE_ONEDNN_OPTS` says
    otherwise. By itself it does so only where it finds AVX-512; on others, convolutions take up to
    1.8 times as long and know no `channels_first`.

    Scikit-learn and Matplotlib look absent to Keras while it loads, so that its wrappers of
    scikit-learn and its drawings do not work in this process. Both import normally afterwards:
    what needs them loads them when it does. A library that is loaded already stays as it is.

    The parts of TensorFlow that are for TensorFlow 1 and Keras 2 load when they are first used.
    """
    if platform.machine() in _HAVE_ONEDNN:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    gc.set_threshold(*_COLLECTION_THRESHOLDS)
    with _absent(_NOT_NEEDED), _loading_when_used(_LOADED_WHEN_USED), _without_rnn_wrappers():
        importlib.import_module("tensorflow")
        importlib.import_module("keras")


@contextmanager
def _absent(names: Sequence[str]) -> Iterator[None]:
    """Within the block, libraries that are not loaded yet look as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    # To Python's import, None stands for a module that is not there.
    sys.modules.update(cast("dict[str, ModuleType]", dict.fromkeys(hidden)))
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _loading_when_used(names: Collection[str]) -> Iterator[None]:
    """Modules that are imported within the block load when something of them is asked for.

    Within the block a module in such a package can be imported without it, for that is how
    TensorFlow uses a few of Keras 2; afterwards the package comes first, as anywhere.
    """
    finder = _Finder(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for waiting in finder.waiting:
            waiting.hide_path()


class _Finder(MetaPathFinder):
    """Finds the modules of some names.

    Attributes:
        waiting: those that were found, and are to load when they are used.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self.waiting: list[_LoadedWhenUsed] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._names:
            return None
        found = PathFinder.find_spec(fullname, path, target)
        if found is not None and found.loader is not None:
            found.loader = _LoadedWhenUsed(found.loader)
            self.waiting.append(found.loader)
        return found


class _LoadedWhenUsed(Loader):
    """Leaves a module empty until an attribute is asked for that it has not."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._attributes: dict[str, Any] = {}
        self._hidden: dict[str, Any] = {}

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._attributes = module.__dict__
        self._attributes["__getattr__"] = lambda name: self._loaded(module, name)

    def hide_path(self) -> None:
        """Let importing a module that is in this package count as using it, if it still waits."""
        if "__getattr__" in self._attributes:
            self._hidden["__path__"] = self._attributes.pop("__path__")

    def _loaded(self, module: ModuleType, name: str) -> Any:
        """Load the module, an attribute of which is asked for."""
        if self._attributes.pop("__getattr__", None):
            self._attributes |= self._hidden
            self._loader.exec_module(module)
        return getattr(module, name)


@contextmanager
def _without_rnn_wrappers() -> Iterator[None]:
    """TensorFlow loads without what `tf.nn` has of Keras 2 in the block; that loads when used."""
    if "tensorflow" in sys.modules:
        yield
        return
    stand_in = ModuleType(_RNN_WRAPPERS)
    stand_in.__dict__.update(dict.fromkeys(_IN_TF_NN.values()))
    sys.modules[_RNN_WRAPPERS] = stand_in
    try:
        yield
    finally:
        del sys.modules[_RNN_WRAPPERS]
    of_tf_nn = importlib.import_module("tensorflow._api.v2.nn").__dict__
    for name in _IN_TF_NN:
        del of_tf_nn[name]
    of_tf_nn["__getattr__"] = _rnn_wrapper


def _rnn_wrapper(name: str) -> Any:
    """What `tf.nn` has of Keras 2, which Python does not find there."""
    if name not in _IN_TF_NN:
        raise AttributeError(f"module 'tensorflow.nn' has no attribute {name!r}")
    return getattr(importlib.import_module(_RNN_WRAPPERS), _IN_TF_NN[name])
