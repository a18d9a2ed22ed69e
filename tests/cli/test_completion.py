"""What a shell is offered, asked as bash asks. Oracle: the names that the commands take."""

import json
import zipfile
from pathlib import Path

import pytest

from cnnrun.ablation.studies.named_studies import study_names
from cnnrun.config.applications import APPLICATIONS, layer_names

MODEL = {"config": {"layers": [{"config": {"name": "pixels"}}, {"config": {"name": "stem_conv"}}]}}


@pytest.fixture
def offered(command, monkeypatch: pytest.MonkeyPatch):
    """What bash is offered for the last word: `offered("train", "conf")`."""

    def ask(*words: str) -> list[str]:
        monkeypatch.setenv("_CNNRUN_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(("cnnrun", *words)))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        ended = command()
        assert ended.stderr == ""
        return ended.stdout.split()

    return ask


@pytest.fixture
def project(tmp_path: Path, make_run) -> Path:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "photos.yaml").write_text("seed: 0\n")
    (tmp_path / "mine.yaml").write_text("seed: 0\n")
    run = make_run("photos", seed=0, accuracy=0.9)
    with zipfile.ZipFile(run.path / "model.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(MODEL))
    return run.path.relative_to(tmp_path)


def test_studies(offered, project: Path) -> None:
    assert offered("ablate", "bn-") == [name for name in study_names() if name.startswith("bn-")]
    assert offered("ablate", "bn-order", "mi") == ["mine.yaml"]


@pytest.mark.parametrize("name", ["train", "validate", "show", "preview", "check-data"])
def test_configs(offered, project: Path, name: str) -> None:
    assert offered(name, "") == ["configs/", "experiments/", "mine.yaml", "configs/photos.yaml"]
    assert offered(name, "configs/p") == ["configs/photos.yaml"]
    assert offered(name, "configs/") == ["configs/photos.yaml"]


@pytest.mark.parametrize("name", ["evaluate", "compare", "predict", "extract-features"])
def test_runs(offered, project: Path, name: str) -> None:
    assert project.as_posix() in offered(name, "exp")
    assert offered(name, "experiments/ph")[0] == project.as_posix()


def test_the_run_to_resume(offered, project: Path) -> None:
    assert offered("train", "mine.yaml", "--resume", "--into", "exp") == [project.as_posix()]


def test_networks(offered, project: Path) -> None:
    expected = [name for name in APPLICATIONS if name.startswith("Mobile")]
    assert offered("predict", "Mobile") == expected
    assert offered("extract-features", "Mobile") == expected


def test_layers_of_a_network_and_of_a_run(offered, project: Path) -> None:
    names = [name for name in layer_names("MobileNet") if name.startswith("conv_pw_1_")]
    assert offered("extract-features", "MobileNet", "--layer", "conv_pw_1_") == names
    assert offered("extract-features", project.as_posix(), "--layer", "s") == ["stem_conv"]
    assert offered("extract-features", "nowhere", "--layer", "s") == []


def test_topics(offered) -> None:
    best = ["train.best", "train.best.monitor", "train.best.mode"]
    assert offered("help", "train.best") == best
    assert "Conv2D" in offered("help", "Conv2")


def test_where_there_is_nothing_nothing_is_offered(offered) -> None:
    assert offered("evaluate", "experiments/x") == []
    assert offered("train", "nowhere/x") == []
