"""The learning rate schedules that cnnrun adds to Keras's, as rows of keras_table.json."""

from collections.abc import Mapping
from typing import Any, Final

OWN_SCHEDULES: Final[Mapping[str, Mapping[str, Any]]] = {
    "one_cycle": {
        "doc": "Rises to the maximum, then falls far below where it began, once in a training.",
        "arguments": [
            {
                "name": "maximum_learning_rate",
                "doc": "the highest rate",
                "required": True,
                "kind": "number",
                "minimum": 0,
            },
            {
                "name": "total_steps",
                "doc": "how long the cycle is; as long as the training, or its stage, by default",
                "required": False,
                "kind": "integer",
                "minimum": 1,
                "nullable": True,
                "default": None,
            },
            {
                "name": "rising_share",
                "doc": "for which share of the steps the rate rises",
                "required": False,
                "kind": "number",
                "minimum": 0,
                "maximum": 1,
                "default": 0.3,
            },
            {
                "name": "initial_divisor",
                "doc": "the maximum divided by this is the first rate",
                "required": False,
                "kind": "number",
                "minimum": 1,
                "default": 25.0,
            },
            {
                "name": "final_divisor",
                "doc": "the first rate divided by this is the last one",
                "required": False,
                "kind": "number",
                "minimum": 1,
                "default": 10000.0,
            },
            {
                "name": "annealing",
                "doc": "the form of rise and fall",
                "required": False,
                "kind": {"choice": ["cosine", "linear"]},
                "default": "cosine",
            },
        ],
    },
    "warmup": {
        "doc": "Rises in a line to where another schedule, or a steady rate, begins.",
        "arguments": [
            {
                "name": "warmup_steps",
                "doc": "how long the rate rises",
                "required": True,
                "kind": "integer",
                "minimum": 0,
            },
            {
                "name": "learning_rate",
                "doc": "the rate that follows, or the schedule, which begins when the rise ends",
                "required": True,
                "kind": "learning_rate",
            },
            {
                "name": "initial_learning_rate",
                "doc": "the rate of the first step",
                "required": False,
                "kind": "number",
                "minimum": 0,
                "default": 0.0,
            },
        ],
    },
}
