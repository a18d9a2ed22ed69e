"""What a search looks through, and how: `search:` in a study file, or `--over` and its options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, get_args

from cnnrun.ablation.studies.factor_values import ValueList
from cnnrun.ablation.studies.tune import Range, Scale, check_ends
from cnnrun.config.kinds import MapOf, Nullable
from cnnrun.config.places import Place
from cnnrun.config.records import Record
from cnnrun.config.scalar_kinds import LARGEST_SEED, Choice, Integer
from cnnrun.config.yaml_tree import ListNode, Node

Sampler = Literal["quasi-random", "random", "tpe"]

DEFAULT_TRIALS: Final = 16
DEFAULT_CONFIRMED: Final = 3
DEFAULT_ROUND: Final = 4
FEWEST_TRIALS: Final = 2
FEWEST_CHOICES: Final = 2
MOST_DIMENSIONS: Final = 64
_DECADE: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Dimension(Range):
    """A value of the config that a search varies: a range, or some values."""

    scale: Annotated[
        Scale | None,
        Nullable(Choice(get_args(Scale))),
        "whether values are drawn evenly in their logarithm, or as they are; by default in the"
        " logarithm where `high` is at least ten times `low`",
    ] = None
    values: Annotated[
        Mapping[str, Node],
        ValueList(),
        "in place of a range, the values to choose from, as a list, or as a map of names",
    ] = field(default_factory=dict)

    @property
    def is_logarithmic(self) -> bool:
        """Whether its values are drawn evenly in their logarithm."""
        if self.low is None or self.high is None:
            return False
        spans_decade = self.low > 0 and self.high >= _DECADE * self.low
        return self.scale == "log" or (self.scale is None and spans_decade)


def _check_dimension(place: Place, values: Mapping[str, Any]) -> None:
    has_range = place.has_key("low") or place.has_key("high")
    if has_range == place.has_key("values"):
        place.refuse(
            "what is searched has either `low` and `high`, or `values`",
            advice="write for example {path: model.blocks.dropout, low: 0.1, high: 0.5}",
        )
    elif place.has_key("values"):
        if place.has_key("scale"):
            place.refuse_key(
                "scale", "`scale` is of a range", received="`values` as well", advice="leave it out"
            )
        given = place.entry("values").node
        number = len(given.items if isinstance(given, ListNode) else values.get("values", {}))
        if 0 < number < FEWEST_CHOICES:
            place.entry("values").refuse(
                "must be two or more values", advice="set a single one in the config"
            )
    else:
        check_ends(place, values)


DIMENSION: Final = Record(
    Dimension, "a map with `low` and `high`, or with `values`", checks=(_check_dimension,)
)


@dataclass(frozen=True, kw_only=True)
class Search:
    """What a search looks through, how often it tries, and what it confirms afterwards."""

    over: Annotated[
        Mapping[str, Dimension],
        MapOf(DIMENSION, "names and what they stand for"),
        "what is searched, by name",
    ]
    trials: Annotated[int, Integer(FEWEST_TRIALS), "how many configs are tried"] = DEFAULT_TRIALS
    sampler: Annotated[
        Sampler,
        Choice(get_args(Sampler)),
        "how they are chosen: `quasi-random` spreads them evenly (Sobol), `random` draws them, and"
        " `tpe` learns from the trials before (Optuna's)",
    ] = "quasi-random"
    halving: Annotated[
        int | None,
        Nullable(Integer(2)),
        "of how many trials one goes on at each rung of successive halving; without it all are"
        " trained to the end",
    ] = None
    round: Annotated[
        int,
        Integer(1),
        "how many trials `tpe` suggests at a time, of all that are finished by then",
    ] = DEFAULT_ROUND
    confirm: Annotated[
        int,
        Integer(0),
        "how many of the best trials are compared with the base config on fresh seeds; 0 for none",
    ] = DEFAULT_CONFIRMED
    seed: Annotated[
        int | None,
        Nullable(Integer(0, LARGEST_SEED)),
        "the seed of what is drawn; the base config's by default",
    ] = None


HALVING_RULE: Final = (
    "goes with `quasi-random` and `random`: `tpe` would learn from trials of different lengths"
)
HALVING_ADVICE: Final = "leave one of them out"


def _check_search(place: Place, values: Mapping[str, Any]) -> None:
    if values.get("halving") is not None and values.get("sampler") == "tpe":
        place.entry("halving").refuse(HALVING_RULE, advice=HALVING_ADVICE)
    if len(values.get("over", {})) > MOST_DIMENSIONS:
        place.entry("over").refuse(
            f"must be at most {MOST_DIMENSIONS} values",
            advice="search those that matter most first",
        )


SEARCH: Final = Record(Search, "a map with `over`", checks=(_check_search,))
