"""Occlusion. Oracle: networks whose log-odds are a sum over pixels, so that each fall is known."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnrun.assembly.targets import Output
from cnnrun.data.decode import decode_image
from cnnrun.data.decoding import Decoding
from cnnrun.errors import InputError
from cnnrun.evaluation.prediction import Classifier, NamedClass
from cnnrun.explanation.occlusion import occlude, over_the_image, squares_of

DECODING = Decoding((9, 7), "grayscale", "bilinear", keep_aspect=False)
WEIGHTS = np.random.default_rng(0).normal(size=(9, 7, 1)) / 100


def classifier(infer, *, output: Output) -> Classifier:
    return Classifier(
        model=None,
        infer=infer,
        output=output,
        classes=(NamedClass("no"), NamedClass("yes")),
        decode=partial(decode_image, decoding=DECODING),
        decoding=DECODING,
        batch_size=4,
        is_float32=True,
        notes=(),
    )


def sums(pixels: np.ndarray) -> np.ndarray:
    return (pixels.astype(np.float64) * WEIGHTS).sum(axis=(1, 2, 3))


FORMS = {
    "logits": (lambda x: np.stack([0 * sums(x), sums(x)], axis=1), Output(2, "logits")),
    "a logit": (lambda x: sums(x)[:, None], Output(1, "logits")),
    "a probability": (lambda x: 1 / (1 + np.exp(-sums(x)))[:, None], Output(1, "independent")),
    "probabilities": (
        lambda x: np.stack([1 / (1 + np.exp(sums(x))), 1 / (1 + np.exp(-sums(x)))], axis=1),
        Output(2, "probabilities"),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_log_odds_fall_by_what_the_square_covered(form: str) -> None:
    infer, output = FORMS[form]
    pixels = np.random.default_rng(1).integers(0, 256, (9, 7, 1), np.uint8)
    squares = squares_of(9, 7, side=3)
    no, yes = occlude(classifier(infer, output=output), pixels, [0, 1], squares)
    lost = (pixels - pixels.mean()) * WEIGHTS
    expected = [
        [lost[top : top + 3, left : left + 3].sum() for left in squares.lefts]
        for top in squares.tops
    ]
    np.testing.assert_allclose(yes.fall, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(no.fall, -np.array(expected), rtol=1e-5, atol=1e-6)
    worst = sums(pixels[None])[0] - np.max(expected)
    assert yes.least == pytest.approx(1 / (1 + np.exp(-worst)), rel=1e-5)


def test_labels_that_an_image_may_both_have_do_not_compete() -> None:
    def infer(pixels: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-np.stack([sums(pixels), 3 * sums(pixels)], axis=1)))

    pixels = np.random.default_rng(1).integers(0, 256, (9, 7, 1), np.uint8)
    output = Output(2, "independent", is_multi_label=True)
    one, other = occlude(classifier(infer, output=output), pixels, [0, 1], squares_of(9, 7, side=3))
    np.testing.assert_allclose(other.fall, 3 * one.fall, rtol=1e-5, atol=1e-6)


@given(height=st.integers(4, 40), width=st.integers(4, 40), side=st.integers(1, 3))
def test_squares_cover_every_pixel_and_end_at_the_edge(height: int, width: int, side: int) -> None:
    squares = squares_of(height, width, side=side)
    assert (squares.tops[-1] + side, squares.lefts[-1] + side) == (height, width)
    falls = np.full((len(squares.tops), len(squares.lefts)), 2.5)
    np.testing.assert_array_equal(
        over_the_image(falls, squares, height=height, width=width), np.full((height, width), 2.5)
    )


def test_a_square_as_large_as_the_image_is_refused(snapshot) -> None:
    assert squares_of(224, 224, side=None).side == 37
    with pytest.raises(InputError) as refused:
        squares_of(9, 7, side=7)
    assert str(refused.value) == snapshot
