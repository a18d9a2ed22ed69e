"""The same cells on a real Ray cluster of two nodes, one of which is killed in the middle."""

import signal
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.execution import ray_pool
from cnnrun.ablation.execution.cell_records import CellOutcome
from cnnrun.ablation.execution.run_cells import mixed_processors, run_cells
from cnnrun.ablation.execution.schedule import CellDone, CellsBegin, StudyEvent
from cnnrun.ablation.execution.workers import Workers
from cnnrun.ablation.planning.plan import Cell
from cnnrun.config.load import load_config
from cnnrun.errors import StudyError
from cnnrun.runs.events import Note

SEEDS = 4


class Listener:
    """Calls a function when the first cell of so many is done."""

    def __init__(self, *, after: int, do: object) -> None:
        self.after = after
        self.do = do
        self.outcomes: list[CellOutcome] = []
        self.jobs = 0

    def __call__(self, event: StudyEvent) -> None:
        match event:
            case Note():
                raise AssertionError(event.text)
            case CellsBegin():
                self.jobs = event.jobs
            case CellDone():
                self.outcomes.append(event.outcome)
                if len(self.outcomes) == self.after:
                    self.do()  # type: ignore[operator]


@pytest.fixture
def cells(tmp_path: Path) -> tuple[Cell, ...]:
    generator = np.random.default_rng(0)
    for label, name in enumerate(("dark", "light")):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(20):
            pixels = generator.normal(60 + 120 * label, 40, size=(6, 6)).clip(0, 255)
            image = Image.fromarray(pixels.astype(np.uint8))
            image.save(tmp_path / "images" / name / f"{number:02d}.png")
    sections = {
        "data": {"directory": "images", "image_size": [6, 6], "color_mode": "grayscale"},
        "model": {"layers": ["Flatten", {"Dropout": {"rate": 0.2}}, "classifier"]},
        "train": {"epochs": 40, "batch_size": 8, "threads": 1},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(sections))
    config = load_config(tmp_path / "config.yaml")
    return tuple(
        Cell("arm", seed, replace(config, seed=seed), diagnostics=False, target=None)
        for seed in range(SEEDS)
    )


@pytest.mark.slow
def test_a_cluster_without_a_core(
    cells: tuple[Cell, ...], cluster: object, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    with pytest.raises(StudyError) as error:
        run_on_ray(cells, tmp_path, cluster.address)  # type: ignore[attr-defined]
    assert str(error.value) == snapshot


@pytest.mark.slow
def test_a_study_outlives_a_node(cells: tuple[Cell, ...], cluster: object, tmp_path: Path) -> None:
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]  # type: ignore[attr-defined]
    cluster.wait_for_nodes()  # type: ignore[attr-defined]

    def kill_a_node() -> None:
        cluster.remove_node(nodes[1], allow_graceful=False)  # type: ignore[attr-defined]

    before = signal.getsignal(signal.SIGTERM)
    listener = Listener(after=1, do=kill_a_node)
    outcomes = run_cells(
        cells,
        folder=tmp_path / "on-ray",
        workers=on_ray(cluster.address),  # type: ignore[attr-defined]
        listener=listener,
    )
    assert listener.jobs == 2
    assert signal.getsignal(signal.SIGTERM) == before
    assert [outcome.state for outcome in outcomes] == ["finished"] * SEEDS
    here = run_cells(
        cells,
        folder=tmp_path / "here",
        workers=Workers(executor="local", jobs=1, address=None, with_git=True),
        listener=Listener(after=0, do=None),
    )
    for there, local in zip(outcomes, here, strict=True):
        assert there.values == local.values
        files = [outcome.folder / "predictions.csv" for outcome in (there, local)]
        assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("scheme", ["", "ray://"])
@pytest.mark.parametrize("server", ["none", "silent", "other"])
def test_an_address_without_a_cluster(
    cells: tuple[Cell, ...],
    tmp_path: Path,
    server: str,
    scheme: str,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setattr(ray_pool, "_REACH_S", 0.5)

    def answer() -> None:
        connection, _ = bound.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            connection.recv(100)

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        place = f"{scheme}127.0.0.1:{bound.getsockname()[1]}"
        if server != "none":
            bound.listen()
        if server == "other":
            threading.Thread(target=answer, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(StudyError) as error:
            run_on_ray(cells, tmp_path, place)
    assert time.monotonic() - began < 10
    assert str(error.value).replace(place, f"{scheme}127.0.0.1:PORT") == snapshot


def test_ray_that_is_not_installed(
    cells: tuple[Cell, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(ray_pool, "import_module", absent)
    with pytest.raises(StudyError) as error:
        run_on_ray(cells, tmp_path, None)
    assert str(error.value) == snapshot


def test_ray_that_does_not_start(
    cells: tuple[Cell, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    def start(**_: object) -> None:
        raise RuntimeError("no port\n  is free")

    monkeypatch.setattr(ray_pool, "import_module", lambda _: SimpleNamespace(init=start))
    with pytest.raises(StudyError) as error:
        run_on_ray(cells, tmp_path, None)
    assert str(error.value) == snapshot


def test_several_types_of_processor_are_warned_of(snapshot: SnapshotAssertion) -> None:
    assert mixed_processors(["AMD EPYC 9B14", "Intel Xeon 8481C"]) == snapshot


def on_ray(address: str | None) -> Workers:
    return Workers(executor="ray", jobs=None, address=address, with_git=True)


def run_on_ray(cells: Sequence[Cell], folder: Path, address: str | None) -> None:
    run_cells(
        cells,
        folder=folder / "study",
        workers=on_ray(address),
        listener=Listener(after=0, do=None),
    )
