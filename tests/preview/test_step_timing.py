"""What is recommended follows from paired rounds."""

from typing import get_args

import pytest

from cnnrun.config.train_section import Precision
from cnnrun.preview.step_timing import StepTimes, timing_document

FLOAT32 = (0.1, 0.2, 0.1)


@pytest.mark.parametrize(
    ("bfloat16", "recommended"),
    [
        ((0.05, 0.1, 0.06), "mixed_bfloat16"),
        ((0.095, 0.19, 0.095), "float32"),  # a twentieth faster: not worth the digits
        ((0.3, 0.05, 0.3), "float32"),  # one lucky round
    ],
)
def test_float32_unless_another_is_clearly_faster(
    bfloat16: tuple[float, ...], recommended: str
) -> None:
    seconds = {"float32": FLOAT32, "mixed_bfloat16": bfloat16, "mixed_float16": (5.0,)}
    times = [StepTimes(precision, seconds[precision]) for precision in get_args(Precision)]
    document = timing_document(times, batch_size=32)
    assert document["recommended"] == recommended
    assert document["precisions"]["float32"]["images_per_second"] == pytest.approx(320)


def test_rounds_are_compared_in_pairs() -> None:
    float32 = StepTimes("float32", FLOAT32)
    other = StepTimes("mixed_bfloat16", (0.05, 0.05, 0.1))
    assert other.ratios(float32) == pytest.approx((2, 4, 1))
    assert StepTimes("mixed_float16", (0.4,)).ratios(float32) == pytest.approx((0.25,))
