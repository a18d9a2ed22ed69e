"""Rules between the arguments of a Keras class: what its constructor would refuse."""

from collections.abc import Callable, Mapping
from typing import Any

from cnnrun.config.places import Place

Rule = Callable[[Place, str, Mapping[str, Any]], None]


def refuse_strides_with_dilation(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """Strides and dilation exclude each other (BaseConv, BaseDepthwiseConv, ...)."""
    strides, dilation_rate = values.get("strides", 1), values.get("dilation_rate", 1)
    if _largest(strides) > 1 and _largest(dilation_rate) > 1:
        place.entry("dilation_rate").refuse(
            "a convolution takes strides > 1 or dilation_rate > 1, not both",
            received=f"dilation_rate {_written(dilation_rate)}, strides {_written(strides)}",
            advice="leave one of them out",
        )


def refuse_indivisible_filters(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """Every group has the same number of filters (BaseConv)."""
    filters, groups = values.get("filters"), values.get("groups", 1)
    if filters is not None and filters % groups:
        place.entry("groups").refuse(
            "`groups` must divide `filters`",
            received=f"groups {groups}, filters {filters}",
            advice=f"{_divisors(filters)} divide {filters}",
        )


def rules_of(family: str, owner: str) -> tuple[Rule, ...]:
    """The rules that the arguments of a class follow together."""
    return ()


def _largest(size: int | tuple[int, ...]) -> int:
    return size if isinstance(size, int) else max(size)


def _written(size: int | tuple[int, ...]) -> str:
    return str(size) if isinstance(size, int) else str(list(size))


def _divisors(number: int) -> str:
    divisors = [str(each) for each in range(1, min(number, 1024) + 1) if number % each == 0]
    return ", ".join(divisors[:8])
