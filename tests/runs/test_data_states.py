"""The list of the images of a run: written once, read back, compared."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import RunError
from cnnrun.runs.data_states import (
    ImageRecord,
    changes_between,
    experiments_of,
    fingerprint_in,
    images_of,
    record_images,
)
from cnnrun.runs.files import write_json
from cnnrun.runs.folder import RunFolder, create_run
from cnnrun.runs.unbegun import create_run_into

STATE = "0123456789abcdef0123456789abcdef"
IMAGES = (
    ImageRecord("cat/=1.png", "cat", "train", "", "aa"),
    ImageRecord("'=2.png", "-dog", "test", 'Minka, of "no. 7"', "bb"),
    ImageRecord("dog/\udcff.png", "-dog", "", "", ""),
)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = create_run(tmp_path / "experiments", name="pets", seed=0)
    record(run, IMAGES)
    return run


def record(run: RunFolder, images: Sequence[ImageRecord]) -> None:
    data = record_images(
        run,
        run.path.parents[1],
        state=STATE,
        fingerprint={"blake3": "f00d"},
        images=lambda: images,
    )
    write_json(run.environment_json, {"data": data})


def test_images_come_back(run: RunFolder) -> None:
    assert images_of(run) == IMAGES


def test_a_state_is_written_once_and_can_be_moved_along(run: RunFolder, tmp_path: Path) -> None:
    other = create_run(tmp_path / "experiments", name="pets", seed=1)
    record(other, ())
    (tmp_path / "experiments").rename(tmp_path / "elsewhere")
    assert images_of(RunFolder(tmp_path / "elsewhere/pets" / other.path.name)) == IMAGES


def test_a_run_in_a_folder_of_its_own_brings_its_images_along(tmp_path: Path) -> None:
    """A folder `data` beside it may be the user's images."""
    run = create_run_into(tmp_path / "mine")
    data = record_images(
        run, tmp_path, state=STATE, fingerprint={"blake3": "f00d"}, images=lambda: IMAGES
    )
    write_json(run.environment_json, {"data": data})
    assert images_of(run) == IMAGES
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]
    assert experiments_of(run) == tmp_path


def test_it_is_a_table_for_anybody(run: RunFolder) -> None:
    (file,) = (run.path.parents[1] / "data").iterdir()
    first, second, *_ = gzip.decompress(file.read_bytes()).decode(errors="replace").splitlines()
    assert file.name == f"{STATE}.csv.gz"
    assert first == "path,class,split,group,content_hash"
    assert second == "cat/=1.png,cat,train,,aa"


def test_a_run_of_an_earlier_version_has_none(run: RunFolder) -> None:
    write_json(run.environment_json, {"data": {"blake2b": "f00d", "method": "contents"}})
    assert images_of(run) is None
    assert fingerprint_in({"blake2b": "f00d"}) == "f00d (of cnnrun 0.1.0)"
    assert fingerprint_in({}) is None


@pytest.mark.parametrize("damage", ["gone", "cut off", "text", "another table", "a secret"])
def test_damage_is_named(
    run: RunFolder, tmp_path: Path, damage: str, snapshot: SnapshotAssertion
) -> None:
    (file,) = (run.path.parents[1] / "data").iterdir()
    if damage == "gone":
        file.unlink()
    elif damage == "a secret":
        (tmp_path / "secret").write_text("PASSWORD=hunter2")
        write_json(run.environment_json, {"data": {"listed_in": str(tmp_path / "secret")}})
    else:
        content = {
            "cut off": file.read_bytes()[:-9],
            "text": b"no archive",
            "another table": gzip.compress(b"a,b\n1,2\n"),
        }[damage]
        file.write_bytes(content)
    with pytest.raises(RunError) as refusal:
        images_of(run)
    told = str(refusal.value).replace(str(run.path), "<run>").replace(str(tmp_path), "<folder>")
    assert told == snapshot


def test_changes_are_named_by_kind(snapshot: SnapshotAssertion) -> None:
    before = [ImageRecord(f"{n}.png", "cat", "", "", f"{n}") for n in range(6)]
    after = [ImageRecord("9.png", "cat", "", "", "9"), *before[3:]]
    after[1] = ImageRecord("3.png", "cat", "", "", "edited")
    after[2] = ImageRecord("4.png", "dog", "", "", "4")
    assert changes_between(before, after) == snapshot
    assert changes_between(before, before) == []
