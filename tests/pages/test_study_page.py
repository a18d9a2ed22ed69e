"""A study as a page. Oracles: its report.md and cells.csv, html.parser."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnrun.pages.study_folder import StudyFolder
from cnnrun.pages.study_page import study_page, write_study_page
from cnnrun.runs.files import write_text

from .page import Page

MakeStudy = Callable[..., StudyFolder]
EARLIER = Path(__file__).parents[1] / "earlier_version" / "experiments" / "filters"
HOSTILE = "<script>alert(1)</script>"


def test_the_page_says_what_the_report_says(make_study: MakeStudy) -> None:
    page = Page(study_page(make_study(), beside=True))
    assert page.tags.count("h1") == 1
    assert "order: Where should it stand?" in page.text
    assert "Said elsewhere: before, *always*." in page.text
    assert "before against none: undecided" in page.text
    # Forest and pairs, curves and scatter; the report's own captions once.
    assert page.tags.count("img") == 4
    assert page.text.count("The contrasts with their intervals") == 1
    assert "runs/0003/" in page.references


def test_a_study_of_0_1_0_has_a_page() -> None:
    page = Page(study_page(StudyFolder(EARLIER), beside=True))
    assert "two against one: undecided" in page.text
    assert page.tags.count("img") == 4


def test_a_forwarded_page_leads_nowhere(make_study: MakeStudy) -> None:
    page = Page(study_page(make_study(), beside=False))
    assert not [each for each in page.references if each.startswith("runs/")]


def test_names_of_arms_are_text(make_study: MakeStudy) -> None:
    arms = (HOSTILE, "![x](http://example.org/x.png)", "[a](javascript:alert(1))", "<b>|_c_")
    page = Page(study_page(make_study(arms), beside=True))
    assert page.tags.count("script") == 1
    assert page.text.count(HOSTILE) >= 3
    assert {each.partition(":")[0] for each in page.references if ":" in each} == {"data"}
    assert "style" not in page.attributes


def test_fifty_arms_fit_and_the_same_study_gives_the_same_bytes(
    make_study: MakeStudy, tmp_path: Path
) -> None:
    study = make_study(tuple(f"arm number {number}" for number in range(50)), seeds=2)
    first = write_study_page(study.path).read_bytes()
    assert len(first) < 3_000_000
    assert b"The first 12 contrasts." in first
    moved = shutil.copytree(study.path, tmp_path / "elsewhere" / "order")
    assert write_study_page(moved).read_bytes() == first


def test_a_study_without_a_report_says_how_far_it_is(make_study: MakeStudy) -> None:
    study = make_study()
    (study.path / "report.md").unlink()
    write_text(study.run("0001") / "cell.json", "{}")
    assert ("There is no report yet. 1 trainings are done of the 8 cells that it compares") in Page(
        study_page(study, beside=True)
    ).text


@pytest.mark.parametrize("name", ["plan.json", "results.json", "cells.csv", "report.md"])
@pytest.mark.parametrize("content", ["", "{}"])
def test_whatever_is_damaged_the_rest_is_shown(
    make_study: MakeStudy, name: str, content: str
) -> None:
    study = make_study()
    write_text(study.path / name, content)
    page = Page(study_page(study, beside=True))
    assert page.tags.count("h1") == 1
    assert ("undecided" in page.text) == (name != "report.md")


def test_a_picture_in_plots_stands_where_nothing_can_be_drawn(make_study: MakeStudy) -> None:
    study = make_study()
    report = (study.path / "report.md").read_text() + "\n![Layers](plots/layers.png)\n"
    write_text(study.path / "report.md", report)
    study.plots.mkdir()
    photograph = Path(__file__).parents[2] / ".pictures" / "bn_order_contrasts.png"
    shutil.copyfile(photograph, study.plots / "layers.png")
    page = Page(study_page(study, beside=True))
    assert sum(each.startswith("data:image/png") for each in page.references) == 1


def test_a_page_is_made_without_tensorflow_or_scipy(make_study: MakeStudy) -> None:
    study = make_study()
    script = (
        "import sys; from pathlib import Path\n"
        "from cnnrun.pages.study_page import write_study_page\n"
        f"write_study_page(Path({str(study.path)!r}))\n"
        "print([name for name in ('tensorflow', 'keras', 'scipy') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("[]\n", "")


def test_a_search_shows_its_trials_and_what_confirmed_the_best(make_study: MakeStudy) -> None:
    study = make_study()
    plan, results = (study.path / name for name in ("plan.json", "results.json"))
    write_text(results, f'{{"confirmation": {results.read_text()}}}')
    write_text(plan, '{"search": "rates"}')
    rows = "arm,trial,rate,state,val_loss,run\ntrial 7: rate 0.1,7,0.1,finished,0.25,0001\n"
    write_text(study.path / "trials.csv", rows)
    page = Page(study_page(study, beside=True))
    assert "a search of cnnrun" in page.text
    assert "trial 7: rate 0.1 7 0.1 finished 0.25" in page.text
    assert page.references.count("runs/0001/") == 2
    assert page.tags.count("img") == 4
