"""plan.json fixes what was planned; what comes later is marked, and another study is refused."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.planning.make_plan import plan_study
from cnnrun.ablation.planning.plan import StudyPlan
from cnnrun.ablation.planning.plan_file import continued_plan, write_plan
from cnnrun.ablation.studies.study import load_study
from cnnrun.errors import StudyError

from ..conftest import BLOCKS, STUDY, complaint

FOLDER = Path("experiments/study")
PLAN = FOLDER / "plan.json"
Begin = Callable[..., StudyPlan]


@pytest.fixture
def begin(folder: Path) -> Begin:
    """Plans a study in its folder, and starts it there."""

    def begun(text: str = STUDY, *, name: str = "study", seeds: int | None = None, **options: Any):
        Path("config.yaml").write_text(BLOCKS, encoding="utf-8")
        Path("study.yaml").write_text(text, encoding="utf-8")
        study = load_study(Path("study.yaml"))
        given: dict[str, Any] = {"overrides": ()} | options
        planned = plan_study(study, name=name, base=Path("config.yaml"), seeds=seeds, **given)
        plan = continued_plan(planned.plan, study, folder=FOLDER, seeds=seeds)
        write_plan(plan, study, FOLDER)
        return plan

    return begun


def test_the_plan_is_written(begin: Begin, snapshot: SnapshotAssertion) -> None:
    begin()
    # What a config is named by changes whenever cnnrun gains an option.
    written = re.sub('(?<="config": ")[0-9a-f]{16}', "0123456789abcdef", PLAN.read_text())
    assert written == snapshot


def test_the_same_study_goes_on_as_planned(begin: Begin) -> None:
    first = begin(seeds=8)
    before = PLAN.read_bytes()
    assert begin() == first
    assert PLAN.read_bytes() == before


def test_seeds_that_are_added_are_marked(begin: Begin) -> None:
    begin(seeds=6)
    later = begin(seeds=8)
    assert (later.seeds, later.added_seeds) == (tuple(range(3, 11)), (9, 10))
    assert len(later.cells) == 16
    assert json.loads(PLAN.read_bytes())["planned_seeds"] == list(range(3, 9))
    # Asked for as many again, the study still knows.
    assert begin(seeds=8).added_seeds == (9, 10)


def test_contrasts_that_are_added_are_not_declared(begin: Begin) -> None:
    begin()
    longer = STUDY.replace("before_activation]", "before_activation, after_activation]")
    contrasts = begin(longer).contrasts
    assert [(each.name, each.is_declared) for each in contrasts] == [
        ("before_activation against none", True),
        ("after_activation against none", False),
    ]
    assert [each.is_declared for each in begin(longer).contrasts] == [True, False]


def test_contrasts_that_were_declared_cannot_be_dropped(
    begin: Begin, snapshot: SnapshotAssertion
) -> None:
    begin(STUDY.replace("before_activation]", "before_activation, after_activation]"))
    assert complaint(begin) == snapshot


@pytest.mark.parametrize(
    "change",
    [
        {"name": "another"},
        {"text": STUDY + "metric: test_accuracy\n"},
        {"text": STUDY + "metric: {margin: 0.1}\n"},
        {"text": STUDY + "resplit: true\n"},
        {"overrides": ["train.epochs=3"]},
        {"seeds": 3},
    ],
    ids=["name", "metric", "margin", "resplit", "config", "fewer_seeds"],
)
def test_another_study_is_refused(
    begin: Begin, change: dict[str, Any], snapshot: SnapshotAssertion
) -> None:
    begin()
    assert complaint(lambda: begin(**change)) == snapshot


def test_a_folder_of_something_else_is_refused(begin: Begin, snapshot: SnapshotAssertion) -> None:
    FOLDER.mkdir(parents=True)
    (FOLDER / "notes.txt").touch()
    assert complaint(begin) == snapshot


def test_a_file_in_its_place_is_refused(begin: Begin, snapshot: SnapshotAssertion) -> None:
    FOLDER.parent.mkdir()
    FOLDER.touch()
    assert complaint(begin) == snapshot


def test_a_damaged_plan_is_refused(begin: Begin, snapshot: SnapshotAssertion) -> None:
    FOLDER.mkdir(parents=True)
    PLAN.write_text("{}")
    assert complaint(begin) == snapshot


def test_seeds_of_a_planned_look_are_not_added(begin: Begin) -> None:
    looks = STUDY + "looks: [10, 14]\n"
    assert len(begin(looks).seeds) == 10
    later = begin(looks, seeds=14)
    assert (len(later.seeds), later.added_seeds) == (14, ())
    assert json.loads(PLAN.read_bytes())["planned_seeds"] == list(range(3, 17))
    assert begin(looks) == later
    assert begin(looks, seeds=15).added_seeds == (17,)


def test_looks_that_are_thought_of_later_are_refused(
    begin: Begin, snapshot: SnapshotAssertion
) -> None:
    begin(STUDY, seeds=10)
    assert complaint(lambda: begin(STUDY + "looks: [10, 14]\n")) == snapshot


def test_a_plan_of_0_1_0_goes_on(begin: Begin) -> None:
    first = begin()
    written = json.loads(PLAN.read_bytes())
    del written["looks"]
    PLAN.write_text(json.dumps(written))
    assert begin() == first


def test_what_0_1_0_planned_otherwise_is_refused(begin: Begin, snapshot: SnapshotAssertion) -> None:
    begin()
    written = json.loads(PLAN.read_bytes())
    del written["looks"]
    written["arms"][0]["config"] = "0123456789abcdef"
    PLAN.write_text(json.dumps(written))
    assert complaint(begin) == snapshot


def test_of_two_who_plan_at_the_same_time_the_second_is_refused(
    folder: Path, snapshot: SnapshotAssertion
) -> None:
    """Both have looked before either had written, as processes of many machines may."""
    Path("config.yaml").write_text(BLOCKS, encoding="utf-8")
    Path("study.yaml").write_text(STUDY, encoding="utf-8")
    study = load_study(Path("study.yaml"))
    plans = {}
    for name, seeds, overrides in [
        ("first", 7, ()),
        ("same", 7, ()),
        ("other config", 7, ("train.epochs=9",)),
        ("fewer seeds", 6, ()),
    ]:
        planned = plan_study(
            study, name="study", base=Path("config.yaml"), seeds=seeds, overrides=overrides
        )
        plans[name] = continued_plan(planned.plan, study, folder=FOLDER, seeds=seeds)
    write_plan(plans["first"], study, FOLDER)
    before = PLAN.read_bytes()
    write_plan(plans["same"], study, FOLDER)
    for name in ("other config", "fewer seeds"):
        with pytest.raises(StudyError) as raised:
            write_plan(plans[name], study, FOLDER)
        assert str(raised.value) == snapshot(name=name)
    assert PLAN.read_bytes() == before
    assert [path.name for path in FOLDER.iterdir()] == ["plan.json"]
