"""What a cell comes to whose training converged and whose test did not."""

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.execution import cell_training
from cnnrun.errors import DivergedError


def test_a_test_loss_that_is_no_number_is_a_divergence(
    monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    tested = SimpleNamespace(scores=SimpleNamespace(loss=math.nan))
    monkeypatch.setattr(cell_training, "fit_and_evaluate", lambda *_, **__: tested)
    monkeypatch.setattr(cell_training, "measures_of_network", lambda *_, **__: {})
    sitting = cast("Any", SimpleNamespace(progress=SimpleNamespace(epoch=1)))
    anything = cast("Any", None)
    with pytest.raises(DivergedError) as refusal:
        cell_training._measured(anything, sitting, anything, observers=())
    assert str(refusal.value) == snapshot
