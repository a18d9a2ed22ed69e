"""Names of Keras, explained: what a config may write, and what Keras says that it means.

The schedules that cnnrun adds to Keras's are explained alike.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from cnnrun.config.applications import APPLICATIONS
from cnnrun.config.keras_calls import argument_kinds, kind_of_row
from cnnrun.config.keras_table import argument_rows, class_of, is_own, keras_table, names_of
from cnnrun.config.kinds import REQUIRED, Row
from cnnrun.config.own_schedules import OWN_SCHEDULES
from cnnrun.config.plain_values import flow_text
from cnnrun.manual.keras_source import Explanation, explain

_FAMILIES: Final[Mapping[str, str]] = {
    "layers": "a layer, which stands in `model.layers`",
    "image_layers": "an image layer, in `augment.layers`, for training images alone",
    "optimizers": "an optimizer, for `train.optimizer`",
    "schedules": "a learning rate schedule, in place of an optimizer's `learning_rate`",
    "losses": "a loss, for `train.loss`",
    "metrics": "a metric, in `train.metrics`",
    "callbacks": "a callback, in `train.callbacks`",
    "initializers": "an initializer of weights, for a layer's `kernel_initializer`",
    "regularizers": "a penalty on weights, for a layer's `kernel_regularizer`",
    "constraints": "a constraint of weights, for a layer's `kernel_constraint`",
    "activations": "an activation function, for a layer's `activation`",
    "applications": "a network, for `model.backbone.name`",
}
"""The families of Keras's names, and what each is in a config."""


@final
@dataclass(frozen=True)
class KerasTopic:
    """A name of Keras.

    Attributes:
        family: such as "layers".
        name: as it was asked for, a class, a function or an alias.
        explanation: what Keras says of it.
        rows: the arguments that a config may give it, with Keras's meanings.
        short_for: the class that an alias stands for, or "".
    """

    family: str
    name: str
    explanation: Explanation
    rows: Mapping[str, Row]
    short_for: str

    def as_markdown(self) -> str:
        """The explanation as a page."""
        said, written = self.explanation, _written(self)
        lines = [f"# {self.name}: {_FAMILIES[self.family]}", "", said.summary, ""]
        if self.short_for:
            lines += [f"`{self.name}` is short for `{self.short_for}`.", ""]
        whose = f"which is `{said.name}`" if said.name else "a schedule of cnnrun's own"
        lines += [f"Written as `{written}`, {whose}.", ""]
        for argument, row in self.rows.items():
            default = "required" if row.default == REQUIRED else f"default {row.default}"
            lines += [f"- `{argument}`, {row.kind.phrase}, {default}: {row.doc}"]
        return "\n".join(lines).rstrip() + "\n"


def find_names(name: str) -> tuple[KerasTopic, ...]:
    """What a name means in Keras, once for each family that has it; nothing if none does."""
    return tuple(_topic(family, name) for family in _FAMILIES if name in names_in(family))


def names_in(family: str) -> tuple[str, ...]:
    """The names of a family that a config may write."""
    return tuple(APPLICATIONS) if family == "applications" else names_of(family)


def all_names() -> Iterator[str]:
    """Every name of Keras that a config may write; some stand in several families."""
    for family in _FAMILIES:
        yield from names_in(family)


def _topic(family: str, name: str) -> KerasTopic:
    has_aliases = family not in ("activations", "applications")
    owner = (class_of(family, name) or name) if has_aliases else name
    said = _explain_own(owner) if is_own(family, owner) else explain(family, owner)
    rows = {
        argument: _row(argument, row, said, family=family, owner=owner)
        for argument, row in _table_rows(family, owner).items()
    }
    return KerasTopic(family, name, said, rows, short_for=owner if owner != name else "")


def _explain_own(name: str) -> Explanation:
    entry = OWN_SCHEDULES[name]
    meanings = {row["name"]: row["doc"] for row in entry["arguments"]}
    sentences = {name: f"{text[0].upper()}{text[1:]}." for name, text in meanings.items()}
    return Explanation("", entry["doc"], sentences)


def _table_rows(family: str, owner: str) -> Mapping[str, Mapping[str, Any]]:
    """The arguments that a config may give, as rows of the tables that it is checked against."""
    if family == "applications":
        return APPLICATIONS[owner].arguments
    if family == "activations" or owner not in keras_table()[family]:
        return {}
    return argument_rows(family, owner)


def _row(
    argument: str, row: Mapping[str, Any], said: Explanation, *, family: str, owner: str
) -> Row:
    is_table = family != "applications"
    kind = argument_kinds(family, owner)[argument] if is_table else kind_of_row(row)
    default = REQUIRED if row.get("required") else _default(row)
    if not is_table and argument == "include_top":
        default = "`false` in a config"
    return Row(kind, said.arguments.get(argument, "Keras does not say what it means."), default)


def _default(row: Mapping[str, Any]) -> str:
    value = row.get("default")
    return "none" if value is None else f"`{flow_text(value)}`"


def _written(topic: KerasTopic) -> str:
    """How a config writes it, with the arguments that have to be there."""
    required = [name for name, row in topic.rows.items() if row.default == REQUIRED]
    if not required:
        return topic.name
    return f"{topic.name}: {{{', '.join(f'{name}: ...' for name in required)}}}"
