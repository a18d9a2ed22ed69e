"""Statistics of images in one pass; the oracle is ImageDataGenerator.fit, in float64."""

import tracemalloc
import warnings
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.preprocess_rules import whitening_bytes
from cnnrun.data import statistics
from cnnrun.data.images import ImageStore
from cnnrun.data.pixel_memory import InMemory
from cnnrun.data.statistics import FittedStatistics, Moments, fit_statistics
from cnnrun.errors import ConfigError


def store_of(pixels: np.ndarray) -> ImageStore:
    rows = np.arange(len(pixels))
    return ImageStore(InMemory(pixels), rows=rows, slots=rows, skipped=())


def images(count: int, *shape: int, seed: int = 0) -> np.ndarray:
    """Images whose neighbours resemble each other, as those of photographs do."""
    noise = np.random.default_rng(seed).normal(size=(count, *shape))
    smooth = noise + np.roll(noise, 1, axis=1) + np.roll(noise, 1, axis=2)
    return (120 + 40 * smooth).clip(0, 255).astype(np.uint8)


def fitted(pixels: np.ndarray, **arguments: Any) -> FittedStatistics:
    given = {"rescale": 1 / 255, "zca_epsilon": None} | arguments
    return fit_statistics(store_of(pixels), np.arange(len(pixels)), **given)


def keras_fitted(pixels: np.ndarray, **arguments: Any) -> Any:
    generator = keras.src.legacy.preprocessing.image.ImageDataGenerator(
        dtype="float64", featurewise_center=True, **arguments
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of images that have not 1, 3 or 4 channels
        generator.fit(pixels)
    return generator


@pytest.mark.parametrize("rescale", [1 / 255, 1.0, -2.0])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_mean_and_deviation_are_those_of_keras(channels: int, rescale: float) -> None:
    pixels = images(50, 9, 6, channels)
    ours = fitted(pixels, rescale=rescale)
    theirs = keras_fitted(pixels, rescale=rescale, featurewise_std_normalization=True)
    assert ours.images == 50
    np.testing.assert_allclose(ours.mean, theirs.mean[0, 0], rtol=1e-12)
    np.testing.assert_allclose(ours.std, theirs.std[0, 0], rtol=1e-12)


@pytest.mark.parametrize("rescale", [1 / 255, 1.0, -2.0])
@pytest.mark.parametrize("epsilon", [1e-6, 0.1])
def test_the_whitening_is_that_of_keras(epsilon: float, rescale: float) -> None:
    pixels = images(200, 5, 4, 3)
    ours = fitted(pixels, rescale=rescale, zca_epsilon=epsilon)
    theirs = keras_fitted(pixels, rescale=rescale, zca_whitening=True, zca_epsilon=epsilon)
    wanted = theirs.zca_whitening_matrix
    assert ours.zca_matrix is not None
    np.testing.assert_allclose(ours.zca_matrix, wanted, atol=1e-9 * np.abs(wanted).max())


def test_fewer_images_than_features_are_whitened_as_by_keras() -> None:
    pixels = images(20, 6, 6, 3)
    ours = fitted(pixels, zca_epsilon=1e-6)
    theirs = keras_fitted(pixels, rescale=1 / 255, zca_whitening=True)
    wanted = theirs.zca_whitening_matrix
    assert ours.zca_matrix is not None
    np.testing.assert_allclose(ours.zca_matrix, wanted, atol=1e-8 * np.abs(wanted).max())


def test_whitened_images_are_uncorrelated() -> None:
    """The definition: their second moments are those of independent numbers of variance 1."""
    pixels = images(500, 4, 4, 1)
    ours = fitted(pixels, zca_epsilon=1e-9)
    centred = (pixels / 255 - ours.mean).reshape(500, -1)
    whitened = centred @ ours.zca_matrix
    np.testing.assert_allclose(whitened.T @ whitened / 500, np.eye(16), atol=1e-6)


def test_positions_that_never_change_do_not_blow_up() -> None:
    """The black corners of digits: Keras divides them by rounding errors."""
    pixels = images(300, 5, 5, 1)
    pixels[:, 0] = 0
    ours = fitted(pixels, zca_epsilon=1e-6)
    assert np.abs(ours.zca_matrix).max() < 1e3
    centred = (pixels / 255 - ours.mean).reshape(300, -1)
    theirs = keras_fitted(pixels, rescale=1 / 255, zca_whitening=True).zca_whitening_matrix
    np.testing.assert_allclose(centred @ ours.zca_matrix, centred @ theirs, atol=1e-6)


def test_images_that_are_all_the_same_become_zero() -> None:
    ours = fitted(np.full((5, 2, 2, 1), 9, np.uint8), zca_epsilon=1e-6)
    assert ours.std == 0
    np.testing.assert_array_equal(ours.zca_matrix, np.zeros((4, 4)))


def test_only_the_rows_asked_for_count() -> None:
    pixels = images(30, 4, 4, 3)
    rows = np.array([3, 4, 20, 29])
    ours = fit_statistics(store_of(pixels), rows, rescale=1.0, zca_epsilon=None)
    np.testing.assert_allclose(ours.mean, pixels[rows].mean(axis=(0, 1, 2)))


def test_float_images_are_taken_as_they_are() -> None:
    pixels = images(30, 4, 4, 3).astype(np.float32) / 3
    ours = fitted(pixels, rescale=1.0)
    np.testing.assert_allclose(ours.std, pixels.astype(np.float64).std(axis=(0, 1, 2)))


@pytest.mark.parametrize("zca_epsilon", [None, 1e-6])
def test_batches_change_nothing_but_the_last_bits(
    zca_epsilon: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = images(100, 4, 4, 3)
    whole = fitted(pixels, zca_epsilon=zca_epsilon)
    monkeypatch.setattr(statistics, "BATCH_BYTES", 7 * 8 * 48)
    parts = fitted(pixels, zca_epsilon=zca_epsilon)
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-13)
    np.testing.assert_allclose(parts.std, whole.std, rtol=1e-13)
    if zca_epsilon is not None:
        np.testing.assert_allclose(parts.zca_matrix, whole.zca_matrix, atol=1e-8)


@given(
    st.lists(st.floats(-10, 10), min_size=2, max_size=60),
    st.lists(st.integers(1, 59), max_size=5),
    st.sampled_from([0.0, 1e6]),
)
def test_merged_moments_are_those_of_the_whole(
    numbers: list[float], cuts: list[int], far_away: float
) -> None:
    """Also far from zero, where sums of squares would have lost the spread. Oracle: NumPy."""
    vectors = np.array(numbers)[:, None] + far_away
    sums, products = (Moments.of_nothing(1, with_products=each) for each in (False, True))
    for part in np.split(vectors, sorted({cut for cut in cuts if cut < len(vectors)})):
        sums.add(part)
        products.add(part)
    variance = vectors.var()
    assert sums.count == len(vectors)
    np.testing.assert_allclose(sums.mean, vectors.mean(axis=0), rtol=1e-12, atol=1e-12)
    for moments in (sums, products):
        spread = moments.scatter.item() / moments.count
        np.testing.assert_allclose(spread, variance, rtol=1e-6, atol=1e-12)


def test_memory_does_not_grow_with_the_images() -> None:
    class Endless(ImageStore):
        def __init__(self) -> None:
            self.shape = (64, 64, 3)
            self.reads = 0

        def read(self, rows: np.ndarray) -> np.ndarray:
            self.reads += 1
            return np.zeros((len(rows), 64, 64, 3), np.uint8)

    store = Endless()
    tracemalloc.start()
    fit_statistics(store, np.arange(2000), rescale=1.0, zca_epsilon=None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert store.reads > 10
    assert peak < 5 * statistics.BATCH_BYTES  # all 2,000 in float64 would take 197 MB


@pytest.mark.parametrize("shape", [(91, 91, 1), (64, 64, 3)])
def test_images_too_large_to_whiten(
    shape: tuple[int, int, int], snapshot: SnapshotAssertion
) -> None:
    with pytest.raises(ConfigError) as refusal:
        fitted(np.zeros((2, *shape), np.uint8), zca_epsilon=1e-6)
    assert str(refusal.value) == snapshot


def test_a_large_fit_stays_within_the_memory_that_is_named() -> None:
    """Oracle: what NumPy allocates; since NumPy 2.5 that includes LAPACK's workspace of 2 n^2."""
    pixels = images(40, 16, 16, 3)
    tracemalloc.start()
    fitted(pixels, zca_epsilon=1e-6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    batches = 3 * pixels.size * 8
    assert peak - batches <= whitening_bytes(768)
