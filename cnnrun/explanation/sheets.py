"""Maps of images as sheets to look at."""

from collections.abc import Iterator, Sequence
from typing import Final

from cnnrun.evaluation.prediction import NamedClass
from cnnrun.explanation.network import MapLayer
from cnnrun.explanation.occlusion import Occlusion, Squares, over_the_image
from cnnrun.explanation.subjects import Maps, Subject
from cnnrun.plots.explanation_sheet import ExplainedImage, ExplanationSheet, Heat
from cnnrun.plots.lettering import label, percent
from cnnrun.wording import counted

_LETTERS_OF_A_CLASS: Final = 22


def grad_cam_sheet(
    title: str,
    subjects: Sequence[Subject],
    maps: Sequence[tuple[Maps, ...]],
    *,
    classes: Sequence[NamedClass],
    layer: MapLayer,
    top: int,
) -> ExplanationSheet:
    """Images beside their Grad-CAM.

    Args:
        title: what the network is called.
        subjects: the images.
        maps: of each image as many as it has classes to explain.
        classes: of the network.
        layer: where the maps were taken.
        top: how many classes stand beside each image.
    """
    place = f"{layer.name}, {layer.height}x{layer.width}"
    return ExplanationSheet(
        title=f"Where {title} looks",
        caption=(
            "Grad-CAM: the brighter a place, the more it speaks for the class above the map.",
            f"Taken at {place} places; each map goes from 0 to its own highest value.",
        ),
        scale="share",
        unit="share of the map's highest value",
        images=tuple(
            _explained(
                subject,
                [
                    Heat(heading, place if values.any() else "nothing here speaks for it", values)
                    for heading, values in zip(_headings(subject, classes), of_image, strict=True)
                ],
                top=top,
            )
            for subject, of_image in zip(subjects, maps, strict=True)
        ),
    )


def occlusion_sheet(
    title: str,
    subjects: Sequence[Subject],
    occlusions: Sequence[Sequence[Occlusion]],
    *,
    classes: Sequence[NamedClass],
    squares: Squares,
    top: int,
) -> ExplanationSheet:
    """Images beside what covering their parts takes from a class; see `grad_cam_sheet`."""
    return ExplanationSheet(
        title=f"What {title} cannot do without",
        caption=(
            f"Occlusion: a square of {counted(squares.side, 'pixel')} in the image's mean colour"
            " covers a place, and the class's log-odds fall: the more orange, the more the class"
            " needs the place; purple: it speaks against it. In small letters: what is left of the"
            " class's probability at worst.",
        ),
        scale="signed",
        unit="fall of log-odds",
        images=tuple(
            _explained(
                subject,
                [
                    Heat(
                        heading,
                        f"{percent(each.least)} where it costs most",
                        over_the_image(
                            each.fall,
                            squares,
                            height=subject.pixels.shape[0],
                            width=subject.pixels.shape[1],
                        ),
                    )
                    for heading, each in zip(_headings(subject, classes), of_image, strict=True)
                ],
                top=top,
            )
            for subject, of_image in zip(subjects, occlusions, strict=True)
        ),
    )


def _explained(subject: Subject, heats: Sequence[Heat], *, top: int) -> ExplainedImage:
    prediction = subject.prediction
    named = zip(prediction.classes[:top], prediction.probabilities, strict=False)
    return ExplainedImage(
        name=str(prediction.image),
        pixels=subject.pixels,
        classes=tuple((each.name, probability) for each, probability in named),
        heats=tuple(heats),
    )


def _headings(subject: Subject, classes: Sequence[NamedClass]) -> Iterator[str]:
    """What each map explains: the class, and what the network gives to it."""
    for number in subject.classes:
        name = label(classes[number].name, most_letters=_LETTERS_OF_A_CLASS)
        yield f"{name}  {percent(subject.probability(classes[number]))}"
