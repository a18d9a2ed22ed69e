"""A profile adds up, and its advice follows what took the time."""

from dataclasses import replace
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.runs.files import read_json
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.profile import PHASES, Phase, Profile, advice_on, profile_document, write_profile


def profile_of(steps: int = 100, **seconds: float) -> Profile:
    """A profile of these phases, `_` for `-` and blanks; all others took a tenth of a second."""
    given = {
        name.replace("_", " ").replace("start up", "start-up"): s for name, s in seconds.items()
    }
    assert given.keys() <= PHASES.keys()
    times: dict[Phase, float] = {phase: given.get(phase, 0.1) for phase in PHASES}
    return Profile(times, steps)


PROFILES = {
    "start-up": profile_of(start_up=3, data_and_network=2, first_step=2, compute=5),
    "waiting": profile_of(input=4, compute=12),
    "computing": profile_of(input=1, compute=12),
    "many small steps": profile_of(input=1, compute=12, steps=8000),
    "validation": profile_of(validation=9),
    "ends of epochs": profile_of(checkpoint=9),
    "results": profile_of(results=9),
}


@pytest.mark.parametrize("name", PROFILES)
def test_advice_follows_the_largest_part(
    name: str, config: Config, snapshot: SnapshotAssertion
) -> None:
    assert advice_on(PROFILES[name], config, images_are_in="memory") == snapshot


@pytest.mark.parametrize("place", ["file", "nothing"])
def test_images_that_are_not_in_memory_are_what_to_change(
    place: str, config: Config, snapshot: SnapshotAssertion
) -> None:
    assert advice_on(PROFILES["waiting"], config, images_are_in=place) == snapshot


def test_the_slow_engine_is_what_to_change(config: Config, snapshot: SnapshotAssertion) -> None:
    slow = replace(config, augment=replace(config.augment, engine="keras"))
    assert advice_on(PROFILES["waiting"], slow, images_are_in="memory") == snapshot


def test_the_file_adds_up(tmp_path: Path) -> None:
    run, profile = RunFolder(tmp_path), PROFILES["waiting"]
    write_profile(run, profile, advice="none")
    document = read_json(run.profile_json)
    assert document == profile_document(profile, advice="none")
    phases = document["phases"].values()
    assert sum(phase["seconds"] for phase in phases) == pytest.approx(document["seconds"])
    assert sum(phase["share"] for phase in phases) == pytest.approx(1)
    assert document["step_seconds"] == pytest.approx(0.12)


def test_a_run_without_a_second_step_has_a_profile_too() -> None:
    assert profile_of(steps=0).step_seconds == 0


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text("data: {keras_dataset: mnist}\nmodel: {layers: [Flatten, classifier]}\n")
    return load_config(path)
