"""A prepared run is fitted, and its best epoch tested: runs and cells alike, and nothing drawn."""

from collections.abc import Sequence

import keras

from cnnrun.assembly.preparing import Prepared
from cnnrun.evaluation.evaluate import Evaluated, evaluate_test_images
from cnnrun.evaluation.run_thresholds import settle_thresholds
from cnnrun.models.variables import assign_variables, read_variables
from cnnrun.training.fitting import compile_and_fit, freeze_as_in
from cnnrun.training.recording import training_begins
from cnnrun.training.run_files import write_evaluation, write_model
from cnnrun.training.sitting import Sitting
from cnnrun.training.traced_network import TracedNetwork


def fit_and_evaluate(
    prepared: Prepared,
    sitting: Sitting,
    traced: TracedNetwork,
    *,
    observers: Sequence[keras.callbacks.Callback],
) -> Evaluated | None:
    """Compile, fit, keep the best epoch, evaluate on the test images; runs and cells alike.

    Writes the epochs, model.keras and predictions.csv.

    Args:
        prepared: the run; its network has the weights that count afterwards.
        sitting: the sitting at it.
        traced: what is trained: the run's network, or one built alike whose graphs are there.
        observers: callbacks that look on and change nothing.

    Returns:
        What the network makes of the test images; None without any.
    """
    sitting.listener(training_begins(prepared, sitting))
    fitted = traced.in_place_of(prepared)
    compile_and_fit(fitted, sitting, traced, observers=[*sitting.watch.observers, *observers])
    sitting.watch.enter("results")
    trained, own = traced.network.model, prepared.built.network.model
    if sitting.progress.best is not None:
        assign_variables(trained.weights, sitting.progress.best.weights)
        if len(prepared.config.train.stages) > 1:
            freeze_as_in(sitting.progress.best.epoch, fitted, sitting.run)
    if own is not trained:
        assign_variables(own.weights, read_variables(trained.weights))
    write_model(sitting.run, own)
    thresholds = (
        settle_thresholds(sitting.run, fitted, traced.examination, listener=sitting.listener)
        if prepared.manifest.is_multi_label
        else None
    )
    tested = evaluate_test_images(fitted, traced.examination, thresholds=thresholds)
    if tested is not None:
        write_evaluation(sitting.run, prepared.manifest, tested)
    return tested
