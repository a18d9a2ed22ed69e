"""What a study tunes for each arm before it compares them, and in which range."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, get_args

from cnnrun.ablation.studies.factor_values import Word, WordKind
from cnnrun.ablation.studies.roles import address_of
from cnnrun.config.kinds import Either, Nullable
from cnnrun.config.places import Place
from cnnrun.config.records import Record
from cnnrun.config.scalar_kinds import Choice, Integer, Number

Scale = Literal["log", "linear"]

LEARNING_RATE: Final = "learning_rate"
"""What is tuned unless a path says otherwise: the learning rate, wherever it stands."""
DEFAULT_VALUES: Final = 5
DEFAULT_SEEDS: Final = 2
FEWEST_VALUES: Final = 3
FEWEST_TUNING_SEEDS: Final = 2
_BOUND: Final = Either((Integer(), Number()), what="a number")
"""An integer stays one: of an integer in the config only integers are tried."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """A number of the config, and between what it is tried."""

    path: Annotated[
        Word | None,
        Nullable(WordKind("the address of a value of the config")),
        "the address in the config of what is tried; by default the learning rate, wherever it"
        " stands: in the optimizer of the last stage or of `train`, or in its schedule",
    ] = None
    low: Annotated[
        float | None,
        Nullable(_BOUND),
        "the least value that is tried; `tune` of the learning rate has a tenth of the base"
        " config's by default",
    ] = None
    high: Annotated[
        float | None,
        Nullable(_BOUND),
        "the largest value that is tried; `tune` of the learning rate has ten times that of the"
        " base config by default",
    ] = None

    @property
    def address(self) -> str:
        """Such as "model.blocks.dropout", or `LEARNING_RATE`."""
        path = self.path.text if self.path else LEARNING_RATE
        return LEARNING_RATE if path == address_of(LEARNING_RATE) else path


@dataclass(frozen=True, kw_only=True)
class Tune(Range):
    """A number of the config that each arm is given its own best value of."""

    scale: Annotated[
        Scale,
        Choice(get_args(Scale)),
        "whether the values are evenly spaced in their logarithm, or as they are",
    ] = "log"
    values: Annotated[
        int, Integer(FEWEST_VALUES), "how many values are tried, the same ones for each arm"
    ] = DEFAULT_VALUES
    seeds: Annotated[
        int,
        Integer(FEWEST_TUNING_SEEDS),
        "with how many seeds each is tried, which the study itself does not use",
    ] = DEFAULT_SEEDS


def check_ends(place: Place, values: Mapping[str, Any]) -> None:
    """Of a range, both ends are given or none, rising, and above 0 where it is logarithmic."""
    low, high = values.get("low"), values.get("high")
    if (low is None) != (high is None):
        given, other = ("low", "high") if high is None else ("high", "low")
        place.refuse_key(
            given,
            "`low` and `high` go together",
            received=f"`{given}` alone",
            advice=f"add `{other}`, or leave both away",
        )
    elif low is not None and low >= high:
        place.entry("high").refuse("must be above `low`", advice="write the larger value there")
    elif low is not None and low <= 0 and values.get("scale") == "log":
        place.entry("low").refuse(
            "must be above 0 where values are spaced in their logarithm",
            advice="write a small number such as 1e-5, or `scale: linear`",
        )


def _check_range(place: Place, values: Mapping[str, Any]) -> None:
    is_unknown = values.get("low") is None and values.get("high") is None
    if is_unknown and values.get("path") is not None:
        place.entry("path").refuse(
            "the range of what is tuned must be given",
            advice="add `low` and `high`; only of the learning rate it is known",
        )
    else:
        check_ends(place, values)


TUNE: Final = Record(Tune, "a map with `low` and `high`", checks=(_check_range,))
