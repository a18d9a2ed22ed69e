"""The learning-rate range test; the oracle for its losses is a loop of Keras's own steps."""

from collections.abc import Callable

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.assembly.compiling import compile_anew
from cnnrun.assembly.preparing import prepare
from cnnrun.config.sections import Config
from cnnrun.config.values import KerasCall
from cnnrun.errors import WorkError
from cnnrun.preview.rate_curve import RateCurve, is_hopeless, refuse_flat
from cnnrun.preview.rate_range import try_rates
from cnnrun.runs.events import silent

MakeConfig = Callable[..., Config]


def valley(steps: int = 100) -> RateCurve:
    """Losses that are flat to 1e-4, fall to a least at .1 and rise."""
    rates = np.logspace(-6, 1, steps)
    height = np.interp(np.log10(rates), [-6, -4, -1, 1], [2.0, 2.0, 0.5, 6.0])
    return RateCurve(tuple(rates.tolist()), tuple(height.tolist()))


def test_a_tenth_of_the_rate_of_the_least_loss_is_suggested() -> None:
    curve = valley()
    assert 0.05 < curve.rates[curve.least] < 0.15
    assert 0.005 < curve.suggested <= 0.01
    assert 1e-4 < curve.rates[curve.steepest] < 0.1


def test_one_lucky_batch_suggests_nothing() -> None:
    calm = valley()
    losses = list(calm.losses)
    losses[10] = 0.0
    assert RateCurve(calm.rates, tuple(losses)).suggested == calm.suggested


def test_higher_rates_are_not_tried_where_the_loss_has_left_for_good() -> None:
    losses = list(valley().losses)
    ends = [number for number in range(3, len(losses)) if is_hopeless(losses[:number])]
    assert ends
    assert losses[ends[0] - 1] > 1.5
    assert is_hopeless([2.0, float("nan")])
    assert not is_hopeless([2.0, 2.1, 1.9])


def test_where_nothing_falls_nothing_is_suggested(snapshot: SnapshotAssertion) -> None:
    with pytest.raises(WorkError) as refusal:
        refuse_flat(RateCurve((0.1, 0.2, 0.4), (2.3, 2.29, 2.31)))
    assert str(refusal.value) == snapshot


@pytest.mark.parametrize("losses", [(2.3, 4e9, 9e9, 8e8), (2.3, float("nan"))])
def test_where_every_rate_is_too_high_lower_ones_are_advised(
    losses: tuple[float, ...], snapshot: SnapshotAssertion
) -> None:
    with pytest.raises(WorkError) as refusal:
        refuse_flat(RateCurve((10.0, 12.0, 14.0, 17.0)[: len(losses)], losses))
    assert str(refusal.value) == snapshot


def test_the_losses_are_those_of_keras_own_steps(make_config: MakeConfig, tmp_path: object) -> None:
    """Oracle: `train_on_batch` with the rate set by hand before each step."""
    config = make_config(train={"batch_size": 8, "optimizer": {"SGD": {"momentum": 0.9}}})
    curve = try_rates(config, lowest=1e-3, highest=1.0, steps=9, listener=silent)
    prepared = prepare(config, earlier=None, cache_folder=tmp_path, listener=silent)
    model, rows = prepared.built.network.model, prepared.splits.train
    compile_anew(
        model,
        prepared.config,
        network=prepared.built.network,
        loss=prepared.built.loss,
        optimizer=KerasCall("optimizers", "SGD", {"momentum": 0.9}),
    )
    batches = prepared.feed.training(
        rows, prepared.manifest.ids[rows], seed=config.seed, first_epoch=0
    )
    rates = np.logspace(-3, 0, 9)
    losses: list[float] = []
    while len(losses) < len(rates):
        for images, targets in batches:
            if len(losses) < len(rates):
                model.optimizer.learning_rate = rates[len(losses)]
                model.reset_metrics()
                losses.append(
                    float(model.train_on_batch(images, targets, return_dict=True)["loss"])
                )
    np.testing.assert_allclose(curve.rates, rates[: len(curve.rates)], rtol=1e-5)
    np.testing.assert_allclose(curve.losses, losses[: len(curve.losses)], rtol=1e-4)
    assert len(curve.losses) == len(rates)
