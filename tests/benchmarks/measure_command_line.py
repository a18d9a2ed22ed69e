"""How long the command line takes to answer, against a bare typer application.

Whole processes are timed in turns, so that a change in the machine's load meets all alike; the
median of each counts.
"""

import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

REPOSITORY = Path(__file__).parents[2]
COMMAND = Path(sysconfig.get_path("scripts")) / "cnnrun"
ROUNDS = 15
BARE_APPLICATION = '''
import typer

app = typer.Typer()


@app.command()
def first(number: int = 1) -> None:
    """One command."""


@app.command()
def second(number: int = 1) -> None:
    """Another."""


app()
'''


def main() -> None:
    """Prints the medians and the ratio that has a bound."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE_APPLICATION)
        seconds = measure(
            {
                "bare typer application --help": [sys.executable, bare, "--help"],
                "cnnrun --help": [COMMAND, "--help"],
                "cnnrun validate": [COMMAND, "validate", REPOSITORY / "configs" / "digits.yaml"],
            }
        )
    for name, value in seconds.items():
        print(f"{name:<32} {value:.3f} s")
    ratio = seconds["cnnrun --help"] / seconds["bare typer application --help"]
    print(f"{'cnnrun --help / bare':<32} {ratio:.2f}   (bound 1.5)")
    print(f"{'cnnrun validate':<32} {seconds['cnnrun validate']:.3f} s (bound 0.8 s)")


def measure(commands: Mapping[str, Sequence[str | Path]]) -> dict[str, float]:
    """The median wall time of each command in seconds."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            begun = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times[name].append(time.perf_counter() - begun)
    return {name: median(values) for name, values in times.items()}


if __name__ == "__main__":
    main()
