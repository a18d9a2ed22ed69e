"""Folders of images as a manifest: listed, their meaning recognized or given, read."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from cnnrun.config.path_patterns import CLASS_FOLDERS, Exclusion, PatternError
from cnnrun.data.image_files import FolderListing, list_folder
from cnnrun.data.image_rows import manifest_of_rows
from cnnrun.data.layout_choices import CHOICES_AT_MOST, Choice, Undecided, try_layouts
from cnnrun.data.layouts import Placement, place_images
from cnnrun.data.manifest import TEST, TRAIN, VALIDATION, Layout, Manifest, composed
from cnnrun.data.recognition import Recognized, recognize
from cnnrun.data.tables_beside import (
    contradicts,
    reading_choice,
    tables_beside,
)
from cnnrun.errors import DataError
from cnnrun.shown_text import shown
from cnnrun.wording import counted, listed, nearest

# The names that cnnrun 0.1.0 took for splits, and those that it refused as classes.
_EARLIER_SPLITS: Final = {
    "train": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "test": TEST,
}
CLASSES_ON_TOP: Final = "{label}/**"
_CHOOSE: Final = "add under `data` one of these (`cnnrun init` takes its pattern by --layout)"
_EARLIER_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    TRAIN: ("train",),
    VALIDATION: ("validation", "valid", "val"),
    TEST: ("test",),
}


def manifest_from_directory(
    directory: Path,
    *,
    layout: Layout | None = None,
    classes: tuple[str, ...] | int | None,
    partial: bool,
) -> Manifest:
    """The images of a folder, with what the folders or names say of them.

    Args:
        directory: the folder.
        layout: how it is read; None, or one without patterns, has it recognized.
        classes: what `data.classes` says: names in their order, their number, or None.
        partial: whether classes may be without images, as in images to evaluate a run on.

    Returns:
        A manifest whose rows are sorted by path.

    Raises:
        DataError: the folder is absent, unreadable or empty, its meaning is not certain, or it has
            fewer than two classes, or other classes than `classes`.
    """
    listing = list_images(directory)
    if layout is None and partial and isinstance(classes, tuple):
        layout = _layout_of_known(listing, classes)
    layout, placement, notes = read_listing(directory, listing, layout)
    manifest = manifest_of_rows(
        directory,
        placement.images,
        classes=classes,
        partial=partial,
        place=shown(directory),
        layout=layout,
        notes=notes,
    )
    if not partial:
        _check_trained(directory, manifest)
    return manifest


def list_images(directory: Path) -> FolderListing:
    """What lies in a folder, which holds images.

    Raises:
        DataError: it is not there, cannot be read, or holds none.
    """
    _check_folder(directory)
    listing = list_folder(directory)
    if not listing.images:
        raise _no_images(directory, listing)
    return listing


def read_listing(
    directory: Path, listing: FolderListing, layout: Layout | None
) -> tuple[Layout, Placement, list[str]]:
    """A folder's layout, what it makes of the images, and what there is to say.

    Raises:
        DataError: the folder's meaning is not certain, or a path can be read in two ways.
    """
    layout, notes = _layout_of(directory, listing, layout)
    try:
        placement = place_images(listing.images, layout)
    except PatternError as error:
        raise DataError.at(
            shown(directory),
            rule="must have paths that data.layout reads in one way",
            received=str(error),
            advice="name in the pattern what follows the class, such as {label}_[0-9]*",
        ) from error
    if not placement.images:
        raise DataError.at(
            shown(directory),
            rule=f"must hold images that data.layout covers ({', '.join(layout.patterns)})",
            received=f"{counted(len(listing.images), 'image')}, such as {listing.images[0]}",
            advice="correct data.layout, data.split or data.exclude",
        )
    said = [*notes, *_placement_notes(placement, layout)]
    return layout, placement, _listing_notes(listing, said)


def _layout_of_known(listing: FolderListing, classes: tuple[str, ...]) -> Layout | None:
    """The layout of a folder whose top folders are known classes."""
    tops = {composed(path.partition("/")[0]) for path in listing.images if "/" in path}
    return Layout(("{label}/**",)) if tops and tops <= set(classes) else None


def _layout_of(
    directory: Path, listing: FolderListing, given: Layout | None
) -> tuple[Layout, list[str]]:
    if given is not None and given.patterns == (CLASS_FOLDERS,):
        return _earlier_layout(listing, given), []
    if given is not None and given.patterns:
        return given, []
    exclude = () if given is None else given.exclude
    is_excluded = Exclusion(exclude)
    paths = [path for path in listing.images if not exclude or not is_excluded(path)]
    recognized = recognize(paths, words=given.words if given else None)
    if listing.tables:
        recognized = _with_tables(directory, listing, recognized)
    if isinstance(recognized, Undecided):
        raise _undecided(directory, listing, recognized)
    found = recognized.layout
    notes = [
        f"{note} (data.layout: {', '.join(found.patterns)})" if index == 0 else note
        for index, note in enumerate(recognized.notes)
    ]
    return replace(found, exclude=(*exclude, *found.exclude)), notes


def _with_tables(
    directory: Path, listing: FolderListing, recognized: Recognized | Undecided
) -> Recognized | Undecided:
    """What a folder means, with what the tables in it say."""
    tables, joined = tables_beside(directory, listing)
    others: tuple[Choice, ...] = ()
    otherwise = ""
    if isinstance(recognized, Undecided):
        reason, others = recognized.reason, recognized.choices
        otherwise = recognized.otherwise
    elif not tables:
        return recognized
    elif is_one_class(listing, recognized.layout):
        reason = "no folders are classes, and tables name the images"
    elif recognized.layout.patterns == (CLASSES_ON_TOP,) and all(
        contradicts(each, listing, recognized.layout) for each in tables
    ):
        reason = f"{shown(tables[0].file)} names the images, and disagrees with their folders"
        others = try_layouts(listing.images, [recognized.layout])
    else:
        return recognized
    readings = [reading for each in tables for reading in each.readings]
    found = tuple(map(reading_choice, [joined] if joined else readings))
    return Undecided(reason, (*found, *others)[:CHOICES_AT_MOST], "" if found else otherwise)


def is_one_class(listing: FolderListing, layout: Layout) -> bool:
    """Whether a layout makes one class of all images, as of a folder of unsorted ones."""
    return len({image.label for image in place_images(listing.images, layout).images}) < 2


def _earlier_layout(listing: FolderListing, given: Layout) -> Layout:
    """How cnnrun 0.1.0 read a folder: by the names of the folders at its top alone."""
    tops = {path.partition("/")[0] for path in listing.images if "/" in path}
    splits = {_EARLIER_SPLITS[top.lower()] for top in tops if top.lower() in _EARLIER_SPLITS}
    named = all(top.lower() in _EARLIER_SPLITS for top in tops)
    if tops and TRAIN in splits and (named or len(splits) > 1):
        return replace(given, patterns=("{split}/{label}/**",), words=_EARLIER_WORDS)
    return replace(given, patterns=("{label}/**",))


def _undecided(directory: Path, listing: FolderListing, undecided: Undecided) -> DataError:
    if not undecided.choices and all("/" not in path for path in listing.images):
        return _no_images(directory, listing)
    advice = "sort the images into a folder for each class, or name them in a table (data.csv)"
    if undecided.choices:
        choices = map(choice_text, undecided.choices)
        otherwise = [undecided.otherwise] if undecided.otherwise else []
        advice = "\n".join([_CHOOSE, *choices, *otherwise])
    return DataError.at(
        shown(directory),
        rule="must be folders whose meaning is certain",
        received=undecided.reason,
        advice=advice,
    )


def choice_text(choice: Choice) -> str:
    """A choice as lines to copy, with what it would mean."""
    first, *others = choice.lines
    return "\n".join([f"  {first}    # {choice.meaning}", *(f"  {line}" for line in others)])


def _check_folder(directory: Path) -> None:
    if directory.is_dir():
        return
    rule = "must be a folder that holds a folder of images for each class"
    if directory.exists():
        packed = directory.suffix in {".zip", ".tar", ".gz", ".tgz", ".7z"}
        advice = "unpack it first" if packed else "name the folder that it lies in"
        raise DataError.at(shown(directory), rule=rule, received="a file", advice=advice)
    parent = directory.parent
    siblings = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
    raise DataError.at(
        shown(directory),
        rule=rule,
        received="nothing: there is no such folder",
        advice=nearest(directory.name, siblings) or "correct the path",
    )


def _check_trained(directory: Path, manifest: Manifest) -> None:
    """Refuse classes without images to learn from; validation and test may lack a class."""
    if manifest.splits is None:
        return
    trained = {
        label
        for label, split in zip(manifest.labels.tolist(), manifest.splits, strict=True)
        if split == TRAIN
    }
    untrained = sorted({manifest.classes[label] for label in set(manifest.labels) - trained})
    if untrained:
        names = sorted(manifest.classes[label] for label in trained)
        raise DataError.at(
            shown(directory),
            rule="must have the classes of its validation and test folders in its train folder too",
            received=f"no train folder for {listed(untrained)}",
            advice=nearest(untrained[0], names) or "add the folder or remove the others",
        )


def _no_images(directory: Path, listing: FolderListing) -> DataError:
    advice = "correct the path"
    if listing.images:
        received = f"{counted(len(listing.images), 'image')} outside of class folders"
        advice = (
            "move each image into a folder named after its class, or name images and labels in a "
            "CSV file and use data.csv"
        )
    elif listing.ignored.kinds:
        received = f"no image, but {listing.ignored}"
    elif listing.barren:
        received = f"folders without images: {listed(listing.barren)}"
    else:
        received = "an empty folder"
    rule = "must hold a folder of images for each class"
    return DataError.at(shown(directory), rule=rule, received=received, advice=advice)


def _listing_notes(listing: FolderListing, said: list[str]) -> list[str]:
    """What there is to say of a folder beside what is said of its images."""
    ignored = listing.ignored
    notes = [f"left out what is not an image: {ignored}"] if ignored.kinds else []
    notes += said
    if ignored.loops:
        notes.append(f"left out links to a folder above them: {listed(ignored.loops)}")
    if ignored.links:
        notes.append(f"left out links to folders that are read anyway: {listed(ignored.links)}")
    if listing.barren:
        notes.append(f"no images in {listed(listing.barren)}")
    return notes


def _placement_notes(placement: Placement, layout: Layout) -> list[str]:
    notes = []
    if placement.uncovered:
        where = "outside of class folders"
        if layout.patterns not in (("{label}/**",), ("{split}/{label}/**",)):
            where = f"that {' and '.join(layout.patterns)} does not cover"
        notes.append(f"left out images {where}: {listed(sorted(placement.uncovered))}")
    if placement.other_words:
        words = [f"{word} ({count:,})" for word, count in sorted(placement.other_words.items())]
        notes.append(
            f"left out images of splits that data.split does not name: {listed(words)}; "
            "data.split.train, .validation and .test take words"
        )
    return notes
