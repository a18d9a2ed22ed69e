"""What `cnnrun calibrate` keeps beside a run: calibration.json.

```json
{"method": "temperature", "temperature": 1.31, "classes": 10, "model": "0a1b...", ...}
{"method": "vector", "scale": [0.9, 1.1], "bias": [0.1, -0.1], "classes": 2, "model": ...}
```

Whoever calibrates takes the logarithms of the network's probabilities, divides by the temperature
(or multiplies by `scale` and adds `bias`, a number a class), and applies a softmax. What is
answered (`abstention`) and which classes stand in a set (`sets`) goes by the logarithms of the
network's own probabilities: so these promises do not depend on what the same images were fitted to.

Of images with several labels each label has numbers of its own:

```json
{"method": "temperature", "temperatures": [1.3, 0.9], "classes": 2, "model": "0a1b...", ...}
{"method": "vector", "scale": [0.9, 1.1], "bias": [0.1, -0.1], "classes": 2, "model": ...}
```

Whoever calibrates takes the log-odds of each label's probability, divides by its temperature (or
multiplies by its `scale` and adds its `bias`), and applies a sigmoid.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeGuard, final

import numpy as np
from blake3 import blake3

from cnnrun.calibration.abstention import CONFIDENCE, Abstention
from cnnrun.calibration.label_map import LabelMap
from cnnrun.calibration.prediction_sets import SetRule
from cnnrun.calibration.probability_map import FloatArray, ProbabilityMap, temperature_map
from cnnrun.errors import RunError
from cnnrun.runs.files import read_content, read_json, write_json
from cnnrun.runs.folder import RunFolder

AGAIN: Final = "calibrate the run again: `cnnrun calibrate {}`"


@final
@dataclass(frozen=True, eq=False)
class Calibration:
    """A run's calibration.

    Attributes:
        map: from the network's probabilities to calibrated ones.
        abstention: what is answered; None for all.
        sets: which classes stand in a set; None where none were asked for.
    """

    map: ProbabilityMap
    abstention: Abstention | None = None
    sets: SetRule | None = None


def read_calibration(run: RunFolder, *, classes: int) -> Calibration:
    """The calibration of a run.

    Args:
        run: a run with a model.
        classes: how many classes it has.

    Raises:
        RunError: it was not calibrated, the file is damaged, or it is another model's.
    """
    fields = _fields_of(run)
    found = _map_of(fields, classes=classes)
    if found is None:
        raise _unusable(run, f"a temperature above 0, or a scale and a bias for {classes} classes")
    _refuse_another_model(run, fields)
    try:
        return Calibration(found, _abstention_of(fields), _sets_of(fields))
    except (TypeError, KeyError, ValueError) as error:
        raise RunError.at(
            run.calibration_json,
            rule="must have usable numbers in `abstention` and `sets`",
            received="a damaged file",
            advice=AGAIN.format(run.path),
        ) from error


def read_label_calibration(run: RunFolder, *, labels: int) -> LabelMap:
    """The calibration of a run whose images have several labels.

    Args:
        run: a run with a model.
        labels: how many labels it has.

    Raises:
        RunError: it was not calibrated, the file is damaged, or it is another model's.
    """
    fields = _fields_of(run)
    found = _label_map_of(fields, labels=labels)
    if found is None:
        raise _unusable(
            run, f"a temperature above 0 for each of {labels} labels, or scales above 0 and biases"
        )
    _refuse_another_model(run, fields)
    return found


def require_calibration(run: RunFolder) -> None:
    """Raise unless a run was calibrated, before anything that takes long.

    Raises:
        RunError: it was not.
    """
    if not run.calibration_json.exists():
        raise RunError.at(
            run.path,
            rule="a run must be calibrated before its probabilities can be",
            received="one without calibration.json",
            advice=f"`cnnrun calibrate {run.path}` makes it",
        )


def _fields_of(run: RunFolder) -> Mapping[str, Any]:
    require_calibration(run)
    written = read_json(run.calibration_json)
    return written if isinstance(written, dict) else {}


def _unusable(run: RunFolder, wanted: str) -> RunError:
    return RunError.at(
        run.calibration_json,
        rule=f"must hold {wanted}",
        received="a damaged file, or another run's",
        advice=AGAIN.format(run.path),
    )


def _refuse_another_model(run: RunFolder, fields: Mapping[str, Any]) -> None:
    if fields.get("model") != model_hash(run):
        raise RunError.at(
            run.calibration_json,
            rule="must be of the model beside it",
            received="that of another model",
            advice=AGAIN.format(run.path),
        )


def write_calibration(
    run: RunFolder, calibration: Calibration, *, further: Mapping[str, Any]
) -> None:
    """calibration.json holds the calibration.

    Args:
        run: a run with a model.
        calibration: what is applied.
        further: what else a reader wants to know: what it was fitted to and how good it is.

    Raises:
        StorageError: it cannot be written.
    """
    document = {
        **_described(run, calibration.map),
        "abstention": _abstention_json(calibration.abstention),
        "sets": None if calibration.sets is None else asdict(calibration.sets),
        **further,
    }
    write_json(run.calibration_json, document)


def write_label_calibration(
    run: RunFolder, applied: LabelMap, *, further: Mapping[str, Any]
) -> None:
    """calibration.json holds the calibration of several labels.

    Args:
        run: a run with a model.
        applied: what is applied.
        further: what else a reader wants to know: what it was fitted to and how good it is.

    Raises:
        StorageError: it cannot be written.
    """
    write_json(run.calibration_json, {**_described(run, applied), **further})


def _described(run: RunFolder, applied: ProbabilityMap | LabelMap) -> dict[str, Any]:
    """What is applied, and to which model."""
    numbers: dict[str, Any]
    if applied.method == "vector":
        numbers = {"scale": applied.scale.tolist(), "bias": applied.bias.tolist()}
    elif isinstance(applied, LabelMap):
        numbers = {"temperatures": applied.temperatures.tolist()}
    else:
        numbers = {"temperature": applied.temperature}
    return {
        "method": applied.method,
        **numbers,
        "classes": len(applied.scale),
        "model": model_hash(run),
    }


def model_hash(run: RunFolder) -> str:
    """What tells the model of a run from others: the hash of its file."""
    return blake3(read_content(run.model_keras)).hexdigest(length=16)


def _map_of(fields: Mapping[str, Any], *, classes: int) -> ProbabilityMap | None:
    """The map that a file describes; None where it describes none of so many classes."""
    if fields.get("classes") != classes:
        return None
    if fields.get("method") == "temperature":
        temperature = fields.get("temperature")
        if not _is_number(temperature) or temperature <= 0:
            return None
        return temperature_map(temperature, classes=classes)
    scale, bias = (_numbers(fields.get(name), classes) for name in ("scale", "bias"))
    return None if scale is None or bias is None else ProbabilityMap("vector", scale, bias)


def _label_map_of(fields: Mapping[str, Any], *, labels: int) -> LabelMap | None:
    """The map that a file describes; None where it describes none of so many labels."""
    if fields.get("method") == "temperature":
        temperatures = _numbers(fields.get("temperatures"), labels)
        if temperatures is None or (temperatures <= 0).any():
            return None
        return LabelMap("temperature", 1 / temperatures, np.zeros(labels))
    scale, bias = (_numbers(fields.get(name), labels) for name in ("scale", "bias"))
    if scale is None or bias is None or (scale <= 0).any():
        return None
    return LabelMap("vector", scale, bias)


def _numbers(written: Any, count: int) -> FloatArray | None:
    """A list of so many finite numbers; None for anything else."""
    if not isinstance(written, list) or len(written) != count or not all(map(_is_number, written)):
        return None
    return np.array(written, float)


def _abstention_json(abstention: Abstention | None) -> dict[str, Any] | None:
    if abstention is None:
        return None
    above = None if abstention.above == -math.inf else abstention.above
    return {**asdict(abstention), "above": above, "confidence": CONFIDENCE}


def _abstention_of(fields: Mapping[str, Any]) -> Abstention | None:
    written = fields.get("abstention")
    if written is None:
        return None
    above = written["above"]
    return Abstention(
        accuracy=float(written["accuracy"]),
        above=-math.inf if above is None else float(above),
        answered=float(written["answered"]),
    )


def _sets_of(fields: Mapping[str, Any]) -> SetRule | None:
    written = fields.get("sets")
    if written is None:
        return None
    return SetRule(coverage=float(written["coverage"]), least=float(written["least"]))


def _is_number(value: Any) -> TypeGuard[float]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)
