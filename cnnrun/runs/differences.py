"""Where the configs of runs differ."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnnrun.config.data_section import AT_A_PATH
from cnnrun.config.yaml_scalars import plain_value
from cnnrun.errors import RunError
from cnnrun.runs.data_states import fingerprint_in, recorded_data
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.listing import read_resolved

_ABSENT = None  # distinct from the text "null", since every value here is text, a list or a map


def comparable_config(run: RunFolder) -> dict[str, Any]:
    """The resolved config without its seed, every value in it a text, a list or a map.

    Whether diagnostics were recorded is left out as well, for no result follows from it.

    Images count by their fingerprint; paths, which change when a folder moves, only stand in where
    there is none.

    Raises:
        RunError: resolved.yaml is absent or damaged.
    """
    config = read_resolved(run)
    config.pop("seed", None)
    train = config.get("train")
    if isinstance(train, dict):
        train.pop("diagnostics", None)
    data = config.get("data")
    if isinstance(data, dict):
        config["data"] = _comparable_data(data, run)
    return config


def differing_values(configs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """Address -> the value of each config there, None where it has none; only where they differ.

    A layer's value that is just the one that `model.blocks` gives to every block is left out.
    """
    found = dict(_differences("", list(configs)))
    return {
        address: values
        for address, values in found.items()
        if not _follows_from_blocks(address, values, found)
    }


def inline(value: Any) -> str:
    """A value in YAML's flow style, such as `{position: none, momentum: 0.9}`."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {inline(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return str(value)


def typed(value: Any) -> Any:
    """A value with its texts as the numbers, booleans and nulls that they stand for."""
    if isinstance(value, dict):
        return {key: typed(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [typed(entry) for entry in value]
    return plain_value(value) if isinstance(value, str) else value


def _comparable_data(data: Mapping[str, Any], run: RunFolder) -> dict[str, Any]:
    fingerprint = _fingerprint(run)
    if fingerprint is not None:
        # The fingerprint is of the labels, too: how they were read off the paths does not matter.
        how = (*AT_A_PATH, "layout", "exclude")
        rest = {key: value for key, value in data.items() if key not in how}
        return {**rest, "fingerprint": fingerprint}
    return {
        key: _absolute(value, run) if key in AT_A_PATH else value for key, value in data.items()
    }


def _absolute(source: Any, run: RunFolder) -> Any:
    if isinstance(source, dict) and isinstance(source.get("file"), str):
        return {**source, "file": _absolute(source["file"], run)}
    if isinstance(source, str):
        return os.path.normpath(run.path.absolute() / source)
    return source


def _fingerprint(run: RunFolder) -> str | None:
    try:
        return fingerprint_in(recorded_data(run))
    except RunError:
        return None


def _differences(address: str, values: Sequence[Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Goes into maps and lists of maps as long as every config has one at this address."""
    if all(value == values[0] for value in values):
        return
    if all(isinstance(value, dict) for value in values):
        for key in dict.fromkeys(key for value in values for key in value):
            inner = [value.get(key, _ABSENT) for value in values]
            yield from _differences(f"{address}.{key}" if address else str(key), inner)
    elif all(_is_list_of_maps(value) for value in values):
        for index in range(max(map(len, values))):
            inner = [value[index] if index < len(value) else _ABSENT for value in values]
            yield from _differences(f"{address}[{index}]", inner)
    else:
        yield address, tuple(values)


def _is_list_of_maps(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(entry, dict) for entry in value)


def _follows_from_blocks(
    address: str, values: tuple[Any, ...], found: Mapping[str, tuple[Any, ...]]
) -> bool:
    if not address.startswith("model.layers["):
        return False
    parts = address.split(".")
    tails = (".".join(parts[start:]) for start in range(2, len(parts)))
    return any(found.get(f"model.blocks.{tail}") == values for tail in tails)
