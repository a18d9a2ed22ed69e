"""Compiled functions: what they give and where they are kept. Their oracle is their source."""

from pathlib import Path

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from cnnrun.augment.machine_code import compiled, inlined

SIGNATURE = numba.float64(numba.float64[::1])


@inlined
def _square(number: float) -> float:
    return number * number


def length(vector: NDArray[np.float64]) -> float:
    """The length of a vector."""
    total = 0.0
    for number in vector:
        total += _square(number)
    return float(np.sqrt(total))


def test_it_is_kept_on_disk_for_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))

    first, again = (compiled(length, SIGNATURE) for _ in range(2))

    assert first(np.array([3.0, 4.0])) == again(np.array([3.0, 4.0])) == 5.0
    assert list(tmp_path.rglob("*.nbc"))
    assert sum(again.stats.cache_hits.values()) == 1


def test_where_nothing_can_be_kept_it_works_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "UserProvidedCacheLocator")
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")

    assert compiled(length, SIGNATURE)(np.array([6.0, 8.0])) == 10.0


def test_where_the_disk_is_full_it_works_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "file"))

    assert compiled(length, SIGNATURE)(np.array([6.0, 8.0])) == 10.0


def test_the_setting_for_vectors_of_other_users_of_numba_stays() -> None:
    before = numba.config.SLP_VECTORIZE

    compiled(length, SIGNATURE)

    assert before == numba.config.SLP_VECTORIZE
