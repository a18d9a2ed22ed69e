"""What a paper gets of a study. Oracles: hashlib, and the study's own files."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cnnrun.pages.latex import latex_table, latex_text
from cnnrun.pages.paper import write_paper
from cnnrun.pages.study_folder import StudyFolder
from cnnrun.runs.files import write_text

MakeStudy = Callable[..., StudyFolder]


def test_tables_have_a_column_a_factor(make_study: MakeStudy, tmp_path: Path) -> None:
    study = make_study()
    os.utime(study.path / "plan.json", (1_767_225_600, 1_767_225_600))
    folder = write_paper(study, tmp_path / "paper")
    assert (folder / "arms.md").read_text().splitlines()[0].split() == [
        *("|", "position", "|", "seeds", "|", "test_loss", "|")
    ]
    assert "level 1 & 4 & 0.300 $\\pm$ 0.010" in (folder / "arms.tex").read_text()
    figures = {each.name for each in (folder / "figures").iterdir()}
    names = ("contrasts", "pairs", "learning_curves", "arms")
    assert figures == {f"{name}.{form}" for name in names for form in ("svg", "pdf")}
    digest = hashlib.sha256((study.path / "plan.json").read_bytes()).hexdigest()
    for name in ("methods.md", "methods.tex"):
        text = (folder / name).read_text()
        assert "The mean difference in test" in text
        assert digest in text
        assert "2026-01-01 at 00:00:00 UTC" in text
    for name in ("cells.csv", "plan.json"):
        assert (folder / name).read_bytes() == (study.path / name).read_bytes()


def test_a_search_has_the_paper_of_its_confirmation(make_study: MakeStudy, tmp_path: Path) -> None:
    study = make_study()
    results = study.path / "results.json"
    write_text(results, f'{{"confirmation": {results.read_text()}}}')
    assert (write_paper(study, tmp_path / "paper") / "figures" / "contrasts.pdf").exists()


def test_the_same_study_gives_the_same_files(make_study: MakeStudy, tmp_path: Path) -> None:
    study = make_study()
    one, other = (write_paper(study, tmp_path / name) for name in ("one", "other"))
    for path in one.rglob("*.*"):
        assert path.read_bytes() == (other / path.relative_to(one)).read_bytes()


@given(st.text())
def test_no_text_is_a_command_of_latex(text: str) -> None:
    made = latex_text(text)
    for harmless in (r"\textbackslash{}", r"\textasciitilde{}", r"\textasciicircum{}"):
        made = made.replace(harmless, "")
    for harmless in (r"\textless{}", r"\textgreater{}", r"\textbar{}", r"\textquotedbl{}"):
        made = made.replace(harmless, "")
    for harmless in (r"$\pm$", r"$\neq$", r"\dots{}", *(rf"\{letter}" for letter in "{}$&#_%")):
        made = made.replace(harmless, "")
    assert not set(made) & set("\\{}$&#_%~^")


def test_numbers_are_set_to_the_right() -> None:
    rows = [("a", "1,234", "0.5 ± 0.1", "1 to 2"), ("b", "", "-3e-05", "none")]
    assert r"\begin{tabular}{lrrl}" in latex_table(("x", "n", "mean", "interval"), rows)
