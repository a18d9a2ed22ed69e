"""TFRecord files of images. Oracle: a file that TensorFlow wrote, and the images put in."""

import base64
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.data_section import DataSpec
from cnnrun.config.data_sources import TfrecordSource
from cnnrun.data.content_hashes import content_hashes
from cnnrun.data.decoding import Decoding
from cnnrun.data.fingerprint import data_fingerprint
from cnnrun.data.given_images import given_images
from cnnrun.data.images import image_loader
from cnnrun.data.manifest import Manifest
from cnnrun.data.packed_images import PackedImage
from cnnrun.data.places import data_as_read, source_at
from cnnrun.data.sources import read_manifest
from cnnrun.errors import DataError

from .tfrecords import write_records

NAMES = [f"pets/{kind}/{number}.png" for kind in ("cat", "dog") for number in range(3)]

OF_TENSORFLOW = (
    ";Q#;t000001Gh+#3f=(<8wwC<ZDD6+FJo+Bb8|0rWq5QF2MPrW17vS!3K0qgb7OCEWfBMy1_}fK002J<6$%V#ZDD6+"
    "FKA_HXJ~X11sVei0Rjpe3Jz&)VP|D8W@&6?ZeeX@5(x?i3I#AOaBgP`8VV6<ZDD6+FJo+Bb8|0jVPa)$5(OFq3IPcU"
    "TnY_oZDD6+FJ*3HZ)9a;5=#n63P*`hPDc$28VUda01Zh<L{b0%00IC200IaA00012-"
    "BS1f000h2L_t(|oMT{MU|?VX000I60dj(w>Hq)$07*qoM6N<$f<y!-{^0-"
    "s0000000Xy3kqX`c3L6R#X>DO=WiMlFVRLgYbY*yS5(f$e3Ik(dbP5p)1#@F>a%B<-"
    "5(Wwc0000#3Ka?rX>DO=WiM!DX=iA35(OFq3IPHN8ww6-ZDD6+FJ@_MWo}_@WfBPr2MPr-"
    "E^uyV3K|L#X>DO=WiMlFVRLgYY++($Y!U?;0}25O3S0^eX>DO=WiMrJV{c?-WD-jXNeV}aP)<h;3K|Lk000e1NJLTq"
    "000620006A00000SKU(h0000ENkl<Zc${MlU|?ck0004^08|&Ht;zrZ002ovPDHLkV1nc3epTTB00000000BGNRbNO"
    "0SX%m5NT~;XJs#AY+-YAFLY&ibP@*&1quUXZ)XY-"
    "3I%gxZ*pZ42oeSg1ONa4KMEBJ3~6m)XJs#FWoc(<bP@#`0}25G3L6RzX>DO=WiMuFY-Mg?ZDkS(3I_@WGA?j#X9^k$"
    "5ov8<XJs#AY+-"
    "YAFKl6AWo!}!8UqRe2?|^a4QXv*XJs#CZewp`Wn>ad3P}n_iBL{Q4GJ0x0000DNk~Le00002000022mk;809V~o_y7"
    "O^4oO5oRCt_YT)@D@zyJUPG61CG$w$!u0000<MNUMnLSTaI9N%{"
)
"""What tf.io.TFRecordWriter 2.21 wrote of three grey images of 2 x 2 with the levels 0, 80, 160.

Their features: image/encoded (PNG), image/class/label (9, 10, 9), image/class/text (dog, cat, dog),
image/filename (0.png, 1.png, 2.png), image/height (2) and score (0.5).
"""


@pytest.fixture
def pets(write_images: Callable[[list[str]], None]) -> Path:
    write_images(NAMES)
    return Path("pets")


@pytest.fixture
def tiny(here: Path) -> Path:
    file = Path("tiny.tfrecord")
    file.write_bytes(base64.b85decode(OF_TENSORFLOW))
    return file


def samples(*numbers: int) -> list[Mapping[str, Any]]:
    return [
        {"image": Path(NAMES[number]).read_bytes(), "label": number % 2, "owner": b"ann"}
        for number in numbers
    ]


def read(**tfrecord: object) -> Manifest:
    return read_manifest(DataSpec(tfrecord=TfrecordSource(**tfrecord)))  # type: ignore[arg-type]


def test_what_tensorflow_wrote(tiny: Path) -> None:
    manifest = read(file=tiny)
    assert manifest.paths == ("0.png", "1.png", "2.png")
    assert manifest.classes == ("9", "10")
    assert manifest.labels.tolist() == [0, 1, 0]
    load = image_loader(manifest, Decoding((2, 2), "grayscale", "bilinear", keep_aspect=False))[0]
    levels = [load(row)[..., 0] for row in range(3)]
    np.testing.assert_array_equal(levels, [np.full((2, 2), level) for level in (0, 80, 160)])
    by_name = read(file=tiny, label="image/class/text")
    assert [by_name.label_text(row) for row in range(3)] == ["dog", "cat", "dog"]
    written = data_as_read(DataSpec(tfrecord=TfrecordSource(file=tiny)), manifest).tfrecord
    assert written == TfrecordSource(
        file=tiny, image="image/encoded", label="image/class/label", path="image/filename"
    )


def test_the_same_images_have_the_ids_and_the_fingerprint_of_a_folder(pets: Path) -> None:
    records = [
        {
            "image": Path(name).read_bytes(),
            "class": name.split("/")[1].encode(),
            "filename": name.removeprefix("pets/").encode(),
        }
        for name in reversed(NAMES)
    ]
    write_records("s/pets-00000-of-00002", records[:2])
    write_records("s/pets-00001-of-00002", records[2:])
    manifest, folder = read_manifest(source_at(Path("s"))), read_manifest(DataSpec(directory=pets))
    assert manifest.paths == folder.paths
    np.testing.assert_array_equal(manifest.ids, folder.ids)
    assert content_hashes(manifest, notes_folder=None) == content_hashes(folder, notes_folder=None)
    assert data_fingerprint(manifest, notes_folder=None) == data_fingerprint(
        folder, notes_folder=None
    )


def test_names_that_repeat_within_a_file_are_none(pets: Path, snapshot: SnapshotAssertion) -> None:
    """Oracle: the bytes of each image; and a feature that the config names has to be right."""
    records = [{**each, "filename": b"photo.png"} for each in samples(0, 1, 2)]
    file = write_records("s/train.tfrecord", records)
    manifest = read(file=file)
    assert manifest.paths == ("train[0]", "train[1]", "train[2]")
    images = [manifest.packing.image(row, "").read_bytes() for row in range(3)]
    assert images == [record["image"] for record in records]
    with pytest.raises(DataError) as raised:
        read(file=file, path="filename")
    assert [*manifest.notes, str(raised.value)] == snapshot


def test_images_without_names_are_called_by_file_and_number(
    pets: Path, snapshot: SnapshotAssertion
) -> None:
    write_records("s/train.tfrecord", samples(0, 1, 2))
    write_records("s/test.tfrecord", samples(3, 4))
    data = source_at(Path("s"))
    assert data.tfrecord is not None
    assert data.tfrecord.file == {
        "train": Path("s/train.tfrecord"),
        "test": Path("s/test.tfrecord"),
    }
    manifest = read_manifest(data)
    assert manifest.paths == ("test[0]", "test[1]", "train[0]", "train[1]", "train[2]")
    assert manifest.splits == ("test",) * 2 + ("train",) * 3
    assert manifest.notes == snapshot
    grouped = read(file=Path("s/train.tfrecord"), group="owner")
    assert grouped.groups == ("ann",) * 3


def test_images_for_prediction_need_no_label(pets: Path) -> None:
    file = write_records("a.tfrecord", [{"image": Path(NAMES[0]).read_bytes()}])
    (image,) = given_images([file], value_range=None).names
    assert isinstance(image, PackedImage)
    assert (str(image), image.read_bytes()) == ("a.tfrecord:a[0]", Path(NAMES[0]).read_bytes())


def make_refused(kind: str) -> DataSpec:
    good = samples(0, 1, 2)
    file = write_records("a.tfrecord", good)
    whole = file.read_bytes()
    source = TfrecordSource(file=file)
    if kind == "cut off":
        os.truncate(file, len(whole) - 10)
    elif kind == "cut off in a length":
        file.write_bytes(whole + b"\1\2\3")
    elif kind == "empty":
        file.write_bytes(b"")
    elif kind == "another kind":
        file.write_bytes(b"a text that is no record" * 20)
    elif kind == "no example":
        file.write_bytes((5).to_bytes(8, "little") + bytes(4) + b"\xff" * 5 + bytes(4))
    elif kind == "compressed":
        file.write_bytes(b"\x1f\x8b\x08" + bytes(100))
    elif kind == "a feature of another name":
        source = TfrecordSource(file=file, label="labels")
    elif kind == "no label":
        write_records("a.tfrecord", [{"image": good[0]["image"], "a": 1, "b": 2}])
    elif kind == "no image":
        write_records("a.tfrecord", [{"pixels": b"\0" * 64, "label": 1}])
    elif kind == "several labels":
        write_records("a.tfrecord", [*good, {**good[0], "label": [1, 2]}])
    elif kind == "a label with decimals":
        write_records("a.tfrecord", [{**good[0], "label": 0.5}])
    elif kind == "a later record without an image":
        write_records("a.tfrecord", [*good, {"label": 1}])
    elif kind == "two images":
        write_records("a.tfrecord", [*good, {"image": [b"1", b"2"], "label": 1}])
    elif kind == "a label that is no text":
        write_records("a.tfrecord", [{**good[0], "label": b"\xff"}])
    return DataSpec(tfrecord=source)


@pytest.mark.parametrize(
    "kind",
    [
        "cut off",
        "cut off in a length",
        "empty",
        "another kind",
        "no example",
        "compressed",
        "a feature of another name",
        "no label",
        "no image",
        "several labels",
        "a label with decimals",
        "a later record without an image",
        "two images",
        "a label that is no text",
    ],
)
def test_refusals(pets: Path, kind: str, snapshot: SnapshotAssertion) -> None:
    data = make_refused(kind)
    with pytest.raises(DataError) as refusal:
        read_manifest(data)
    assert str(refusal.value) == snapshot


def test_a_record_that_no_image_is_as_large_as_is_not_read(
    here: Path, snapshot: SnapshotAssertion
) -> None:
    file = here / "a.tfrecord"
    with file.open("wb") as stream:
        stream.write((2**40).to_bytes(8, "little"))
        stream.truncate(2**41)  # takes no room
    with pytest.raises(DataError) as refusal:
        read(file=Path("a.tfrecord"))
    assert str(refusal.value) == snapshot


def test_records_with_random_bytes_changed_are_read_or_refused(tiny: Path, attack) -> None:
    whole = tiny.read_bytes()
    for _ in attack.rounds(300):
        content = bytearray(whole)
        for _ in range(attack.random.choice([1, 3, 30])):
            content[attack.random.randrange(len(content))] = attack.random.randrange(256)
        tiny.write_bytes(content[: attack.random.randrange(1, len(content) + 1)])
        try:
            manifest = read(file=tiny)
        except DataError:
            continue
        for row in range(len(manifest)):
            image = manifest.file(row)
            assert isinstance(image, PackedImage)
            image.read_bytes()
