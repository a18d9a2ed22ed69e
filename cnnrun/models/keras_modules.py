"""The modules of Keras whose classes a config may name, by family."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from cnnrun.config.keras_table import FAMILIES, module_of

MODULES: Final[Mapping[str, Any]] = {
    family: import_module(module_of(family)) for family in FAMILIES if family != "activations"
}
