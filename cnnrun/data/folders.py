"""Folders of images, a folder a class, as a manifest."""

from dataclasses import dataclass, field
from pathlib import Path

from cnnrun.data.image_files import Ignored, images_below, subfolders
from cnnrun.data.manifest import (
    TEST,
    TRAIN,
    VALIDATION,
    Manifest,
    composed,
    image_ids,
    number_labels,
)
from cnnrun.data.refusal import counted, listed, nearest, refusal, shown
from cnnrun.errors import DataError

SPLIT_FOLDERS = {
    "train": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "test": TEST,
}
# Names that only ever mean a split; taken for classes they would teach a network which split an
# image lies in.
SPLIT_LOOKALIKES = {"training", "testing", "dev", "eval", "evaluation", *SPLIT_FOLDERS}


@dataclass
class _Listing:
    """What a folder holds: images as (path, class, split), classes without one, what is neither."""

    images: list[tuple[str, str, str]] = field(default_factory=list)
    empty: list[tuple[str, str]] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    ignored: Ignored = field(default_factory=Ignored)


def manifest_from_directory(
    directory: Path, *, classes: tuple[str, ...] | int | None, partial: bool
) -> Manifest:
    """The images of a folder that holds a folder for each class.

    Files lie anywhere below their class's folder. Where the folders are named `train`, `validation`
    (or `valid`, `val`) and `test`, they are the splits and hold the class folders.

    Args:
        directory: the folder.
        classes: what `data.classes` says: names in their order, their number, or None.
        partial: whether classes may be without images, as in images to evaluate a run on.

    Returns:
        A manifest whose rows are sorted by path.

    Raises:
        DataError: the folder is absent, unreadable or empty, has no class folders, fewer than two
            classes, a class without images, or other classes than `classes`.
    """
    _check_folder(directory)
    listing = _Listing()
    folders, loose = subfolders(directory, listing.ignored)
    listing.loose.extend(loose)
    splits = _split_folders(directory, folders)
    for name, split in splits.items():
        class_folders, loose = subfolders(directory / name, listing.ignored)
        listing.loose.extend(f"{name}/{file}" for file in loose)
        _list_classes(directory, [f"{name}/{folder}" for folder in class_folders], split, listing)
    if not splits:
        _list_classes(directory, folders, "", listing)
    _check_listing(directory, listing, class_folders=folders, partial=partial)
    return _manifest(directory, listing, classes=classes, partial=partial, split=bool(splits))


def _check_folder(directory: Path) -> None:
    if directory.is_dir():
        return
    rule = "must be a folder that holds a folder of images for each class"
    if directory.exists():
        packed = directory.suffix in {".zip", ".tar", ".gz", ".tgz", ".7z"}
        advice = "unpack it first" if packed else "name the folder that it lies in"
        raise refusal(shown(directory), rule=rule, received="a file", advice=advice)
    parent = directory.parent
    siblings = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
    raise refusal(
        shown(directory),
        rule=rule,
        received="nothing: there is no such folder",
        advice=nearest(directory.name, siblings) or "correct the path",
    )


def _split_folders(directory: Path, folders: list[str]) -> dict[str, str]:
    """Which folder holds which split; empty where the folders are classes."""
    splits = {
        name: SPLIT_FOLDERS[name.lower()] for name in folders if name.lower() in SPLIT_FOLDERS
    }
    lookalikes = bool(folders) and all(name.lower() in SPLIT_LOOKALIKES for name in folders)
    mixed = TRAIN in splits.values() and len(splits) > 1
    if not (lookalikes or mixed):
        return {}
    repeated = len(set(splits.values())) < len(splits)
    if len(splits) < len(folders) or repeated or TRAIN not in splits.values():
        raise refusal(
            shown(directory),
            rule="must hold class folders, or else the split folders train, validation and test",
            received=", ".join(folders),
            advice="rename or move folders so that train is there, and nothing but splits",
        )
    return splits


def _list_classes(root: Path, folders: list[str], split: str, listing: _Listing) -> None:
    for folder in folders:
        name = composed(folder.rpartition("/")[2])
        paths = list(images_below(root, folder, listing.ignored))
        listing.images.extend((path, name, split) for path in paths)
        if not paths:
            listing.empty.append((folder, split))


def _check_listing(
    directory: Path, listing: _Listing, *, class_folders: list[str], partial: bool
) -> None:
    if not listing.images:
        raise _no_images(directory, listing, class_folders)
    if partial:
        return
    # Validation and test folders may lack images of a class; whatever is learnt from may not.
    empty = [folder for folder, split in listing.empty if split in {"", TRAIN}]
    if empty:
        raise refusal(
            shown(directory),
            rule="must have at least one image in every class folder",
            received=f"none in {listed(empty)}",
            advice="add images or remove the folder",
        )
    trained = {name for _, name, split in listing.images if split in {"", TRAIN}}
    untrained = sorted({name for _, name, _ in listing.images} - trained)
    if untrained:
        raise refusal(
            shown(directory),
            rule="must have the classes of its validation and test folders in its train folder too",
            received=f"no train folder for {listed(untrained)}",
            advice=nearest(untrained[0], sorted(trained)) or "add the folder or remove the others",
        )
    if len(class_folders) == 1 and len(trained) == 1:
        _check_depth(directory / class_folders[0])


def _no_images(directory: Path, listing: _Listing, class_folders: list[str]) -> DataError:
    advice = "correct the path"
    if listing.loose:
        received = f"{counted(len(listing.loose), 'image')} outside of class folders"
        advice = (
            "move each image into a folder named after its class, or name images and labels in a "
            "CSV file and use data.csv"
        )
    elif listing.ignored.kinds:
        received = f"no image, but {listing.ignored}"
    elif class_folders:
        received = f"folders without images: {listed(class_folders)}"
    else:
        received = "an empty folder"
    rule = "must hold a folder of images for each class"
    return refusal(shown(directory), rule=rule, received=received, advice=advice)


def _check_depth(only: Path) -> None:
    """Refuse a folder that wraps the class folders in one more folder."""
    inside, _ = subfolders(only, Ignored())
    if len(inside) > 1:
        raise refusal(
            shown(only.parent),
            rule="must have at least two class folders",
            received=f"one: {only.name}, which holds {listed(inside)}",
            advice=f"did you mean {shown(only)}?",
        )


def _manifest(
    directory: Path,
    listing: _Listing,
    *,
    classes: tuple[str, ...] | int | None,
    partial: bool,
    split: bool,
) -> Manifest:
    listing.images.sort()
    paths = tuple(path for path, _, _ in listing.images)
    names, labels = number_labels(
        [name for _, name, _ in listing.images],
        classes=classes,
        place=shown(directory),
        partial=partial,
    )
    return Manifest(
        root=directory,
        paths=paths,
        labels=labels,
        classes=names,
        splits=tuple(split for _, _, split in listing.images) if split else None,
        groups=None,
        ids=image_ids(paths),
        pixels=None,
        value_range=None,
        notes=_notes(listing),
    )


def _notes(listing: _Listing) -> tuple[str, ...]:
    notes = []
    if listing.ignored.kinds:
        notes.append(f"left out what is not an image: {listing.ignored}")
    if listing.loose:
        notes.append(f"left out images outside of class folders: {listed(listing.loose)}")
    if listing.ignored.loops:
        notes.append(f"left out links to a folder above them: {listed(listing.ignored.loops)}")
    empty = [folder for folder, _ in listing.empty]
    if empty:
        notes.append(f"no images in {listed(empty)}")
    return tuple(notes)
