"""What is standardized twice is noted by every command that reads the config; rule: config/."""

from pathlib import Path
from typing import Any, cast

import numpy as np

from cnnrun.assembly.standardizing import fit_preprocessing
from cnnrun.config.load import load_config
from cnnrun.runs.events import Note

CONFIG = """\
data: {directory: images, image_size: [8, 8], color_mode: grayscale, classes: 3}
model: {layers: [{Rescaling: {scale: 0.0039}}, Flatten, classifier]}
"""
NOTE = (
    "preprocess: images are standardized twice: by `rescale: 0.00392157`, and by"
    " model.layers[0].Rescaling; remove that layer"
)


def test_validate_and_show_note_it_beside_their_result(command, tmp_path: Path) -> None:
    (tmp_path / "twice.yaml").write_text(CONFIG)
    validated, shown = command("validate", "twice.yaml"), command("show", "twice.yaml")
    assert (validated.exit_code, validated.stdout) == (0, "twice.yaml: OK\n")
    assert validated.stderr == f"note: twice.yaml: {NOTE}\n"
    assert command("validate", "twice.yaml", "--quiet").stderr == ""
    assert (shown.exit_code, shown.stderr) == (0, f"note: {NOTE}\n")


def test_a_training_notes_it(tmp_path: Path) -> None:
    """No statistics are fitted, and so no image is read."""
    (tmp_path / "twice.yaml").write_text(CONFIG)
    heard: list[Note] = []
    config, no_store = load_config(tmp_path / "twice.yaml"), cast(Any, None)
    fit_preprocessing(config, no_store, np.arange(0), threads=1, listener=heard.append)
    assert heard == [Note(NOTE)]
