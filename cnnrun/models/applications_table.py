"""The table of keras.applications: its networks, as the config language and the commands know them.

`nice python -m cnnrun.models.applications_table` writes it to
cnnrun/config/keras_applications.json, and the names of each network's layers to
cnnrun/config/application_layers/; from there the config package reads them, so that a wrong name
costs no TensorFlow. Tests compare both with the Keras that is installed.
"""

import inspect
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest import mock

import keras

_CONFIG: Final = Path(__file__).parents[1] / "config"
TABLE_FILE: Final = _CONFIG / "keras_applications.json"
LAYERS_FOLDER: Final = _CONFIG / "application_layers"

# What cnnrun gives to a constructor by itself.
_LEFT_OUT: Final = ("weights", "input_shape", "input_tensor", "name")
_KINDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "alpha": {"kind": "number", "exclusive_minimum": 0},
    "classes": {"kind": "integer", "minimum": 1},
    "classifier_activation": {"kind": "activation", "nullable": True},
    "depth_multiplier": {"kind": "integer", "minimum": 1},
    "dropout": {"kind": "number", "minimum": 0, "maximum": 1},
    "dropout_rate": {"kind": "number", "minimum": 0, "maximum": 1},
    "include_preprocessing": {"kind": "boolean"},
    "include_top": {"kind": "boolean"},
    "minimalistic": {"kind": "boolean"},
    "pooling": {"kind": {"choice": ["avg", "max"]}, "nullable": True},
}
# MobileNetV3 does not tell it to `obtain_input_shape`, as the others do.
_SIZES_OF_MOBILENET_V3: Final = {"default_size": 224, "min_size": 32}


@dataclass(frozen=True)
class Entry:
    """A network's row of the table, and the names of its layers with the top, in call order."""

    row: dict[str, Any]
    layers: tuple[str, ...]


@dataclass
class _Asked:
    """What a constructor asked of Keras while it built a network."""

    sizes: Mapping[str, int]
    file: Mapping[str, str]


def application_names() -> tuple[str, ...]:
    """The networks of keras.applications, sorted."""
    return tuple(
        sorted(
            name for name, member in vars(keras.applications).items() if inspect.isfunction(member)
        )
    )


def application_entry(name: str) -> Entry:
    """A network's entry, found by building it twice, with its top and without; no weights."""
    constructor = getattr(keras.applications, name)
    whole, asked = _built(constructor, include_top=True, input_shape=None)
    side = asked.sizes["default_size"]
    topless, asked_topless = _built(constructor, include_top=False, input_shape=(side, side, 3))
    row = {
        "module": constructor.__module__.rpartition(".")[2],
        "default_size": side,
        "minimum_size": asked.sizes["min_size"],
        "parameters": {"top": whole.parameters, "no_top": topless.parameters},
        "weights": {"top": asked.file, "no_top": asked_topless.file},
        "arguments": list(_arguments(constructor)),
        "top_layers": [each for each in whole.layers if each not in topless.layers],
        "topless_layers": [each for each in topless.layers if each not in whole.layers],
    }
    return Entry(row, whole.layers)


def table_text(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The rows as JSON, one value of a network a line."""
    networks = ",\n".join(
        f" {json.dumps(name)}: {{\n"
        + ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in row.items())
        + "\n }"
        for name, row in rows.items()
    )
    return f"{{\n{networks}\n}}\n"


def layers_text(layers: tuple[str, ...]) -> str:
    """Names of layers, one a line."""
    return "".join(f"{name}\n" for name in layers)


def main() -> None:
    """Write the table and the lists of layers of the installed Keras into the config package."""
    entries = {name: application_entry(name) for name in application_names()}
    rows = {name: entry.row for name, entry in entries.items()}
    TABLE_FILE.write_text(table_text(rows), encoding="utf-8")
    LAYERS_FOLDER.mkdir(exist_ok=True)
    for old in LAYERS_FOLDER.glob("*.txt"):
        old.unlink()
    for name, entry in entries.items():
        (LAYERS_FOLDER / f"{name}.txt").write_text(layers_text(entry.layers), encoding="utf-8")


@dataclass(frozen=True)
class _Built:
    layers: tuple[str, ...]
    parameters: int


def _built(
    constructor: Any, *, include_top: bool, input_shape: tuple[int, int, int] | None
) -> tuple[_Built, _Asked]:
    """A network for ImageNet's weights, which some get an extra layer for, without loading them."""
    # Keras numbers the layers that have no name, through everything that a process builds.
    keras.utils.clear_session()
    with (
        _asked_of_keras() as asked,
        keras.StatelessScope(initialize_variables=False),
        warnings.catch_warnings(),
    ):
        # MobileNetV3 warns that it takes its default size, which is the one to find out.
        warnings.simplefilter("ignore", UserWarning)
        model = constructor(weights="imagenet", include_top=include_top, input_shape=input_shape)
        built = _Built(tuple(layer.name for layer in model.layers), model.count_params())
    keras.utils.clear_session()
    return built, asked


@contextmanager
def _asked_of_keras() -> Iterator[_Asked]:
    """Notes what a constructor asks for, and keeps it from downloading and loading weights."""
    asked = _Asked(_SIZES_OF_MOBILENET_V3, {})
    imagenet_utils: Any = inspect.getmodule(keras.applications.imagenet_utils.preprocess_input)
    file_utils: Any = inspect.getmodule(keras.utils.get_file)
    obtain = imagenet_utils.obtain_input_shape

    def note_sizes(*arguments: Any, **named: Any) -> Any:
        asked.sizes = {key: named[key] for key in ("default_size", "min_size")}
        return obtain(*arguments, **named)

    def note_file(name: str, origin: str, **named: Any) -> str:
        file_hash = named.get("file_hash")
        asked.file = {"file": name, "url": origin} | ({"hash": file_hash} if file_hash else {})
        return ""

    with (
        mock.patch.object(imagenet_utils, "obtain_input_shape", note_sizes),
        mock.patch.object(file_utils, "get_file", note_file),
        mock.patch.object(keras.Model, "load_weights", return_value=None),
    ):
        yield asked


def _arguments(constructor: Any) -> Iterator[dict[str, Any]]:
    for name, parameter in inspect.signature(constructor).parameters.items():
        if name not in _LEFT_OUT:
            yield {"name": name, "required": False, **_KINDS[name], "default": parameter.default}


if __name__ == "__main__":
    main()
