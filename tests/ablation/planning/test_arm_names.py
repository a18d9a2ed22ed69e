"""Arms are called by factor and value, without what all of them share."""

import pytest

from cnnrun.ablation.planning.arm_names import arm_name


@pytest.mark.parametrize(
    ("levels", "name"),
    [
        ({"dropout": "0.3", "width": "32"}, "dropout 0.3, width 32"),
        ({"position": "after_activation"}, "after_activation"),
        ({"learning_rate": "3e-4"}, "learning_rate 3e-4"),
        ({"use_bias": "true"}, "use_bias true"),
        ({"pool_size": "[2, 2]"}, "pool_size [2, 2]"),
        (
            {"initializer": "{RandomNormal: {stddev: 0.5}}", "bias": "no"},
            "initializer RandomNormal stddev 0.5, bias no",
        ),
        ({"dropout": "dropout 0.5", "width": "32"}, "dropout 0.5, width 32"),
    ],
)
def test_names(levels: dict[str, str], name: str) -> None:
    assert arm_name(levels) == name
