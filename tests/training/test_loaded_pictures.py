"""What draws a run is loaded while its network trains, and not before.

Tried in a process of its own, for this one has loaded it all.
"""

import subprocess
import sys
from pathlib import Path

TELL_WHEN_MATPLOTLIB_LOADS = """
import sys
import threading
from pathlib import Path

from cnnrun.models.keras_start import load_keras

load_keras()
from cnnrun.config.load import load_config
from cnnrun.runs.events import EpochDone, TrainingBegins
from cnnrun.training.train import train


def tell(event):
    if isinstance(event, TrainingBegins):
        print("training begins", "matplotlib" in sys.modules)
    if isinstance(event, EpochDone) and event.row.epoch == 1:
        for thread in threading.enumerate():
            if thread.name == "pictures":
                thread.join()
        print("an epoch is done", "matplotlib" in sys.modules)


config = load_config(Path({config!r}), overrides=["train.epochs=2"])
run = train(config, experiments=Path(), into=Path({run!r}), listener=tell)
print(sorted(path.name for path in run.plots.iterdir()))
"""


def test_pictures_are_loaded_while_the_network_trains(tmp_path: Path) -> None:
    program = TELL_WHEN_MATPLOTLIB_LOADS.format(
        config="configs/digits.yaml", run=str(tmp_path / "run")
    )
    command = [sys.executable, "-c", program]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed.splitlines() == [
        "training begins False",
        "an epoch is done True",
        "['confusion_matrix.png', 'learning_curves.png', 'mistakes.png']",
    ]
