"""The section `data`: which images, at what size, and which of them are held out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from cnnrun.config.data_sources import (
    ARRAYS,
    CSV,
    PARQUET,
    TAR,
    TFRECORD,
    ArraysSource,
    CsvSource,
    ParquetSource,
    TarSource,
    TfrecordSource,
)
from cnnrun.config.kinds import Either, ListOf, MapOf, Nullable, OneOrMore
from cnnrun.config.path_patterns import CLASS_FOLDERS, LAYOUT_FIELDS
from cnnrun.config.places import Place
from cnnrun.config.records import Record
from cnnrun.config.scalar_kinds import (
    SEED,
    Boolean,
    Choice,
    FilePath,
    Integer,
    Label,
    Number,
    PathPatternText,
)
from cnnrun.wording import quoted

ColorMode = Literal["rgb", "grayscale", "rgba"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
OnBadImage = Literal["error", "skip"]
KerasDataset = Literal["mnist", "fashion_mnist", "cifar10", "cifar100"]
Task = Literal["single_label", "multi_label"]

CHANNELS: Final[Mapping[str, int]] = {"grayscale": 1, "rgb": 3, "rgba": 4}
"""How many numbers a pixel has, by the colour mode."""
COLOR_MODES: Final[Mapping[int, ColorMode]] = {1: "grayscale", 3: "rgb", 4: "rgba"}
"""The colour mode of pixels of so many numbers."""
MEGAPIXELS_AT_MOST: Final = 90.0
"""Just above Pillow's own limit against decompression bombs."""
PACKED: Final = ("tar", "tfrecord")
"""Sources whose files hold many images each."""
OF_FILES: Final = ("directory", "csv", "parquet", *PACKED)
"""Sources of images in files: of any size, and in colour unless the config says otherwise."""
AT_A_PATH: Final = (*OF_FILES, "arrays")
"""Sources that stand at a path, given bare or as `file`; what is there counts, not where it is."""
SOURCES: Final = (*AT_A_PATH, "keras_dataset")
_A_LAYOUT: Final = "a pattern of paths such as `{label}/**`"
_WORDS: Final = OneOrMore(Label("a word"), "a word", "words")
_SHARE_OR_WORDS: Final = Either((Number(0, below=1), _WORDS))

UNKNOWN_LABEL: Final = "unknown"
"""What `data.label_map` calls a label of which it is not known whether an image has it."""

LARGEST_SIDE: Final = 2**15
"""Of an image; the largest photographs have half as many pixels a side."""


def _check_split(place: Place, values: Mapping[str, Any]) -> None:
    """Some images are left to train on."""
    _check_words(place, values)
    shares = [values.get(key, 0) for key in ("validation", "test")]
    validation, test = (0 if isinstance(share, tuple) else share for share in shares)
    if validation + test >= 1:
        place.refuse(
            "validation and test together must be below 1",
            received=f"{validation:g} + {test:g} = {validation + test:g}",
            advice="the rest is what the network trains on",
        )


def _check_fold(place: Place, values: Mapping[str, Any]) -> None:
    """A fold is one of at least two, and no words say what the test is."""
    fold = values.get("fold")
    if fold is None:
        return
    number, folds = fold
    if folds < 2 or number > folds:
        place.entry("fold").refuse(
            "must be the number of a fold and how many there are, at least 2",
            received=f"[{number}, {folds}]",
            advice="write [1, 5] for the first of five; `cnnrun train --folds 5` trains them all",
        )
    if isinstance(values.get("test"), tuple):
        place.entry("fold").refuse(
            "either a fold is the test, or words say which images are",
            received="both",
            advice="leave out `fold`, or `test`",
        )


def _check_words(place: Place, values: Mapping[str, Any]) -> None:
    """A word names one split, and is no share."""
    owners: dict[str, str] = {}
    for split in ("train", "validation", "test"):
        words = values.get(split)
        for word in words if isinstance(words, tuple) else ():
            if word.endswith("%"):
                place.entry(split).refuse(
                    "a share must be a number below 1",
                    received=f'the text "{word}"',
                    advice="write 0.2 for 20 %",
                )
            elif owners.setdefault(word.casefold(), split) != split:
                place.entry(split).refuse(
                    "a word must name one split",
                    received=f"`{word}` for {owners[word.casefold()]} and for {split}",
                    advice="take it out of one of them",
                )


def check_sources(place: Place, values: Mapping[str, Any]) -> None:
    """One source, or a folder and a table; and a size where images do not have one already."""
    given = [key for key in SOURCES if place.has_key(key) and values.get(key, "") is not None]
    if not given:
        place.refuse(
            f"one of {quoted(SOURCES)} is required",
            received="none of them",
            advice="name the folder of your images, `directory: ../images`",
        )
    files = [key for key in given if key in OF_FILES]
    has_paths = any(key not in ("tfrecord", "parquet") for key in files)
    for key in ("layout", "exclude"):
        if values.get(key) and given and not has_paths:
            place.refuse_key(
                key,
                "is about the paths of files",
                received=f"`{key}` beside `{given[0]}`",
                advice="leave it out",
            )
    for key in given[1:] if given != ["directory", "csv"] else ():
        place.refuse_key(
            key,
            f"only one of {quoted(SOURCES)} can be given",
            received=f"`{key}` beside `{given[0]}`",
            advice=f"leave one of them out; one of a base file goes with `{given[0]}: null`",
        )
    table = values.get("csv")
    if isinstance(table, CsvSource) and table.pixels is not None:
        files = []
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
                received=f"{quoted(repeated)} more than once",
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
    shrink_on_load: Annotated[
        bool,
        Boolean(),
        "whether large JPEGs are decoded at 1/2, 1/4 or 1/8 where twice image_size remains; never"
        " with interpolation nearest, box and hamming",
    ] = True


@dataclass(frozen=True, kw_only=True)
class SplitSpec:
    """The images that are held out: shares of them and the seed that chooses, or words.

    A word is what folders, or a column of a table, call a split.
    """

    train: Annotated[
        tuple[str, ...] | None,
        Nullable(_WORDS),
        "what folders or a column call the training images",
    ] = None
    validation: Annotated[
        float | tuple[str, ...],
        _SHARE_OR_WORDS,
        "the share of each class that is held out for validation, or words for it",
    ] = 0.15
    test: Annotated[
        float | tuple[str, ...],
        _SHARE_OR_WORDS,
        "the share of each class that is held out for the test, or words for it",
    ] = 0.15
    seed: Annotated[int, SEED, "the seed that chooses which images are held out"] = 0
    fold: Annotated[
        tuple[int, int] | None,
        Nullable(ListOf(Integer(1), "whole numbers", length=2)),
        "the fold that is the test, of how many, such as [2, 5]; the share `test` is not used then",
    ] = None

    @property
    def shares(self) -> tuple[float, float]:
        """The shares to cut for validation and test; 0 where words say which images."""
        validation, test = self.validation, self.test
        return (
            0.0 if isinstance(validation, tuple) else validation,
            0.0 if isinstance(test, tuple) else test,
        )

    @property
    def words(self) -> Mapping[str, tuple[str, ...]]:
        """The words that are given for "train", "validation" and "test"."""
        values = {"train": self.train, "validation": self.validation, "test": self.test}
        return {split: value for split, value in values.items() if isinstance(value, tuple)}

    def without_shares(self) -> "SplitSpec":
        """What decides which images there are, and what their source says of their split."""
        words, default = self.words, SplitSpec()
        return SplitSpec(
            train=self.train,
            validation=words.get("validation", default.validation),
            test=words.get("test", default.test),
        )


RESIZE: Final = Record(ResizeSpec, "a map of `interpolation`, `keep_aspect` and `shrink_on_load`")
SPLIT: Final = Record(
    SplitSpec,
    "a map of `train`, `validation`, `test`, `seed` and `fold`",
    checks=(_check_split, _check_fold),
)


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """The images: one of seven sources, or a folder and a table; size, colours and splits."""

    directory: Annotated[
        Path | None,
        Nullable(FilePath("a folder")),
        "a folder with a folder for each class, or with train, validation and test folders, or as "
        "`layout` says",
    ] = None
    csv: Annotated[CsvSource | None, Nullable(CSV), "a CSV file of images and labels"] = None
    arrays: Annotated[
        ArraysSource | None, Nullable(ARRAYS), "an .npz file of images and labels"
    ] = None
    parquet: Annotated[
        ParquetSource | None, Nullable(PARQUET), "Parquet files of image paths and labels"
    ] = None
    tar: Annotated[
        TarSource | None, Nullable(TAR), "tar files of images, read by row and never unpacked"
    ] = None
    tfrecord: Annotated[
        TfrecordSource | None,
        Nullable(TFRECORD),
        "TFRecord files of images and labels, read by row",
    ] = None
    keras_dataset: Annotated[
        KerasDataset | None,
        Nullable(Choice(get_args(KerasDataset))),
        "a data set that Keras downloads",
    ] = None
    layout: Annotated[
        tuple[str, ...] | None,
        Nullable(
            OneOrMore(
                PathPatternText(_A_LAYOUT, LAYOUT_FIELDS, (CLASS_FOLDERS,)),
                _A_LAYOUT,
                "such patterns",
            )
        ),
        "where in a path class, split and group stand, `{split}/{label}/**`; recognized",
    ] = None
    exclude: Annotated[
        tuple[str, ...] | None,
        Nullable(OneOrMore(PathPatternText("a pattern", ()), "a pattern", "patterns")),
        "what is left out of the folder: names, or paths",
    ] = None
    image_size: Annotated[
        tuple[int, int] | None,
        Nullable(ListOf(Integer(1, LARGEST_SIDE), "integers", length=2)),
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
    train_images_per_class: Annotated[
        int | None,
        Nullable(Integer(1)),
        "how many images of each class train at most, to see what fewer would teach; the others are"
        " in no split",
    ] = None
    train_share: Annotated[
        float | None,
        Nullable(Number(above=0, maximum=1)),
        "the share of each class's training images that train, such as 0.25; smaller ones are parts"
        " of larger ones, and the others are in no split",
    ] = None
    classes: Annotated[
        tuple[str, ...] | int | None,
        Nullable(Either((Integer(2), ListOf(Label("a class name"), "class names", minimum=2)))),
        "the classes in the order of the outputs, others left out; or their number; the data's own,"
        " sorted by name",
    ] = None
    task: Annotated[
        Task | None,
        Nullable(Choice(get_args(Task))),
        "whether an image has one label, or several or none; one label by default, and a table that"
        " looks otherwise is refused unless the config says so",
    ] = None
    label_map: Annotated[
        Mapping[str, str | None] | None,
        Nullable(MapOf(Nullable(Label("a label")), "new names by label")),
        "other names for labels of a table, equal ones being merged; null for no label, `unknown` "
        "for one that is not known",
    ] = None
    on_bad_image: Annotated[
        OnBadImage,
        Choice(get_args(OnBadImage)),
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
    def is_multi_label(self) -> bool:
        """Whether an image may have several labels, or none."""
        return self.task == "multi_label"

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

    def uncut(self) -> "DataSpec":
        """What decides which images there are, whichever of them train, validate and test."""
        whole = replace(self, train_images_per_class=None, train_share=None)
        return replace(whole, split=self.split.without_shares())

    @property
    def may_bring_validation(self) -> bool:
        """Whether the source may say itself which images are for validation."""
        if "validation" in self.split.words or self.arrays is not None:
            return True
        for source in (self.csv, self.parquet, self.tar, self.tfrecord):
            if source is not None and (source.split or isinstance(source.file, Mapping)):
                return True
        if self.tar is not None and self.tar.label is None:
            return True
        if self.directory is None and self.layout is None:
            return False
        patterns = self.layout or (CLASS_FOLDERS,)
        return patterns == (CLASS_FOLDERS,) or any("{split}" in each for each in patterns)
