"""`python -m cnnrun.export.speed_process WHAT PATH HEIGHT WIDTH CHANNELS THREADS`: a Speed as JSON.

WHAT is "keras", and PATH the folder of a run; or a format, and PATH the network's file.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from cnnrun.export.formats import FORMATS
from cnnrun.export.networks import Infer, open_network
from cnnrun.export.speeds import speed_of


def main(what: str, path: str, *numbers: str) -> None:
    """Print what came of measuring."""
    height, width, channels, threads = map(int, numbers)
    infer = _opened(what, Path(path), threads=threads)
    found = speed_of(infer, (height, width, channels), threads=threads)
    sys.stdout.write(f"{json.dumps(asdict(found))}\n")


def _opened(what: str, path: Path, *, threads: int) -> Infer:
    if what != "keras":
        return open_network(FORMATS[what], path, threads=threads)
    from cnnrun.export.tracing import compiled_network

    return compiled_network(path, threads=threads)


if __name__ == "__main__":
    main(*sys.argv[1:])
