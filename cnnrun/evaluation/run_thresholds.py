"""The thresholds of a run whose images have several labels: chosen, written, and said."""

from dataclasses import asdict

import numpy as np

from cnnrun.assembly.preparing import Prepared
from cnnrun.assembly.targets import class_probabilities
from cnnrun.config.train_section import ThresholdsSpec
from cnnrun.evaluation.evaluate import Examination
from cnnrun.evaluation.label_thresholds import choose_thresholds
from cnnrun.runs.events import Note, NoteListener
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.thresholds import write_thresholds


def settle_thresholds(
    run: RunFolder, prepared: Prepared, examination: Examination, *, listener: NoteListener
) -> np.ndarray:
    """The threshold of each label, `(labels,)`, chosen on the validation images; written down too.

    Args:
        run: the run.
        prepared: what it was made of.
        examination: its network, with the weights that count.
        listener: who listens.

    Raises:
        StorageError: they cannot be written.
    """
    rows, names = prepared.splits.validation, prepared.manifest.classes
    spec = prepared.config.train.thresholds or ThresholdsSpec()
    given = np.zeros((0, len(names)))
    if len(rows):
        found = examination.of(rows, batch_size=prepared.config.train.batch_size)
        given = class_probabilities(found.predictions, prepared.built.output)
    chosen = choose_thresholds(given, prepared.manifest.labels[rows], spec=spec, names=names)
    for note in chosen.notes:
        listener(Note(note))
    write_thresholds(
        run,
        dict(zip(names, chosen.values.tolist(), strict=True)),
        images=chosen.images,
        chosen=asdict(spec),
    )
    return chosen.values
