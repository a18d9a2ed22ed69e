"""What cnnrun 0.1.0 wrote is read. Oracle: the numbers that 0.1.0 wrote down."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

import cnnrun
from cnnrun.errors import RunError, StudyError
from cnnrun.runs.comparing import compare_runs
from cnnrun.runs.data_states import fingerprint_in, images_of, recorded_data
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.listing import list_runs
from cnnrun.runs.made_by import load_resolved, version_of

WRITTEN = Path(__file__).parent / "earlier_version"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that 0.1.0 was used in, to work in."""
    shutil.copytree(WRITTEN, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def first(project: Path) -> RunFolder:
    return RunFolder(project / "experiments/tiny/first")


def test_it_was_0_1_0(first: RunFolder) -> None:
    assert version_of(first) == "0.1.0"
    assert cnnrun.__version__ != "0.1.0"


def test_runs_and_cells_are_listed(project: Path) -> None:
    summaries = list_runs(project / "experiments")
    assert [each.state for each in summaries] == ["finished"] * 14
    for each in summaries:
        result = json.loads((each.run / "result.json").read_bytes())
        assert each.accuracy == result["test"]["accuracy"]
        assert each.loss == result["test"]["loss"]


def test_runs_are_compared(project: Path) -> None:
    (group,) = compare_runs([project / "experiments/tiny"]).groups
    assert group.seeds == (0, 1)


def test_their_images_are_told_by_the_rule_of_their_time(first: RunFolder) -> None:
    assert images_of(first) is None
    assert str(fingerprint_in(recorded_data(first))).endswith(" (of cnnrun 0.1.0)")


def test_a_run_is_evaluated_to_the_same_numbers(first: RunFolder) -> None:
    # In a process of its own, since the number of threads is the run's.
    ended = subprocess.run(
        [sys.executable, "-m", "cnnrun", "evaluate", str(first.path), "--json"],
        capture_output=True,
        check=True,
    )
    tested = json.loads(ended.stdout)["test"]
    written = json.loads(first.result_json.read_bytes())["test"]
    assert tested["accuracy"] == written["accuracy"]
    assert tested["loss"] == pytest.approx(written["loss"], rel=1e-6)


def test_a_run_that_was_cut_short_is_not_gone_on_with(
    first: RunFolder, project: Path, snapshot: SnapshotAssertion
) -> None:
    from cnnrun.runs.events import silent
    from cnnrun.training.train import resume

    first.result_json.unlink()
    state = json.loads(first.state_json.read_bytes())
    first.state_json.write_text(json.dumps(state | {"state": "interrupted"}))
    with pytest.raises(RunError) as refusal:
        resume(load_resolved(first), run=first, listener=silent)
    told = str(refusal.value).replace(str(project), "<project>")
    assert told.replace(cnnrun.__version__, "<version>") == snapshot


def test_a_config_that_is_accepted_no_more_names_the_version(
    first: RunFolder, project: Path, snapshot: SnapshotAssertion
) -> None:
    text = first.resolved_yaml.read_text()
    first.resolved_yaml.write_text(text.replace("batch_size: 8", "batch_sizes: 8"))
    with pytest.raises(RunError) as refusal:
        load_resolved(first)
    told = str(refusal.value).replace(str(project), "<project>")
    assert told.replace(cnnrun.__version__, "<version>") == snapshot


def test_a_study_does_not_go_on_in_silence(project: Path, snapshot: SnapshotAssertion) -> None:
    from cnnrun.ablation.planning.make_plan import plan_study
    from cnnrun.ablation.planning.plan_file import continued_plan
    from cnnrun.ablation.studies.named_studies import find_study

    found = find_study("study.yaml")
    planned = plan_study(
        found.study,
        name=found.name,
        base=Path("tiny.yaml"),
        overrides=(),
        seeds=None,
    )
    with pytest.raises(StudyError) as refusal:
        continued_plan(planned.plan, found.study, folder=Path("experiments/filters"), seeds=None)
    assert str(refusal.value).replace(cnnrun.__version__, "<version>") == snapshot
