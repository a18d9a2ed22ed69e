"""Study and config files in the current folder, so that messages hold no path of this machine."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnnrun.ablation.planning.make_plan import Planned, plan_study
from cnnrun.ablation.studies.study import Study, load_study
from cnnrun.errors import CnnrunError

BLOCKS = """\
seed: 3
data: {directory: images, image_size: [8, 8]}
model:
  blocks: {batch_norm: {position: before_activation, momentum: 0.9}}
  layers:
    - conv_block: {filters: 4, kernel_size: 3, name: stem}
    - conv_block: {filters: 4, kernel_size: 3}
    - GlobalAveragePooling2D
    - classifier
train: {epochs: 2}
"""
SPELLED_OUT = """\
data: {directory: images, image_size: [8, 8]}
model:
  layers:
    - Conv2D: {filters: 4, kernel_size: 3, use_bias: false}
    - BatchNormalization: {momentum: 0.9, name: first}
    - Activation: {activation: relu}
    - Conv2D: {filters: 4, kernel_size: 3}
    - ReLU
    - MaxPooling2D: {pool_size: 2}
    - BatchNormalization: {momentum: 0.8}
    - residual:
        layers:
          - Conv2D: {filters: 4, kernel_size: 3, padding: same, activation: tanh}
          - BatchNormalization
          - Conv2D: {filters: 4, kernel_size: 3, padding: same}
    - GlobalAveragePooling2D
    - classifier
"""
STUDY = """\
question: Where should batch normalization stand?
factors:
  position: {path: model.blocks.batch_norm.position, values: [none, before_activation]}
"""

WriteStudy = Callable[..., Study]
PlanStudy = Callable[..., Planned]
Complaint = Callable[..., str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write_study(folder: Path) -> WriteStudy:
    """Reads YAML text as study.yaml of the current folder."""

    def write(text: str) -> Study:
        Path("study.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
        return load_study(Path("study.yaml"))

    return write


@pytest.fixture
def plan(write_study: WriteStudy) -> PlanStudy:
    """Plans YAML text as a study over a config's text."""

    def planned(text: str, *, config: str = BLOCKS, **options: Any) -> Planned:
        Path("config.yaml").write_text(config, encoding="utf-8")
        given: dict[str, Any] = {"overrides": (), "seeds": None} | options
        return plan_study(write_study(text), name="study", base=Path("config.yaml"), **given)

    return planned


def complaint(work: Callable[[], Any]) -> str:
    """The complete text that a user reads when `work` refuses."""
    with pytest.raises(CnnrunError) as refusal:
        work()
    return str(refusal.value)
