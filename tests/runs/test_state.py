"""state.json says what became of a run, also when its process could not say it."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import RunError
from cnnrun.runs.files import write_json, write_text
from cnnrun.runs.folder import RunFolder, hold
from cnnrun.runs.state import read_state, write_state
from cnnrun.runs.unbegun import create_run_into


@pytest.mark.parametrize("name", ["finished", "failed", "interrupted"])
def test_a_state_comes_back(name, run: RunFolder) -> None:
    written = write_state(run, name, why="the loss became NaN")
    assert read_state(run) == written
    assert written.why == "the loss became NaN"
    assert datetime.fromisoformat(written.updated).tzinfo is not None


def test_a_held_run_is_running(run: RunFolder) -> None:
    with hold(run):
        written = write_state(run, "running", why="")
        assert read_state(run) == written


def test_a_running_run_that_nobody_holds_was_killed(
    run: RunFolder, snapshot: SnapshotAssertion
) -> None:
    with hold(run):
        write_state(run, "running", why="")
    state = read_state(run)
    assert state.state == "interrupted"
    assert state.why == snapshot


def test_the_start_of_a_resumed_run_is_its_first(run: RunFolder) -> None:
    first = write_state(run, "interrupted", why="stopped by the user")
    write_json(run.state_json, {**first.as_json(), "started": "2026-01-02T03:04:05+00:00"})
    assert write_state(run, "running", why="").started == "2026-01-02T03:04:05+00:00"


def test_a_damaged_state_can_be_written_anew(run: RunFolder) -> None:
    write_text(run.state_json, "{")
    assert write_state(run, "failed", why="").started


def test_a_state_that_is_none_is_named(
    run: RunFolder, message_of, snapshot: SnapshotAssertion
) -> None:
    write_json(run.state_json, {"state": "asleep"})
    with pytest.raises(RunError) as raised:
        read_state(run)
    assert message_of(raised) == snapshot


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["state", "why", "started", "process"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=40)  # each writes to the disk
@given(JSON)
def test_any_other_json_is_refused(
    tmp_path_factory: pytest.TempPathFactory, content: object
) -> None:
    run = create_run_into(tmp_path_factory.mktemp("run"))
    write_json(run.state_json, content)
    with pytest.raises(RunError, match="must hold the state of a run"):
        read_state(run)
