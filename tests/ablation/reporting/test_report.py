"""What a study's folder says in the end, by cells whose numbers are chosen."""

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.analysis.arm_results import spread_of_finite
from cnnrun.ablation.analysis.results import StudyResults, study_results
from cnnrun.ablation.analysis.verdicts import Finding
from cnnrun.ablation.planning.plan import StudyPlan
from cnnrun.ablation.reporting.report import report_text, write_report
from cnnrun.ablation.reporting.sentences import sentence
from cnnrun.ablation.reporting.tables import arm_columns, spread_cell
from cnnrun.pages.study_page import write_study_page
from cnnrun.runs.spread import Spread

from ..conftest import SPELLED_OUT, PlanStudy, WriteStudy, complaint
from ..outcomes import outcomes_of, with_effects

STUDY = """\
question: Where should batch normalization stand?
claim: After ReLU.
factors:
  position:
    path: model.blocks.batch_norm.position
    values: [none, before_activation, after_activation]
    in_layer_lists: move_batch_norm
contrasts:
  - {name: before against none, of: {position: before_activation}, against: {position: none}}
  - {name: after against none, of: {position: after_activation}, against: {position: none}}
  - name: after against before
    of: {position: after_activation}
    against: {position: before_activation}
metric: {name: test_loss, margin: 0.02}
target: {metric: val_accuracy, value: 0.8}
"""
EFFECTS = {"none": 0.1, "before_activation": 0.0, "after_activation": 0.001}
FOLDER = Path("experiments/study")


@pytest.fixture
def report(plan: PlanStudy, write_study: WriteStudy) -> Callable[..., StudyResults]:
    """Writes the report of a study whose cells came out as `effects` say."""

    def written(
        text: str = STUDY,
        *,
        effects: dict[str, float] = EFFECTS,
        config: dict[str, str] | None = None,
        change: Callable[[StudyPlan], StudyPlan] = lambda plan: plan,
        **options: Any,
    ) -> StudyResults:
        planned = change(plan(text, **(config or {})).plan)
        outcomes = outcomes_of(planned, with_effects(effects), FOLDER, **options)
        results = study_results(planned, write_study(text), outcomes)
        write_report(FOLDER, results, outcomes)
        return results

    return written


def verdicts(results: StudyResults) -> list[str]:
    return [finding.verdict for finding in results.findings]


def text_of_report() -> str:
    return (FOLDER / "report.md").read_text(encoding="utf-8")


def test_the_report(report: Callable[..., StudyResults], snapshot: SnapshotAssertion) -> None:
    results = report()
    assert verdicts(results) == ["better", "better", "equivalent"]
    assert text_of_report() == snapshot
    written = json.loads((FOLDER / "results.json").read_bytes())
    assert written["contrasts"][0] == snapshot
    assert written["selected"] == {"arm": "before_activation", "of_arms": 3}
    assert list(written["arms"][0]["measures"]) == [
        "epochs",
        "epochs_to_target",
        "generalization_gap",
        "test_accuracy",
        "test_accuracy_recomputed",
        "test_loss",
        "test_loss_recomputed",
        "training_loss",
        "updates",
        "val_loss_area",
    ]
    assert sorted(path.name for path in (FOLDER / "plots").iterdir()) == [
        "contrasts.png",
        "learning_curves.png",
    ]


WORDS = {
    "a metric that is no mean over images": (
        STUDY.replace("{name: test_loss, margin: 0.02}", "val_loss_area"),
        {},
    ),
    "splits that the data give": (STUDY + "resplit: true\n", {}),
    "a look before the last": (STUDY + "looks: [10, 14]\n", {"none": 0.0}),
    "folds": (STUDY + "repeat: {folds: 4, times: 2}\n", {}),
}


@pytest.mark.parametrize(("text", "effects"), WORDS.values(), ids=WORDS)
def test_words_say_for_what_a_verdict_holds(
    report: Callable[..., StudyResults],
    text: str,
    effects: dict[str, float],
    snapshot: SnapshotAssertion,
) -> None:
    results = report(text, effects=EFFECTS | effects)
    assert results.warnings == snapshot(name="warnings")
    answer, _, rest = text_of_report().partition("## Contrasts")
    assert answer == snapshot(name="answer")
    assert rest.partition("## Arms")[0] == snapshot(name="contrasts")


def test_several_labels_are_told_by_their_own_numbers(
    report: Callable[..., StudyResults], snapshot: SnapshotAssertion
) -> None:
    results = report()
    arms = tuple(
        replace(each, measures={**each.measures, "test_mean_average_precision": {0: 0.9, 1: 0.8}})
        for each in results.arms
    )
    images = replace(results.images, is_derived=True)
    of_labels = replace(results, arms=arms, images=images)
    assert "test_mean_average_precision" in arm_columns(of_labels)
    assert "test_accuracy" not in arm_columns(of_labels)
    (words,) = [line for line in report_text(of_labels, []).split(". ") if "jackknife" in line]
    assert words == snapshot


def test_where_other_images_could_say_otherwise(
    report: Callable[..., StudyResults], snapshot: SnapshotAssertion
) -> None:
    # Three images of one arm carry what it loses by.
    results = report(effects=EFFECTS | {"after_activation": 0.03}, heavy=("after_activation",))
    words = [sentence(finding, results) for finding in results.findings]
    assert verdicts(results)[2] == "these images only"
    assert words[2] == snapshot


def test_what_went_wrong_is_said(
    report: Callable[..., StudyResults], snapshot: SnapshotAssertion
) -> None:
    results = report(
        failed=frozenset({("before_activation", 4)}),
        diverged=frozenset({("none", 5), ("none", 6)}),
        lagging=frozenset({"after_activation"}),
        processors=("EPYC", "Xeon"),
    )
    assert results.warnings == snapshot
    assert text_of_report() == snapshot
    pairs = {finding.contrast.name: finding.evidence.seeds for finding in results.findings}
    assert pairs["before against none"] == (3, 7, 8, 9)
    assert pairs["after against none"] == (3, 4, 7, 8, 9)


def test_seeds_that_were_added_withdraw_the_claims(
    report: Callable[..., StudyResults], snapshot: SnapshotAssertion
) -> None:
    results = report(change=lambda plan: replace(plan, added_seeds=plan.seeds[-2:]))
    assert verdicts(results) == ["not tested"] * 3
    assert results.warnings == snapshot
    assert "seed 9 +" in text_of_report()
    one = report(change=lambda plan: replace(plan, added_seeds=plan.seeds[-1:]))
    assert one.warnings == snapshot
    assert json.loads((FOLDER / "results.json").read_bytes())["added_seeds"] == [9]


def test_a_study_whose_cells_all_failed_still_has_a_report(
    report: Callable[..., StudyResults],
) -> None:
    everything = frozenset((arm, seed) for arm in EFFECTS for seed in range(20))
    results = report(failed=everything)
    assert results.best is None
    assert verdicts(results) == ["not tested"] * 3
    # One reason, one sentence.
    assert len(results.warnings) == 1


def test_moved_layers_are_shown_as_a_difference(
    report: Callable[..., StudyResults], snapshot: SnapshotAssertion
) -> None:
    report(config={"config": SPELLED_OUT})
    assert text_of_report().partition("## What the arms are")[2] == snapshot


def test_the_results_do_not_depend_on_how_and_when_the_cells_ran(
    plan: PlanStudy, write_study: WriteStudy
) -> None:
    planned = plan(STUDY).plan
    outcomes = outcomes_of(planned, with_effects(EFFECTS), FOLDER)
    again = [
        replace(each, is_reused=True, seconds={"total": 99.0}, processor="Xeon")
        for each in reversed(outcomes)
    ]
    texts = []
    for cells in (outcomes, again):
        write_report(FOLDER, study_results(planned, write_study(STUDY), cells), cells)
        texts.append((FOLDER / "results.json").read_bytes())
    assert texts[0] == texts[1]


def test_what_the_cells_recorded_is_drawn(report: Callable[..., StudyResults]) -> None:
    entry = {"mean": 0, "std": 1, "saturated": 0, "dead": 0, "low": -1, "high": 1, "counts": [1]}
    look = {"epoch": 0, "activations": {"relu": entry}, "gradient_norms": {"conv": 1.0}}
    for number in range(21):
        (FOLDER / "runs" / f"{number:04}").mkdir(parents=True)
        (FOLDER / "runs" / f"{number:04}" / "diagnostics.jsonl").write_text(json.dumps(look) + "\n")
    report()
    for name in ("layers.png", "saturation.png", "distributions.png"):
        assert (FOLDER / "plots" / name).exists()
        assert f"(plots/{name})" in text_of_report()
    # The page shows the figures that were just drawn; another time it draws them from the files.
    page = (FOLDER / "report.html").read_bytes()
    assert page.count(b"data:image/svg+xml") == 7
    assert write_study_page(FOLDER).read_bytes() == page


def test_figures_are_drawn_again_where_the_numbers_are_others(
    report: Callable[..., StudyResults],
) -> None:
    def drawn() -> list[int]:
        return [path.stat().st_ino for path in sorted((FOLDER / "plots").iterdir())]

    report()
    first = drawn()
    report()
    assert drawn() == first
    (FOLDER / "plots" / "contrasts.png").unlink()
    report()
    assert drawn()[1] == first[1]
    report(effects=EFFECTS | {"none": 0.2})
    assert drawn()[1] != first[1]


def test_cells_csv_has_a_row_a_cell(report: Callable[..., StudyResults]) -> None:
    report(failed=frozenset({("none", 3)}))
    with (FOLDER / "cells.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 21
    first, second, *_ = rows
    assert (first["position"], first["state"], first["test_loss"]) == ("none", "failed", "")
    assert (second["arm"], second["seed"], second["epochs_to_target"]) == (
        "before_activation",
        "3",
        "4.0",
    )
    assert float(second["test_loss"]) == pytest.approx(1 - 1 + 0.1, abs=0.05)


def test_numbers_of_the_report_are_those_of_numpy(report: Callable[..., StudyResults]) -> None:
    results = report()
    finding: Finding = results.findings[0]
    none, before, _ = results.arms
    losses = [np.array(list(arm.measures["test_loss"].values())) for arm in (none, before)]
    assert finding.evidence.differences == pytest.approx(losses[1] - losses[0])
    assert none.spread("test_loss").mean == pytest.approx(losses[0].mean())
    assert none.spread("test_loss").deviation == pytest.approx(losses[0].std(ddof=1))


def test_a_metric_that_no_cell_has(
    plan: PlanStudy, write_study: WriteStudy, snapshot: SnapshotAssertion
) -> None:
    planned = plan(STUDY).plan
    outcomes = outcomes_of(planned, with_effects(EFFECTS), FOLDER)
    study = write_study(STUDY.replace("test_loss", "test_top2"))
    assert complaint(lambda: study_results(planned, study, outcomes)) == snapshot


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.0312, 0.0298, 0.0344), "0.0318 ± 0.0024"),
        ((0.9812, 0.9911), "0.9861 ± 0.0070"),
        ((123.4, 99.1), "111 ± 17"),
        ((0.25, 0.25), "0.25000 ± 0.00000"),
        ((0.5,), "0.5"),
        ((math.nan, 0.5), "0.5"),
        ((0.0, 0.0), "0.0 ± 0.0"),
    ],
)
def test_means_have_the_digits_that_mean_something(numbers: tuple[float, ...], text: str) -> None:
    assert spread_cell(spread_of_finite(numbers)) == text


def test_no_numbers_have_no_mean() -> None:
    assert spread_of_finite([math.nan]) is None
    assert spread_cell(None) == ""
    assert spread_cell(Spread(1.0, None)) == "1"
