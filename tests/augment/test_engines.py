"""Both engines over the same draws. The oracle of the fast one is ImageDataGenerator's own code."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cnnrun.augment import fast_engine, keras_engine
from cnnrun.augment.draws import Draws

FILL_MODES = ("nearest", "reflect", "constant", "wrap")
SIZES = [(1, 1), (1, 9), (2, 3), (8, 8), (9, 1), (28, 28), (33, 71), (128, 128), (256, 256)]
ALONE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "rotation": {"rotation_range": 180.0},
    "row shift": {"width_shift_range": 0.4},
    "column shift": {"height_shift_range": 2.7},
    "whole pixels": {"width_shift_range": 3, "height_shift_range": [1, 5]},
    "half pixels": {"width_shift_range": [0.0, 0.5, 1.5], "height_shift_range": [0.5, 2.5]},
    "shear": {"shear_range": 40.0},
    "zoom": {"zoom_range": [0.3, 2.5]},
    "horizontal flip": {"horizontal_flip": True},
    "vertical flip": {"vertical_flip": True},
    "flips": {"horizontal_flip": True, "vertical_flip": True},
    "brightness": {"brightness_range": (0.0, 2.5)},
    "channel shift": {"channel_shift_range": 90.0},
}
GEOMETRY: dict[str, Any] = {
    "rotation_range": 40.0,
    "width_shift_range": 0.3,
    "height_shift_range": 0.3,
    "shear_range": 20.0,
    "zoom_range": 0.4,
    "horizontal_flip": True,
    "vertical_flip": True,
}


def differences(images: NDArray[Any], draws: Draws, **how: Any) -> NDArray[np.float32]:
    """How far the engines are from each other, for every level."""
    how = {"fill_mode": "nearest", "cval": 0.0, "interpolation_order": 1} | how
    fast = fast_engine.apply(images, draws, threads=2, **how)
    keras = keras_engine.apply(images, draws, **how)
    assert fast.dtype == keras.dtype == np.float32
    assert fast.shape == keras.shape == images.shape
    result: NDArray[np.float32] = np.abs(fast - keras)
    return result


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("parameters", ALONE.values(), ids=ALONE)
@pytest.mark.parametrize("order", [0, 1])
def test_each_parameter_alone(
    sheet: Any, parameters: dict[str, Any], fill_mode: str, order: int
) -> None:
    for size in SIZES[:7]:
        images, draws = sheet.images(12, size, 3), sheet.draws(12, size, **parameters)

        apart = differences(
            images, draws, fill_mode=fill_mode, interpolation_order=order, cval=31.5
        )

        assert apart.max() <= (0.01 if order else 0)


@pytest.mark.parametrize("fill_mode", ["constant", "wrap"])
@pytest.mark.parametrize("size", [(27, 27), (28, 28), (27, 40), (41, 9)], ids=str)
@pytest.mark.parametrize("order", [0, 1])
def test_pixels_on_the_border_of_sheared_images(
    sheet: Any, size: tuple[int, int], fill_mode: str, order: int
) -> None:
    """The last bit of a coordinate decides what is outside: sums are in the order of SciPy's."""
    images, draws = sheet.images(200, size, 1), sheet.draws(200, size, shear_range=40.0)
    apart = differences(images, draws, fill_mode=fill_mode, interpolation_order=order)
    assert apart.max() <= (0.01 if order else 0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_geometry_together(
    sheet: Any, size: tuple[int, int], fill_mode: str, channels: int
) -> None:
    images, draws = sheet.images(4, size, channels), sheet.draws(4, size, **GEOMETRY)

    assert differences(images, draws, fill_mode=fill_mode, cval=200.0).max() <= 0.01


@pytest.mark.parametrize("brightness_range", [None, (0.5, 1.5)], ids=["as it is", "brightness"])
@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("size", [(300, 280), (40, 700), (3, 40_000), (40_000, 2)], ids=str)
def test_large_images(
    sheet: Any, size: tuple[int, int], fill_mode: str, brightness_range: Any
) -> None:
    images = sheet.images(2, size, 1)
    draws = sheet.draws(2, size, **GEOMETRY, brightness_range=brightness_range)

    apart = differences(images, draws, fill_mode=fill_mode)

    assert apart.max() <= (0 if brightness_range else 0.01)


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("order", [2, 3, 4, 5])
def test_splines_are_those_of_scipy(sheet: Any, fill_mode: str, order: int) -> None:
    images = sheet.images(8, (21, 16), 3)
    draws = sheet.draws(8, (21, 16), **{**GEOMETRY, "brightness_range": (0.5, 1.5)})

    assert differences(images, draws, fill_mode=fill_mode, interpolation_order=order).max() == 0


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("cval", [0.0, -40.0, 300.0])
@pytest.mark.parametrize("channel_shift_range", [0.0, 60.0])
def test_levels_after_geometry_are_equal(
    sheet: Any, order: int, channels: int, cval: float, channel_shift_range: float
) -> None:
    images = sheet.images(8, (30, 23), channels)
    draws = sheet.draws(
        8,
        (30, 23),
        **GEOMETRY,
        brightness_range=(0.2, 2.0),
        channel_shift_range=channel_shift_range,
    )

    apart = differences(images, draws, fill_mode="constant", cval=cval, interpolation_order=order)

    assert apart.max() == 0


@pytest.mark.parametrize("channel_shift_range", [0.0, 9.0])
def test_flat_and_empty_images_keep_their_levels(sheet: Any, channel_shift_range: float) -> None:
    images = np.repeat(np.arange(0, 256, 5, dtype=np.uint8), 16 * 16 * 3).reshape(-1, 16, 16, 3)
    draws = sheet.draws(
        len(images),
        (16, 16),
        **GEOMETRY,
        brightness_range=(0.5, 1.5),
        channel_shift_range=channel_shift_range,
    )

    assert differences(images, draws).max() == 0


@pytest.mark.parametrize("low_and_high", [(-30.0, 100.0), (5.0, 400.0), (7.0, 7.0), (-3.0, -3.0)])
def test_brightness_beyond_0_and_255_stretches_as_keras_does(
    sheet: Any, low_and_high: tuple[float, float]
) -> None:
    images = np.random.default_rng(0).uniform(*low_and_high, (6, 9, 9, 3)).astype(np.float32)
    draws = sheet.draws(6, (9, 9), brightness_range=(0.2, 2.0))

    assert differences(images, draws).max() == 0


def test_brightness_of_every_level_and_factor(sheet: Any) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    draws = sheet.draws(300, (16, 16), brightness_range=(0.0, 3.0))

    assert differences(np.repeat(levels, 300, axis=0), draws).max() == 0


@st.composite
def ranges(draw: Any) -> dict[str, Any]:
    """Any mixture of parameters."""
    low, high = sorted(draw(st.tuples(*[st.floats(0.2, 3.0)] * 2)))
    shifts = st.one_of(
        st.floats(0, 3), st.integers(0, 4), st.lists(st.integers(-5, 5), min_size=1, max_size=3)
    )
    return {
        "rotation_range": draw(st.sampled_from([0.0, 5.0, 360.0])),
        "width_shift_range": draw(shifts),
        "height_shift_range": draw(shifts),
        "shear_range": draw(st.sampled_from([0.0, 10.0, 80.0])),
        "zoom_range": draw(st.sampled_from([0.0, 0.2, (low, high)])),
        "horizontal_flip": draw(st.booleans()),
        "vertical_flip": draw(st.booleans()),
        "brightness_range": draw(st.sampled_from([None, (0.3, 1.8)])),
        "channel_shift_range": draw(st.sampled_from([0.0, 50.0])),
    }


@settings(max_examples=60)
@given(
    parameters=ranges(),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    channels=st.sampled_from([1, 3, 4]),
    fill_mode=st.sampled_from(FILL_MODES),
    order=st.sampled_from([0, 1]),
    seed=st.integers(0, 1000),
    as_float=st.booleans(),
)
def test_any_mixture(
    sheet: Any,
    parameters: dict[str, Any],
    size: tuple[int, int],
    channels: int,
    fill_mode: str,
    order: int,
    seed: int,
    as_float: bool,
) -> None:
    images: NDArray[Any] = sheet.images(3, size, channels, seed=seed)
    if as_float:
        images = images.astype(np.float32) * np.float32(0.97)
    draws = sheet.draws(3, size, seed=seed, **parameters)

    apart = differences(images, draws, fill_mode=fill_mode, interpolation_order=order, cval=77.7)

    is_bit_exact = order == 0 or parameters["brightness_range"] is not None
    assert apart.max() <= (0 if is_bit_exact else 0.01)


@pytest.mark.parametrize("size", [(28, 28), (128, 96), (300, 270)], ids=str)
@pytest.mark.parametrize("brightness_range", [None, (0.5, 1.5)], ids=["dark", "bright"])
def test_threads_and_company_change_no_bit(
    sheet: Any, size: tuple[int, int], brightness_range: Any
) -> None:
    count = max(2, 2**18 // (size[0] * size[1]))
    images = sheet.images(count, size, 3)
    draws = sheet.draws(count, size, **GEOMETRY, brightness_range=brightness_range)
    how: dict[str, Any] = {"fill_mode": "reflect", "cval": 0.0, "interpolation_order": 1}

    together = fast_engine.apply(images, draws, threads=1, **how)

    for threads in (2, 8):
        assert np.array_equal(together, fast_engine.apply(images, draws, threads=threads, **how))
    draws.column_zoom[1] = 40.0  # one that is far from the others in all its places
    together = fast_engine.apply(images, draws, threads=1, **how)
    for row in (0, 1, count - 1):
        some = slice(row, row + 1)
        alone = fast_engine.apply(images[some], draws.take(some), threads=1, **how)
        assert np.array_equal(together[some], alone)


def test_images_are_left_as_they_were(sheet: Any) -> None:
    images = sheet.images(5, (12, 12), 3).astype(np.float32)
    before = images.copy()
    draws = sheet.draws(5, (12, 12), **GEOMETRY, brightness_range=(0, 2), channel_shift_range=9.0)

    for order in (0, 1, 3):
        differences(images, draws, interpolation_order=order)

    assert np.array_equal(images, before)


@pytest.mark.parametrize("order", [0, 1, 3])
def test_images_that_are_not_moved_keep_their_pixels(sheet: Any, order: int) -> None:
    images = sheet.images(40, (15, 15), 3)
    draws = sheet.draws(40, (15, 15), width_shift_range=2)  # half of them are not moved
    how: dict[str, Any] = {"fill_mode": "nearest", "cval": 0.0, "interpolation_order": order}

    result = fast_engine.apply(images, draws, threads=1, **how)

    still = draws.row_shift_pixels == 0
    assert 0 < still.sum() < 40
    assert np.array_equal(result[still], images[still])
    assert not np.array_equal(result[~still], images[~still])


def test_no_images_give_no_images(sheet: Any) -> None:
    images, draws = sheet.images(0, (5, 6), 3), sheet.draws(0, (5, 6), **GEOMETRY)

    assert differences(images, draws).shape == (0, 5, 6, 3)


def test_images_that_do_not_lie_in_one_piece(sheet: Any) -> None:
    images = sheet.images(6, (20, 30), 4)[::2, ::-1, 3:23, :3]
    draws = sheet.draws(3, (20, 20), **GEOMETRY)

    assert differences(images, draws).max() <= 0.01


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_some_of_many_images_are_taken_as_if_they_were_all(
    sheet: Any, dtype: type, order: int
) -> None:
    images = sheet.images(9, (20, 16), 3).astype(dtype)
    images.flags.writeable = False
    places, draws = np.array([7, 0, 7, 8]), sheet.draws(4, (20, 16), **GEOMETRY)
    how: dict[str, Any] = {"fill_mode": "wrap", "cval": 0.0, "interpolation_order": order}
    engine = fast_engine.FastEngine((20, 16, 3), threads=2, **how)

    taken = engine.take(images, places, draws)

    assert np.array_equal(taken, engine(images[places], draws))
    assert np.abs(taken - keras_engine.apply(images[places], draws, **how)).max() <= 0.01


@pytest.mark.parametrize(
    ("size", "places", "draws", "error"),
    [
        ((9, 8), [0, 1], 2, ValueError),
        ((8, 8), [0], 2, ValueError),
        ((8, 8), [-1, 1], 2, IndexError),
        ((8, 8), [0, 5], 2, IndexError),
    ],
)
def test_no_memory_is_read_beyond_the_images(
    sheet: Any, size: tuple[int, int], places: list[int], draws: int, error: type[Exception]
) -> None:
    engine = fast_engine.FastEngine(
        (8, 8, 3), fill_mode="nearest", cval=0.0, interpolation_order=1, threads=1
    )

    with pytest.raises(error):
        engine.take(sheet.images(5, size, 3), np.array(places), sheet.draws(draws, (8, 8)))


def test_results_lie_where_tensorflow_takes_them_without_a_copy(sheet: Any) -> None:
    images, draws = sheet.images(3, (5, 7), 3), sheet.draws(3, (5, 7), **GEOMETRY)
    engine = fast_engine.FastEngine(
        (5, 7, 3), fill_mode="nearest", cval=0.0, interpolation_order=1, threads=1
    )

    results = [engine(images, draws) for _ in range(20)]

    assert {result.ctypes.data % 64 for result in results} == {0}
    assert all(result.flags.c_contiguous for result in results)
