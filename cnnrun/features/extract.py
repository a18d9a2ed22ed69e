"""Features of images on disk: the straight line from a network and images to a folder of arrays."""

import math
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from cnnrun.config.data_section import OnBadImage
from cnnrun.data.bad_image import BadImageError
from cnnrun.data.decoding import Decoding
from cnnrun.data.levels import uses_few_levels
from cnnrun.data.parallel import map_in_threads
from cnnrun.errors import InterruptedRunError
from cnnrun.features.description import refuse_other_extraction, write_description
from cnnrun.features.extraction import Extraction, outcome_of, refuse_nothing
from cnnrun.features.folder import FeatureFolder, ManifestRow, hold_folder, read_manifest_rows
from cnnrun.features.inference import Infer, fast_inference
from cnnrun.features.layers import Pooling, pooled_outputs
from cnnrun.features.network_hash import network_hash
from cnnrun.features.precision import Precision, checked_bfloat16
from cnnrun.features.sources import Contents, Images, ListedImage, LoadedImage
from cnnrun.features.writer import FeatureWriter, open_writer
from cnnrun.runs.disk_room import require_room
from cnnrun.runs.events import ExtractionBegins, ExtractionListener, ImagesExtracted, Note
from cnnrun.runs.folder import HASHES
from cnnrun.wording import counted

Attempt = tuple[ListedImage, LoadedImage | BadImageError]

SAMPLE_IMAGES = 32  # on which the error of bfloat16 is measured


@dataclass(frozen=True)
class Wanted:
    """What is to be extracted.

    Attributes:
        title: what the network is called, such as "MobileNet".
        layers: the names of layers.
        pooling: see `pooled_outputs`.
        precision: see `fast_inference`.
        decoding: how images become pixels.
    """

    title: str
    layers: tuple[str, ...]
    pooling: Pooling
    precision: Precision
    decoding: Decoding


def extract_features(
    model: Any,
    images: Images,
    wanted: Wanted,
    *,
    out: Path,
    batch_size: int,
    resume: bool,
    on_bad_image: OnBadImage,
    listener: ExtractionListener,
    together: int | None = None,
    threads: int | None = None,
    infer: Infer | None = None,
) -> Extraction:
    """Write the features of images to a folder: arrays, manifest.csv, features.json.

    Memory does not grow with the number of images. However it ends, what the manifest lists is
    there, and `resume` goes on from it.

    Args:
        model: a functional Keras model that takes raw pixels.
        images: the images. Those that are in the folder already are not computed again unless
            their content has changed; those in the folder that are not among them are let go.
        wanted: what is extracted.
        out: the folder.
        batch_size: images that a thread computes at a time.
        resume: whether the folder may hold features already.
        on_bad_image: "error", or "skip" to leave out of the manifest what cannot be read.
        listener: who listens.
        together: how many images there are of which these are a share; None where they are all.
            A share's are computed in batches of the sizes that all would be computed in, on which
            last digits depend; and none of a share may be readable.
        threads: how many decode and compute; None for one a processor.
        infer: what computes in float32, where `float32_inference` has made it for another share.

    Raises:
        FeaturesError: unknown layers; a folder that is busy, another extraction's or something
            else's; bfloat16 that is too far off.
        DataError: an image cannot be read and is not to be skipped, or none can.
        StorageError: the disk is full or fails; what was finished is kept.
        InterruptedRunError: Ctrl-C; what was finished is kept.
    """
    began = time.monotonic()
    tensors = pooled_outputs(model, wanted.layers, pooling=wanted.pooling)
    folder = FeatureFolder(out)
    with hold_folder(folder, resume=resume):
        network = keras.Model(model.inputs[0], tensors)
        described = _described(network, wanted)
        refuse_other_extraction(folder, described)
        contents = Contents(images, notes_folder=folder.path / HASHES)
        current = _current(images, contents, read_manifest_rows(folder), threads=threads)
        _say_room(
            folder, network, wanted, images=len(images.listed) - len(current), listener=listener
        )
        write_description(folder, described, complete=False)
        with open_writer(folder, _shapes(network, wanted), current=current) as writer:
            finished = {row.file for row in writer.rows}
            listener(ExtractionBegins(images=len(images.listed), finished=len(finished)))
            pending = [image for image in images.listed if image.name not in finished]
            work = _Work(
                network, wanted, batch_size, on_bad_image, listener, together, threads, infer
            )
            with _keeping_what_is_finished(writer, contents):
                work.compute(images, contents, pending, writer)
            writer.finish()
            if together is None:
                refuse_nothing(writer, work.skipped)
        extraction = Extraction(
            folder=folder,
            rows=tuple(writer.rows),
            shapes=_shapes(network, wanted),
            computed=work.computed,
            skipped=tuple(work.skipped),
            errors=work.errors,
            seconds=time.monotonic() - began,
        )
        write_description(folder, described, complete=True, **outcome_of(extraction))
    return extraction


def float32_inference(model: Any, layers: Sequence[str], *, pooling: Pooling) -> Infer:
    """What computes an extraction in float32, for several of them: to make it takes seconds."""
    network = keras.Model(model.inputs[0], pooled_outputs(model, layers, pooling=pooling))
    return fast_inference(network, network.outputs, precision="float32")


def _say_room(
    folder: FeatureFolder,
    network: Any,
    wanted: Wanted,
    *,
    images: int,
    listener: ExtractionListener,
) -> None:
    """Say how much room the features of so many images take, where it is much.

    Raises:
        StorageError: there is no such room.
    """
    an_image = sum(4 * math.prod(shape) for shape in _shapes(network, wanted).values())
    what = f"the features of {counted(images, 'image')}"
    if note := require_room(folder.path, images * an_image, what=what):
        listener(Note(note))


def _described(network: Any, wanted: Wanted) -> dict[str, Any]:
    """What made the features, as features.json has it."""
    return {
        "network": wanted.title,
        "weights_hash": network_hash(network),
        "layers": [
            {"name": name, "pooling": wanted.pooling, "shape": list(shape), "file": f"{name}.npy"}
            for name, shape in _shapes(network, wanted).items()
        ],
        "precision": wanted.precision,
        **wanted.decoding.described(),
    }


def _shapes(network: Any, wanted: Wanted) -> dict[str, tuple[int, ...]]:
    shapes = (tuple(tensor.shape[1:]) for tensor in network.outputs)
    return dict(zip(wanted.layers, shapes, strict=True))


def _current(
    images: Images, contents: Contents, before: Sequence[ManifestRow], *, threads: int | None
) -> dict[str, tuple[str, str]]:
    """By name, label and present content of the images that a manifest lists."""
    names = {row.file for row in before}
    listed = [image for image in images.listed if image.name in names]
    hashes = map_in_threads(contents.of, listed, threads=threads)
    return {
        image.name: (image.label, content) for image, content in zip(listed, hashes, strict=True)
    }


@dataclass(frozen=True)
class _Computed:
    """What came of a batch: of the images that could be read, and of the others."""

    entries: list[tuple[str, str, str]]
    features: list[NDArray[np.float32]]
    grey: int
    brightest: float
    bad: list[tuple[ListedImage, BadImageError]]


@dataclass
class _Work:
    """Decodes and computes, each batch in one of several threads, and hands over to the writer."""

    network: Any
    wanted: Wanted
    batch_size: int
    on_bad_image: OnBadImage
    listener: ExtractionListener
    together: int | None
    threads: int | None
    infer: Infer | None
    computed: int = 0
    grey: int = 0
    brightest: float = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)
    errors: dict[str, float] = field(default_factory=dict)

    def compute(
        self,
        images: Images,
        contents: Contents,
        pending: Sequence[ListedImage],
        writer: FeatureWriter,
    ) -> None:
        """Write the features of all pending images that can be read."""
        if not pending:
            return
        load = partial(_attempt, images.loader(self.wanted.decoding, contents))
        infer = self._inference(load, pending)
        batches = self._batches(images, pending)
        compute = partial(_computed, load, infer)
        with closing(map_in_threads(compute, batches, at_once=1, threads=self.threads)) as done:
            for batch in done:
                self._keep(batch, writer)
        if self.grey:
            self.listener(
                Note(
                    f"{self.grey:,} of {self.computed:,} images are grey: the network gets each as"
                    " three equal channels"
                )
            )
        if self.wanted.decoding.value_range is None and uses_few_levels((0, self.brightest), 8):
            self.listener(
                Note(
                    f"no pixel of the {self.computed:,} images is above {self.brightest:g} of 255: "
                    "the network sees them almost black; where that is not meant, extract by a "
                    f"config that says data.value_range: [0, {self.brightest:g}], or whatever "
                    "values are black and white"
                )
            )

    def _batches(
        self, images: Images, pending: Sequence[ListedImage]
    ) -> Iterator[tuple[Sequence[ListedImage], int]]:
        """What is computed at once, and what it is filled up to with more of the same."""
        if self.together is None:
            return ((batch, 0) for batch in _cut(pending, self.batch_size))
        rest = self.together % self.batch_size
        begins = np.cumsum([0, *map(len, images.manifests)])
        places = [int(begins[image.manifest]) + image.row for image in pending]
        full = bisect_left(places, self.together - rest)
        return chain(
            ((batch, self.batch_size) for batch in _cut(pending[:full], self.batch_size)),
            ((batch, rest) for batch in _cut(pending[full:], self.batch_size)),
        )

    def _keep(self, batch: _Computed, writer: FeatureWriter) -> None:
        if batch.entries:
            writer.add(batch.entries, batch.features)
        self.computed += len(batch.entries)
        self.grey += batch.grey
        self.brightest = max(self.brightest, batch.brightest)
        self.listener(ImagesExtracted(len(batch.entries)))
        if batch.bad and self.on_bad_image == "error":
            raise batch.bad[0][1]
        self.skipped += [(image.name, error.reason) for image, error in batch.bad]

    def _inference(
        self, load: Callable[[ListedImage], Attempt], pending: Sequence[ListedImage]
    ) -> Infer:
        if self.infer is not None:
            return self.infer
        if self.wanted.precision == "float32":
            return fast_inference(self.network, self.network.outputs, precision="float32")
        sample = _sample(load, pending)
        infer, self.errors = checked_bfloat16(
            self.network, self.network.outputs, self.wanted.layers, sample=sample
        )
        for name, error in self.errors.items():
            self.listener(
                Note(f"bfloat16 changes {name} by up to {error:.2%}, on {len(sample):,} images")
            )
        return infer


def _cut(images: Sequence[ListedImage], size: int) -> Iterator[Sequence[ListedImage]]:
    return (images[start : start + size] for start in range(0, len(images), size))


def _computed(
    load: Callable[[ListedImage], Attempt],
    infer: Infer,
    batch: tuple[Sequence[ListedImage], int],
) -> _Computed:
    """The features of a batch's images."""
    images, filled_to = batch
    attempts = [load(image) for image in images]
    read = [(image, got) for image, got in attempts if not isinstance(got, BadImageError)]
    return _Computed(
        entries=[(image.name, image.label, loaded.content) for image, loaded in read],
        features=_features(infer, [loaded.pixels for _, loaded in read], filled_to),
        grey=sum(loaded.is_grey for _, loaded in read),
        brightest=max((float(loaded.pixels.max()) for _, loaded in read), default=0),
        bad=[(image, got) for image, got in attempts if isinstance(got, BadImageError)],
    )


def _features(
    infer: Infer, pixels: Sequence[NDArray[Any]], filled_to: int
) -> list[NDArray[np.float32]]:
    """`(images, ...)` for each layer."""
    if not pixels:
        return []
    filled = [*pixels, *[pixels[-1]] * (filled_to - len(pixels))]
    return [values[: len(pixels)] for values in infer(np.stack(filled))]


def _sample(load: Callable[[ListedImage], Attempt], images: Sequence[ListedImage]) -> NDArray[Any]:
    """Some of the first images, those that can be read: `(images, height, width, channels)`."""
    attempts = [load(image) for image in images[:SAMPLE_IMAGES]]
    return np.array([got.pixels for _, got in attempts if not isinstance(got, BadImageError)])


def _attempt(load: Callable[[ListedImage], LoadedImage], image: ListedImage) -> Attempt:
    try:
        return image, load(image)
    except BadImageError as error:
        return image, error


@contextmanager
def _keeping_what_is_finished(writer: FeatureWriter, contents: Contents) -> Iterator[None]:
    """Where the block is stopped, what was computed is committed, and the error says how to go on.

    Raises:
        DataError: an image cannot be read.
        InterruptedRunError: Ctrl-C.
    """
    try:
        yield
    except BadImageError as error:
        writer.commit()
        raise error.advising(
            f"{_kept(writer)}: see to the image and give the same command with `--resume`, or add"
            " `--on-bad-image skip`, which leaves such images out"
        ) from error
    except KeyboardInterrupt as error:
        writer.commit()
        raise InterruptedRunError.at(
            "",
            rule="interrupted",
            received="",
            advice=f"{_kept(writer)}: go on with the same command and `--resume`",
        ) from error
    finally:
        contents.note()


def _kept(writer: FeatureWriter) -> str:
    return f"the {counted(len(writer.rows), 'image')} finished before are kept"
