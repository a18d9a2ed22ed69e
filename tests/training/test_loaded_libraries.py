"""Commands begin before any library is loaded that takes long and that they do not use.

It is tried in a process of its own, for this one has loaded them all.
"""

import subprocess
import sys

IMPORT_COMMANDS = """
import sys
from cnnrun.models.keras_start import load_keras

load_keras()
import cnnrun.ablation.execution.worker
import cnnrun.training.train
import cnnrun.evaluation.finished_runs
import cnnrun.evaluation.prediction
import cnnrun.export.export_run
import cnnrun.features.extract
print([name for name in {slow} if name in sys.modules])
import cnnrun.explanation.places
print("scipy.stats" in sys.modules)
"""
SLOW = ("matplotlib", "numba", "scipy.optimize", "scipy.stats", "sklearn")


def test_commands_begin_without_drawings_and_statistics() -> None:
    program = IMPORT_COMMANDS.format(slow=SLOW)
    command = [sys.executable, "-W", "error", "-c", program]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed == "[]\nFalse\n"
