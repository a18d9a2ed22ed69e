"""What a network's features tell of images: labels that are probably wrong, outliers, copies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.feature_networks import FeatureSource
from cnnrun.data.bad_image import BadImageError
from cnnrun.data.check import Look
from cnnrun.data.decoding import Decoding
from cnnrun.data.image_facts import Finding
from cnnrun.data.images import image_loader
from cnnrun.data.manifest import Manifest
from cnnrun.data.parallel import map_in_threads
from cnnrun.features.copies_by_features import copies_by_features
from cnnrun.features.inference import Infer, fast_inference
from cnnrun.features.label_check import (
    DoubtfulLabel,
    Suspicion,
    doubtful_labels,
    outliers,
    suspicious_labels,
)
from cnnrun.features.layers import pooled_outputs
from cnnrun.features.neighbours import nearest_images
from cnnrun.wording import counted

BATCH_SIZE = 8
NEIGHBOURS = 10

Suspicions = tuple[Suspicion | DoubtfulLabel, ...]


@dataclass(frozen=True, eq=False)
class Features:
    """What a network makes of images.

    Attributes:
        rows: `(images,)`, the manifest's rows that can be decoded.
        values: `(images, numbers)`.
    """

    rows: NDArray[np.int64]
    values: NDArray[np.float32]


def features_of(source: FeatureSource, manifest: Manifest, own: Decoding) -> Features:
    """The features of all images that can be decoded, averaged over places.

    Args:
        source: the network.
        manifest: the images.
        own: how their config decodes them: its bands, value range and limit of pixels count.
    """
    load, _, _ = image_loader(manifest, _decoding(source.decoding, own))
    outputs = pooled_outputs(source.model, (source.default_layer,), pooling="avg")
    infer = fast_inference(source.model, outputs, precision="float32")
    starts = range(0, len(manifest), BATCH_SIZE)
    batches = (range(start, min(start + BATCH_SIZE, len(manifest))) for start in starts)
    computed = map_in_threads(partial(_batch, load, infer), batches, at_once=1)
    parts = [part for part in computed if len(part[0])]
    if not parts:
        return Features(np.empty(0, np.int64), np.empty((0, 1), np.float32))
    rows, values = zip(*parts, strict=True)
    return Features(np.concatenate(rows), np.concatenate(values))


def _decoding(networks: Decoding, own: Decoding) -> Decoding:
    """The network's size and colours, and the files' own depth and bands."""
    bands = own.bands
    if bands is not None and networks.color_mode is not None:
        bands = bands[:3] if len(bands) >= 3 else (bands[0],) * 3
    return replace(
        networks,
        value_range=own.value_range,
        bands=bands,
        megapixels_at_most=own.megapixels_at_most,
    )


def _batch(load: Any, infer: Infer, rows: Sequence[int]) -> tuple[NDArray[np.int64], Any]:
    read, images = [], []
    for row in rows:
        try:
            images.append(load(row))
        except BadImageError:
            continue
        read.append(row)
    return np.array(read, np.int64), infer(np.stack(images))[0] if images else np.empty((0, 1))


def deeper(
    look: Look,
    manifest: Manifest,
    features: Features,
    *,
    suspicions: Suspicions | None,
) -> tuple[Look, tuple[Finding, ...]]:
    """The look with the copies that features find as well, and what else they tell.

    Args:
        look: at every image.
        manifest: the images.
        features: of those that can be decoded.
        suspicions: the labels that are probably wrong, by their rows; None has features tell them.
    """
    if suspicions is None:
        suspicions = _told_by_features(features, manifest)
    if len(features.rows) <= NEIGHBOURS:
        return look, ()
    rows = features.rows
    near = nearest_images(features.values, neighbours=NEIGHBOURS)
    copies = copies_by_features(near, look.thumbnails[rows])
    pairs = {(int(rows[one]), int(rows[other])) for one, other in copies}
    findings = [
        *_suspicious(look, manifest, suspicions),
        *_outliers(look, outliers(near), rows),
    ]
    return replace(look, near=tuple(sorted(pairs | set(look.near)))), tuple(findings)


def _told_by_features(features: Features, manifest: Manifest) -> Suspicions:
    labels = manifest.labels[features.rows]
    found: Suspicions = (
        doubtful_labels(features.values, labels)
        if manifest.is_multi_label
        else suspicious_labels(features.values, labels)
    )
    return tuple(replace(each, place=int(features.rows[each.place])) for each in found)


def _suspicious(look: Look, manifest: Manifest, found: Suspicions) -> list[Finding]:
    if not found:
        return []
    facts = [look.facts[each.place] for each in found]
    return [
        Finding(
            "suspicious_labels",
            "note",
            f"the {counted(len(found), 'label')} that other images speak against most, ranked: not"
            " a count of wrong ones",
            "look at them, from the first on, for as long as most are wrong",
            tuple(
                f"{fact.path}: {_doubt(fact.label, each, manifest.classes)}"
                for fact, each in zip(facts, found, strict=True)
            ),
            tuple((fact.path,) for fact in facts),
        )
    ]


def _doubt(label: str, found: Suspicion | DoubtfulLabel, classes: Sequence[str]) -> str:
    """What is said of an image and how probable that is."""
    if isinstance(found, DoubtfulLabel):
        having = "has" if found.is_there else "has not"
        return f"{having} {classes[found.label]} ({found.probability:.3f})"
    return (
        f"{label} ({found.probability:.3f}), rather {classes[found.other]}"
        f" ({found.other_probability:.3f})"
    )


def _outliers(
    look: Look, found: Sequence[tuple[int, float]], rows: NDArray[np.int64]
) -> list[Finding]:
    if not found:
        return []
    paths = [look.facts[int(rows[place])].path for place, _ in found]
    return [
        Finding(
            "outliers",
            "note",
            f"{counted(len(found), 'image')} unlike all others, ranked by the distance from the"
            " nearest ones",
            "look at them, and remove what does not belong",
            tuple(
                f"{path}: {times:.1f} times as far as the median image"
                for path, (_, times) in zip(paths, found, strict=True)
            ),
            tuple((path,) for path in paths),
        )
    ]
