"""`cnnrun runs` and `cnnrun compare` print what the run folders say, in every form."""

import csv
import io
import json

import pytest
from syrupy.assertion import SnapshotAssertion

FORMS = ("table", "--csv", "--markdown", "--json")


@pytest.fixture
def three_runs(make_run) -> None:
    make_run("digits", seed=0, accuracy=0.96)
    make_run("digits", seed=1, accuracy=0.98)
    make_run("wider", seed=0, accuracy=0.97, filters=64)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("three_runs")
def test_runs(form: str, command, snapshot: SnapshotAssertion) -> None:
    ended = command("runs", *([form] if form != "table" else []))
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == snapshot


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.usefixtures("three_runs")
def test_compare(form: str, command, snapshot: SnapshotAssertion) -> None:
    ended = command("compare", "experiments", *([form] if form != "table" else []))
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == snapshot


@pytest.mark.usefixtures("three_runs")
def test_numbers_are_whole_in_json_and_csv(command) -> None:
    document = json.loads(command("runs", "--json").stdout)
    assert [run["parameters"] for run in document["runs"]] == [138_357_544] * 3
    rows = list(csv.DictReader(io.StringIO(command("runs", "--csv").stdout)))
    assert [float(row["accuracy"]) for row in rows] == [0.96, 0.97, 0.98]


@pytest.mark.parametrize("columns", [80, 60, 200])
@pytest.mark.usefixtures("three_runs")
def test_tables_keep_to_the_terminal(columns: int, command, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for arguments in (["runs"], ["compare", "experiments"]):
        printed = command(*arguments).stdout
        assert max(map(len, printed.splitlines())) <= columns


def test_a_folder_without_runs_says_so(command, tmp_path, snapshot: SnapshotAssertion) -> None:
    (tmp_path / "experiments").mkdir()
    ended = command("runs")
    assert ended.exit_code == 0
    assert ended.stdout == snapshot
    assert json.loads(command("runs", "--json").stdout) == {"runs": []}


def test_one_form_at_a_time(command) -> None:
    ended = command("runs", "--csv", "--json")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "--json: must be the only form that is asked for, received --csv as well" in ended.stderr


@pytest.mark.usefixtures("three_runs")
def test_a_list_that_leaves_runs_out_says_so(
    command, tmp_path, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "experiments" / "digits" / "plan.json").write_text("{}")
    ended = command("runs")
    assert ended.stderr == snapshot
    assert command("runs", "--quiet").stderr == ""
    assert "digits" not in ended.stdout
    assert "seed1" in command("runs", "--cells").stdout
    assert command("runs", "--state", "failed").stdout == "no run is as asked for\n"


def test_a_date_that_is_none(command, snapshot: SnapshotAssertion) -> None:
    ended = command("runs", "--since", "yesterday")
    assert ended.exit_code == 2
    assert ended.stderr == snapshot


@pytest.mark.usefixtures("three_runs")
def test_runs_are_taken_away_only_if_told_so(
    command, tmp_path, snapshot: SnapshotAssertion
) -> None:
    """Shown with their sizes first; the options that select runs hold here, too."""
    shown = command("runs", "experiments/digits", "--delete")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "Nothing was taken away" in shown.stdout
    assert len(list((tmp_path / "experiments/digits").iterdir())) == 2
    none = command("runs", "--state", "failed", "--delete", "--yes")
    assert none.stdout == snapshot(name="none")
    done = json.loads(command("runs", "experiments/digits", "--delete", "--yes", "--json").stdout)
    assert (len(done["removals"]), done["removed"]) == (2, True)
    assert list((tmp_path / "experiments/digits").iterdir()) == []
    assert len(list((tmp_path / "experiments/wider").iterdir())) == 1
    alone = command("runs", "--yes")
    assert (alone.exit_code, alone.stderr) == (2, snapshot)


def test_names_command_no_terminal(make_run, command, tmp_path) -> None:
    """Oracle: the characters that terminals obey are written out, and tables stay tables."""
    run = make_run("digits", seed=0, accuracy=0.96)
    run.path.rename(run.path.with_name("=1+\x1b[31mred\x07"))
    for arguments in (["runs"], ["runs", "--json"], ["compare", "experiments"]):
        printed = command(*arguments).stdout
        assert "\x1b[31m" not in printed
        assert "\x07" not in printed
    assert r"\x1b[31mred\x07" in command("runs").stdout
