"""The images to extract features from, wherever they lie, under names that tell them apart."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnrun.config.data_sources import CsvSource
from cnnrun.data.array_names import ArrayNames
from cnnrun.data.arrays import manifest_from_arrays, read_npz
from cnnrun.data.content_hashes import NotedHashes
from cnnrun.data.csv_file import manifest_from_csv
from cnnrun.data.decoding import Decoding
from cnnrun.data.folders import manifest_from_directory
from cnnrun.data.image_files import IMAGE_SUFFIXES, list_folder
from cnnrun.data.images import image_loader
from cnnrun.data.manifest import Layout, Manifest, image_ids
from cnnrun.data.packed_sources import packed_source_at
from cnnrun.data.places import read_images_at
from cnnrun.data.recognition import Recognized, recognize
from cnnrun.errors import DataError
from cnnrun.shown_text import shown
from cnnrun.wording import listed, nearest

UNLABELLED = ""

Pixels = NDArray[Any]


@dataclass(frozen=True)
class ListedImage:
    """An image: what it is called in a manifest, its class ("" without one), and its place."""

    name: str
    label: str
    manifest: int
    row: int


@dataclass(frozen=True)
class LoadedImage:
    """An image as the network gets it.

    Attributes:
        pixels: `(height, width, channels)`.
        content: the hash of what was read, see `Contents.of`.
        is_grey: whether it has three channels that are all the same.
    """

    pixels: Pixels
    content: str
    is_grey: bool


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one or several places, in their order.

    Attributes:
        listed: one entry an image; names differ.
        manifests: what the entries' places refer to.
        notes: what a person should know about how the places were read.
    """

    listed: tuple[ListedImage, ...]
    manifests: tuple[Manifest, ...]
    notes: tuple[str, ...]

    def loader(
        self, decoding: Decoding, contents: "Contents"
    ) -> Callable[[ListedImage], LoadedImage]:
        """A function that decodes and hashes an image; it raises BadImageError."""
        loads = [image_loader(manifest, decoding)[0] for manifest in self.manifests]

        def load(image: ListedImage) -> LoadedImage:
            pixels = loads[image.manifest](image.row)
            return LoadedImage(pixels, contents.of(image), _is_grey(pixels))

        return load


class Contents:
    """The hashes of images, of which a folder keeps notes."""

    def __init__(self, images: Images, *, notes_folder: Path) -> None:
        """See `NotedHashes`."""
        self._hashes = tuple(
            NotedHashes(manifest, notes_folder=notes_folder) for manifest in images.manifests
        )

    def of(self, image: ListedImage) -> str:
        """The hash of an image's file, or of its pixels in an array: 32 hexadecimal digits.

        Empty for a file that cannot be read, which decoding then names.
        """
        return self._hashes[image.manifest].of(image.row)

    def note(self) -> None:
        """Keep the hashes for the next time."""
        for hashes in self._hashes:
            hashes.note()


def list_images(places: Sequence[Path]) -> Images:
    """The images of places that a user names.

    A place is a folder, whose images are labelled with the class folder that they lie in; a CSV
    file with the columns `path` and `label`; an .npz file of images and labels; or an image file.
    Images are called by their path below the folder, in the CSV file, or as given.

    Raises:
        DataError: a place is not there, holds no images, or two images have the same name.
    """
    manifests = tuple(_manifest(place) for place in places)
    return images_of(manifests)


def images_of(manifests: Sequence[Manifest]) -> Images:
    """All images of some manifests.

    Raises:
        DataError: two images have the same name.
    """
    entries = tuple(
        ListedImage(path, manifest.label_text(row), number, row)
        for number, manifest in enumerate(manifests)
        for row, path in enumerate(manifest.paths)
    )
    _refuse_twins(entries)
    notes = tuple(note for manifest in manifests for note in manifest.notes)
    return Images(entries, tuple(manifests), notes)


def _is_grey(pixels: Pixels) -> bool:
    if pixels.shape[-1] != 3:
        return False
    parts = (pixels[:1], pixels[1:])  # the first row settles most images
    return all(bool((part[..., :1] == part[..., 1:]).all()) for part in parts)


def _manifest(place: Path) -> Manifest:
    if place.is_dir() and packed_source_at(place) is None:
        return _of_folder(place)
    if not place.exists():
        siblings = [entry.name for entry in place.parent.iterdir()] if place.parent.is_dir() else []
        raise _refused(
            place,
            received="nothing: there is no such place",
            advice=nearest(place.name, siblings) or "correct the path",
        )
    if (packed := packed_source_at(place)) is not None:
        return read_images_at(packed, partial=True)
    suffix = place.suffix.lower()
    if suffix == ".csv":
        return manifest_from_csv(
            CsvSource(file=place), directory=None, layout=Layout(()), classes=None, partial=True
        )
    if suffix == ".npz":
        return manifest_from_arrays(
            read_npz(place),
            place=shown(place),
            names=ArrayNames(),
            value_range=None,
            classes=None,
            partial=True,
        )
    if suffix not in IMAGE_SUFFIXES:
        raise _refused(
            place,
            received=f"a {suffix or 'nameless kind of'} file",
            advice="name one of those, or convert it to PNG",
        )
    return _unlabelled(Path(), [place.as_posix()], notes=())


def _of_folder(folder: Path) -> Manifest:
    """A folder's images with the labels that its folders are, where that is certain."""
    listing = list_folder(folder)
    if not listing.images:
        ignored = listing.ignored
        received = f"no image, but {ignored}" if ignored.kinds else "an empty folder"
        raise _refused(folder, received=received, advice="correct the path")
    notes = [f"left out what is not an image: {listing.ignored}"] if listing.ignored.kinds else []
    if all("/" in path for path in listing.images):
        recognized = recognize(listing.images)
        if isinstance(recognized, Recognized):
            return manifest_from_directory(folder, classes=None, partial=True)
        notes.append(f"took all images without labels: {recognized.reason}")
    return _unlabelled(folder, list(listing.images), notes=tuple(notes))


def _unlabelled(root: Path, paths: list[str], *, notes: tuple[str, ...]) -> Manifest:
    return Manifest(
        root=root,
        paths=tuple(paths),
        labels=np.zeros(len(paths), np.int32),
        classes=(UNLABELLED,),
        splits=None,
        groups=None,
        ids=image_ids(paths),
        pixels=None,
        value_range=None,
        notes=notes,
    )


def _refuse_twins(entries: Sequence[ListedImage]) -> None:
    twins = [name for name, count in Counter(entry.name for entry in entries).items() if count > 1]
    if twins:
        raise DataError.at(
            "the images",
            rule="must have names that tell them apart",
            received=f"more than one {listed(twins)}",
            advice="name the folder that holds both, or extract them one after the other",
        )


def _refused(place: Path, *, received: str, advice: str) -> DataError:
    return DataError.at(
        shown(place),
        rule="must be a folder of images, a CSV file, an .npz file or an image",
        received=received,
        advice=advice,
    )
