"""What `cnnrun extract-features` prints: layers, where features are, how probes did."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnnrun.assembly.feature_networks import FeatureSource
    from cnnrun.evaluation.label_probes import ProbedLabels
    from cnnrun.features.extraction import Extraction
    from cnnrun.features.probe import Probed

    Probes = Mapping[str, tuple[Probed, ...]] | Mapping[str, tuple[ProbedLabels, ...]]


@dataclass(frozen=True, eq=False)
class LabelsByName:
    """Several labels of each image.

    Attributes:
        classes: the labels' names.
        labels: `(images, labels)` of 1, 0, and -1 for unknown.
        places: an image's name -> its row.
    """

    classes: tuple[str, ...]
    labels: "NDArray[np.int32]"
    places: Mapping[str, int]


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
    probed: "Probes",
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


def print_probes(probed: "Probes") -> None:
    """Prints the accuracy of each classifier on each layer, with the spread between folds."""
    from cnnrun.cli.output import print_table
    from cnnrun.features.probe import Probed

    of_labels = {
        layer: [each for each in classifiers if not isinstance(each, Probed)]
        for layer, classifiers in probed.items()
    }
    if any(of_labels.values()):
        print_label_probes(of_labels)
        return
    rows = [
        (layer, each.classifier, f"{each.mean:.4f} ± {each.std:.4f}", str(len(each.accuracies)))
        for layer, classifiers in probed.items()
        for each in classifiers
        if isinstance(each, Probed)
    ]
    print_table(("layer", "classifier", "accuracy", "folds"), rows, numeric=frozenset({"folds"}))


def print_label_probes(probed: "Mapping[str, list[ProbedLabels]]") -> None:
    """Prints the mean average precision of each classifier, and the linear one's of each label."""
    from cnnrun.cli.output import print_sentence, print_table, print_text

    rows = [
        (
            layer,
            each.classifier,
            with_interval(document, "mean_average_precision"),
            with_interval(document, "mean_roc_auc"),
            str(each.folds),
        )
        for layer, classifiers in probed.items()
        for each in classifiers
        for document in [each.as_json()]
    ]
    headings = ("layer", "classifier", "mean AP (95 %)", "mean ROC-AUC (95 %)", "folds")
    print_table(headings, rows, numeric=frozenset({"folds"}))
    for layer, (linear, *_) in probed.items():
        print_text("")
        print_table(
            (f"label, by {linear.classifier} on {layer}", "AP (95 %)", "ROC-AUC (95 %)", "images"),
            [
                (
                    label["label"],
                    with_interval(label, "average_precision"),
                    with_interval(label, "roc_auc"),
                    f"{label['images']:,}",
                )
                for label in linear.as_json()["labels"]
            ],
            numeric=frozenset({"images"}),
        )
    if left_out := next(iter(probed.values()))[0].left_out:
        print_sentence(
            f"left out, for fewer than two images are known to have them, or to have them not: "
            f"{', '.join(left_out)}"
        )


def with_interval(document: "Mapping[str, Any]", name: str) -> str:
    """A number of a probe with its interval, as far as it is defined."""
    if document[name] is None:
        return ""
    bounds = document["intervals"].get(name)
    shown = "" if bounds is None else f" [{bounds[0]:.3f}, {bounds[1]:.3f}]"
    return f"{document[name]:.3f}{shown}"


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
    probed: "Probes",
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
            {"layer": layer, **each.as_json()}
            for layer, classifiers in probed.items()
            for each in classifiers
        ],
    }


def sizes(shape: tuple[int, ...]) -> str:
    """Sizes as `14x14x512`."""
    return "x".join(map(str, shape))


def probed(extraction: "Extraction", labels: LabelsByName | None) -> "Probes":
    """What simple classifiers reach on each layer's features.

    Args:
        extraction: the features.
        labels: of images that have several each; None where each has a class.
    """
    import numpy as np

    from cnnrun.evaluation.label_probes import probed_labels
    from cnnrun.features.label_probe import refuse_unlearnable
    from cnnrun.features.probe import labelled_rows, probe_features

    if labels is not None:
        read = labels.labels[[labels.places[row.file] for row in extraction.rows]]
        refuse_unlearnable(read, labels.classes)
        return {
            layer: probed_labels(
                np.load(extraction.folder.array(layer), mmap_mode="r")[
                    [row.row for row in extraction.rows]
                ],
                read,
                labels.classes,
                seed=0,
            )
            for layer in extraction.shapes
        }
    rows = labelled_rows(extraction.rows)
    return {
        layer: probe_features(
            np.load(extraction.folder.array(layer), mmap_mode="r")[[row.row for row in rows]],
            [row.label for row in rows],
            seed=0,
        )
        for layer in extraction.shapes
    }
