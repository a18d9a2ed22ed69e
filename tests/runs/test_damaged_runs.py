"""Run folders damaged at random: listed as damaged, and never in the way of the others."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import RunError
from cnnrun.runs.comparing import compare_runs
from cnnrun.runs.listing import list_runs
from cnnrun.runs.run_table import run_columns, runs_csv, runs_markdown

JUNK: list[Any] = [None, True, -1, 10**30, 1e308, float("nan"), "", "x" * 5000, [], [1], {}]


@pytest.fixture
def runs(make_run, tmp_path: Path) -> Path:
    """Two runs, of which the first gets damaged."""
    for seed, name in enumerate(("damaged", "sound")):
        make_run(f"digits/{name}", seed=seed, accuracy=0.9)
    return tmp_path / "experiments"


def states(folder: Path) -> dict[str, str]:
    summaries = list_runs(folder)
    columns = run_columns(summaries, cells=False)
    assert all(isinstance(column.cell(each), str) for each in summaries for column in columns)
    runs_csv(summaries)
    runs_markdown(summaries, cells=False)
    return {each.run.name: each.state for each in summaries}


@pytest.mark.parametrize(
    "interval", [[0.8], [0.8, None], [], None, 7, {"low": 0.8}, ["low", "high"]], ids=repr
)
def test_a_one_sided_interval_is_damage(
    runs: Path, interval: Any, snapshot: SnapshotAssertion
) -> None:
    file = runs / "digits/damaged/result.json"
    result = json.loads(file.read_bytes())
    result["test"]["intervals"]["accuracy"] = interval
    file.write_text(json.dumps(result))
    assert states(runs) == {"damaged": "damaged", "sound": "finished"}
    (damaged,) = [each for each in list_runs(runs) if each.run.name == "damaged"]
    assert damaged.why.replace(str(runs), "<runs>") == snapshot(name="why")
    assert [group.seeds for group in compare_runs([runs]).groups] == [(1,)]


@pytest.mark.parametrize("name", ["state.json", "result.json", "resolved.yaml", "metrics.jsonl"])
@pytest.mark.parametrize("kind", ["pipe", "/dev/zero", "folder"])
def test_what_has_no_end_is_not_read(runs: Path, name: str, kind: str) -> None:
    file = runs / "digits/damaged" / name
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        file.symlink_to(kind)
    assert states(runs)["sound"] == "finished"
    assert 1 in compare_runs([runs]).groups[-1].seeds


def test_files_changed_at_random_harm_no_other_run(runs: Path, attack) -> None:
    folder = runs / "digits/damaged"
    whole = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    for _ in attack.rounds(200):
        for name, content in whole.items():
            (folder / name).write_bytes(content)
        name = attack.random.choice(sorted(whole))
        (folder / name).write_bytes(changed(name, whole[name], attack.random))
        assert states(runs)["sound"] == "finished"
        try:
            compare_runs([folder])
        except RunError as error:
            assert str(folder.parent) in str(error)  # noqa: PT017


def changed(name: str, content: bytes, random: Any) -> bytes:
    """The file with a value of its JSON replaced, or some of its bytes."""
    if name.endswith(".json") and random.random() < 0.7:
        value = json.loads(content)
        _replace_one(value, random)
        return json.dumps(value).encode()
    changed = bytearray(content)
    for _ in range(random.choice([1, 5, 50])):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed[: random.randrange(len(changed))] if random.random() < 0.3 else changed)


def _replace_one(value: Any, random: Any) -> None:
    """Replace something within maps and lists, at any depth."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = random.choice(keys)
    inside = value[key]
    if isinstance(inside, dict | list) and inside and random.random() < 0.6:
        _replace_one(inside, random)
    else:
        value[key] = random.choice(JUNK)
