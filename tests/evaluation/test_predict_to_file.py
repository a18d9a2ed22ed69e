"""Files of predictions. Oracles: `predict`, and the file of a process that was not killed."""

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly.targets import Output
from cnnrun.data.decode import decode_image
from cnnrun.data.decoding import Decoding
from cnnrun.errors import CnnrunError, DataError, InputError, InterruptedRunError, StorageError
from cnnrun.evaluation.predict_to_file import Wanted, Written, predict_to_file
from cnnrun.evaluation.prediction import Classifier, NamedClass, Prediction, predict
from cnnrun.evaluation.prediction_file import PredictionFile
from cnnrun.runs.events import ExtractionBegins, ImagesExtracted, Note, silent

DECODING = Decoding((6, 6), "rgb", "bilinear", keep_aspect=False)


@pytest.fixture
def decoded() -> Counter[str]:
    """How often each image was decoded, by name."""
    return Counter()


@pytest.fixture
def classifier(decoded: Counter[str]) -> Classifier:
    """A network with random weights, four images at a time."""
    keras.utils.set_random_seed(3)
    pixels = keras.Input((6, 6, 3))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    scores = keras.layers.Dense(3, activation="softmax", kernel_initializer="he_normal")(flat)
    model = keras.Model(pixels, scores)

    def decode(image: Path) -> np.ndarray:
        decoded[image.name] += 1
        return decode_image(image, decoding=DECODING)

    classes = tuple(map(NamedClass, ("=cat", "dog, large", "owl")))
    output = Output(3, "probabilities")
    return Classifier(
        model=model,
        output=output,
        classes=classes,
        decode=decode,
        decoding=DECODING,
        batch_size=4,
        is_float32=True,
        notes=(),
    )


@pytest.fixture
def images(tmp_path: Path) -> tuple[Path, ...]:
    """18 images in two folders, one of which has a name like a formula."""
    random = np.random.default_rng(1)
    files = []
    for number in range(18):
        file = tmp_path / "photos" / ("=day" if number < 9 else "night") / f"{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8)).save(file)
        files.append(file)
    return tuple(files)


@pytest.fixture
def wanted(images: tuple[Path, ...]) -> Wanted:
    return Wanted("a network", None, images, {}, None, top=2, on_bad_image="skip")


Write = Callable[..., Written]


@pytest.fixture
def write(classifier: Classifier, wanted: Wanted, tmp_path: Path) -> Write:
    """Writes `name` in `tmp_path`: `write("a.csv", resume=True, top=3)`."""

    def to(name: str, *, resume: bool = False, **changed: object) -> Written:
        return predict_to_file(
            classifier,
            replace(wanted, **changed),
            tmp_path / name,
            resume=resume,
            listener=silent,
        )

    return to


def test_the_lines_are_what_predict_says(
    write: Write, classifier: Classifier, images: tuple[Path, ...], tmp_path: Path
) -> None:
    assert write("a.csv") == Written(images=18, skipped=0)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, each in zip(
        rows, predict(classifier, images, top=2, on_bad_image="skip"), strict=True
    ):
        assert isinstance(each, Prediction)
        names = [one.name.replace("=", "'=") for one in each.classes]  # no formula
        assert [row["image"], row["class"], row["class_2"]] == [str(each.image), *names]
        assert (float(row["probability"]), float(row["probability_2"])) == each.probabilities


def test_a_file_cut_anywhere_is_gone_on_with_to_the_same_bytes(
    write: Write, decoded: Counter[str], tmp_path: Path
) -> None:
    (tmp_path / "photos/night/11.png").write_text("no image")
    write("whole.csv")
    whole = (tmp_path / "whole.csv").read_bytes()
    description = (tmp_path / "whole.csv.json").read_bytes()
    assert whole.count(b"\n") == 19
    for size in (0, 9, *range(60, len(whole), 211), len(whole) - 1, len(whole)):
        decoded.clear()
        (tmp_path / "cut.csv").write_bytes(whole[:size])
        (tmp_path / "cut.csv.json").write_bytes(description)
        assert write("cut.csv", resume=True) == Written(images=18, skipped=1)
        assert (tmp_path / "cut.csv").read_bytes() == whole
        lines = max(whole[:size].count(b"\n") - 1, 0)
        assert sum(decoded.values()) == (0 if lines == 18 else 18 - lines + lines % 4)
        assert set(decoded.values()) <= {1}


def test_images_that_sort_last_can_be_added(
    write: Write, wanted: Wanted, decoded: Counter[str], tmp_path: Path
) -> None:
    write("grown.csv", images=wanted.images[:9])
    decoded.clear()
    write("grown.csv", resume=True)
    assert sum(decoded.values()) == 10  # the ninth was a batch of its own
    write("whole.csv")
    assert (tmp_path / "grown.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_what_a_listener_hears(classifier: Classifier, wanted: Wanted, tmp_path: Path) -> None:
    wanted.images[5].write_text("no image")
    heard: list[object] = []
    predict_to_file(classifier, wanted, tmp_path / "a.csv", resume=True, listener=heard.append)
    counts = [each.images for each in heard if isinstance(each, ImagesExtracted)]
    assert heard[0] == ExtractionBegins(images=18, finished=0)
    assert counts == [4, 4, 4, 4, 2]
    assert next(each.text for each in heard if isinstance(each, Note)).startswith("skipped ")


def test_nothing_of_the_users_is_touched(write: Write, tmp_path: Path) -> None:
    def state() -> list[tuple[str, int, int]]:
        entries = sorted((tmp_path / "photos").rglob("*"))
        return [(str(each), each.stat().st_mtime_ns, each.stat().st_size) for each in entries]

    before = state()
    write("a.csv")
    assert state() == before
    there = sorted(each.name for each in tmp_path.iterdir())
    assert there == ["a.csv", "a.csv.json", "photos"]


def test_arrays_are_known_by_their_pixels(
    classifier: Classifier, wanted: Wanted, tmp_path: Path
) -> None:
    names = [Path(f"x.npz:x[{row}]") for row in range(5)]
    arrays = {name: np.full((6, 6, 3), row, np.uint8) for row, name in enumerate(names)}
    of_arrays = replace(classifier, decode=lambda image: arrays[image])
    asked = replace(wanted, images=tuple(names), arrays=arrays)
    predict_to_file(of_arrays, asked, tmp_path / "a.csv", resume=False, listener=silent)
    changed = replace(asked, arrays={**arrays, names[2]: arrays[names[3]]})
    with pytest.raises(InputError, match="other content"):
        predict_to_file(of_arrays, changed, tmp_path / "a.csv", resume=True, listener=silent)


def _edit(folder: Path) -> None:
    file = folder / "a.csv"
    file.write_text(file.read_text().replace("owl", '"owl"', 1))


CHANGES: dict[str, Callable[[Path], object]] = {
    "another image's content": lambda folder: (folder / "photos/=day/03.png").write_text("new"),
    "edited": _edit,
    "other columns": lambda folder: (folder / "a.csv").write_text("path,label\n"),
    "a short line": lambda folder: (folder / "a.csv").write_text(
        (folder / "a.csv").read_text().replace(",0.", "", 1)
    ),
    "no description": lambda folder: (folder / "a.csv.json").unlink(),
    "a damaged description": lambda folder: (folder / "a.csv.json").write_text("{"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_has_changed_is_refused(
    change: Callable[[Path], object], write: Write, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    write("a.csv")
    change(tmp_path)
    assert _refusal(write, tmp_path) == snapshot


def test_other_settings_are_refused(
    write: Write, classifier: Classifier, wanted: Wanted, tmp_path: Path, snapshot
) -> None:
    wanted.images[5].write_text("no image")
    write("a.csv")
    moved = (*wanted.images[:3], tmp_path / "photos/=day/3.png", *wanted.images[4:])
    refusals = [
        _refusal(write, tmp_path, top=3),
        _refusal(write, tmp_path, value_range=(0.0, 1.0)),
        _refusal(write, tmp_path, on_bad_image="error"),
        _refusal(write, tmp_path, images=wanted.images[:7]),
        _refusal(write, tmp_path, images=moved),
        _refusal(write, tmp_path, resume=False),
    ]
    assert refusals == snapshot
    kernel = classifier.model.layers[-1].kernel
    kernel.assign(kernel + 1e-6)
    assert "hash of the network and its weights" in _refusal(write, tmp_path)


def _refusal(write: Write, folder: Path, *, resume: bool = True, **changed: object) -> str:
    before = (folder / "a.csv").read_bytes()
    with pytest.raises(InputError) as refusal:
        write("a.csv", resume=resume, **changed)
    assert (folder / "a.csv").read_bytes() == before
    return str(refusal.value).replace(str(folder), "<folder>")


def test_an_image_that_cannot_be_read_ends_it_and_then_it_goes_on(
    write: Write, wanted: Wanted, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    whole = wanted.images[10].read_bytes()
    wanted.images[10].write_text("no image")
    with pytest.raises(DataError) as refusal:
        write("a.csv", on_bad_image="error")
    assert str(refusal.value).replace(str(tmp_path), "<folder>") == snapshot
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1 + 8
    wanted.images[10].write_bytes(whole)
    write("a.csv", resume=True, on_bad_image="error")
    write("whole.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_interrupted(
    classifier: Classifier, wanted: Wanted, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    def interrupt(event: object) -> None:
        if isinstance(event, ImagesExtracted):
            raise KeyboardInterrupt

    with pytest.raises(InterruptedRunError) as end:
        predict_to_file(classifier, wanted, tmp_path / "a.csv", resume=False, listener=interrupt)
    assert str(end.value) == snapshot
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1 + 4


def test_two_processes_at_once(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    file = PredictionFile(tmp_path / "a.csv", ("image", "skipped", "content_hash"), 4)
    file.cut(size=0)
    size = file.append([("a.png", "", "0")], size=0)
    file.append([("b.png", "", "1")], size=size)
    with pytest.raises(StorageError) as refusal:
        file.append([("b.png", "", "1")], size=size)
    assert str(refusal.value).replace(str(tmp_path), "<folder>") == snapshot


def test_a_folder_that_is_not_there(write: Write, tmp_path: Path) -> None:
    with pytest.raises(CnnrunError, match="must be writable"):
        write("absent/a.csv")
    assert not (tmp_path / "absent").exists()
