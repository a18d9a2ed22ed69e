"""From images to a CSV file of predictions, which a killed process leaves to be gone on with."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.config.data_section import OnBadImage
from cnnrun.data.bad_image import BadImageError
from cnnrun.data.content_hashes import file_hash, pixels_hash
from cnnrun.data.packed_images import ImageFile
from cnnrun.data.parallel import map_in_threads
from cnnrun.errors import InputError, InterruptedRunError
from cnnrun.evaluation.prediction import (
    Classifier,
    Prediction,
    Skipped,
    batches,
    is_compiled,
    predict,
)
from cnnrun.evaluation.prediction_file import (
    ANOTHER,
    CONTENT,
    IMAGE,
    SKIPPED,
    Before,
    PredictionFile,
    describe,
    description_of,
    read_before,
    refuse_other_settings,
    refuse_used_file,
)
from cnnrun.features.network_hash import network_hash
from cnnrun.runs.environment import installed_packages
from cnnrun.runs.events import ExtractionBegins, ExtractionListener, ImagesExtracted, Note
from cnnrun.runs.files import json_text
from cnnrun.shown_text import shown
from cnnrun.wording import counted

Arrays = Mapping[ImageFile, NDArray[Any]]


@dataclass(frozen=True)
class Wanted:
    """What is to be predicted.

    Attributes:
        source: what the network is called.
        exported_hash: the hash of an exported network; None for a Keras model.
        images: files, or names of arrays.
        arrays: the pixels of those that are no files.
        value_range: their values for black and white; None says 0 and 255.
        top: how many classes of each image.
        on_bad_image: whether one that cannot be read ends the work or is left out.
        together: how many images there are of which these are a share; None where they are all.
    """

    source: str
    exported_hash: str | None
    images: tuple[ImageFile, ...]
    arrays: Arrays
    value_range: tuple[float, float] | None
    top: int
    on_bad_image: OnBadImage
    together: int | None = None


@dataclass(frozen=True)
class Written:
    """What a file of predictions holds in the end: images, and how many could not be read."""

    images: int
    skipped: int


def predict_to_file(
    classifier: Classifier,
    wanted: Wanted,
    path: Path,
    *,
    resume: bool,
    listener: ExtractionListener,
) -> Written:
    """Write a line for each image: its classes, and the hash of its content.

    Lines are written a batch at a time. What is there already is not predicted again, and the
    file of a process that was killed and gone on with equals, byte for byte, that of one which was
    not: images stay in their batches, on whose size the last digits depend.

    Args:
        classifier: the network.
        wanted: the images.
        path: the file.
        resume: whether it may hold predictions already.
        listener: who listens.

    Raises:
        InputError: the file cannot be gone on with.
        DataError: an image cannot be read and is not to be skipped, or none can.
        StorageError: the disk is full or fails; what was finished is kept.
        InterruptedRunError: Ctrl-C; what was finished is kept.
    """
    refuse_used_file(path, resume=resume)
    file = PredictionFile(path, _columns(classifier, wanted.top), classifier.batch_size)
    settings = _settings(classifier, wanted)
    if description_of(path).exists():
        refuse_other_settings(path, settings)
        before = read_before(file, wanted.images, content_of=lambda image: _content(image, wanted))
    else:
        describe(path, settings, source=wanted.source)
        before = Before(rows=0, skipped=0, size=0)
    if before.skipped and wanted.on_bad_image == "error":
        raise InputError.at(
            shown(path),
            rule="predictions go on only as they began: with `--on-bad-image skip`",
            received=f"error, and {counted(before.skipped, 'image')} skipped before",
            advice=f"give the same, {ANOTHER}",
        )
    listener(ExtractionBegins(images=len(wanted.images), finished=before.rows))
    skipped = before.skipped
    if before.rows < len(wanted.images) or not path.exists():
        with _saying_how_to_go_on():
            skipped += _write(classifier, wanted, file, before, listener)
    return Written(len(wanted.images), skipped)


def _write(
    classifier: Classifier,
    wanted: Wanted,
    file: PredictionFile,
    before: Before,
    listener: ExtractionListener,
) -> int:
    """How many images were skipped while the others were written."""
    size, skipped = before.size, 0
    file.cut(size=size)
    if not size:
        size = file.append([file.columns], size=0)
    predictions = predict(
        classifier,
        wanted.images,
        top=wanted.top,
        on_bad_image=wanted.on_bad_image,
        done=before.rows,
        together=wanted.together,
    )
    with closing(predictions):
        for batch in batches(predictions, file.batch_size):
            for each in batch:
                if isinstance(each, Skipped):
                    skipped += 1
                    listener(Note(f"skipped {each.image}: {each.reason}"))
            contents = map_in_threads(lambda each: _content(each.image, wanted), batch)
            rows = [
                _row(each, content, file.columns)
                for each, content in zip(batch, contents, strict=True)
            ]
            size = file.append(rows, size=size)
            listener(ImagesExtracted(len(batch)))
    return skipped


@contextmanager
def _saying_how_to_go_on() -> Iterator[None]:
    """Where the block is stopped, the error says how the command goes on.

    Raises:
        DataError: an image cannot be read.
        InterruptedRunError: Ctrl-C.
    """
    kept = "the images written before are kept"
    try:
        yield
    except BadImageError as error:
        raise error.advising(
            f"{kept}: see to the image and give the same command with `--resume`"
        ) from error
    except KeyboardInterrupt as error:
        raise InterruptedRunError.at(
            "",
            rule="interrupted",
            received="",
            advice=f"{kept}: go on with the same command and `--resume`",
        ) from error


def _settings(classifier: Classifier, wanted: Wanted) -> dict[str, Any]:
    """What may not change while the file is filled, as the description beside it has it."""
    calibration = classifier.calibration or classifier.label_map
    return {
        "weights_hash": wanted.exported_hash or network_hash(classifier.model),
        "classes": [each.name for each in classifier.classes],
        "calibration": None if calibration is None else asdict(calibration),
        **({} if classifier.thresholds is None else {"thresholds": classifier.thresholds}),
        "top": wanted.top,
        "decoding": classifier.decoding.described(),
        "value_range": wanted.value_range,
        "batch_size": classifier.batch_size,
        "compiled": is_compiled(classifier, images=wanted.together or len(wanted.images)),
        "packages": installed_packages(),
    }


def _columns(classifier: Classifier, top: int) -> tuple[str, ...]:
    """The header: of each of the most probable classes its name, ImageNet's synset, probability."""
    has_synsets = classifier.classes[0].wnid is not None
    of_a_class = ("class", *(("wnid",) if has_synsets else ()), "probability")
    calibration = classifier.calibration
    places = range(1, min(top, len(classifier.classes)) + 1)
    return (
        IMAGE,
        *(name if place == 1 else f"{name}_{place}" for place in places for name in of_a_class),
        *(("answered",) if calibration and calibration.abstention else ()),
        *(("set",) if calibration and calibration.sets else ()),
        *(("labels",) if classifier.thresholds is not None else ()),
        SKIPPED,
        CONTENT,
    )


def _row(each: Prediction | Skipped, content: str, columns: tuple[str, ...]) -> list[str]:
    """The cells of a line; those of an image that was skipped are empty but for its reason."""
    cells = {IMAGE: str(each.image), CONTENT: content}
    if isinstance(each, Skipped):
        cells[SKIPPED] = each.reason
        return [cells.get(column, "") for column in columns]
    named = zip(each.classes, each.probabilities, strict=True)
    for place, (one, probability) in enumerate(named, start=1):
        end = "" if place == 1 else f"_{place}"
        cells[f"class{end}"] = one.name
        cells[f"wnid{end}"] = one.wnid or ""
        cells[f"probability{end}"] = repr(probability)
    cells["answered"] = "yes" if each.answered else "no"
    cells["labels"] = json_text([one.name for one in each.said or ()], indent=None)
    cells["set"] = json_text([one.name for one in each.members or ()], indent=None)
    return [cells.get(column, "") for column in columns]


def _content(image: ImageFile, wanted: Wanted) -> str:
    """The hash of a file, or of the pixels of an array."""
    pixels = wanted.arrays.get(image)
    return file_hash(image) if pixels is None else pixels_hash(np.asarray(pixels))
