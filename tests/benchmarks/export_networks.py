"""Exports the networks of keras.applications, a process each, and prints what each took.

`python tests/benchmarks/export_networks.py [--to onnx,litert] [--below 8] [NAME...]`: seconds and
peak memory, and how far the exported network is from Keras's, with random weights. Smallest first;
networks that would take more gigabytes than `--below` says are left out.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from cnnrun.config.applications import APPLICATIONS
from cnnrun.export.formats import FORMATS
from cnnrun.export.memory import needed_bytes, own_peak_bytes

IMAGES = 4


def export_one(name: str, to: str) -> dict[str, Any]:
    """What exporting a network took, in this process."""
    import keras

    from cnnrun.assembly.targets import Output
    from cnnrun.export.networks import module_of, open_network
    from cnnrun.export.tracing import Classifying, compiled

    application = APPLICATIONS[name]
    size = application.default_size
    model = getattr(keras.applications, name)(weights=None, input_shape=(*size, 3))
    random = np.random.default_rng(0)
    for variable in model.variables:  # as of a network that has learnt a little; more, and rounding
        if len(variable.shape) == 1:  # errors grow from layer to layer until they decide
            start = variable.numpy() * (0.8 if variable.name == "gamma" else 1.0)
            variable.assign(start + random.uniform(-0.1, 0.1, variable.shape))
    network = Classifying(model, Output(1000, "probabilities"), None)
    pixels = random.uniform(0, 255, (IMAGES, *size, 3)).astype(np.float32)
    form = FORMATS[to]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{form.file}{form.suffix}"
        began, processor_began = time.perf_counter(), time.process_time()
        module_of(form).write_network(
            network, file, precision="float32", opset=None, images=lambda: iter(()), metadata={}
        )
        seconds, processor = time.perf_counter() - began, time.process_time() - processor_began
        found = open_network(form, file, threads=None)(pixels)
        expected = compiled(model)(pixels)
    return {
        "parameters": network.parameters,
        "seconds": seconds,
        "processor_seconds": processor,
        "peak": own_peak_bytes(),
        "difference": float(np.abs(found - expected).max() / expected.max()),
    }


def main() -> None:
    """Print a row a network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--to", default="onnx,litert,saved_model")
    parser.add_argument("--below", type=float, default=8.0)
    parser.add_argument("--one")
    given = parser.parse_args()
    if given.one:
        print(json.dumps(export_one(given.names[0], given.one)))
        return
    names = given.names or sorted(
        APPLICATIONS, key=lambda name: APPLICATIONS[name].parameters["top"]
    )
    print(
        "| network | format | parameters | seconds | of processor | peak memory, GB"
        " | largest difference |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in names:
        for to in given.to.split(","):
            needed = needed_bytes(FORMATS[to], APPLICATIONS[name].parameters["top"]) / 1e9
            if needed > given.below:
                print(f"| {name} | {to} | left out: about {needed:.1f} GB |", flush=True)
                continue
            command = [sys.executable, __file__, name, "--one", to]
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            if ended.returncode:
                last = ended.stderr.strip().splitlines()[-1:]
                print(f"| {name} | {to} | failed: {last} |", flush=True)
                continue
            row = json.loads(ended.stdout.splitlines()[-1])
            print(
                f"| {name} | {to} | {row['parameters']:,} | {row['seconds']:.0f}"
                f" | {row['processor_seconds']:.0f} | {row['peak'] / 1e9:.1f}"
                f" | {row['difference']:.1g} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
