"""What guessing scores is known of classes alone. Oracle: the entropy of an even guess."""

import math
from pathlib import Path

import pytest

from cnnrun.ablation.analysis.guessing import guessing_score
from cnnrun.config.load import load_config

CONFIG = """\
data: {{csv: labels.csv, image_size: [8, 8], task: {task}}}
model: {{layers: [Flatten, classifier]}}
"""


@pytest.mark.parametrize(
    ("task", "expected"), [("single_label", math.log(10)), ("multi_label", None)]
)
def test_guessing_evenly_is_a_score_of_classes(tmp_path: Path, task: str, expected) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG.format(task=task))
    (tmp_path / "labels.csv").write_text("path,label\n")
    config = load_config(tmp_path / "config.yaml")
    assert guessing_score("test_loss", config, classes=10) == expected
