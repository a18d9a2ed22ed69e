"""No worker of a study waits for what draws and tests, which is loaded while the first cell trains.

It is tried in a process of its own, for this one has loaded it all.
"""

import subprocess
import sys
from pathlib import Path

SLOW = ("matplotlib", "scipy.special", "scipy.stats")
TELL_AT_THE_FIRST_WORKER = """
import os, sys

def tell(event, arguments):
    if event == "subprocess.Popen":
        print([name for name in {slow} if name in sys.modules], flush=True)
        os._exit(0)

sys.addaudithook(tell)
sys.argv = ["cnnrun", "ablate", "bn-order", "--no-tune-each-arm", "--no-git", "--into", {folder!r}]
from cnnrun.cli.app import main
main()
"""


def test_a_worker_starts_before_libraries_that_only_the_report_needs(tmp_path: Path) -> None:
    program = TELL_AT_THE_FIRST_WORKER.format(slow=SLOW, folder=str(tmp_path / "study"))
    command = [sys.executable, "-c", program]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert printed == "[]\n"
