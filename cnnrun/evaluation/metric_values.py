"""The numbers that Keras reports, under the names that runs keep them by."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def plain_metrics(logs: Mapping[str, Any]) -> dict[str, float]:
    """Keras's logs as numbers; a metric with a value a class becomes `name_0`, `name_1` ..."""
    plain = {}
    for name, value in logs.items():
        numbers = np.atleast_1d(np.asarray(value, dtype=np.float64))
        for index, number in enumerate(numbers.ravel()):
            plain[name if numbers.size == 1 else f"{name}_{index}"] = float(number)
    return plain
