"""Images that lie in object stores. Oracle: the same images in a folder."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from cnnrun.data import object_stores
from cnnrun.data.image_files import image_files
from cnnrun.data.object_stores import local_copy, url_of
from cnnrun.errors import CnnrunError
from cnnrun.features.sources import list_images
from cnnrun.runs.events import silent

from ..listening import Heard

URL = "memory://bucket/photos"


@pytest.fixture
def store() -> Iterator[Any]:
    """A store in memory that is empty before and after."""
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
    yield memory
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.fixture
def photos(make_images: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    make_images("photos", {"cat": 3, "dog": 4}, mode="RGB")
    return tmp_path / "photos"


def test_images_are_read_as_those_of_a_folder(
    store: Any, photos: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    store.put(f"{photos}/", "/bucket/photos", recursive=True)
    store.pipe("/bucket/photos/notes.docx", b"no image")
    heard = Heard()
    copy = local_copy(URL, beside=tmp_path, listener=heard)
    there, here = (list_images([place]) for place in (copy, photos))
    assert there.listed == here.listed
    for image in here.listed:
        assert (copy / image.name).read_bytes() == (photos / image.name).read_bytes()
    said = [note.replace(str(copy.parent), "FOLDER") for note in heard.notes]
    assert said == snapshot


def test_what_has_changed_is_copied_again(store: Any, photos: Path, tmp_path: Path) -> None:
    store.put(f"{photos}/", "/bucket/photos", recursive=True)
    copy = local_copy(URL, beside=tmp_path, listener=silent)
    times = {path: path.stat().st_mtime_ns for path in copy.rglob("*.png")}
    names = sorted(str(path.relative_to(copy)) for path in times)
    heard = Heard()
    assert local_copy(URL, beside=tmp_path, listener=heard) == copy
    assert not heard.notes
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*.png")} == times
    store.pipe(f"/bucket/photos/{names[0]}", b"another image")
    store.rm(f"/bucket/photos/{names[1]}")
    local_copy(URL, beside=tmp_path, listener=silent)
    assert (copy / names[0]).read_bytes() == b"another image"
    assert sorted(str(path.relative_to(copy)) for path in copy.rglob("*.png")) == [
        names[0],
        *names[2:],
    ]


def test_a_copy_that_was_cut_short_is_gone_on_with(
    store: Any, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(f"{photos}/", "/bucket/photos", recursive=True)
    monkeypatch.setattr(object_stores, "_AT_ONCE", 2)
    get, parts = type(store).get, []

    def failing(self: Any, keys: list[str], files: list[str], **options: Any) -> Any:
        parts.append(len(keys))
        if len(parts) == 3:
            Path(files[0]).write_bytes(b"half")
            raise ConnectionError("the line is dead")
        return get(self, keys, files, **options)

    monkeypatch.setattr(type(store), "get", failing)
    with pytest.raises(CnnrunError):
        local_copy(URL, beside=tmp_path, listener=silent)
    copy = local_copy(URL, beside=tmp_path, listener=silent)
    assert parts == [2, 2, 2, 2, 1]  # two parts of two were there
    for path in photos.rglob("*.png"):
        assert (copy / path.relative_to(photos)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "case", ["nothing", "no image", "unsafe", "unknown", "chained", "no fsspec", "unreachable"]
)
def test_what_cannot_be_read(
    store: Any,
    case: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    url = {"unknown": "s4://bucket/photos", "chained": "zip://a::memory://bucket/a.zip"}
    if case == "no image":
        store.pipe("/bucket/photos/notes.docx", b"no image")
    if case == "unsafe":
        store.store["/bucket/photos/../../evil.png"] = _file(store)
    if case == "no fsspec":
        monkeypatch.setattr(object_stores, "import_module", _absent)
    if case == "unreachable":
        monkeypatch.setattr(type(store), "find", _unreachable)
    with pytest.raises(CnnrunError) as raised:
        local_copy(url.get(case, URL), beside=tmp_path, listener=silent)
    text = str(raised.value)
    if case == "unknown":  # fsspec lists what it knows
        text = text.split("Known protocols")[0]
    assert text == snapshot
    assert not list(tmp_path.rglob("*.png"))


def _file(store: Any) -> Any:
    store.pipe("/elsewhere/a.png", b"an image")
    return store.store.pop("/elsewhere/a.png")


def _absent(name: str) -> Any:
    raise ImportError(f"No module named '{name}'")


def _unreachable(self: Any, *_: Any, **__: Any) -> Any:
    raise PermissionError("Access Denied")


@pytest.mark.parametrize("url", ["s3://a/b", "memory://a", "gs://b/c/d", "s3a://c", "file:///a/b"])
def test_urls_that_were_taken_for_paths(url: str) -> None:
    assert url_of(Path(url)) == url


def test_paths_are_no_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s3:").mkdir()
    Path("s3:/bucket").mkdir()
    paths = ["a/b", "/a//b", "C:/a", "a:b", "../x:/y", "s3://bucket", "photos"]
    assert not any(url_of(Path(each)) for each in paths)


def test_other_commands_say_who_reads_urls(snapshot: SnapshotAssertion) -> None:
    with pytest.raises(CnnrunError) as raised:
        image_files([Path("s3://bucket/photos")])
    assert str(raised.value) == snapshot


@pytest.mark.slow
def test_amazons_protocol(photos: Path, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    """A server of moto stands for Amazon's."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        environment = os.environ | {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        upload(photos, environment)
        config = tmp_path / "config.yaml"
        config.write_text(yaml.safe_dump(CONFIG))
        for data, out in (("s3://bucket/photos", "there"), ("photos", "here")):
            done = extract(config, data, out, environment)
            assert done.returncode == 0, done.stderr
        for name in ("global_average_pooling2d_1.npy", "manifest.csv"):
            there, here = (tmp_path / out / name for out in ("there", "here"))
            assert there.read_bytes() == here.read_bytes()
        refused = extract(config, "s3://another/photos", "nowhere", environment)
        assert refused.returncode == 2
        assert refused.stderr.splitlines()[-1] == snapshot
    finally:
        server.stop()


CONFIG = {
    "data": {"directory": "photos", "image_size": [8, 8], "color_mode": "rgb"},
    "model": {
        "layers": [
            {"Conv2D": {"filters": 4, "kernel_size": 3}},
            "GlobalAveragePooling2D",
            "classifier",
        ]
    },
}

UPLOAD = """
import sys, boto3, pathlib
client = boto3.client("s3")
client.create_bucket(Bucket="bucket")
root = pathlib.Path(sys.argv[1])
for path in root.rglob("*.png"):
    client.upload_file(str(path), "bucket", f"photos/{path.relative_to(root).as_posix()}")
"""


def upload(photos: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-c", UPLOAD, str(photos)]
    subprocess.run(command, check=True, env=environment, capture_output=True)


def extract(
    config: Path, data: str, out: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cnnrun", "extract-features", config.name, "--data", data]
    return subprocess.run(
        [*command, "--out", out],
        cwd=config.parent,
        env=environment | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
