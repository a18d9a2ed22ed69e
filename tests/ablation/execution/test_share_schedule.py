"""Shares of images on workers that die; and on a real Ray cluster, whose nodes leave and come back.

The oracle is the command of a single process.
"""

import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.execution import share_schedule
from cnnrun.ablation.execution.pool import Answer, Died, Event
from cnnrun.ablation.execution.share_schedule import extract_on_ray, hash_of_names
from cnnrun.ablation.execution.tasks import Done, Failed, Report, ShareTask, Task, WantedFeatures
from cnnrun.config.load import load_config
from cnnrun.errors import CnnrunError, InterruptedRunError
from cnnrun.features.shards import images_of_share, merge_shards, shard_folder
from cnnrun.features.sources import Images, list_images
from cnnrun.runs.environment import installed_packages
from cnnrun.runs.events import ExtractionEvent, ImagesExtracted, Note, silent

IMAGES = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config, and the images whose features are wanted."""
    folder = tmp_path_factory.mktemp("shares")
    generator = np.random.default_rng(0)
    for label in ("dark", "light"):
        (folder / "photos" / label).mkdir(parents=True)
        for number in range(IMAGES // 2):
            pixels = generator.integers(0, 256, (6, 6), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / label / f"{number:02d}.png")
    sections = {
        "data": {"directory": "photos", "image_size": [6, 6], "color_mode": "grayscale"},
        "model": {
            "layers": [
                {"conv_block": {"filters": 8, "kernel_size": 3}},
                "GlobalAveragePooling2D",
                "classifier",
            ]
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(sections))
    return folder


@pytest.fixture
def images(folder: Path) -> Images:
    return list_images([folder / "photos"])


@pytest.fixture
def wanted(folder: Path, images: Images, tmp_path: Path) -> WantedFeatures:
    return WantedFeatures(
        opened=load_config(folder / "config.yaml"),
        input_shape=(6, 6, 1),
        classes=2,
        weights="imagenet",
        image_size=None,
        include_top=False,
        layers=(),
        pooling="avg",
        precision="float32",
        data=(folder / "photos",),
        images=IMAGES,
        names=hash_of_names(images),
        batch_size=8,
        on_bad_image="error",
        out=tmp_path / "features",
        folder=folder,
        versions=installed_packages(),
    )


class Workers:
    """A pool whose workers do to a share what a function says, and write that they have done it."""

    def __init__(self, act: Callable[[int, ShareTask], Report | str], *, jobs: int = 2) -> None:
        self.jobs = jobs
        self.given: list[tuple[int, int]] = []
        self._act = act
        self._events: deque[Event] = deque()
        self._started = 0
        self.closed = False

    def start(self) -> int:
        self._started += 1
        self._events.append(Answer(self._started, Done()))
        return self._started

    def give(self, worker: int, task: Task) -> None:
        assert isinstance(task, ShareTask)
        self.given.append((worker, task.share.number))
        report = self._act(worker, task)
        if isinstance(report, Done):
            place = shard_folder(task.wanted.out, task.share)
            place.mkdir(parents=True, exist_ok=True)
            (place / "features.json").write_text("{}")
        self._events.append(
            Died(worker, report) if isinstance(report, str) else Answer(worker, report)
        )

    def wait(self) -> Sequence[Event]:
        return [self._events.popleft()]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def on(
    monkeypatch: pytest.MonkeyPatch, wanted: WantedFeatures, images: Images
) -> Callable[..., list[ExtractionEvent]]:
    """Extracts on these workers, and gives what was said."""

    def extract(pool: Workers, *, resume: bool = False) -> list[ExtractionEvent]:
        monkeypatch.setattr(share_schedule, "RayPool", lambda **_: pool)
        heard: list[ExtractionEvent] = []
        try:
            extract_on_ray(wanted, images, address=None, resume=resume, listener=heard.append)
        finally:
            assert pool.closed
        return heard

    return extract


Extract = Callable[..., list[ExtractionEvent]]


def test_each_share_is_done_once(on: Extract) -> None:
    pool = Workers(lambda worker, task: Done())
    heard = on(pool)
    assert sorted(number for _, number in pool.given) == list(range(1, 9))
    assert sum(each.images for each in heard if isinstance(each, ImagesExtracted)) == IMAGES


def test_a_share_whose_worker_dies_goes_on_with_another(
    on: Extract, snapshot: SnapshotAssertion
) -> None:
    deaths = iter(["its node went away", "its node went away again"])

    def act(worker: int, task: ShareTask) -> Report | str:
        return next(deaths, Done()) if task.share.number == 3 else Done()

    pool = Workers(act)
    heard = on(pool)
    tried = [worker for worker, number in pool.given if number == 3]
    assert len(tried) == len(set(tried)) == 3
    assert {number for _, number in pool.given} == set(range(1, 9))
    assert [each.text for each in heard if isinstance(each, Note)] == snapshot


def test_workers_that_die_after_progress_are_no_reason_to_give_up(
    on: Extract, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[None] = []

    def act(worker: int, task: ShareTask) -> Report | str:
        if task.share.number != 1 or len(rows) == 10:
            return Done()
        rows.append(None)
        return "its node went away"

    monkeypatch.setattr(share_schedule, "read_manifest_rows", lambda _: list(rows))
    pool = Workers(act)
    on(pool)
    assert [number for _, number in pool.given].count(1) == 11


@pytest.mark.parametrize("case", ["deadly", "failing", "elsewhere"])
def test_shares_that_cannot_be_computed(
    on: Extract, case: str, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    class Elsewhere(Workers):
        def give(self, worker: int, task: Task) -> None:
            self._events.append(Answer(worker, Done()))

    pools = {
        "deadly": lambda: Workers(lambda worker, task: "it was killed", jobs=1),
        "failing": lambda: Workers(lambda worker, task: Failed("photos/a.png: is no image")),
        "elsewhere": lambda: Elsewhere(lambda worker, task: Done()),
    }
    with pytest.raises(CnnrunError) as raised:
        on(pools[case]())
    assert str(raised.value).replace(str(tmp_path), "FOLDER") == snapshot


def test_ctrl_c(on: Extract, snapshot: SnapshotAssertion) -> None:
    def act(worker: int, task: ShareTask) -> Report | str:
        raise KeyboardInterrupt

    with pytest.raises(InterruptedRunError) as raised:
        on(Workers(act))
    assert str(raised.value) == snapshot


def test_shares_that_are_there(
    on: Extract, wanted: WantedFeatures, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    (wanted.out / "shards" / "2-of-3").mkdir(parents=True)
    with pytest.raises(CnnrunError) as raised:
        share_schedule._shares_there(wanted, resume=False)
    assert str(raised.value).replace(str(tmp_path), "FOLDER") == snapshot(name="refused")
    pool = Workers(lambda worker, task: Done())
    on(pool, resume=True)
    assert sorted(number for _, number in pool.given) == [1, 2, 3]
    (wanted.out / "shards" / "1-of-4").mkdir()
    with pytest.raises(CnnrunError) as raised:
        share_schedule._shares_there(wanted, resume=True)
    assert str(raised.value).replace(str(tmp_path), "FOLDER") == snapshot(name="two divisions")


@pytest.mark.slow
def test_nodes_that_leave_and_come_back(
    cluster: object, folder: Path, wanted: WantedFeatures, images: Images, tmp_path: Path
) -> None:
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]  # type: ignore[attr-defined]
    cluster.wait_for_nodes()  # type: ignore[attr-defined]
    done: list[ExtractionEvent] = []

    def listen(event: ExtractionEvent) -> None:
        if not isinstance(event, ImagesExtracted):
            return
        done.append(event)
        if len(done) == 1:
            cluster.remove_node(nodes.pop(), allow_graceful=False)  # type: ignore[attr-defined]
        if len(done) == 2:
            nodes.append(cluster.add_node(num_cpus=1))  # type: ignore[attr-defined]
        if len(done) == 3:
            cluster.remove_node(nodes.pop(0), allow_graceful=False)  # type: ignore[attr-defined]
            time.sleep(0.1)

    extract_on_ray(
        wanted,
        images,
        address=cluster.address,  # type: ignore[attr-defined]
        resume=False,
        listener=listen,
    )
    merge_shards(images, out=wanted.out, listener=silent)
    alone = tmp_path / "alone"
    command = [sys.executable, "-m", "cnnrun", "extract-features", str(folder / "config.yaml")]
    command += ["--data", str(folder / "photos"), "--out", str(alone), "--quiet"]
    subprocess.run(command, check=True, capture_output=True)
    files = sorted(path.name for path in alone.glob("*.npy"))
    assert files
    for name in [*files, "manifest.csv"]:
        assert (wanted.out / name).read_bytes() == (alone / name).read_bytes()
    assert not (wanted.out / "shards").exists()


def test_a_worker_that_finds_other_images(
    wanted: WantedFeatures, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    from cnnrun.ablation.execution.share_worker import _refuse_others

    share = share_schedule.WorkShare(1, 2)
    fewer = images_of_share(list_images(wanted.data), share)
    with pytest.raises(CnnrunError) as raised:
        _refuse_others(fewer, replace(wanted, out=tmp_path / "features"))
    assert str(raised.value).replace(str(tmp_path), "FOLDER") == snapshot
