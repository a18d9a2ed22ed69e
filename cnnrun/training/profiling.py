"""A watch over a run: every moment belongs to one phase, and the phases add up to the whole."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, final

import keras
from typing_extensions import override

from cnnrun.assembly.preparing import Prepared
from cnnrun.data.input_clock import Waits
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.profile import PHASES, Phase, Profile, advice_on, write_profile


class Watch(Protocol):
    """Looks on while a run is made: a `Profiler`, or `Unwatched`."""

    @property
    def observers(self) -> Sequence[keras.callbacks.Callback]:
        """Callbacks for `fit`."""

    @property
    def waits(self) -> Waits | None:
        """What adds up how long training waits for its batches, if anything does."""

    def enter(self, phase: Phase) -> None:
        """From now on it is this phase."""

    def finish(self, run: RunFolder, prepared: Prepared) -> None:
        """The run is complete."""


@final
class Unwatched:
    """Measures nothing and costs nothing."""

    observers: Sequence[keras.callbacks.Callback] = ()
    waits: Waits | None = None

    def enter(self, phase: Phase) -> None:
        """Leave the phase unmeasured."""

    def finish(self, run: RunFolder, prepared: Prepared) -> None:
        """Leave the run without a profile.json."""


NOT_WATCHED: Final = Unwatched()


@final
class Profiler:
    """Measures where a run's time goes, and writes profile.json.

    Waiting for images is measured where they are handed over, in the dataset; it costs some 40
    microseconds a training step.
    """

    def __init__(self, *, began: float) -> None:
        """Everything from `began`, a value of `time.perf_counter`, until now was start-up."""
        self.seconds: dict[Phase, float] = dict.fromkeys(PHASES, 0.0)
        self.waits = Waits()
        self.stages = _Stages(self)
        self.observers = (self.stages,)
        self._phase: Phase = "start-up"
        self._since = began

    def enter(self, phase: Phase) -> None:
        """From now on it is this phase."""
        now = time.perf_counter()
        self.seconds[self._phase] += now - self._since
        self._phase, self._since = phase, now

    def finish(self, run: RunFolder, prepared: Prepared) -> None:
        """Write profile.json, with what to change.

        Raises:
            StorageError: it cannot be written.
        """
        self.enter("results")
        waited = self.stages.waited
        seconds = self.seconds | {"input": waited, "compute": self.seconds["compute"] - waited}
        profile = Profile(seconds, self.stages.steps)
        advice = advice_on(profile, prepared.config, images_are_in=prepared.images.store.kept_in)
        write_profile(run, profile, advice=advice)


@final
class _Stages(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells the profiler what `fit` does.

    Attributes:
        steps: training steps after the first execution of each stage.
        waited: seconds that they waited for images.
    """

    def __init__(self, profiler: Profiler) -> None:
        super().__init__()
        self.profiler = profiler
        self.steps = 0
        self.waited = 0.0
        self._is_traced = False
        self._last_step = -1
        self._waits_before = 0.0

    @override
    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._is_traced = False

    @override
    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._last_step = -1
        self._waits_before = self.profiler.waits.seconds
        self.profiler.enter("compute" if self._is_traced else "first step")

    @override
    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        step = min(batch, self.params["steps"] - 1)  # the last execution may be a short one
        if self._is_traced:
            self.steps += step - self._last_step
        else:
            self._is_traced = True
            self._waits_before = self.profiler.waits.seconds
            self.profiler.enter("compute")
        self._last_step = step

    @override
    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        self._end_steps()
        self.profiler.enter("validation")

    @override
    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._end_steps()
        self.profiler.enter("checkpoint")

    def _end_steps(self) -> None:
        now = self.profiler.waits.seconds
        self.waited += now - self._waits_before
        self._waits_before = now
