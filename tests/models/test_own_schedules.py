"""cnnrun's own schedules, step by step; the oracles are Keras's warm-up and PyTorch's formula."""

import math

import keras
import numpy as np
import pytest

from cnnrun.config.values import KerasCall
from cnnrun.models.keras_objects import keras_object


def rates(name: str, steps: int, **arguments: object) -> np.ndarray:
    schedule = keras_object(KerasCall("schedules", name, arguments), address="learning_rate")
    return np.array([float(schedule(step)) for step in range(steps)])


def one_cycle_of_pytorch(
    step: int, *, highest: float, total: int, rising: float, first: float, last: float, form: str
) -> float:
    """torch.optim.lr_scheduler.OneCycleLR with three_phase=False, as its documentation has it."""

    def annealed(start: float, end: float, share: float) -> float:
        if form == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    top = rising * total - 1
    if step <= top:
        return annealed(highest / first, highest, step / top)
    end = highest / first / last
    return annealed(highest, end, (step - top) / (total - 1 - top))


@pytest.mark.parametrize("form", ["cosine", "linear"])
@pytest.mark.parametrize(("total", "rising"), [(50, 0.3), (37, 0.45)])
def test_one_cycle_is_pytorchs(form: str, total: int, rising: float) -> None:
    ours = rates(
        "one_cycle",
        total,
        maximum_learning_rate=0.4,
        total_steps=total,
        rising_share=rising,
        initial_divisor=10.0,
        final_divisor=100.0,
        annealing=form,
    )
    theirs = [
        one_cycle_of_pytorch(
            step, highest=0.4, total=total, rising=rising, first=10.0, last=100.0, form=form
        )
        for step in range(total)
    ]
    np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("rising", [0, 1])
def test_one_cycle_may_only_fall_or_only_rise(rising: float) -> None:
    ours = rates("one_cycle", 20, maximum_learning_rate=1.0, total_steps=20, rising_share=rising)
    assert np.all(np.diff(ours) < 0) if rising == 0 else np.all(np.diff(ours) > 0)
    assert max(ours) == 1.0


def test_a_warm_up_is_the_one_that_keras_has_for_cosine_decay() -> None:
    cosine = {"initial_learning_rate": 0.02, "decay_steps": 30}
    ours = rates(
        "warmup",
        50,
        warmup_steps=10,
        initial_learning_rate=0.004,
        learning_rate=KerasCall("schedules", "CosineDecay", cosine),
    )
    oracle = keras.optimizers.schedules.CosineDecay(0.004, 30, warmup_target=0.02, warmup_steps=10)
    np.testing.assert_allclose(ours, [float(oracle(step)) for step in range(50)], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 8}),
        ("PiecewiseConstantDecay", {"boundaries": (4, 8), "values": (0.1, 0.01, 0.001)}),
        ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 5}),
    ],
)
def test_after_a_warm_up_any_schedule_begins_at_its_first_step(
    name: str, arguments: dict[str, object]
) -> None:
    """Oracle: the schedule by itself, moved."""
    ours = rates(
        "warmup", 20, warmup_steps=6, learning_rate=KerasCall("schedules", name, arguments)
    )
    alone = rates(name, 14, **arguments)
    np.testing.assert_array_equal(ours[6:], alone)
    np.testing.assert_allclose(ours[:6], alone[0] * np.arange(6) / 6, rtol=1e-6)


def test_a_warm_up_to_a_steady_rate() -> None:
    ours = rates("warmup", 6, warmup_steps=4, learning_rate=0.2)
    np.testing.assert_allclose(ours, [0, 0.05, 0.1, 0.15, 0.2, 0.2], rtol=1e-6)


def test_no_warm_up_at_all() -> None:
    np.testing.assert_array_equal(
        rates("warmup", 3, warmup_steps=0, learning_rate=0.25), [0.25] * 3
    )
