"""What `cnnrun train` says about images that cannot be used, before it makes a run."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

MakeImages = Callable[..., Path]
CONFIG = """\
data:
  directory: images
  image_size: [8, 8]
  color_mode: grayscale
model:
  layers: [Flatten, classifier]
train:
  epochs: 1
"""


def nothing(folder: Path, images: MakeImages) -> None:
    folder.mkdir()


def only_one_class(folder: Path, images: MakeImages) -> None:
    images("images", {"cat": 5})


def one_image_in_a_class(folder: Path, images: MakeImages) -> None:
    images("images", {"cat": 10, "dog": 1})


def no_image(folder: Path, images: MakeImages) -> None:
    images("images", {"cat": 10, "dog": 10})
    (folder / "cat" / "notes.png").write_text("not an image")


def a_truncated_jpeg(folder: Path, images: MakeImages) -> None:
    images("images", {"cat": 10, "dog": 10}, suffix=".jpg")
    path = folder / "dog" / "0003.jpg"
    path.write_bytes(path.read_bytes()[:-100])


def a_header_of_ten_gigapixels(folder: Path, images: MakeImages) -> None:
    images("images", {"cat": 10, "dog": 10})
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b""))
    )
    (folder / "cat" / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def a_link_to_nothing(folder: Path, images: MakeImages) -> None:
    images("images", {"cat": 10, "dog": 10})
    (folder / "cat" / "gone.png").symlink_to("nowhere.png")


CASES: dict[str, Callable[[Path, MakeImages], None]] = {
    case.__name__: case
    for case in (
        nothing,
        only_one_class,
        one_image_in_a_class,
        no_image,
        a_truncated_jpeg,
        a_header_of_ten_gigapixels,
        a_link_to_nothing,
    )
}


@pytest.mark.parametrize("case", CASES)
def test_images_that_cannot_be_used(
    case: str, command, make_images: MakeImages, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    CASES[case](tmp_path / "images", make_images)
    (tmp_path / "config.yaml").write_text(CONFIG)
    ended = command("train", "config.yaml")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot
    assert not list(tmp_path.glob("experiments/*/*"))


def test_a_folder_that_is_not_there(
    command, make_images: MakeImages, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    make_images("image", {"cat": 10, "dog": 10})
    (tmp_path / "config.yaml").write_text(CONFIG)
    ended = command("train", "config.yaml")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot
