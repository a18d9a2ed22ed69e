"""A cell's key changes with what its result follows from, and with nothing else."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.planning.arms import config_digest
from cnnrun.ablation.planning.cell_keys import cell_key, data_content, weights_content
from cnnrun.config.backbone_spec import BackboneSpec
from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.errors import ModelFileError

VERSIONS = {"tensorflow": "2.21.0", "keras": "3.15.1"}
SECTIONS = {
    "data": {"directory": "images", "image_size": [8, 8], "color_mode": "grayscale"},
    "model": {"layers": ["Flatten", "classifier"]},
}


def key(config: Config, **changed: object) -> str:
    given = {
        "diagnostics": False,
        "data": data_content(config.data, cache_folder=config.source.parent),
        "weights": None,
        "versions": VERSIONS,
    }
    return cell_key(config, **(given | changed))


@pytest.fixture
def config(make_images: Callable[..., Path], tmp_path: Path) -> Config:
    make_images("images", {"cat": 3, "dog": 3})
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(SECTIONS))
    return load_config(tmp_path / "config.yaml")


def test_another_place_of_the_same_files_changes_nothing(config: Config, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "images", tmp_path / "elsewhere" / "copies")
    moved = tmp_path / "elsewhere" / "config.yaml"
    data = SECTIONS["data"] | {"directory": "copies"}  # type: ignore[operator]
    moved.write_text(yaml.safe_dump(SECTIONS | {"data": data}))
    assert key(load_config(moved)) == key(config)


def test_whether_something_is_recorded_is_said_once(config: Config) -> None:
    """By `diagnostics`, which a study or its base asks for: so cells of earlier versions stay."""
    recorded = replace(config, train=replace(config.train, diagnostics=True))
    assert key(recorded) == key(config)
    assert config_digest(recorded) == config_digest(config)


def test_what_a_result_follows_from_changes_it(config: Config, tmp_path: Path) -> None:
    longer = replace(config, train=replace(config.train, epochs=11))
    keys = [
        key(config),
        key(replace(config, seed=1)),
        key(longer),
        key(config, versions=VERSIONS | {"keras": "3.15.2"}),
        key(config, diagnostics=True),
    ]
    image = next((tmp_path / "images" / "cat").iterdir())
    image.write_bytes(next((tmp_path / "images" / "dog").iterdir()).read_bytes())
    keys.append(key(config))
    assert len(set(keys)) == len(keys)


def test_weights_count_by_their_content(config: Config, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    model = tmp_path / "run" / "model.keras"
    model.write_bytes(b"one")
    of_run = replace(
        config, model=replace(config.model, backbone=BackboneSpec(weights=tmp_path / "run"))
    )
    before = weights_content(of_run)
    model.write_bytes(b"two")
    after = weights_content(of_run)
    assert before != after
    assert key(of_run, weights=before) != key(of_run, weights=after)
    assert weights_content(config) is None


def test_weights_that_are_not_there(
    config: Config, snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    absent = BackboneSpec(name="MobileNet", weights=Path("absent.h5"))
    with pytest.raises(ModelFileError) as error:
        weights_content(replace(config, model=replace(config.model, backbone=absent)))
    assert str(error.value) == snapshot


def test_published_data_sets_are_known_by_name(config: Config) -> None:
    data = replace(config.data, directory=None, keras_dataset="mnist")
    assert data_content(data, cache_folder=Path()) == {"keras_dataset": "mnist"}
