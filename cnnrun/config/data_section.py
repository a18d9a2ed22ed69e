"""The section `data`: which images, at what size, and which of them are held out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from cnnrun.config.kinds import Either, ListOf, Nullable
from cnnrun.config.places import Place
from cnnrun.config.records import Record
from cnnrun.config.scalar_kinds import SEED, Boolean, Choice, FilePath, Integer, Label, Number, Text
from cnnrun.wording import listed

ColorMode = Literal["rgb", "grayscale", "rgba"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
KerasDataset = Literal["mnist", "fashion_mnist", "cifar10", "cifar100"]

CHANNELS: Final[Mapping[str, int]] = {"grayscale": 1, "rgb": 3, "rgba": 4}
"""How many numbers a pixel has, by the colour mode."""
COLOR_MODES: Final[Mapping[int, ColorMode]] = {1: "grayscale", 3: "rgb", 4: "rgba"}
"""The colour mode of pixels of so many numbers."""
MEGAPIXELS_AT_MOST: Final = 90.0
"""Just above Pillow's own limit against decompression bombs."""
OF_FILES: Final = ("directory", "csv")
"""Sources of images in files: of any size, and in colour unless the config says otherwise."""
AT_A_PATH: Final = (*OF_FILES, "arrays")
"""Sources that stand at a path, given bare or as `file`; what is there counts, not where it is."""
SOURCES: Final = (*AT_A_PATH, "keras_dataset")
_COLUMN: Final = Text("the name of a column")


def _check_split(place: Place, values: Mapping[str, Any]) -> None:
    """Some images are left to train on."""
    validation, test = values.get("validation", 0), values.get("test", 0)
    if validation + test >= 1:
        place.refuse(
            "validation and test together must be below 1",
            received=f"{validation:g} + {test:g} = {validation + test:g}",
            advice="the rest is what the network trains on",
        )


def check_value_range(place: Place, values: Mapping[str, Any]) -> None:
    """Black is below white."""
    low, high = values.get("value_range") or (0, 1)
    if low >= high:
        place.entry("value_range").refuse(
            "the first number must be below the second",
            received=f"[{low:g}, {high:g}]",
            advice="give the value of black, then that of white",
        )


def check_sources(place: Place, values: Mapping[str, Any]) -> None:
    """Exactly one source, and a size where the images do not have one size already."""
    given = [key for key in SOURCES if place.has_key(key) and values.get(key, "") is not None]
    if not given:
        place.refuse(
            f"one of {listed(SOURCES)} is required",
            received="none of them",
            advice="name the folder of your images, `directory: ../images`",
        )
    for key in given[1:]:
        place.refuse_key(
            key,
            f"only one of {listed(SOURCES)} can be given",
            received=f"`{key}` beside `{given[0]}`",
            advice=f"leave one of them out; one of a base file goes with `{given[0]}: null`",
        )
    files = [key for key in given if key in OF_FILES]
    if files and values.get("image_size", "") is None:
        place.refuse_key(
            files[0],
            f"`image_size` is required beside `{files[0]}`",
            received="nothing for it",
            advice="add the height and width that images are brought to, `image_size: [64, 64]`",
        )


def check_classes(place: Place, values: Mapping[str, Any]) -> None:
    """Each class stands in the list once."""
    classes = values.get("classes")
    if isinstance(classes, tuple):
        repeated = sorted({name for name in classes if classes.count(name) > 1})
        if repeated:
            place.entry("classes").refuse(
                "each class must stand in the list once",
                received=f"{listed(repeated)} more than once",
                advice="keep one of them",
            )


@dataclass(frozen=True, kw_only=True)
class ResizeSpec:
    """How an image is brought to `image_size`."""

    interpolation: Annotated[
        Interpolation,
        Choice(get_args(Interpolation)),
        "how pixels are interpolated where images change their size",
    ] = "bilinear"
    keep_aspect: Annotated[
        bool,
        Boolean(),
        "whether the centre is cropped to the proportions of image_size; else images are squeezed",
    ] = False


@dataclass(frozen=True, kw_only=True)
class SplitSpec:
    """Shares of the images that are held out, and the seed that chooses them."""

    validation: Annotated[
        float, Number(0, below=1), "the share of each class that is held out for validation"
    ] = 0.15
    test: Annotated[
        float, Number(0, below=1), "the share of each class that is held out for the test"
    ] = 0.15
    seed: Annotated[int, SEED, "the seed that chooses which images are held out"] = 0


@dataclass(frozen=True, kw_only=True)
class CsvSource:
    """A table of images, and the names of its columns."""

    file: Annotated[Path, FilePath("a CSV file"), "the path of a CSV file with a header"]
    path: Annotated[str, _COLUMN, "the column of image paths, relative to the file"] = "path"
    label: Annotated[str, _COLUMN, "the column of class names"] = "label"
    split: Annotated[
        str | None,
        Nullable(_COLUMN),
        "the column of train, validation or test; without one, data.split cuts",
    ] = None
    group: Annotated[
        str | None,
        Nullable(_COLUMN),
        "the column of groups, such as patients, that no split divides",
    ] = None


@dataclass(frozen=True, kw_only=True)
class ArraysSource:
    """An .npz file of images and labels."""

    file: Annotated[Path, FilePath("an .npz file"), "the path of an .npz file"]
    value_range: Annotated[
        tuple[float, float] | None,
        Nullable(ListOf(Number(), "numbers", length=2)),
        "the values of black and white, such as [0, 1]; floats need it",
    ] = None


RESIZE: Final = Record(ResizeSpec, "a map of `interpolation` and `keep_aspect`")
SPLIT: Final = Record(SplitSpec, "a map of `validation`, `test` and `seed`", checks=(_check_split,))
CSV: Final = Record(CsvSource, "the path of a CSV file, or a map with `file`", short="file")
ARRAYS: Final = Record(
    ArraysSource,
    "the path of an .npz file, or a map with `file`",
    checks=(check_value_range,),
    short="file",
)


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """The images: exactly one of four sources, their size and colours, and their splits."""

    directory: Annotated[
        Path | None,
        Nullable(FilePath("a folder")),
        "a folder with a folder for each class, or with train, validation and test folders",
    ] = None
    csv: Annotated[CsvSource | None, Nullable(CSV), "a CSV file of images and labels"] = None
    arrays: Annotated[
        ArraysSource | None, Nullable(ARRAYS), "an .npz file of images and labels"
    ] = None
    keras_dataset: Annotated[
        KerasDataset | None,
        Nullable(Choice(get_args(KerasDataset))),
        "a data set that Keras downloads",
    ] = None
    image_size: Annotated[
        tuple[int, int] | None,
        Nullable(ListOf(Integer(1), "integers", length=2)),
        "the height and width that images are brought to; files need it",
    ] = None
    color_mode: Annotated[
        ColorMode | None,
        Nullable(Choice(get_args(ColorMode))),
        "the channels that images are brought to; rgb of files, of arrays their own",
    ] = None
    bands: Annotated[
        tuple[int, ...] | None,
        Nullable(ListOf(Integer(1), "numbers of bands, counted from 1", minimum=1)),
        "which channels of files to take, counted from 1; needed for files of many bands",
    ] = None
    value_range: Annotated[
        tuple[float, float] | None,
        Nullable(ListOf(Number(), "numbers", length=2)),
        "the values of black and white in files, whose bits are all kept then",
    ] = None
    resize: Annotated[ResizeSpec, RESIZE, "how images are brought to image_size"] = ResizeSpec()
    split: Annotated[
        SplitSpec, SPLIT, "which shares are held out, unless the source brings splits of its own"
    ] = SplitSpec()
    classes: Annotated[
        tuple[str, ...] | int | None,
        Nullable(Either((Integer(2), ListOf(Label("a class name"), "class names", minimum=2)))),
        "the classes in the order of the outputs, or their number; the data's own, sorted by name",
    ] = None
    on_bad_image: Annotated[
        Literal["error", "skip"],
        Choice(("error", "skip")),
        "whether an image that cannot be decoded is an error, or left out and named",
    ] = "error"
    megapixels_at_most: Annotated[
        float, Number(1), "above how many millions of pixels a file is refused, not decoded"
    ] = MEGAPIXELS_AT_MOST
    cache_memory_mb: Annotated[
        int,
        Integer(0),
        "how many megabytes decoded images take up in memory; more go to a file on the disk",
    ] = 256

    @property
    def is_of_files(self) -> bool:
        """Whether each image is a file."""
        return any(getattr(self, source) is not None for source in OF_FILES)

    @property
    def known_channels(self) -> int | None:
        """The channels of the input, unless only the arrays tell."""
        if self.bands is not None:
            return len(self.bands)
        mode = self.color_mode or ("rgb" if self.is_of_files else None)
        return CHANNELS[mode] if mode else None

    @property
    def may_bring_splits(self) -> bool:
        """Whether the source can say itself which images are for validation."""
        return self.keras_dataset is None and (self.csv is None or self.csv.split is not None)
