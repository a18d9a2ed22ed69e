"""The table of `cnnrun train --profile`; that the option works is in tests/end_to_end."""

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.cli.train import print_profile
from cnnrun.runs.profile import PHASES, Profile, profile_document


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_table(
    columns: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    snapshot: SnapshotAssertion,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    seconds = dict(zip(PHASES, (3.1, 0.8, 2.2, 0.05, 12.25, 1.5, 0.25, 1.1), strict=True))
    print_profile(profile_document(Profile(seconds, 1_200), advice="what to change"))
    assert capsys.readouterr().out == snapshot


def test_a_run_that_ends_with_its_first_execution(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    snapshot: SnapshotAssertion,
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    print_profile(profile_document(Profile(dict.fromkeys(PHASES, 0.5), 0), advice="what"))
    assert capsys.readouterr().out == snapshot
