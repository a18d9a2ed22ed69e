"""Training begins before any library is loaded that takes long and that it does not use.

It is tried in a process of its own, for this one has loaded them all.
"""

import subprocess
import sys

IMPORT_WORKER_AND_TRAINING = """
import sys
from cnnrun.models.keras_start import load_keras

load_keras()
import cnnrun.ablation.execution.worker
import cnnrun.training.train
print([name for name in {slow} if name in sys.modules])
"""
SLOW = ("matplotlib", "numba", "scipy.optimize", "scipy.stats", "sklearn")


def test_studies_and_trainings_begin_without_drawings_and_statistics() -> None:
    program = IMPORT_WORKER_AND_TRAINING.format(slow=SLOW)
    command = [sys.executable, "-W", "error", "-c", program]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed == "[]\n"
