"""Loads a saved model without running code that somebody put into the file."""

import json
import textwrap
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import keras

from cnnrun.errors import ModelFileError
from cnnrun.file_kinds import not_a_file
from cnnrun.models.hdf5_files import UNREADABLE_ZIP, open_weights
from cnnrun.models.layer_failures import KERAS_FAILURES, keras_message
from cnnrun.models.refusals import CODE, FOREIGN, REFUSED

MEMBERS: Final = frozenset({"config.json", "metadata.json", "model.weights.h5"})
"""What a `.keras` file holds; it is a zip archive."""

_LARGEST_TEXT: Final = 32 * 2**20  # the largest network of keras.applications needs a megabyte
_ANEW: Final = "copy the file again, or train again"

_RUNS_CODE: Final = frozenset(
    name for name, reason in REFUSED["layers"].items() if reason in (CODE, FOREIGN)
) | {"__lambda__"}

_MODULES: Final = frozenset(
    {
        "keras",
        "keras.activations",
        "keras.constraints",
        "keras.dtype_policies",
        "keras.initializers",
        "keras.layers",
        "keras.losses",
        "keras.metrics",
        "keras.models",
        "keras.optimizers",
        "keras.optimizers.schedules",
        "keras.regularizers",
        # LayerScale of ConvNeXt, CustomScaleLayer of InceptionResNetV2.
        "keras.src.applications.convnext",
        "keras.src.applications.inception_resnet_v2",
        "keras.src.models.functional",
        "keras.src.models.sequential",
    }
)
_OPERATIONS: Final = "keras.src.ops."
_DEEPEST: Final = 300
"""More than any network needs, with its layers' maps of maps, and less than Python's own limit."""
_VALUES: Final = frozenset({"__keras_tensor__", "__tensor__", "__numpy__", "__slice__"})
"""Modules whose classes may stand in a file; Keras would import any other that it names."""


def load_model(path: Path) -> Any:
    """The model in a `.keras` file, not compiled.

    Args:
        path: the file.

    Raises:
        ModelFileError: there is no such file, it is no `.keras` file, it is damaged, or it holds
            what would run code.
    """
    config = _config(path)
    for described in _objects(config):
        _refuse_code(path, described)
    with open_weights(path):  # refused, if its numbers are in other files
        pass
    try:
        with warnings.catch_warnings():
            # Keras would leave the layers that it does not find with weights drawn anew.
            warnings.filterwarnings("error", message="Skipping nested container")
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (*KERAS_FAILURES, OSError, UserWarning) as error:
        raise ModelFileError.at(
            path,
            rule="must be a model that Keras can build",
            received=keras_message(error),
            advice="it may be damaged, or of another version of Keras",
        ) from error


def _config(path: Path) -> Any:
    """The model's description, once the file is known to be whole."""
    kind = not_a_file(path)
    if kind == "nothing":
        raise ModelFileError.at(
            path,
            rule="must be there",
            received="no such file",
            advice="a run's model is its model.keras",
        )
    if kind is not None:
        raise ModelFileError.at(
            path,
            rule="a model must be a .keras file",
            received=kind,
            advice="a run's model is its model.keras",
        )
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_config(path, archive)
    except zipfile.BadZipFile as error:
        raise _not_a_model(path) from error
    except OSError as error:
        raise ModelFileError.at(
            path,
            rule="must be readable",
            received=str(error.strerror or error),
            advice="check its permissions and its disk",
        ) from error
    except UNREADABLE_ZIP as error:
        raise ModelFileError.at(
            path,
            rule="must be a .keras file that can be unpacked",
            received=str(error),
            advice=_ANEW,
        ) from error


def _read_config(path: Path, archive: zipfile.ZipFile) -> Any:
    missing = sorted(MEMBERS - set(archive.namelist()))
    if missing:
        raise ModelFileError.at(
            path,
            rule=f"a .keras file must hold {', '.join(sorted(MEMBERS))}",
            received=f"a zip archive without {', '.join(missing)}",
            advice=_ANEW,
        )
    for member in ("config.json", "metadata.json"):
        if (size := archive.getinfo(member).file_size) > _LARGEST_TEXT:
            raise ModelFileError.at(
                path,
                rule=f"its {member} must be smaller than {_LARGEST_TEXT >> 20} MB",
                received=f"{size >> 20:,} MB",
                advice="no network needs that much to be described",
            )
    if damaged := archive.testzip():
        raise ModelFileError.at(
            path,
            rule="must be a .keras file whose members are whole",
            received=f"a damaged {damaged}",
            advice=_ANEW,
        )
    try:
        described = json.loads(archive.read("config.json"))
    except (ValueError, RecursionError) as error:
        raise _damaged_config(path, str(error)) from error
    if _depth(described) > _DEEPEST:  # Keras would come to an end in ways of each Python's own
        raise _damaged_config(path, f"maps and lists more than {_DEEPEST} deep")
    return described


def _damaged_config(path: Path, received: str) -> ModelFileError:
    return ModelFileError.at(
        path,
        rule="its config.json must describe the model",
        received=f"a damaged one: {received}",
        advice=_ANEW,
    )


def _not_a_model(path: Path) -> ModelFileError:
    start = path.read_bytes()[:8]
    if start == b"\x89HDF\r\n\x1a\n":
        received = "HDF5"
        advice = "load it with Keras and save it again with model.save('model.keras')"
    elif start[:2] == b"PK":
        received, advice = "one that is cut off or damaged", _ANEW
    else:
        received, advice = "something else", "a run's model is its model.keras"
    return ModelFileError.at(
        path, rule="a model must be a .keras file", received=received, advice=advice
    )


def _depth(value: Any) -> int:
    """How many maps and lists stand within one another."""
    deepest, remaining = 0, [(value, 1)]
    while remaining:
        value, depth = remaining.pop()
        if isinstance(value, dict | list):
            deepest = max(deepest, depth)
            inner = value.values() if isinstance(value, dict) else value
            remaining.extend((each, depth + 1) for each in inner)
    return deepest


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Every description of an object within a config, however deep, in its order."""
    remaining = [value]
    while remaining:
        value = remaining.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                yield value
            remaining.extend(reversed(value.values()))
        elif isinstance(value, list):
            remaining.extend(reversed(value))


def _refuse_code(path: Path, described: dict[str, Any]) -> None:
    kind, module = described["class_name"], described.get("module")
    if not isinstance(kind, str) or not isinstance(module, str | None):
        raise ModelFileError.at(
            path,
            rule="its config.json must name classes and their modules",
            received=f"{_short(kind)} of {_short(module)}",
            advice=_ANEW,
        )
    if kind in _RUNS_CODE:
        raise ModelFileError.at(
            path,
            rule="a model must not hold code",
            received=f"a {kind.strip('_')} layer",
            advice="only open such a file with Keras itself, and only if you trust its author",
        )
    if not _is_keras(kind, module):
        raise ModelFileError.at(
            path,
            rule="a model must consist of Keras's own classes",
            received=f"{module or 'custom'}.{kind}",
            advice="cnnrun does not import the code of others",
        )


def _short(value: object) -> str:
    return textwrap.shorten(ascii(value), width=60, placeholder="...")


def _is_keras(kind: str, module: str | None) -> bool:
    if module is None:
        return kind in _VALUES
    return module in _MODULES or module.startswith(_OPERATIONS)
