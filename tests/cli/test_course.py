"""`cnnrun ablate --all` and what `--list` says of the last runs, of studies that were finished."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.execution.tasks import Trial
from cnnrun.ablation.reporting.answers import last_answers, read_answer
from cnnrun.ablation.reporting.course_page import write_course
from cnnrun.cli.ablate import AskedStudy, prepare_study
from cnnrun.cli.course import Course, prepare_course, run_course, show_course
from cnnrun.errors import DataError, StudyError, WorkError

MINE = """\
data: {directory: photos, image_size: [32, 32]}
model:
  layers:
    - conv_block: {filters: 8, kernel_size: 3}
    - GlobalAveragePooling2D
    - classifier
"""
PART = {
    "name": "a against b",
    "expects": "better",
    "answer": "held",
    "verdict": "better",
    "difference": -0.0683,
    "over_seeds": [-0.08, -0.05],
    "over_seeds_and_images": [-0.0932, -0.0445],
    "conservative": [-0.1, -0.03],
}
ANOTHER = PART | {
    "name": "c against b",
    "answer": "not shown",
    "verdict": "undecided",
    "over_seeds_and_images": None,
}


def finish(folder: Path, study: str, *, parts: list[dict[str, Any]], at: float = 1.8e9) -> None:
    """A study's folder as it is when all is done."""
    (folder / "runs" / "k").mkdir(parents=True, exist_ok=True)
    claim = {"claim": "It is.", "answer": parts[0]["answer"], "contrasts": parts} if parts else None
    (folder / "plan.json").write_text(json.dumps({"study": study, "base": "digits.yaml"}))
    (folder / "results.json").write_text(json.dumps({"study": study, "claim": claim}))
    record = {
        "key": "k",
        "ending": "finished",
        "why": "",
        "seconds": {"total": 90.0},
        "values": {},
        "parameters": 1,
        "multiply_adds": 1,
        "processor": "",
    }
    (folder / "runs" / "k" / "cell.json").write_text(json.dumps(record))
    os.utime(folder / "results.json", (at, at))


def test_the_page_of_a_course(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    finish(tmp_path / "head", "head", parts=[PART, ANOTHER])
    finish(tmp_path / "mine", "mine", parts=[])
    answers = [answer for name in ("head", "mine") if (answer := read_answer(tmp_path / name))]
    write_course(
        tmp_path / "course.md",
        answers,
        refused={"transfer": "mine.yaml:2:3: model.backbone: must be there"},
        waiting=["pooling"],
    )
    assert (tmp_path / "course.md").read_text() == snapshot


def test_the_last_run_of_a_study_counts(tmp_path: Path) -> None:
    finish(tmp_path / "head", "head", parts=[PART], at=1.8e9)
    finish(tmp_path / "head-mine", "head", parts=[ANOTHER], at=1.9e9)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "plan.json").write_text("{}")
    (tmp_path / "damaged" / "results.json").write_text("{")
    (tmp_path / "notes.txt").write_text("not a study")
    found = last_answers(tmp_path)
    assert {name: each.answer for name, each in found.items()} == {"head": "not shown"}
    assert found["head"].minutes == 1.5
    assert last_answers(tmp_path / "nothing") == {}


def test_a_study_of_an_earlier_version_has_no_answer(tmp_path: Path) -> None:
    finish(tmp_path / "head", "head", parts=[])
    (tmp_path / "head" / "results.json").write_text(json.dumps({"study": "head"}))
    assert last_answers(tmp_path)["head"].answer == "no claim"


@pytest.mark.parametrize("form", ["table", "--json"])
def test_the_list_shows_last_answers(
    form: str, command, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    finish(tmp_path / "experiments" / "head", "head", parts=[PART])
    finish(tmp_path / "experiments" / "pooling", "pooling", parts=[ANOTHER])
    ended = command("ablate", "--list", *([form] if form != "table" else []))
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout == snapshot


REFUSED = {
    "a study and a config": ["--all", "head", "mine.yaml"],
    "values": ["--all", "--values", "head=none"],
    "a folder of one study": ["--all", "mine.yaml", "--into", "here"],
    "a config that is not there": ["--all", "mien.yaml"],
}


@pytest.mark.parametrize("arguments", REFUSED.values(), ids=REFUSED)
def test_what_a_course_refuses(
    arguments: list[str], command, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "mine.yaml").write_text(MINE)
    ended = command("ablate", *arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(MINE)

    def prepare(name: str, config: Path | None) -> AskedStudy:
        if name not in ("head", "pooling", "dilation"):
            raise StudyError.at("", rule="of three studies", received=name, advice="")
        return prepare_study(
            name,
            config,
            seeds=None,
            resplit=None,
            tune_each_arm=None,
            values=[],
            overrides=[],
            into=None,
            experiments=Path("experiments"),
        )

    return prepare_course(Path("mine.yaml"), prepare, experiments=Path("experiments"))


def test_what_a_config_cannot_be_asked_is_left_out_and_named(course: Course) -> None:
    assert [asked.plan.name for asked in course.asked] == ["dilation", "head"]
    assert "MaxPooling2D" in course.refused["pooling"]
    assert course.page == Path("experiments/course-mine.md")


@pytest.mark.parametrize("as_json", [False, True], ids=["table", "json"])
def test_what_a_course_is_going_to_do(
    course: Course,
    as_json: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    snapshot: SnapshotAssertion,
) -> None:
    """Its minutes are those of its cells: 2 s each and 4 s a network, two at a time."""
    monkeypatch.setattr(
        "cnnrun.ablation.execution.run_cells.time_trial",
        lambda configs, **_: Trial(
            parameters=dict.fromkeys(configs, 10),
            multiply_adds=dict.fromkeys(configs, 100),
            seconds_a_cell=2.0,
            seconds_an_arm=4.0,
        ),
    )
    show_course(course, jobs=2, as_json=as_json, quiet=True)
    assert capsys.readouterr().out == snapshot


def test_a_study_that_fails_stops_no_other(
    course: Course, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    def run(asked: AskedStudy) -> None:
        if asked.plan.name == "dilation":
            raise WorkError.at("log.txt", rule="must live", received="a death", advice="")
        finish(asked.folder, asked.plan.name, parts=[PART])

    with pytest.raises(WorkError) as failure:
        run_course(course, run, as_json=False, quiet=False)
    assert str(failure.value) == snapshot
    text = course.page.read_text()
    assert "Not finished yet: dilation." in text
    assert "[head](head-mine/report.md)" in text
    assert "experiments/course-mine.md" in capsys.readouterr().out


def test_a_study_that_the_images_are_too_few_for_stops_no_other(
    course: Course, capsys: pytest.CaptureFixture[str]
) -> None:
    too_few = DataError.at("photos", rule="needs 2 images", received="1", advice="add some")

    def run(asked: AskedStudy) -> None:
        if asked.plan.name == "dilation":
            raise too_few
        finish(asked.folder, asked.plan.name, parts=[PART])

    run_course(course, run, as_json=False, quiet=True)
    assert str(too_few) in course.page.read_text()
    assert "dilation" in capsys.readouterr().out

    def refuse(asked: AskedStudy) -> None:
        raise too_few

    with pytest.raises(DataError):
        run_course(course, refuse, as_json=False, quiet=True)


def test_a_course_as_json(course: Course, capsys: pytest.CaptureFixture[str]) -> None:
    run_course(
        course,
        lambda asked: finish(asked.folder, asked.plan.name, parts=[PART]),
        as_json=True,
        quiet=True,
    )
    printed = json.loads(capsys.readouterr().out)
    assert [(each["study"], each["answer"]) for each in printed["studies"]] == [
        ("dilation", "held"),
        ("head", "held"),
    ]
    assert "pooling" in printed["refused"]
