"""Tar files of images. Oracle: the folder that they were made of, and tarfile's own reading."""

import io
import json
import os
import subprocess
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from blake3 import blake3
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.data_section import DataSpec
from cnnrun.config.data_sources import CsvSource, TarSource
from cnnrun.data import images, packed_hashes
from cnnrun.data.content_hashes import content_hashes
from cnnrun.data.decode import decode_image
from cnnrun.data.decoding import Decoding
from cnnrun.data.file_states import AT_REST_NS
from cnnrun.data.fingerprint import data_fingerprint
from cnnrun.data.given_images import given_images
from cnnrun.data.images import ImageStore, image_loader, open_images
from cnnrun.data.manifest import Manifest
from cnnrun.data.new_images import read_new_images
from cnnrun.data.packed_images import PackedImage
from cnnrun.data.places import data_as_read, source_at
from cnnrun.data.sources import read_manifest
from cnnrun.errors import DataError
from cnnrun.runs.folder import HASHES

NAMES = [f"pets/{kind}/{number}.png" for kind in ("cat", "dog") for number in range(3)]
SIX = Decoding((6, 5), "rgb", "bilinear", keep_aspect=False)


@pytest.fixture
def pets(write_images: Callable[[list[str]], None]) -> Path:
    write_images(NAMES)
    return Path("pets")


def write_tar(path: str, members: Mapping[str, bytes], *, form: int = tarfile.USTAR_FORMAT) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return Path(path)


def read(**tar: object) -> Manifest:
    return read_manifest(DataSpec(tar=TarSource(**tar)))  # type: ignore[arg-type]


def samples(*numbers: int) -> dict[str, bytes]:
    """WebDataset's layout: images of two classes, each with its .cls."""
    files: dict[str, bytes] = {}
    for number in numbers:
        files[f"{number:04d}.png"] = Path(NAMES[number % 6]).read_bytes()
        files[f"{number:04d}.cls"] = str(number % 2).encode()
    return files


def bytes_of(manifest: Manifest) -> list[bytes]:
    return [manifest.file(row).read_bytes() for row in range(len(manifest))]


def test_a_tar_file_of_a_folder_is_read_as_the_folder(pets: Path) -> None:
    subprocess.run(["tar", "-cf", "pets.tar", "-C", "pets", "."], check=True)
    folder = read_manifest(DataSpec(directory=pets))
    tar = read(file=Path("pets.tar"))
    assert (tar.paths, tar.classes) == (folder.paths, folder.classes)
    np.testing.assert_array_equal(tar.ids, folder.ids)
    np.testing.assert_array_equal(tar.labels, folder.labels)
    assert bytes_of(tar) == bytes_of(folder)
    assert content_hashes(tar, notes_folder=None) == content_hashes(folder, notes_folder=None)
    assert data_fingerprint(tar, notes_folder=None) == data_fingerprint(folder, notes_folder=None)
    loads = [image_loader(each, SIX)[0] for each in (tar, folder)]
    np.testing.assert_array_equal(loads[0](4), loads[1](4))


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_of_every_length_and_format_are_read(pets: Path, form: int) -> None:
    names = [f"{'n' * length}/{'ä' * (length // 4)}x.png" for length in (1, 60, 99)]
    if form != tarfile.USTAR_FORMAT:
        names += [f"{'f' * 90}/{'g' * 90}/{'h' * 130}{number}.png" for number in range(3)]
    members = {name: Path(NAMES[place % 6]).read_bytes() for place, name in enumerate(names)}
    file = write_tar("long.tar", members, form=form)
    with tarfile.open(file) as archive:
        expected = {each.name: archive.extractfile(each).read() for each in archive}  # type: ignore[union-attr]
    manifest = read_manifest(DataSpec(tar=TarSource(file=file), layout=("{label}/**",)))
    assert dict(zip(manifest.paths, bytes_of(manifest), strict=True)) == expected


def test_labels_stand_beside_images_in_whatever_file_these_are(pets: Path) -> None:
    write_tar("one/a.tar", samples(0, 1, 2))
    write_tar("one/b.tar", samples(3, 4, 11))
    whole = write_tar("all.tar", samples(0, 1, 2, 3, 4, 11))
    one, other = read(file=Path("one")), read(file=whole)
    assert one.paths == other.paths
    assert one.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert bytes_of(one) == bytes_of(other)
    np.testing.assert_array_equal(one.ids, other.ids)
    assert one.notes == ("labels are what .cls members hold",)
    assert data_as_read(DataSpec(tar=TarSource(file=whole)), other).tar == TarSource(
        file=whole, label="cls"
    )


def test_numbers_sort_as_numbers_and_are_positions_among_names(pets: Path) -> None:
    image = Path(NAMES[0]).read_bytes()
    members = {}
    for number in (2, 10, 9):
        members |= {f"{number}.jpg": image, f"{number}.cls": f"{number}\n".encode()}
    file = write_tar("numbers.tar", members)
    assert read(file=file).classes == ("2", "9", "10")
    assert read_manifest(DataSpec(tar=TarSource(file=file), classes=3)).classes == ("2", "9", "10")
    members = samples(0, 1)
    named = DataSpec(tar=TarSource(file=write_tar("named.tar", members)), classes=("no", "yes"))
    manifest = read_manifest(named)
    assert [manifest.label_text(row) for row in range(2)] == ["no", "yes"]


def test_fields_of_json(pets: Path) -> None:
    image = Path(NAMES[0]).read_bytes()
    rows = [("cat", "train", 7), ("dog", "val", 8), ("dog", "testing", 7)]
    members = {}
    for number, (kind, part, owner) in enumerate(rows):
        text = json.dumps({"kind": kind, "part": part, "owner": owner, "other": [1]})
        members |= {f"{number}.jpg": image, f"{number}.json": text.encode()}
    manifest = read(file=write_tar("a.tar", members), field="kind", split="part", group="owner")
    assert manifest.classes == ("cat", "dog")
    assert manifest.splits == ("train", "validation", "test")
    assert manifest.groups == ("7", "8", "7")


def test_files_by_split(pets: Path) -> None:
    write_tar("shards/train-000.tar", samples(0, 1))
    write_tar("shards/train-001.tar", samples(2, 3))
    write_tar("shards/val-000.tar", samples(4, 5))
    data = source_at(Path("shards"))
    assert data.tar is not None
    assert data.tar.file == {
        "train": Path("shards/train-*.tar"),
        "validation": Path("shards/val-000.tar"),
    }
    manifest = read_manifest(data)
    assert manifest.splits == ("train",) * 4 + ("validation",) * 2


def test_names_that_stand_in_several_files_are_told_apart(
    pets: Path, snapshot: SnapshotAssertion
) -> None:
    write_tar("shards/a.tar", samples(0, 1))
    write_tar("shards/b.tar", samples(1, 2))
    manifest = read(file=Path("shards"))
    assert manifest.paths == ("a/0000.png", "a/0001.png", "b/0001.png", "b/0002.png")
    assert manifest.notes == snapshot


def test_a_hard_link_is_the_file_that_it_links_to(pets: Path) -> None:
    os.link("pets/dog/0.png", "pets/dog/7.png")
    subprocess.run(["tar", "--sort=name", "-cf", "pets.tar", "-C", "pets", "."], check=True)
    with tarfile.open("pets.tar") as archive:
        assert any(member.islnk() for member in archive)
    manifest = read(file=Path("pets.tar"))
    assert bytes_of(manifest) == bytes_of(read_manifest(DataSpec(directory=pets)))


def test_what_is_no_image_is_said(pets: Path, snapshot: SnapshotAssertion) -> None:
    with tarfile.open(write_tar("a.tar", samples(0, 1)), "a") as archive:
        for name, kind in (
            ("link.png", tarfile.SYMTYPE),
            ("out.png", tarfile.LNKTYPE),
            ("pipe.png", tarfile.FIFOTYPE),
            ("device.png", tarfile.CHRTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        for name in (".DS_Store", "a.npy", "7.cls", "._0000.png"):
            archive.addfile(tarfile.TarInfo(name))
    whole = Path("a.tar").read_bytes()
    Path("a.tar").write_bytes(whole + whole)
    manifest = read(file=Path("a.tar"))
    assert manifest.paths == ("0000.png", "0001.png")
    assert manifest.notes == snapshot


def test_names_that_lead_elsewhere_are_names(pets: Path, tmp_path: Path) -> None:
    """Oracle: nothing is written anywhere while such images are read."""
    image = Path(NAMES[0]).read_bytes()
    names = ["../../out/x.png", "/etc/y.png", "a/../../z.png"]
    members = {}
    for number, name in enumerate(names):
        members |= {name: image, f"{name[:-4]}.cls": str(number % 2).encode()}
    file = write_tar("escape.tar", members)
    before = sorted(tmp_path.parent.rglob("*"))
    manifest = read(file=file)
    assert set(manifest.paths) == set(names)
    assert bytes_of(manifest) == [image] * 3
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_images_without_labels_for_prediction(pets: Path) -> None:
    file = write_tar("a.tar", samples(1, 0))
    given = given_images([file], value_range=None)
    assert [str(image) for image in given.names] == ["a.tar:0000.png", "a.tar:0001.png"]
    assert all(isinstance(image, PackedImage) for image in given.names)


def make_refused(kind: str) -> DataSpec:
    """A source that is refused, by what is wrong with it."""
    good = samples(0, 1, 2)
    image = Path(NAMES[0]).read_bytes()
    whole = write_tar("a.tar", good).read_bytes()
    source = TarSource(file=Path("a.tar"))
    if kind == "cut off":
        Path("a.tar").write_bytes(whole[:560])
    elif kind == "damaged":
        Path("a.tar").write_bytes(whole[:1024] + b"x" * 512 + whole[1536:])
    elif kind == "no tar file":
        Path("a.tar").write_bytes(b"a text" * 1000)
    elif kind == "empty":
        Path("a.tar").write_bytes(b"")
    elif kind == "compressed":
        with tarfile.open("my photos.tar", "w:gz") as archive:
            archive.add("pets")
        source = TarSource(file=Path("my photos.tar"))
    elif kind == "a missing number":
        write_tar("s-0.tar", good)
        source = TarSource(file=Path("s-{0..2}.tar"))
    elif kind == "a range turned round":
        source = TarSource(file=Path("s-{2..0}.tar"))
    elif kind == "no such file":
        source = TarSource(file=Path("b.tar"))
    elif kind == "no such pattern":
        source = TarSource(file=Path("train-*.tar"))
    elif kind == "a folder without":
        source = TarSource(file=Path("pets"))
    elif kind == "a pipe":
        os.mkfifo("pipe.tar")
        source = TarSource(file=Path("pipe.tar"))
    elif kind == "named twice":
        source = TarSource(file={"train": Path("a.tar"), "test": Path("*.tar")})
    elif kind == "two images":
        write_tar("a.tar", good | {"0001.jpg": image})
    elif kind == "no images":
        write_tar("a.tar", {"a.npy": b"", "b.npy": b"", "a.cls": b"1"})
    elif kind == "no labels":
        write_tar("a.tar", {"a.png": image, "b.png": image})
    elif kind == "a long label":
        write_tar("a.tar", good | {"0000.cls": b"1" * 5000})
    elif kind == "a label that is no text":
        write_tar("a.tar", good | {"0000.cls": b"\xff\xfe"})
    elif kind == "no json":
        write_tar("a.tar", {"0.png": image, "0.json": b"{"})
        source = TarSource(file=Path("a.tar"), label="json")
    elif kind == "a label of json that is a list":
        write_tar("a.tar", {"0.png": image, "0.json": b'{"label": [1, 2]}'})
    elif kind == "captions":
        captions = {f"{n}.txt": f"a photograph of cat {n}".encode() for n in range(30)}
        write_tar("a.tar", {f"{n}.png": image for n in range(30)} | captions)
    elif kind == "one class":
        write_tar("a.tar", samples(0, 2))
    elif kind == "several labels":
        write_tar("a.tar", good | {"0001.cls": b""})
        source = TarSource(file=Path("a.tar"), label="jpg")
    return DataSpec(tar=source)


@pytest.mark.parametrize(
    "kind",
    [
        "cut off",
        "damaged",
        "no tar file",
        "empty",
        "compressed",
        "a missing number",
        "a range turned round",
        "no such file",
        "no such pattern",
        "a folder without",
        "a pipe",
        "named twice",
        "two images",
        "no images",
        "no labels",
        "a long label",
        "a label that is no text",
        "no json",
        "a label of json that is a list",
        "captions",
        "one class",
        "several labels",
    ],
)
def test_refusals(pets: Path, kind: str, snapshot: SnapshotAssertion) -> None:
    data = make_refused(kind)
    with pytest.raises(DataError) as refusal:
        read_manifest(data)
    assert str(refusal.value) == snapshot


def test_a_file_without_the_mark_of_its_end_is_said(
    pets: Path, snapshot: SnapshotAssertion
) -> None:
    members = samples(0, 1, 2)
    file = write_tar("a.tar", members)
    size = sum(512 + -(-len(content) // 512) * 512 for content in members.values())
    os.truncate(file, size)
    assert read(file=file).notes == snapshot


def test_a_file_that_became_shorter_is_a_bad_image(pets: Path, snapshot: SnapshotAssertion) -> None:
    file = write_tar("a.tar", samples(0, 1))
    manifest = read(file=file)
    os.truncate(file, 600)
    with pytest.raises(DataError) as refusal:
        image_loader(manifest, SIX)[0](1)
    assert str(refusal.value) == snapshot


def test_descriptions_that_never_end_are_refused(pets: Path, snapshot: SnapshotAssertion) -> None:
    """tarfile itself would read them into memory, or call itself for each."""
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 2**40
    header = info.tobuf(tarfile.GNU_FORMAT)
    chained = tarfile.TarInfo("././@PaxHeader")
    chained.type = tarfile.XHDTYPE
    refusals = []
    for content in (header + bytes(4096), chained.tobuf() * 5000):
        Path("a.tar").write_bytes(content)
        with pytest.raises(DataError) as refusal:
            read(file=Path("a.tar"))
        refusals.append(str(refusal.value))
    assert refusals == snapshot


def test_tar_files_with_random_bytes_changed_are_read_or_refused(pets: Path, attack) -> None:
    whole = {
        form: write_tar(
            "whole.tar", samples(0, 1, 2) | {f"{'l' * 120}/x.png": b"x" * 600}, form=form
        ).read_bytes()
        for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
    }
    for _ in attack.rounds(300):
        content = bytearray(attack.random.choice(list(whole.values())))
        for _ in range(attack.random.choice([1, 3, 30])):
            # Headers are what can do harm: every member begins at a multiple of 512.
            place = attack.random.randrange(len(content) // 512) * 512
            content[place + attack.random.randrange(512)] = attack.random.randrange(256)
        Path("a.tar").write_bytes(content[: attack.random.randrange(1, len(content) + 1)])
        try:
            manifest = read(file=Path("a.tar"))
        except DataError:
            continue
        for row in range(len(manifest)):
            image = manifest.file(row)
            assert isinstance(image, PackedImage)
            assert image.position + image.size <= len(content)
            image.read_bytes()


@pytest.fixture
def much_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock by which files that were just written have lain there for a while."""
    later = time.time_ns() + 10 * AT_REST_NS
    monkeypatch.setattr(packed_hashes.time, "time_ns", lambda: later)


def test_noted_hashes_hold_as_long_as_the_file_does(
    pets: Path, much_later: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_tar("a.tar", samples(0, 1, 2))
    first = content_hashes(read(file=file), notes_folder=Path("notes"))
    assert first == tuple(blake3(each).hexdigest(length=16) for each in bytes_of(read(file=file)))
    with monkeypatch.context() as nothing_is_read:
        nothing_is_read.setattr(PackedImage, "read_bytes", None)
        assert content_hashes(read(file=file), notes_folder=Path("notes")) == first
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    with file.open("r+b") as stream:
        stream.seek(600)
        stream.write(b"changed")
    os.utime(file, ns=times)
    changed = content_hashes(read(file=file), notes_folder=Path("notes"))
    assert changed == content_hashes(read(file=file), notes_folder=None) != first


def test_images_that_were_all_decoded_before_are_decoded_when_they_are_read(
    pets: Path, much_later: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Oracle: the store that decodes every image before it is there."""
    manifest = read(file=write_tar("a.tar", samples(0, 1, 2, 3, 4, 5)))
    content_hashes(manifest, notes_folder=Path("experiments") / HASHES)
    decoded: list[str] = []

    def counted_decode(image: PackedImage, decoding: Decoding) -> object:
        decoded.append(image.name)
        return decode_image(image, decoding)

    monkeypatch.setattr(images, "decode_image", counted_decode)

    def store(size: int) -> ImageStore:
        return open_images(
            manifest,
            np.arange(6),
            replace(SIX, image_size=(size, size)),
            memory_bytes=0,
            on_bad_image="error",
            cache_folder=Path("experiments"),
        )

    first = store(4)
    assert (len(decoded), first.kept_in) == (6, "file")
    again = store(4)
    assert (len(decoded), again.kept_in) == (6, "file")
    for rows in ([3, 1], [1, 0, 5], [3]):
        np.testing.assert_array_equal(again.read(np.array(rows)), first.read(np.array(rows)))
    assert sorted(decoded[6:]) == ["0000.png", "0001.png", "0003.png", "0005.png"]
    store(5)  # of another size they have not been decoded
    assert len(decoded) == 6 + 4 + 6


def test_a_run_of_several_labels_an_image_is_not_measured_on_one_each(
    pets: Path, snapshot: SnapshotAssertion
) -> None:
    file = write_tar("a.tar", samples(0, 1))
    own = DataSpec(csv=CsvSource(file=Path("own.csv")), task="multi_label")
    with pytest.raises(DataError) as refusal:
        read_new_images(file, own, classes=("0", "1"))
    assert str(refusal.value) == snapshot


def test_a_run_of_one_layout_is_measured_on_another(pets: Path) -> None:
    """Labels beside the images in the one, folders for classes in the other."""
    subprocess.run(["tar", "-cf", "pets.tar", "-C", "pets", "."], check=True)
    own = DataSpec(tar=TarSource(file=Path("own.tar"), label="cls"))
    manifest = read_new_images(Path("pets.tar"), own, classes=("dog", "cat"))
    assert manifest.classes == ("dog", "cat")
    assert len(manifest) == 6
