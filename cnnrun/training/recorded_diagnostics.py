"""Records, at the start and after each epoch, what a fixed probe batch shows of the network."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from cnnrun.assembly.preparing import Prepared
from cnnrun.data.order import epoch_order
from cnnrun.runs.diagnostics import DIAGNOSTICS_FILE
from cnnrun.runs.files import append_line, json_text, read_lines, write_text
from cnnrun.training.activation_probe import Probe
from cnnrun.training.sitting import Sitting
from cnnrun.training.traced_network import TracedNetwork

PROBE_IMAGES: Final = 64


class RecordDiagnostics(keras.callbacks.Callback):  # type: ignore[misc]
    """Appends a line to a file at the start (epoch 0) and after each epoch.

    A line is `{"epoch": 3, "activations": {layer: {mean, std, saturated, dead, low, high,
    gradient_std, counts}}, "gradient_norms": {layer: norm}}`; see `ActivationInput`. The images are
    the same in every run of the same split, and not augmented.
    """

    def __init__(
        self, file: Path, probe: Probe, prepared: Prepared, *, most_images: int, done_epochs: int
    ) -> None:
        """The file, and from which epoch on it is to be continued: later lines go."""
        super().__init__()
        self._file = file
        self._probe = probe
        rows = probe_rows(prepared, most=most_images)
        self._images = prepared.images.store.read(rows)
        self._targets = prepared.feed.targets[rows]
        self._is_at_start = done_epochs == 0
        kept = [] if self._is_at_start else lines_until(file, done_epochs)
        write_text(file, "".join(f"{line}\n" for line in kept))

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Record the start, if this is it."""
        if self._is_at_start:
            self._record(0)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record the epoch."""
        self._record(epoch + 1)

    def _record(self, epoch: int) -> None:
        probed = self._probe.look(self._images, self._targets)
        append_line(self._file, json_text({"epoch": epoch, **asdict(probed)}, indent=None))
        self._is_at_start = False


def diagnostics_of_run(
    prepared: Prepared, sitting: Sitting, traced: TracedNetwork
) -> tuple[RecordDiagnostics, ...]:
    """What records the diagnostics of a run whose config asks for them; nothing for others.

    No more images are probed than the run trains on at once, for so many fit into memory.
    """
    train = prepared.config.train
    most_images = min(PROBE_IMAGES, train.batch_size)
    return (_recorder(prepared, sitting, traced, most_images),) if train.diagnostics else ()


def diagnostics_of_cell(
    prepared: Prepared, sitting: Sitting, traced: TracedNetwork
) -> tuple[RecordDiagnostics, ...]:
    """What records the diagnostics of a study's cell: on as many images in every arm."""
    return (_recorder(prepared, sitting, traced, PROBE_IMAGES),)


def _recorder(
    prepared: Prepared, sitting: Sitting, traced: TracedNetwork, most_images: int
) -> RecordDiagnostics:
    return RecordDiagnostics(
        sitting.run.path / DIAGNOSTICS_FILE,
        traced.probe,
        prepared,
        most_images=most_images,
        done_epochs=sitting.progress.epoch,
    )


def probe_rows(prepared: Prepared, *, most: int) -> np.ndarray:
    """The rows of the manifest that are probed: training images that no seed of a run chooses."""
    train = prepared.splits.train
    order = epoch_order(prepared.manifest.ids[train], seed=0, epoch=0)
    return np.asarray(train[order[:most]])


def lines_until(file: Path, epoch: int) -> list[str]:
    """The lines of a file of diagnostics up to an epoch, that included."""
    return [line for line in read_lines(file) if json.loads(line)["epoch"] <= epoch]
