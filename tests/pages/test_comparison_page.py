"""Runs side by side as a page. Oracle: the runs' own predictions.csv."""

import csv
from collections.abc import Callable

from cnnrun.pages.comparison_page import ComparedWords, comparison_page
from cnnrun.runs.comparing import compare_runs
from cnnrun.runs.files import write_text
from cnnrun.runs.folder import RunFolder

from .page import Page

MakeRun = Callable[..., RunFolder]
HOSTILE = "<script>alert(1)</script>"


def worse_on(run: RunFolder, path: str) -> None:
    """Takes an image that the run has right for another class."""
    with run.predictions_csv.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    (row,) = (each for each in rows if each[0] == path)
    assert row[1] == row[2]
    row[2] = next(name for name in {each[1] for each in rows} if name != row[1])
    text = "\n".join(",".join(each) for each in [header, *rows])
    write_text(run.predictions_csv, f"{text}\n")


def test_where_configs_differ_and_which_images_are_disputed(make_run: MakeRun) -> None:
    names = ("cat", HOSTILE)
    one, other = make_run("one", classes=names), make_run("other", classes=names)
    changed = other.resolved_yaml.read_text().replace("epochs: 2", "epochs: 7")
    write_text(other.resolved_yaml, changed)
    worse_on(other, f"{HOSTILE}/0003.png")
    comparison = compare_runs([one.path, other.path])
    rows = (("accuracy", "-0.02", "-0.1 to 0.06", "1.000"),)
    columns = ("measure", "difference", "95 % interval", "p")
    words = ComparedWords(2, ("group 2 less group 1",), columns, rows)
    text = comparison_page(comparison, [words], ["group 3: why"])
    page = Page(text)
    assert "train.epochs 2 7" in page.text
    assert "one alone is right on 1 test images" in page.text
    assert f"{HOSTILE}/0003.png is {HOSTILE}" in page.text
    assert "group 3: why" in page.text
    assert page.tags.count("script") == 1
    # The curves, and the picture that the first run left of a mistake or the second of its own.
    assert page.tags.count("img") == 2
    assert comparison_page(comparison, [words], ["group 3: why"]) == text


def test_runs_of_one_config_are_a_group(make_run: MakeRun) -> None:
    run = make_run()
    page = Page(comparison_page(compare_runs([run.path]), [], []))
    assert "pets: 1 runs" in page.text
