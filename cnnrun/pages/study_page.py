"""A study as one page, from the files of its folder: the words are report.md's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from markupsafe import Markup
from matplotlib.figure import Figure

from cnnrun.pages.cells_table import cells_tables
from cnnrun.pages.figures import svg
from cnnrun.pages.layer_figures import (
    Looks,
    distributions_figure,
    looks_at_arms,
    saturation_figure,
    signals_figure,
)
from cnnrun.pages.markdown_sections import Report, report_sections
from cnnrun.pages.render import render, render_figure
from cnnrun.pages.shown_figure import shown_figure, shown_png
from cnnrun.pages.study_figures import (
    DAMAGES,
    MOST_SLOPES,
    curves_figure,
    forest_figure,
    scatter_figure,
    sizes_figure,
    slopes_figure,
    tuning_figure,
)
from cnnrun.pages.study_folder import StudyFolder
from cnnrun.runs.files import write_text

NOTHING_DRAWN: Final[Mapping[str, Figure]] = MappingProxyType({})
_SLOPES_CAPTION: Final = (
    "Each pair of one {unit}, from the arm on the left to the one on the right; the thick line is"
    " their mean. Rising pairs are solid and orange, falling ones dashed and blue."
)
_SCATTER_CAPTION: Final = (
    "The arms against each other: the mean over {unit}s and one standard deviation to either side,"
    " over what an arm costs"
)


def write_study_page(folder: Path, *, drawn: Mapping[str, Figure] = NOTHING_DRAWN) -> Path:
    """The study's report.html, written anew.

    Args:
        folder: the study's folder.
        drawn: figures of its results, by their files in `plots/`, which are not drawn again.

    Raises:
        StorageError: it cannot be written.
    """
    study = StudyFolder(folder)
    write_text(study.report_html, study_page(study, beside=True, drawn=drawn))
    return study.report_html


def study_page(
    study: StudyFolder, *, beside: bool, drawn: Mapping[str, Figure] = NOTHING_DRAWN
) -> str:
    """A study as an HTML page, finished or not.

    Args:
        study: its folder.
        beside: whether the page is going to stand in it, so that it can lead to the runs.
        drawn: figures that are not drawn again.
    """
    text, plan, results = study.report(), study.plan(), study.results()
    damage = [
        f"{name} cannot be read: what it says is missing here."
        for name, content in (("plan.json", plan), ("results.json", results))
        if content is None and text is not None
    ]
    figures = _Figures(study, results, plan or {}, drawn)
    report = Report("", ()) if text is None else report_sections(text, image=figures.html)
    return render(
        "study.html",
        {
            "name": study.name,
            "title": report.title or study.name,
            "sections": report.sections,
            "is_finished": text is not None,
            "progress": _progress(study, plan or {}),
            "damage": damage,
            "kind": _kind(plan or {}),
            "tables": cells_tables(study, figures.cells, results, beside=beside),
        },
    )


@dataclass(frozen=True)
class _Figures:
    """What stands for the figures of a report: drawn anew, or else the picture in `plots/`."""

    study: StudyFolder
    results: Mapping[str, Any] | None
    plan: Mapping[str, Any]
    drawn: Mapping[str, Figure]

    @property
    def unit(self) -> str:
        """What is repeated."""
        repeat = self.plan.get("repeat")
        return "fold" if isinstance(repeat, dict) and "folds" in repeat else "seed"

    @cached_property
    def cells(self) -> tuple[Mapping[str, str], ...]:
        return self.study.cells()

    def html(self, file: str, caption: str) -> Markup:
        """A figure of the report, and those that go with it."""
        draws = self._draws(caption).get(file, [])
        own = [self.drawn[file]] if draws and file in self.drawn else []
        figures = own + [self._drawn(draw) for draw, _ in draws[len(own) :]]
        shown = [
            (figure, words.format(unit=self.unit))
            for figure, (_, words) in zip(figures, draws, strict=True)
        ]
        there = [
            shown_figure(svg(figure), alt=words, caption=words)
            for figure, words in shown
            if figure is not None
        ]
        picture = None if there else shown_png(self.study.plots / file, caption=caption)
        there += [] if picture is None else [picture]
        return Markup("").join(map(render_figure, there))

    def _draws(self, caption: str) -> dict[str, list[tuple[Callable[[Any], Figure | None], str]]]:
        """The figures that stand for a file of `plots/`, its own first, with their captions."""
        words = caption.replace("{", "{{").replace("}", "}}")
        curves = partial(curves_figure, self.study, cells=self.cells)
        scatter = partial(scatter_figure, cells=self.cells)
        return {
            "contrasts.png": [
                (partial(forest_figure, unit=self.unit), words),
                (slopes_figure, f"{_SLOPES_CAPTION}{self._left_out()}"),
            ],
            "learning_curves.png": [(curves, words), (scatter, _SCATTER_CAPTION)],
            "training_sizes.png": [(sizes_figure, words)],
            "layers.png": [(partial(self._of_looks, signals_figure), words)],
            "saturation.png": [(partial(self._of_looks, saturation_figure), words)],
            "distributions.png": [(partial(self._of_looks, distributions_figure), words)],
            "tuning.png": [(partial(tuning_figure, is_logarithmic=self._is_logarithmic()), words)],
        }

    def _of_looks(self, draw: Callable[[Looks], Figure | None], _: Any) -> Figure | None:
        return draw(self._looks)

    @cached_property
    def _looks(self) -> Looks:
        arms = [arm["name"] for arm in (self.results or {})["arms"]]
        return looks_at_arms(self.study, arms, self.cells)

    def _drawn(self, draw: Callable[[Any], Figure | None]) -> Figure | None:
        """None where results.json lacks what it takes, as a damaged one may."""
        try:
            return None if self.results is None else draw(self.results)
        except DAMAGES:
            return None

    def _is_logarithmic(self) -> bool:
        tune = self.plan.get("tune")
        return isinstance(tune, dict) and tune.get("scale") == "log"

    def _left_out(self) -> str:
        contrasts = (self.results or {}).get("contrasts")
        number = len(contrasts) if isinstance(contrasts, list) else 0
        return f" The first {MOST_SLOPES} contrasts." if number > MOST_SLOPES else ""


def _kind(plan: Mapping[str, Any]) -> str:
    """What a folder holds."""
    return next((name for name in ("search", "folds") if name in plan), "study")


def _progress(study: StudyFolder, plan: Mapping[str, Any]) -> str:
    """How much of a study is done that has no report yet."""
    arms, seeds = plan.get("arms"), plan.get("planned_seeds")
    cells = len(arms) * len(seeds) if isinstance(arms, list) and isinstance(seeds, list) else 0
    of = f" of the {cells} cells that it compares" if cells else ""
    return f"{study.cells_done()} trainings are done{of}; the same `cnnrun ablate` goes on with it."
