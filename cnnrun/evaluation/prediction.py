"""What a network takes images for: a run's, or one of keras.applications with ImageNet's classes.

Images are decoded in parallel and predicted in batches, one after the other, so that memory does
not grow with their number.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cnnrun.assembly.automatic_choices import use_threads
from cnnrun.assembly.targets import (
    Output,
    class_probabilities,
    log_probabilities,
    output_of,
)
from cnnrun.calibration.calibration_file import (
    Calibration,
    read_calibration,
    read_label_calibration,
)
from cnnrun.calibration.label_map import LabelMap
from cnnrun.calibration.prediction_sets import sets_of
from cnnrun.config.data_section import OnBadImage
from cnnrun.data.array_images import array_image
from cnnrun.data.bad_image import BadImageError
from cnnrun.data.decode import decode_image
from cnnrun.data.decoding import Decoding, decoding_of
from cnnrun.data.packed_images import ImageFile
from cnnrun.data.parallel import map_in_threads
from cnnrun.errors import DataError
from cnnrun.evaluation.calibrated import carried_over, probabilities_of
from cnnrun.features.inference import fast_inference
from cnnrun.models.imagenet_classes import imagenet_classes
from cnnrun.models.saved import load_model
from cnnrun.models.whole_networks import open_application
from cnnrun.runs.files import read_json
from cnnrun.runs.folder import RunFolder, require_files
from cnnrun.runs.made_by import load_resolved
from cnnrun.runs.thresholds import read_thresholds
from cnnrun.wording import counted

Pixels = NDArray[Any]

BATCH_SIZE: Final = 32
# A frozen graph takes seconds to make, and is twice as fast: it pays from about here.
FROZEN_FROM: Final = 200


@dataclass(frozen=True)
class NamedClass:
    """A class that a network knows; `wnid` is ImageNet's synset, such as "n02123045"."""

    name: str
    wnid: str | None = None


@dataclass(frozen=True, eq=False)
class Classifier:
    """A network, what its outputs stand for, and how images are made for it.

    Attributes:
        model: takes raw pixels, `(images, height, width, channels)`.
        output: what it gives.
        classes: in the order of its outputs.
        decode: from an image's name to its pixels.
        decoding: how a file becomes pixels, or an array of another size.
        batch_size: how many images it gets at once.
        is_float32: whether all of it computes in float32.
        notes: what a user would hardly expect.
        calibration: what makes its probabilities calibrated ones, and says what is answered; None
            for the network's own.
        infer: what computes in place of the model, from pixels to `(images, units)`; None for it.
        thresholds: of labels, several of which an image may have; None for classes.
        label_map: what makes the probabilities of labels calibrated ones; None for the network's.
    """

    model: Any
    output: Output
    classes: tuple[NamedClass, ...]
    decode: Callable[[ImageFile], Pixels]
    decoding: Decoding
    batch_size: int
    is_float32: bool
    notes: tuple[str, ...]
    calibration: Calibration | None = None
    infer: Callable[[Pixels], Pixels] | None = None
    thresholds: tuple[float, ...] | None = None
    label_map: LabelMap | None = None


@dataclass(frozen=True)
class Prediction:
    """What an image is taken for.

    Attributes:
        image: its file, or its place in an array.
        classes: the most probable ones, the first one first; with sets, those of the set as well.
        probabilities: of these.
        answered: whether the network is certain enough to be believed; None where that was not
            calibrated.
        members: those of the classes that are in its set; None without sets.
        said: the labels whose probability reaches their threshold, the most probable first; None
            where an image has one class.
    """

    image: ImageFile
    classes: tuple[NamedClass, ...]
    probabilities: tuple[float, ...]
    answered: bool | None = None
    members: tuple[NamedClass, ...] | None = None
    said: tuple[NamedClass, ...] | None = None


@dataclass(frozen=True)
class Skipped:
    """An image that cannot be read, and why."""

    image: ImageFile
    reason: str


def run_classifier(run: RunFolder, *, calibrated: bool = False) -> Classifier:
    """The network of a run.

    Args:
        run: the run.
        calibrated: whether its probabilities are those of `cnnrun calibrate`.

    Raises:
        RunError: the run has no model, or no calibration.
        ModelFileError: the model cannot be used.
        DataError: it was trained on arrays, which no file fits.
    """
    require_files(run, run.resolved_yaml, run.classes_json, run.model_keras)
    config = load_resolved(run)
    decoding = decoding_of(config.data)
    if decoding.image_size is None or (decoding.color_mode or decoding.bands) is None:
        raise DataError.at(
            config.source,
            rule="a run that predicts files must have data.image_size and data.color_mode",
            received="none, as it was trained on arrays",
            advice="`cnnrun evaluate` takes the run's own images",
        )
    classes = tuple(NamedClass(name) for name in read_json(run.classes_json))
    calibration = label_map = thresholds = None
    if config.data.is_multi_label:
        label_map = read_label_calibration(run, labels=len(classes)) if calibrated else None
        own = np.array(read_thresholds(run, [each.name for each in classes]))
        thresholds = tuple(carried_over(own, label_map).tolist())
    elif calibrated:
        calibration = read_calibration(run, classes=len(classes))
    use_threads(config.train.threads or 1)
    model = load_model(run.model_keras)
    return Classifier(
        model=model,
        output=output_of(model, config.train.loss, is_multi_label=config.data.is_multi_label),
        classes=classes,
        decode=partial(decode_image, decoding=decoding),
        decoding=decoding,
        batch_size=config.train.batch_size,
        is_float32=config.train.precision == "float32",
        notes=(),
        calibration=calibration,
        label_map=label_map,
        thresholds=thresholds,
    )


def application_classifier(
    name: str, *, weights: Literal["imagenet"] | Path, image_size: tuple[int, int]
) -> Classifier:
    """A network of keras.applications with its top, for ImageNet's classes.

    Args:
        name: the network, such as "MobileNet".
        weights: "imagenet", or a file of such a network's weights.
        image_size: (height, width) that images are brought to.

    Raises:
        InputError: there is no network of this name, or it cannot take this size.
        ModelFileError: the weights, or the file of the classes' names, cannot be used.
        DownloadError: they are not at hand, and cannot be downloaded.
    """
    classes = tuple(NamedClass(each.name, each.wnid) for each in imagenet_classes())
    network = open_application(
        name, weights=weights, arguments={}, image_size=image_size, precision="float32"
    )
    decoding = Decoding(image_size, "rgb", "bilinear", keep_aspect=False, shrink_on_load=True)
    return Classifier(
        model=network.model,
        output=Output(len(classes), "probabilities"),
        classes=classes,
        decode=partial(decode_image, decoding=decoding),
        decoding=decoding,
        batch_size=BATCH_SIZE,
        is_float32=True,
        notes=network.backbone.notes if network.backbone is not None else (),
    )


def with_arrays(
    classifier: Classifier,
    arrays: Mapping[ImageFile, Pixels],
    *,
    value_range: tuple[float, float] | None,
) -> Classifier:
    """The classifier that knows, beside files, images that are arrays.

    Args:
        classifier: the network.
        arrays: the images, `(height, width, channels)`, by their names.
        value_range: their values that stand for black and white; None says 0 and 255.
    """
    decoding = classifier.decoding

    def decode(image: ImageFile) -> Pixels:
        if image not in arrays:
            return classifier.decode(image)
        return array_image(
            arrays[image],
            value_range=value_range,
            color_mode=decoding.color_mode,
            image_size=decoding.image_size or arrays[image].shape[:2],
            interpolation=decoding.interpolation,
            keep_aspect=decoding.keep_aspect,
        )

    return replace(classifier, decode=decode)


def predict(
    classifier: Classifier,
    images: Sequence[ImageFile],
    *,
    top: int,
    on_bad_image: OnBadImage,
    done: int = 0,
    together: int | None = None,
) -> Generator[Prediction | Skipped]:
    """The most probable classes of image files, in their order, as soon as they are known.

    Args:
        classifier: the network.
        images: image files.
        top: how many classes are wanted for each.
        on_bad_image: whether one that cannot be read ends the work or is left out.
        done: how many of the images, whole batches of them, have been predicted before.
        together: how many images there are of which these are a share; None where they are all.

    Raises:
        DataError: an image cannot be read, and is not to be skipped; or none of all can.
    """
    infer = inference(classifier, compiled=is_compiled(classifier, images=together or len(images)))
    predicted = done
    images = images[done:]
    with closing(map_in_threads(partial(_decoded, classifier.decode), images)) as decoded:
        for batch in batches(zip(images, decoded, strict=False), classifier.batch_size):
            readable = [pixels for _, pixels in batch if not isinstance(pixels, BadImageError)]
            predictions = iter(_read(infer(np.stack(readable)), classifier) if readable else ())
            for image, pixels in batch:
                if not isinstance(pixels, BadImageError):
                    yield _best(image, next(predictions), classifier.classes, top=top)
                elif on_bad_image == "skip":
                    yield Skipped(image, pixels.reason)
                else:
                    advice = "`--on-bad-image skip` leaves such images out"
                    raise pixels.advising(advice) from pixels
            predicted += len(readable)
    if not predicted and together is None:
        raise DataError.at(
            "",
            rule="there must be an image that can be decoded whole",
            received=f"{counted(len(images), 'image')} that cannot",
            advice="leave `--on-bad-image skip` out to read what is wrong with them",
        )


def is_compiled(classifier: Classifier, *, images: int) -> bool:
    """Whether so many images are predicted by a frozen graph, whose last digits are others."""
    return classifier.infer is None and images >= FROZEN_FROM and classifier.is_float32


def inference(classifier: Classifier, *, compiled: bool) -> Callable[[Pixels], Pixels]:
    """A function from pixels to what the last layer gives, `(images, units)`.

    Args:
        classifier: the network.
        compiled: whether by a frozen graph, see `is_compiled`.
    """
    if classifier.infer is not None:
        return classifier.infer
    if compiled:
        compute = fast_inference(
            classifier.model, [classifier.model.outputs[0]], precision="float32"
        )
        return lambda pixels: compute(pixels)[0]
    return lambda pixels: classifier.model(tf.constant(pixels), training=False).numpy()


@dataclass(frozen=True)
class _Read:
    """What the last layer says of an image: a number a class, and what a calibration makes of it.

    Attributes:
        probabilities: `(classes,)`.
        answered: see `Prediction`.
        is_member: of its set, `(classes,)`; None without sets.
        is_said: whether its threshold is reached, `(labels,)`; None of classes.
    """

    probabilities: NDArray[Any]
    answered: bool | None = None
    is_member: NDArray[np.bool_] | None = None
    is_said: NDArray[np.bool_] | None = None


def _read(predictions: Pixels, classifier: Classifier) -> Iterator[_Read]:
    """What the last layer, `(images, units)`, says of each image."""
    calibration = classifier.calibration
    if classifier.thresholds is not None:
        for row in probabilities_of(predictions, classifier.output, classifier.label_map):
            yield _Read(row, is_said=row >= np.array(classifier.thresholds))
        return
    if calibration is None:
        yield from map(_Read, class_probabilities(predictions, classifier.output))
        return
    own = log_probabilities(predictions, classifier.output)
    calibrated = calibration.map.probabilities(own)
    abstention, rule = calibration.abstention, calibration.sets
    members = None if rule is None else sets_of(own, rule)
    for row, probabilities in enumerate(calibrated):
        yield _Read(
            probabilities,
            None if abstention is None else bool(own[row].max() > abstention.above),
            None if members is None else members[row],
        )


def _decoded(decode: Callable[[ImageFile], Pixels], image: ImageFile) -> Pixels | BadImageError:
    try:
        return decode(image)
    except BadImageError as error:
        return error


Item = TypeVar("Item")


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items, so many at a time."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def _best(image: ImageFile, read: _Read, classes: Sequence[NamedClass], *, top: int) -> Prediction:
    order = np.argsort(-read.probabilities, kind="stable")
    is_member, is_said = read.is_member, read.is_said
    also = is_said if is_member is None else is_member
    best = [
        int(index)
        for place, index in enumerate(order)
        if place < top or (also is not None and also[index])
    ]
    return Prediction(
        image=image,
        classes=tuple(classes[index] for index in best),
        probabilities=tuple(float(read.probabilities[index]) for index in best),
        answered=read.answered,
        members=None
        if is_member is None
        else tuple(classes[index] for index in best if is_member[index]),
        said=None if is_said is None else tuple(classes[index] for index in best if is_said[index]),
    )
