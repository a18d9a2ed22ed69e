"""What an extraction came to, and what features.json says of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnrun.errors import DataError
from cnnrun.features.folder import FeatureFolder, ManifestRow
from cnnrun.features.writer import FeatureWriter
from cnnrun.wording import counted


@dataclass(frozen=True)
class Extraction:
    """What an extraction came to.

    Attributes:
        folder: where the features are.
        rows: the manifest.
        shapes: the shape of one image's features, by layer.
        computed: how many images were computed now.
        skipped: (name, reason) of each image that could not be read.
        errors: the relative error of bfloat16 by layer, where it was measured.
        seconds: how long it took, without loading TensorFlow and the network.
    """

    folder: FeatureFolder
    rows: tuple[ManifestRow, ...]
    shapes: dict[str, tuple[int, ...]]
    computed: int
    skipped: tuple[tuple[str, str], ...]
    errors: dict[str, float]
    seconds: float


def refuse_nothing(writer: FeatureWriter, skipped: Sequence[tuple[str, str]]) -> None:
    """Raise where no image could be read.

    Raises:
        DataError: none could.
    """
    if skipped and not writer.rows:
        name, reason = skipped[0]
        raise DataError.at(
            "",
            rule="there must be an image that can be decoded whole",
            received=f"{counted(len(skipped), 'image')} that cannot",
            advice=f"the first is {name}: {reason}",
        )


def outcome_of(extraction: Extraction) -> dict[str, Any]:
    """What features.json says of an extraction that is complete."""
    return {
        "images": len(extraction.rows),
        "skipped": [{"file": name, "reason": reason} for name, reason in extraction.skipped],
        "bfloat16_relative_error": extraction.errors or None,
        "seconds": round(extraction.seconds, 3),
    }
