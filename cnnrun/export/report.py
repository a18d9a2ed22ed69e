"""What was exported and what came of measuring it: export.json, and what `--json` prints."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

from cnnrun import __version__
from cnnrun.config.data_section import Task
from cnnrun.export.formats import FormatName, Precision
from cnnrun.export.gate import Agreement, LabelAgreement
from cnnrun.export.speeds import Speed


@final
@dataclass(frozen=True)
class ExportReport:
    """An export.

    Attributes:
        name: of the run: its config's and its own folder's.
        data_name: of what it was trained on.
        format: the format.
        precision: of the network's file.
        opset: of ONNX's operations; None for other formats.
        calibrated: whether the last layer calibrates the probabilities.
        file: the name of the network's file.
        hash: of that file, see network_hash.
        bytes: its size.
        keras_bytes: that of model.keras.
        parameters: how many numbers the network holds.
        task: "single_label", or "multi_label" where an image may have several labels or none.
        classes: how many classes, or labels, there are.
        agreement: with the Keras network in float32.
        min_agreement: the least share of equal answers that passes, of each label.
        trained_in: the precision of the training.
        trained_top1: the share of test images for which the Keras network, as it was trained in 16
            bits, names the same class, or says the same labels, as in float32; None where it was
            trained in float32.
        speeds: of the exported network, by threads.
        keras_speeds: of the Keras network in float32, by threads.
    """

    name: str
    data_name: str
    format: FormatName
    precision: Precision
    opset: int | None
    calibrated: bool
    file: str
    hash: str
    bytes: int
    keras_bytes: int
    parameters: int
    task: Task
    classes: int
    agreement: Agreement | LabelAgreement
    min_agreement: float
    trained_in: str
    trained_top1: float | None
    speeds: Sequence[Speed]
    keras_speeds: Sequence[Speed]

    @property
    def passed(self) -> bool:
        """Whether enough answers are equal."""
        return self.agreement.decisive >= self.min_agreement

    def as_json(self) -> dict[str, Any]:
        """The content of export.json."""
        return {"cnnrun": __version__, **asdict(self), "passed": self.passed}
