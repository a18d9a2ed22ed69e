"""What tells a cell from every other: two cells with one key come to the same result."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnrun.ablation.planning.arms import config_of_results
from cnnrun.config.data_section import AT_A_PATH, DataSpec
from cnnrun.config.sections import Config
from cnnrun.data.fingerprint import data_fingerprint
from cnnrun.data.sources import read_manifest
from cnnrun.errors import ModelFileError
from cnnrun.runs.folder import HASHES

_CHUNK_BYTES = 2**20
_KEY_BYTES = 10


def cell_key(
    config: Config,
    *,
    diagnostics: bool,
    data: Mapping[str, Any],
    weights: str | None,
    versions: Mapping[str, str],
    is_tested: bool = True,
) -> str:
    """The name of a cell: 20 hexadecimal digits.

    Args:
        config: its config, seed and threads included; where its files lie does not count.
        diagnostics: whether activations and gradients are recorded, for its folder is to hold them.
        data: what `data_content` gives.
        weights: what `weights_content` gives.
        versions: package -> version, of those that compute.
        is_tested: whether it sees the test images.
    """
    values = config_of_results(config, relative_to=Path())
    for source in AT_A_PATH:
        if isinstance(values["data"].get(source), dict):
            values["data"][source].pop("file")
        else:
            values["data"].pop(source, None)
    if weights is not None:
        values["model"]["backbone"]["weights"] = weights
    whole = {
        "config": values,
        "diagnostics": diagnostics,
        "data": dict(data),
        "versions": dict(versions),
    }
    if not is_tested:
        whole["is_tested"] = False
    text = json.dumps(whole, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=_KEY_BYTES).hexdigest()


def data_content(data: DataSpec, *, cache_folder: Path) -> dict[str, Any]:
    """What changes when the images do, or what they are labelled as.

    Args:
        data: the images.
        cache_folder: where is kept what the cells share.

    Raises:
        DataError: the source cannot be read.
    """
    if data.keras_dataset is not None:  # published once and for all, and slow to read
        return {"keras_dataset": data.keras_dataset}
    return data_fingerprint(read_manifest(data), notes_folder=cache_folder / HASHES)


def weights_content(config: Config) -> str | None:
    """A hash of the file that the backbone's weights come from; None where they have a name.

    Raises:
        ModelFileError: there is no such file.
    """
    backbone = config.model.backbone
    if backbone is None or not isinstance(backbone.weights, Path):
        return None
    weights = backbone.weights
    file = weights / "model.keras" if weights.is_dir() else weights
    digest = hashlib.blake2b(digest_size=_KEY_BYTES)
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise ModelFileError.at(
            "model.backbone.weights",
            rule="must be a file that can be read",
            received=f"{file}: {error.strerror}",
            advice="check the path",
        ) from error
    return digest.hexdigest()
