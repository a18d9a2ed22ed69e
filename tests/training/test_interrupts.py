"""Ctrl-C in the worst place: in a `__del__`, where Python drops exceptions."""

import os
import signal
import sys
import threading

import keras
import numpy as np
import pytest

from cnnrun.training.interrupts import EndWhenInterrupted


class Dropped:
    """Gets a signal while it is being deleted, as TensorFlow's iterators may."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):  # the exception is raised here, and goes no further
            pass


class DropInStep(keras.callbacks.Callback):
    """Loses a Ctrl-C at the end of step 3."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def on_train_batch_end(self, batch, logs=None) -> None:
        self.steps += 1
        if self.steps == 3:
            Dropped()


def small_model() -> keras.Model:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    return model


def fit(callbacks) -> None:
    small_model().fit(
        np.zeros((32, 2)), np.zeros((32, 1)), batch_size=1, verbose=0, callbacks=callbacks
    )


@pytest.fixture
def ctrl_c_raises(monkeypatch):
    """Ctrl-C as in a terminal, also where tests run in the background; lost ones are silent."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: None)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_raises")
def test_a_lost_ctrl_c_ends_the_next_step() -> None:
    end, drop = EndWhenInterrupted(), DropInStep()
    with pytest.raises(KeyboardInterrupt), end.listening():
        fit([end, drop])
    assert drop.steps == 3  # the fourth step ran, and `end` stands before what counts steps
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("ctrl_c_raises")
def test_without_it_the_ctrl_c_is_lost() -> None:
    drop = DropInStep()
    fit([drop])
    assert drop.steps == 32


def test_other_threads_train_without_it() -> None:
    failures: list[BaseException] = []

    def work() -> None:
        end = EndWhenInterrupted()
        try:
            with end.listening():
                fit([end])
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures
