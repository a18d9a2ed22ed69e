"""What `train` leaves in a run's `page/` for its page: what only it can see, made while it has it.

`tested.json` has the confusion matrix and the pictures, `labels.json` the same where images have
several labels, `network.json` the layers, `data.json` the images that there were; `curves.svg` are
the learning curves, `layers.svg` and `distributions.svg` what diagnostics show. All of them can be
missing: runs of 0.1.0 and cells of studies have none. `maps.json` is what `cnnrun report --maps`
adds: what the network looked at in its mistakes.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cnnrun.errors import RunError
from cnnrun.runs.files import (
    read_content,
    read_json,
    storage_errors,
    write_bytes,
    write_json,
)
from cnnrun.runs.folder import RunFolder

_TESTED: Final = "tested.json"
_LABELS: Final = "labels.json"
_NETWORK: Final = "network.json"
_DATA: Final = "data.json"
_MAPS: Final = "maps.json"
CURVES: Final = "curves"
LAYERS: Final = "layers"
DISTRIBUTIONS: Final = "distributions"


@dataclass(frozen=True)
class Picture:
    """An image that the network was tested on, made small.

    Attributes:
        path: its path, or its place in an array.
        truth: the number of its class.
        prediction: the number of the class that it was taken for.
        probability: what the network gives to that class.
        webp: the picture as a WebP file in base64.
    """

    path: str
    truth: int
    prediction: int
    probability: float
    webp: str

    @property
    def is_mistake(self) -> bool:
        """Whether it was taken for another class than its own."""
        return self.truth != self.prediction


@dataclass(frozen=True)
class Tested:
    """What became of the test images.

    Attributes:
        confusion: (true class, predicted class, images), of pairs that occur.
        pictures: the most confident mistakes first, then the least certain of those that are right.
    """

    confusion: tuple[tuple[int, int, int], ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class LabelPicture:
    """An image of which something is said wrongly, made small.

    Attributes:
        path: its path, or its place in an array.
        label: the number of the label.
        has_it: whether the image has it.
        probability: what the network gives to that it has.
        webp: the picture as a WebP file in base64.
    """

    path: str
    label: int
    has_it: bool
    probability: float
    webp: str


@dataclass(frozen=True)
class LabelTested:
    """What became of test images with several labels or none.

    Attributes:
        rows: the numbers of each label; see `LabelScores.classes_as_json`.
        pictures: mistakes, of each label in turn the most certain one.
        confusion: what is said of those that have a label, an SVG file in base64.
        together: which labels stand together, likewise.
    """

    rows: tuple[Mapping[str, Any], ...]
    pictures: tuple[LabelPicture, ...]
    confusion: str
    together: str


@dataclass(frozen=True)
class DrawnLayer:
    """A layer of the network as the table of `cnnrun show` has it, and where it gets its input.

    Attributes:
        name: the Keras layer's name.
        kind: its class.
        path: where it stands, such as `residual_1/conv_block_2/conv`.
        output_shape: without the batch.
        parameters: how many numbers it holds.
        multiply_adds: for one image.
        receptive_field: height and width of what an output sees; None where it varies.
        inputs: the names of the layers that it follows; none of the first.
    """

    name: str
    kind: str
    path: str
    output_shape: tuple[int | None, ...]
    parameters: int
    multiply_adds: int
    receptive_field: tuple[int, int] | None
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class SeenData:
    """The images that a run was made with.

    Attributes:
        counts: split -> how many images of each class it has, in the order of the classes.
        left_out: (path, reason) of images that could not be read.
        notes: how the source was read, a sentence each.
        first_batch: the first training images of epoch 1 as the network got them, WebP in base64,
            each with the number of its class, or its labels as text where it may have several.
        augmented_by: the parameters of `augment` that are on.
        totals: split -> how many images it has, where images may have several labels.
    """

    counts: Mapping[str, tuple[int, ...]]
    left_out: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    first_batch: tuple[tuple[str, int | str], ...]
    augmented_by: tuple[str, ...]
    totals: Mapping[str, int] | None = None


@dataclass(frozen=True)
class PictureMaps:
    """What the network looked at in images.

    Attributes:
        layer: where the maps were taken.
        height: how many rows they have.
        width: how many columns.
        webps: (path, number of the class explained) -> the map over the image, WebP in base64.
    """

    layer: str
    height: int
    width: int
    webps: Mapping[tuple[str, int], str]


def in_base64(content: bytes) -> str:
    """Bytes as JSON and `data:` addresses hold them."""
    return base64.b64encode(content).decode("ascii")


def write_page_files(
    run: RunFolder,
    *,
    tested: Tested | None,
    network: Sequence[DrawnLayer],
    data: SeenData,
    drawings: Mapping[str, bytes],
    labels: LabelTested | None = None,
) -> None:
    """Write `page/`; `drawings` are figures as SVG files, by the names above.

    Raises:
        StorageError: it cannot be written.
    """
    folder = run.page
    with storage_errors(folder):
        folder.mkdir(exist_ok=True)
    if tested is not None:
        write_json(folder / _TESTED, asdict(tested))
    write_json(folder / _NETWORK, [asdict(layer) for layer in network])
    seen = asdict(data)
    if data.totals is None:
        del seen["totals"]
    write_json(folder / _DATA, seen)
    if labels is not None:
        write_json(folder / _LABELS, asdict(labels))
    for name, drawing in drawings.items():
        write_bytes(_drawing_file(run, name), drawing)


def write_maps(run: RunFolder, maps: PictureMaps) -> None:
    """Write the maps to `page/`, in the place of those that were there.

    Raises:
        StorageError: it cannot be written.
    """
    webps = [[path, number, webp] for (path, number), webp in maps.webps.items()]
    write_json(
        run.page / _MAPS,
        {"layer": maps.layer, "height": maps.height, "width": maps.width, "webps": webps},
    )


def read_maps(run: RunFolder) -> PictureMaps | None:
    """What the network looked at; None where that was not drawn, or is damaged."""
    written = _read(run, _MAPS)
    try:
        return PictureMaps(
            layer=str(written["layer"]),
            height=int(written["height"]),
            width=int(written["width"]),
            webps={
                (str(path), int(number)): _checked(webp) for path, number, webp in written["webps"]
            },
        )
    except (KeyError, TypeError, ValueError):
        return None


def read_tested(run: RunFolder) -> Tested | None:
    """What became of the test images; None where that is not there, or damaged."""
    written = _read(run, _TESTED)
    try:
        return Tested(
            confusion=tuple(
                (int(true), int(predicted), int(images))
                for true, predicted, images in written["confusion"]
            ),
            pictures=tuple(
                Picture(
                    path=str(each["path"]),
                    truth=int(each["truth"]),
                    prediction=int(each["prediction"]),
                    probability=float(each["probability"]),
                    webp=_checked(each["webp"]),
                )
                for each in written["pictures"]
            ),
        )
    except (KeyError, TypeError, ValueError):
        return None


def require_pictures(run: RunFolder) -> Tested:
    """What became of the test images, of one label each, with their pictures.

    Raises:
        RunError: the run left none.
    """
    tested = read_tested(run)
    if tested is None:
        raise RunError.at(
            run.path,
            rule="a run must have left pictures for its page, in `page/tested.json`",
            received="none, as of cnnrun 0.1.0, of a study's cells and of runs without test images",
            advice="train it again by itself, or name images: `cnnrun explain RUN IMAGE`",
        )
    return tested


@dataclass(frozen=True)
class PicturedMistake:
    """A mistake that has a picture.

    Attributes:
        path: the image's.
        number: of the class that it was called, or of the label of which it was said wrongly.
    """

    path: str
    number: int


def require_mistakes(run: RunFolder) -> tuple[PicturedMistake, ...]:
    """The mistakes on test images that have a picture, of one label each or of several.

    Raises:
        RunError: the run left no pictures.
    """
    labels = read_label_tested(run)
    if labels is not None:
        return tuple(PicturedMistake(each.path, each.label) for each in labels.pictures)
    pictures = require_pictures(run).pictures
    return tuple(
        PicturedMistake(each.path, each.prediction) for each in pictures if each.is_mistake
    )


def read_label_tested(run: RunFolder) -> LabelTested | None:
    """What became of test images with several labels; None where that is not there, or damaged."""
    written = _read(run, _LABELS)
    try:
        return LabelTested(
            rows=tuple({**each, "label": str(each["label"])} for each in written["rows"]),
            pictures=tuple(
                LabelPicture(
                    path=str(each["path"]),
                    label=int(each["label"]),
                    has_it=bool(each["has_it"]),
                    probability=float(each["probability"]),
                    webp=_checked(each["webp"]),
                )
                for each in written["pictures"]
            ),
            confusion=_checked(written["confusion"]),
            together=_checked(written["together"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def read_network(run: RunFolder) -> tuple[DrawnLayer, ...]:
    """The layers in the order of their calls; none where they are not there, or damaged."""
    try:
        return tuple(_layer(each) for each in _read(run, _NETWORK) or ())
    except (KeyError, TypeError, ValueError):
        return ()


def read_data(run: RunFolder) -> SeenData | None:
    """The images that there were; None where that is not there, or damaged."""
    written = _read(run, _DATA)
    try:
        return SeenData(
            counts={
                str(split): tuple(map(int, images)) for split, images in written["counts"].items()
            },
            left_out=tuple((str(path), str(reason)) for path, reason in written["left_out"]),
            notes=tuple(map(str, written["notes"])),
            first_batch=tuple(
                (_checked(webp), label if isinstance(label, str) else int(label))
                for webp, label in written["first_batch"]
            ),
            augmented_by=tuple(map(str, written["augmented_by"])),
            totals=None
            if written.get("totals") is None
            else {str(split): int(images) for split, images in written["totals"].items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def read_drawing(run: RunFolder, name: str) -> bytes | None:
    """A figure as an SVG file; None where it is not there."""
    try:
        return read_content(_drawing_file(run, name))
    except OSError:
        return None


def _drawing_file(run: RunFolder, name: str) -> Path:
    return run.page / f"{name}.svg"


def _layer(written: Mapping[str, Any]) -> DrawnLayer:
    field = written["receptive_field"]
    return DrawnLayer(
        name=str(written["name"]),
        kind=str(written["kind"]),
        path=str(written["path"]),
        output_shape=tuple(None if size is None else int(size) for size in written["output_shape"]),
        parameters=int(written["parameters"]),
        multiply_adds=int(written["multiply_adds"]),
        receptive_field=None if field is None else (int(field[0]), int(field[1])),
        inputs=tuple(map(str, written["inputs"])),
    )


def _checked(webp: Any) -> str:
    """Text that is base64, for it is going to stand in an address."""
    base64.b64decode(webp, validate=True)
    return str(webp)


def _read(run: RunFolder, name: str) -> Any:
    try:
        return read_json(run.page / name)
    except RunError:
        return None
