"""What this machine's processor can do at most: prints a JSON line.

Products of 1,600x1,600 matrices in float32 and bfloat16, in operations a second, a multiply-add
being two; and the bytes a second that a copy of a large array reads and writes.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

SIZE = 1600
COPIED_BYTES = 2**28
ROUNDS = 12


def main() -> None:
    """Print the JSON line."""
    copied = np.ones(COPIED_BYTES, np.uint8)
    target = np.empty_like(copied)
    print(
        json.dumps(
            {
                "float32": 2 * SIZE**3 / product_seconds(tf.float32),
                "mixed_bfloat16": 2 * SIZE**3 / product_seconds(tf.bfloat16),
                "memory": 2 * COPIED_BYTES / best_of(lambda: np.copyto(target, copied)),
            }
        )
    )


def product_seconds(dtype: Any) -> float:
    """Seconds of a product of two matrices."""
    left, right = (tf.cast(tf.random.normal((SIZE, SIZE)), dtype) for _ in range(2))
    return best_of(lambda: tf.matmul(left, right).numpy())


def best_of(work: Callable[[], object]) -> float:
    """The least seconds of several rounds: a ceiling is what nothing disturbs."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


if __name__ == "__main__":
    main()
