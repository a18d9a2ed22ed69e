"""Trains configs on one device and on two: `python two_devices.py FOLDER`, a process of its own.

The devices are two logical ones of the processor, which TensorFlow takes before it starts up alone.
Each config of the folder is trained into `<name>-1` and `<name>-2`, and on two devices again, cut
short after its second epoch and resumed, into `<name>-cut`. Writes what it said of devices.
"""

import sys
import warnings
from pathlib import Path

import pytest
import tensorflow as tf

from cnnrun.config.load import load_config
from cnnrun.errors import InterruptedRunError
from cnnrun.runs.events import EpochDone, Note, silent
from cnnrun.runs.folder import RunFolder
from cnnrun.training import callbacks, page_record, run_plots, train


def main(folder: Path) -> None:
    """Train all configs of a folder."""
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", "__array__ implementation")
    (processor,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        processor, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    with pytest.MonkeyPatch.context() as patch:
        parts = {run_plots: "write_plots", page_record: "record_page", train: "write_run_page"}
        for module, name in parts.items():
            patch.setattr(module, name, lambda *_, **__: None)
        patch.setattr(callbacks, "CHECKPOINT_INTERVAL_S", 0.0)
        for path in sorted(folder.glob("*.yaml")):
            train_in_all_ways(path)


def train_in_all_ways(path: Path) -> None:
    """Train a config on one device, on two, and on two with a break."""

    def place(end: str) -> Path:
        return path.parent / f"{path.stem}-{end}"

    def cut(event: object) -> None:
        if isinstance(event, EpochDone) and event.row.epoch == 2:
            raise KeyboardInterrupt

    def tell(event: object) -> None:
        if isinstance(event, Note):
            sys.stdout.write(f"{path.stem}: {event.text}\n")

    on_one = load_config(path)
    train.train(on_one, experiments=path.parent, into=place("1"), listener=silent)
    on_two = load_config(path, overrides=["train.devices=all"])
    train.train(on_two, experiments=path.parent, into=place("2"), listener=tell)
    if "resumed" not in path.stem:
        return
    try:
        train.train(on_two, experiments=path.parent, into=place("cut"), listener=cut)
    except InterruptedRunError:
        train.resume(on_two, run=RunFolder(place("cut")), listener=silent)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
