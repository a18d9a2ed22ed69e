"""Which places of an image a class hangs on: by gradients (Grad-CAM), and by covering them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.config.data_section import OnBadImage
from cnnrun.data.packed_images import ImageFile
from cnnrun.evaluation.prediction import Classifier, NamedClass
from cnnrun.explanation.explanation import Check, Explanation, class_document, classes_document
from cnnrun.explanation.grad_cam import grad_cam, grad_cam_layer
from cnnrun.explanation.network import ExplainedNetwork, MapLayer, explained_network
from cnnrun.explanation.occlusion import occlude, squares_of
from cnnrun.explanation.sanity_check import DRAWS, Step, randomize_by_layers, verdict
from cnnrun.explanation.sheets import grad_cam_sheet, occlusion_sheet
from cnnrun.explanation.subjects import Maps, Subject, maps_of_subjects, read_subjects
from cnnrun.plots.explanation_sheet import draw_explanation_sheet
from cnnrun.plots.sanity_check import CheckedStep, draw_sanity_check

_DRAWN_CHECKS: Final = 3
"""Images whose maps the check's picture shows."""


@dataclass(frozen=True)
class Asked:
    """What is asked about which images.

    Attributes:
        title: what the network is called.
        images: files, or names of arrays.
        classes: the names of the classes to explain beside the most probable one.
        top: how many classes are listed for each image.
        on_bad_image: whether one that cannot be read ends the work or is left out.
    """

    title: str
    images: tuple[ImageFile, ...]
    classes: tuple[str, ...]
    top: int
    on_bad_image: OnBadImage


def explain_by_grad_cam(
    classifier: Classifier, asked: Asked, *, layer_name: str | None, check: bool
) -> Explanation:
    """Where a network looks, by the gradient of each class's score.

    Args:
        classifier: the network; all of it computes in float32 afterwards.
        asked: about which images and classes.
        layer_name: where to take the maps; None for the last layer that has places.
        check: whether to look if they change with the network's weights.

    Raises:
        InputError: there is no such class or layer.
        DataError: an image cannot be read, and is not to be skipped; or none can.
    """
    subjects, skipped = read_subjects(
        classifier, asked.images, asked.classes, on_bad_image=asked.on_bad_image
    )
    network = explained_network(classifier.model, of_labels=classifier.output.is_multi_label)
    layer = grad_cam_layer(network, layer_name)
    maps = list(
        maps_of_subjects(
            subjects, partial(grad_cam, network, layer), batch_size=classifier.batch_size
        )
    )
    steps = check_maps(network, layer, subjects) if check else ()
    sheet = grad_cam_sheet(
        asked.title, subjects, maps, classes=classifier.classes, layer=layer, top=asked.top
    )
    return Explanation(
        figure=draw_explanation_sheet(sheet),
        document={
            "layer": {"name": layer.name, "height": layer.height, "width": layer.width},
            "images": images_document(subjects, maps, classifier.classes, top=asked.top),
            **({"check": check_document(steps, layer)} if check else {}),
        },
        skipped=skipped,
        check=_drawn_check(steps, layer, subjects, [first for first, *_ in maps])
        if check
        else None,
        notes=() if layer.is_passed_by_all else (_past(layer),),
    )


def check_maps(
    network: ExplainedNetwork, layer: MapLayer, subjects: Sequence[Subject]
) -> tuple[Step, ...]:
    """What becomes of the maps of each image's most probable class without what was learnt."""
    pixels = np.stack([each.pixels for each in subjects])
    classes = [each.classes[0] for each in subjects]
    return randomize_by_layers(network, lambda: grad_cam(network, layer, pixels, classes))


def check_document(steps: Sequence[Step], layer: MapLayer) -> dict[str, Any]:
    """What came of the check, as JSON has it."""
    return {
        "sentence": verdict(steps, places=layer.places),
        "shuffles": DRAWS,
        "steps": [
            {
                "shuffled_to": step.until,
                "rank_correlation": step.correlation,
                "by_shuffle": step.by_shuffle,
            }
            for step in steps
        ],
    }


def _drawn_check(
    steps: Sequence[Step], layer: MapLayer, subjects: Sequence[Subject], maps: Sequence[Maps]
) -> Check:
    sentence = verdict(steps, places=layer.places)
    figure = draw_sanity_check(
        [
            CheckedStep(each.until, each.correlation, each.by_shuffle, list(each.maps))
            for each in steps
        ],
        images=[each.pixels for each in subjects[:_DRAWN_CHECKS]],
        trained=maps[:_DRAWN_CHECKS],
        sentence=f"{sentence[0].upper()}{sentence[1:]}.",
    )
    return Check(figure, sentence)


def explain_by_occlusion(
    classifier: Classifier, asked: Asked, *, square: int | None
) -> Explanation:
    """What a network cannot do without, by covering each image a square at a time.

    Args:
        classifier: the network, an exported one or another.
        asked: about which images and classes.
        square: its side in pixels; None for a sixth of the image's shorter side.

    Raises:
        InputError: there is no such class, or the square covers the image.
        DataError: an image cannot be read, and is not to be skipped; or none can.
    """
    height, width = classifier.decoding.image_size or (0, 0)
    squares = squares_of(height, width, side=square)
    subjects, skipped = read_subjects(
        classifier, asked.images, asked.classes, on_bad_image=asked.on_bad_image
    )
    found = [occlude(classifier, each.pixels, each.classes, squares) for each in subjects]
    sheet = occlusion_sheet(
        asked.title, subjects, found, classes=classifier.classes, squares=squares, top=asked.top
    )
    falls = [[each.fall for each in of_image] for of_image in found]
    return Explanation(
        figure=draw_explanation_sheet(sheet),
        document={
            "square": {"side": squares.side, "tops": squares.tops, "lefts": squares.lefts},
            "images": images_document(subjects, falls, classifier.classes, top=asked.top),
        },
        skipped=skipped,
    )


def _past(layer: MapLayer) -> str:
    return (
        f"other branches lead past `{layer.name}`: its map shows only what goes through this layer"
    )


def images_document(
    subjects: Sequence[Subject],
    maps: Sequence[Sequence[NDArray[Any]]],
    classes: Sequence[NamedClass],
    *,
    top: int,
) -> list[dict[str, Any]]:
    """The images with their classes and maps, `(rows, columns)` each, as JSON has them."""
    return [
        {
            "image": str(subject.prediction.image),
            "classes": classes_document(subject.prediction, top=top),
            "maps": [
                class_document(classes[number])
                | {
                    "probability": subject.probability(classes[number]),
                    "values": values.tolist(),
                }
                for number, values in zip(subject.classes, of_image, strict=True)
            ],
        }
        for subject, of_image in zip(subjects, maps, strict=True)
    ]
