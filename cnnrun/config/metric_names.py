"""What Keras calls the numbers of metrics, and which way they improve: known before it is loaded.

Everything that names a metric asks here: what a callback monitors, what decides about the best
epoch, what a study tests.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cnnrun.config.data_section import DataSpec
from cnnrun.config.keras_table import argument_rows, class_of
from cnnrun.config.layer_lists import snake_case
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.values import KerasCall

_FALLING: Final = re.compile(
    "loss|error|crossentropy|divergence|hinge|poisson|logcosh|false_|epochs_to_|seconds_to_"
    r"|(?<![a-z])(bce|ece|mse|msle|mae|mape|kld|gap)(?![a-z])"
)
_LIST_IF_NONE: Final = {"F1Score": "average", "FBetaScore": "average"}
"""The argument that, left out or null, makes a metric give a number for each output."""


@dataclass(frozen=True)
class MetricName:
    """A metric's name in Keras's logs, and how many numbers stand under it.

    Attributes:
        name: such as "auc", or "auc_1" for the second one of that name.
        numbers: 1; of a list, its length, or None for as many as the network has outputs.
        owner: the class.
    """

    name: str
    numbers: int | None
    owner: str

    @property
    def in_lines(self) -> tuple[str, ...]:
        """What the lines of epochs and the tests call its numbers; the first of an unknown list."""
        if self.numbers == 1:
            return (self.name,)
        return tuple(f"{self.name}_{index}" for index in range(self.numbers or 1))

    def is_called(self, name: str) -> bool:
        """Whether the lines of epochs and the tests have a number of this name."""
        if self.numbers is None:
            return re.fullmatch(rf"{re.escape(self.name)}_\d+", name) is not None
        return name in self.in_lines

    def advice(self, form: str) -> str:
        """How to get a single number out of a metric that gives a list.

        Args:
            form: a name here, with {} for the metric's, such as "val_{}_area"; "" where the
                numbers of a list have no names.
        """
        ways = []
        if self.owner in _LIST_IF_NONE:
            ways.append(f"write `{{{self.owner}: {{average: macro}}}}` in train.metrics")
        if form:
            ways.append(f"take one of its numbers, `{form.format(f'{self.name}_0')}`")
        return ", or ".join(ways) or "monitor another metric"


def metric_name(metric: KerasCall) -> str:
    """What Keras calls a metric in its logs: the text as it is written, or the object's name."""
    owner = _owner(metric)
    if metric.name != owner:
        return metric.name
    default = argument_rows("metrics", owner)["name"].get("default")
    return str(metric.arguments.get("name") or default or snake_case(owner))


def metric_names(metrics: Sequence[KerasCall], *, outputs: int | None) -> tuple[MetricName, ...]:
    """The names of a config's metrics in its logs; Keras numbers those that are equal.

    Args:
        metrics: the metrics.
        outputs: how many numbers the network gives for an image, as `outputs_of` says it.
    """
    earlier: Counter[str] = Counter()
    names = []
    for metric in metrics:
        name = metric_name(metric)
        numbered = f"{name}_{earlier[name]}" if earlier[name] else name
        names.append(MetricName(numbered, _numbers(metric, outputs), _owner(metric)))
        earlier[name] += 1
    return tuple(names)


def outputs_of(model: ModelSpec | None, data: DataSpec | None) -> int | None:
    """How many numbers a network gives for an image; None where only its building tells."""
    last = next(
        (layer for layer in reversed(model.layers if model else ()) if layer.kind != "Activation"),
        None,
    )
    if last is not None and last.kind == "Dense":
        units: int | None = last.arguments.get("units")
        return units
    if last is None or last.kind != "classifier" or data is None or data.classes is None:
        return None
    return data.classes if isinstance(data.classes, int) else len(data.classes)


def lower_is_better(name: str) -> bool:
    """Whether less of a metric is better, by its name: losses and errors fall, all else rises."""
    return _FALLING.search(name.lower()) is not None


def _owner(metric: KerasCall) -> str:
    return class_of("metrics", metric.name) or metric.name


def _numbers(metric: KerasCall, outputs: int | None) -> int | None:
    owner, arguments = _owner(metric), metric.arguments
    if owner in _LIST_IF_NONE and arguments.get(_LIST_IF_NONE[owner]) is None:
        # Without a threshold the most probable class counts: two, where one unit tells them apart.
        is_of_classes = outputs == 1 and arguments.get("threshold") is None
        return 2 if is_of_classes else outputs
    if owner == "R2Score" and arguments.get("class_aggregation", "") is None:
        return outputs
    thresholds: Any = arguments.get("thresholds")
    return len(thresholds) if isinstance(thresholds, tuple) and owner != "AUC" else 1
