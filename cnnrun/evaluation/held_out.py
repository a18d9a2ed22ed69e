"""What a finished run's network gives for the images that it was not trained on."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cnnrun.assembly.image_stores import open_rows
from cnnrun.assembly.targets import (
    Output,
    encode_labels,
    last_activation,
    output_of,
    target_form,
)
from cnnrun.config.sections import Config
from cnnrun.data.images import Rows
from cnnrun.data.manifest import Manifest
from cnnrun.data.splits import Splits
from cnnrun.errors import RunError
from cnnrun.evaluation.evaluate import Examination, Judge
from cnnrun.evaluation.finished_runs import loss_of
from cnnrun.models.saved import load_model
from cnnrun.runs.folder import RunFolder

# Activations of which a logarithm is no logit: some of their zeros are meant.
_OF_MEANT_ZEROS: Final = frozenset({"hard_sigmoid", "sparse_sigmoid", "sparsemax"})
_WATCHING_CALLBACKS: Final = frozenset({"EarlyStopping", "ReduceLROnPlateau"})


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What the last layer gives for a run's validation and test images.

    Attributes:
        output: what that is.
        validation: `(images, units)` of validation images.
        validation_rows: their rows in the manifest, `(images,)`.
        test: of test images.
        test_rows: their rows.
        notes: images that were left out, a sentence each.
    """

    output: Output
    validation: NDArray[Any]
    validation_rows: Rows
    test: NDArray[Any]
    test_rows: Rows
    notes: tuple[str, ...]


def predict_held_out(run: RunFolder, config: Config, manifest: Manifest, splits: Splits) -> HeldOut:
    """Predict a run's validation and test images.

    Raises:
        RunError: its network ends with what gives no log-odds.
        DataError: the images cannot be used.
        ModelFileError: the model cannot be used.
    """
    model, loss = load_model(run.model_keras), loss_of(config)
    output = output_of(model, loss, is_multi_label=config.data.is_multi_label)
    activation = last_activation(model)
    is_bounded = output.units > 1 and not output.is_multi_label
    if activation in _OF_MEANT_ZEROS or (output.scale == "values" and not is_bounded):
        raise RunError.at(
            run.path,
            rule="a run that is calibrated must end with a softmax, a sigmoid or logits",
            received=f"`{activation}`, whose numbers have no log-odds",
            advice="end its network with `classifier`",
        )
    rows = np.concatenate([splits.validation, splits.test])
    store = open_rows(config.data, manifest, rows, cache_folder=run.path)
    validation, test = (
        np.intersect1d(each, store.rows) for each in (splits.validation, splits.test)
    )
    targets = encode_labels(
        manifest.labels, form=target_form(loss, output), classes=len(manifest.classes)
    )
    judge = Judge(loss=loss, metrics=(), output=output)
    examination = Examination(model, judge, store=store, targets=targets)

    def of(rows: Rows) -> NDArray[Any]:
        if not len(rows):
            return np.empty((0, output.units), np.float32)
        return examination.of(rows, batch_size=config.train.batch_size).predictions

    return HeldOut(
        output=output,
        validation=of(validation),
        validation_rows=validation,
        test=of(test),
        test_rows=test,
        notes=tuple(f"skipped {path}: {reason}" for path, reason in store.skipped),
    )


def refuse_no_validation(run: RunFolder, validation: Rows) -> None:
    """Raise unless there are validation images to fit to.

    Raises:
        RunError: there are none.
    """
    if not len(validation):
        raise RunError.at(
            run.path,
            rule="a run that is calibrated must have validation images, for test images tell how"
            " good it came out",
            received="none",
            advice="train it with `data.split.validation`, such as 0.15",
        )


def notes_on_choices(config: Config, *, of_promises: bool) -> list[str]:
    """That validation images flatter a network which was chosen by them.

    Args:
        config: the run's.
        of_promises: whether something may be promised by these images.
    """
    best = config.train.best
    by_best = best is not None and best.monitor.startswith("val_")
    by_callback = any(
        callback.name in _WATCHING_CALLBACKS
        and str(callback.arguments.get("monitor", "val_loss")).startswith("val_")
        for callback in config.train.callbacks
    )
    if not (by_best or by_callback):
        return []
    too = ": what is promised by them is, too" if of_promises else ""
    return [
        "the validation images also chose when to stop, so that they flatter the network a little"
        f"{too}; the test images chose nothing"
    ]
