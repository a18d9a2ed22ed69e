"""features.json: what made the features of a folder, and whether they are all there."""

from collections.abc import Mapping
from typing import Any, Final

from cnnrun.errors import FeaturesError, RunError
from cnnrun.features.folder import FeatureFolder
from cnnrun.runs.environment import installed_packages
from cnnrun.runs.files import json_text, read_json, write_json

Described = Mapping[str, Any]

_WORDS: Final[Mapping[str, str]] = {
    "layers": "the layers",
    "image_size": "the image size",
    "color_mode": "the colour mode",
    "bands": "the bands",
    "value_range": "the value range",
    "interpolation": "the interpolation",
    "keep_aspect": "keep_aspect",
    "shrink_on_load": "shrink_on_load",
    "precision": "the precision",
    "weights_hash": "the hash of the network and its weights",
}
"""What may not change while a folder is filled, as people call it."""


def refuse_other_extraction(folder: FeatureFolder, described: Described) -> None:
    """Raise unless the folder is empty or was begun with the same network and settings.

    Raises:
        FeaturesError: it was begun with others, which the message names; or its features.json is
            damaged.
    """
    if not folder.features_json.exists():
        return
    differs = difference(read_description(folder), described)
    if differs is not None:
        words, then, now = differs
        raise FeaturesError.at(
            folder.path,
            rule=f"an extraction goes on only with what began it: {words} {then}",
            received=now,
            advice="give the same, or name another folder",
        )


def read_description(folder: FeatureFolder) -> Described:
    """What features.json says.

    Raises:
        FeaturesError: it is absent or damaged.
    """
    try:
        described: Described = read_json(folder.features_json)
    except RunError as error:
        raise FeaturesError.at(
            folder.features_json,
            rule="must say what the features were made with",
            received="a damaged file" if folder.features_json.exists() else "no such file",
            advice="restore it, or name another folder",
        ) from error
    return described


def difference(before: Described, described: Described) -> tuple[str, str, str] | None:
    """What may not differ and does: what people call it, and either value; None where nothing."""
    for key, words in _WORDS.items():
        then, now = _text(key, before.get(key)), _text(key, described.get(key))
        if then != now:
            return words, then, now
    return None


def _text(key: str, value: Any) -> str:
    """A value as a message shows it."""
    if key == "layers" and isinstance(value, list):
        return ", ".join(f"{layer['name']} ({layer['pooling']})" for layer in value)
    if key == "shrink_on_load":  # is written only where it is on
        value = bool(value)
    if value is None:
        return "none"
    return json_text(value, indent=None)


def write_description(folder: FeatureFolder, described: Described, **more: Any) -> None:
    """features.json holds what made the features, versions of packages, and what else is known.

    Raises:
        StorageError: no space is left, or the place cannot be written to.
    """
    write_json(folder.features_json, {**described, "packages": installed_packages(), **more})
