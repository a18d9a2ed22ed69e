"""What `cnnrun extract-features` prints: layers, where features are, how probes did."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnrun.assembly.feature_networks import FeatureSource
    from cnnrun.features.extraction import Extraction
    from cnnrun.features.probe import Probed


def print_layers(network: "FeatureSource", *, as_json: bool) -> None:
    """Prints the layers whose output can be taken, in the order of their calls."""
    from cnnrun.cli.output import print_json, print_table
    from cnnrun.features.layers import layers_of

    layers = layers_of(network.model)
    if as_json:
        listed = [
            {"name": layer.name, "kind": layer.kind, "shape": layer.shape} for layer in layers
        ]
        print_json({"default": network.default_layer, "layers": listed})
        return
    rows = [
        (layer.name, layer.kind, sizes(layer.shape), mark(layer.name, network.default_layer))
        for layer in layers
    ]
    print_table(("layer", "kind", "output", "taken"), rows)


def mark(name: str, default: str) -> str:
    """What is said of the layer whose output is taken when none is named."""
    return "by default" if name == default else ""


def print_extraction(
    extraction: "Extraction",
    *,
    exported: Path | None,
    probed: "Mapping[str, tuple[Probed, ...]]",
    as_json: bool,
) -> None:
    """Prints what an extraction came to."""
    from cnnrun.cli.output import print_json, print_table, print_text

    if as_json:
        print_json(extraction_document(extraction, exported=exported, probed=probed))
        return
    images = len(extraction.rows)
    print_table(
        ("layer", "file", "shape"),
        [
            (layer, extraction.folder.array(layer).name, sizes((images, *shape)))
            for layer, shape in extraction.shapes.items()
        ],
    )
    if probed:
        print_text("")
        print_probes(probed)
    print_text(f"\n{summary(extraction)}")
    print_text(str(exported or extraction.folder.path))


def print_probes(probed: "Mapping[str, tuple[Probed, ...]]") -> None:
    """Prints the accuracy of each classifier on each layer, with the spread between folds."""
    from cnnrun.cli.output import print_table

    rows = [
        (layer, each.classifier, f"{each.mean:.4f} ± {each.std:.4f}", str(len(each.accuracies)))
        for layer, classifiers in probed.items()
        for each in classifiers
    ]
    print_table(("layer", "classifier", "accuracy", "folds"), rows, numeric=frozenset({"folds"}))


def summary(extraction: "Extraction") -> str:
    """How many images there are, and how fast those of now were computed."""
    images = f"{len(extraction.rows):,} images"
    if not extraction.computed:
        return f"{images}, none of them new"
    new = "" if extraction.computed == len(extraction.rows) else f"{extraction.computed:,} new, "
    return f"{images}, {new}{speed(extraction):,.0f} images/s, {extraction.seconds:.1f} s"


def speed(extraction: "Extraction") -> float:
    """Images a second, of those that were computed now."""
    return extraction.computed / max(extraction.seconds, 1e-9)


def extraction_document(
    extraction: "Extraction",
    *,
    exported: Path | None,
    probed: "Mapping[str, tuple[Probed, ...]]",
) -> dict[str, Any]:
    """An extraction as JSON."""
    folder = extraction.folder
    return {
        "out": folder.path,
        "manifest": folder.manifest_csv,
        "exported": exported,
        "images": len(extraction.rows),
        "computed": extraction.computed,
        "skipped": [{"file": name, "reason": reason} for name, reason in extraction.skipped],
        "layers": [
            {"name": layer, "file": folder.array(layer), "shape": [len(extraction.rows), *shape]}
            for layer, shape in extraction.shapes.items()
        ],
        "bfloat16_relative_error": extraction.errors or None,
        "seconds": extraction.seconds,
        "images_per_second": speed(extraction),
        "probe": [
            {
                "layer": layer,
                "classifier": each.classifier,
                "accuracy": each.mean,
                "std": each.std,
                "folds": each.accuracies,
            }
            for layer, classifiers in probed.items()
            for each in classifiers
        ],
    }


def sizes(shape: tuple[int, ...]) -> str:
    """Sizes as `14x14x512`."""
    return "x".join(map(str, shape))


def probed(extraction: "Extraction") -> "dict[str, tuple[Probed, ...]]":
    """What simple classifiers reach on each layer's features."""
    import numpy as np

    from cnnrun.features.probe import labelled_rows, probe_features

    rows = labelled_rows(extraction.rows)
    return {
        layer: probe_features(
            np.load(extraction.folder.array(layer), mmap_mode="r")[[row.row for row in rows]],
            [row.label for row in rows],
            seed=0,
        )
        for layer in extraction.shapes
    }
