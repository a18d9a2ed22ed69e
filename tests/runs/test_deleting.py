"""What is taken away, and what stays. Oracle: what each test made."""

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import RunError
from cnnrun.runs.claims import CLAIMS_FOLDER, work_folder
from cnnrun.runs.data_states import ImageRecord, record_images
from cnnrun.runs.deleting import removals, remove
from cnnrun.runs.disk_room import size_text
from cnnrun.runs.files import append_line, write_json
from cnnrun.runs.folder import RunFolder, hold
from cnnrun.runs.unbegun import create_run_into


@pytest.fixture
def experiments(make_run, tmp_path: Path) -> Path:
    """Two runs, each with images of its own, and what died processes left."""
    folder = tmp_path / "experiments"
    for seed, name in enumerate(("a", "b")):
        run = make_run(f"digits/{name}", seed=seed, accuracy=0.9)
        data = record_images(
            run,
            folder,
            state=f"{seed}" * 32,
            fingerprint={"blake3": name},
            images=lambda: [ImageRecord("1.png", "cat", "train", "", "f00d")],
        )
        write_json(run.environment_json, {"data": data})
    (folder / "digits/a/.partial-12345678-model.keras").write_bytes(bytes(500))
    with hold(create_run_into(folder / "digits/died")):
        pass
    for name in (".features", ".hashes"):
        (folder / name).mkdir()
        (folder / name / "f00d.npy").write_bytes(bytes(2000))
    return folder


def found(folder: Path, *chosen: str) -> dict[str, str]:
    chosen_runs = [folder / name for name in chosen]
    return {
        each.path.relative_to(folder).as_posix(): each.what
        for each in removals(folder, chosen_runs)
    }


def test_leftovers_are_found_and_what_is_needed_stays(
    experiments: Path, snapshot: SnapshotAssertion
) -> None:
    assert found(experiments) == snapshot(name="no run")
    assert found(experiments, "digits/a") == snapshot(name="a run")
    assert found(experiments, "digits/a", "digits/b") == snapshot(name="all runs")


def features_found(folder: Path, *chosen: str) -> list[str]:
    return [name for name in found(folder, *chosen) if ".features" in name]


def test_features_that_a_run_may_use_stay(experiments: Path) -> None:
    """A run with a bottleneck and without a log may have read any."""
    resolved = experiments / "digits/b/resolved.yaml"
    resolved.write_text(resolved.read_text() + "# stages: [{bottleneck: true}]\n")
    unfinished = ".features/.partial-12345678-f00d.npy"
    (experiments / unfinished).touch()
    assert features_found(experiments, "digits/a") == [unfinished]
    with hold(RunFolder(experiments / "digits/b")):
        assert unfinished not in found(experiments)


def test_features_that_a_run_names_stay_and_others_go(experiments: Path) -> None:
    used = {"a": "a" * 32, "b": "b" * 32}
    for name, key in used.items():
        for suffix in (".npy", ".json"):
            (experiments / ".features" / f"{key}{suffix}").touch()
        run = RunFolder(experiments / "digits" / name)
        append_line(run.log_txt, f"stage 1: it took 1.0 s, and is kept in .features/{key}.npy")
    assert features_found(experiments) == [".features/f00d.npy"]
    assert features_found(experiments, "digits/a") == [
        *(f".features/{used['a']}{suffix}" for suffix in (".json", ".npy")),
        ".features/f00d.npy",
    ]
    with hold(RunFolder(experiments / "digits/b")):
        assert features_found(experiments, "digits/a") == []


def test_what_is_shown_is_what_goes(experiments: Path) -> None:
    before = size_of(experiments)
    shown = removals(experiments, [experiments / "digits/a"])
    assert size_of(experiments) == before
    for each in shown:
        remove(each)
    assert before - size_of(experiments) == sum(each.size_bytes for each in shown)
    assert not (experiments / "digits/a").exists()
    assert (experiments / "digits/b/result.json").exists()
    assert found(experiments) == {}
    assert not (experiments / ".features").exists()


def test_a_run_that_is_worked_on_stays(
    experiments: Path, message_of, snapshot: SnapshotAssertion
) -> None:
    with hold(RunFolder(experiments / "digits/a")):
        (experiments / "digits/a/.partial-12345678-x").touch()
        assert "digits/a/.partial-12345678-x" not in found(experiments)
        with pytest.raises(RunError) as refusal:
            removals(experiments, [experiments / "digits/a"])
    assert message_of(refusal) == snapshot


def test_a_link_is_not_followed(experiments: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/.partial-12345678-photo.png").touch()
    (experiments / "link").symlink_to(tmp_path / "images", target_is_directory=True)
    assert not any(path.startswith("link") for path in found(experiments))


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (25_400_000, "25.4 MB")]
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


def size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def test_what_processes_of_other_machines_may_work_on_stays(experiments: Path) -> None:
    died = experiments / "digits" / "died"
    work = work_folder(experiments / "study" / "runs" / "0a", "node7-12-ab")
    work.parent.mkdir(parents=True)
    died.rename(work)
    assert found(experiments)["study/runs/.0a.node7-12-ab"].startswith("run that ended")
    (experiments / "study" / CLAIMS_FOLDER).mkdir()
    assert not [path for path in found(experiments) if path.startswith("study")]
