"""`cnnrun report`: what it writes where, and what it refuses."""

import shutil
from pathlib import Path

from syrupy.assertion import SnapshotAssertion

from cnnrun.cli.completion import runs_and_studies

from .conftest import Command, MakeRun

EARLIER = Path(__file__).parents[1] / "earlier_version" / "experiments" / "filters"
MARK = '<meta name="generator" content="cnnrun">'


def test_pages_of_a_run_a_study_and_several_runs(command: Command, make_run: MakeRun) -> None:
    first = make_run("digits", seed=1, accuracy=0.9).path.relative_to(Path.cwd())
    make_run("digits", seed=2, accuracy=0.8)
    shutil.copytree(EARLIER, "experiments/study")
    for arguments, written in (
        ([str(first)], f"{first}/report.html"),
        ([str(first), "--out", "pages/first.html"], "pages/first.html"),
        ([str(first), "--out", "pages/first.html"], "pages/first.html"),
        (["experiments/study"], "experiments/study/report.html"),
        (["experiments/digits"], "comparison.html"),
        (["experiments/study", "--paper", "paper"], "paper"),
    ):
        ended = command("report", *arguments)
        assert (ended.exit_code, ended.stdout, ended.stderr) == (0, f"{written}\n", "")
        if written != "paper":
            assert MARK in Path(written).read_text()
    assert Path("paper/contrasts.tex").exists()
    offered = runs_and_studies("experiments/")
    assert offered.count("experiments/study") == 1
    assert f"{first}" in offered


def test_refusals(command: Command, make_run: MakeRun, snapshot: SnapshotAssertion) -> None:
    run = str(make_run("digits", seed=1, accuracy=0.9).path.relative_to(Path.cwd()))
    Path("notes.html").write_text("<p>mine")
    Path("empty").mkdir()
    Path("begun").mkdir()
    Path("begun/plan.json").write_text('{"arms": [], "planned_seeds": [0]}')
    shutil.copytree(EARLIER, "damaged")
    Path("damaged/results.json").write_text('{"arms": 3, "metric": {}, "contrasts": [1]}')
    refused = [
        command("report", *arguments)
        for arguments in (
            [run, "--out", "notes.html"],
            [run, "--out", "empty"],
            [run, "--maps"],
            [run, "--maps", "--paper", "paper"],
            ["damaged", "--maps"],
            ["experiments/digits", "--maps"],
            [run, "--paper", "paper"],
            ["begun", "--paper", "paper"],
            ["begun", "--paper", "paper", "--out", "page.html"],
            ["damaged", "--paper", "paper"],
            ["absent"],
            [f"{run}/result.json"],
            ["empty"],
            [],
        )
    ]
    assert [each.exit_code for each in refused] == [2] * len(refused)
    assert [each.stderr for each in refused] == snapshot
    assert Path("notes.html").read_text() == "<p>mine"
    assert not Path("paper").exists()
