"""Rules between the arguments of a Keras class: what its constructor, or its first call, refuses.

Each rule sees the arguments that are right by themselves, and names the source of what it checks.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from cnnrun.config.places import Place
from cnnrun.config.values import Epochs
from cnnrun.wording import quoted

Rule = Callable[[Place, str, Mapping[str, Any]], None]

_CLIPPING: Final = ("clipnorm", "clipvalue", "global_clipnorm")
_JITTERS: Final = ("brightness_factor", "contrast_factor", "saturation_factor", "hue_factor")


def rules_of(family: str, owner: str, arguments: Collection[str]) -> tuple[Rule, ...]:
    """The rules that a class follows, by the arguments that it has and by its name."""
    rules = [rule for needed, rule in _BY_ARGUMENTS if needed <= set(arguments)]
    if family == "image_layers":
        rules.append(_refuse_other_range)
    return (*rules, *_BY_CLASS.get(f"{family}.{owner}", ()))


def refuse_strides_with_dilation(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """Strides and dilation exclude each other (BaseConv.__init__, and in the call of others)."""
    strides, dilation_rate = values.get("strides", 1), values.get("dilation_rate", 1)
    if max(_sizes(strides)) > 1 and max(_sizes(dilation_rate)) > 1:
        place.entry("dilation_rate").refuse(
            f"{owner} takes strides > 1 or dilation_rate > 1, not both",
            received=f"dilation_rate {_written(dilation_rate)}, strides {_written(strides)}",
            advice="leave one of them out",
        )


def refuse_indivisible_filters(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """Every group has the same number of filters (BaseConv.__init__)."""
    filters, groups = values.get("filters"), values.get("groups", 1)
    if filters is not None and filters % groups:
        place.entry("groups").refuse(
            "`groups` must divide `filters`",
            received=f"groups {groups}, filters {filters}",
            advice=f"{filters} is divided by {_divisors(filters)}",
        )


def refuse_unequal_depthwise_strides(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """TensorFlow's depthwise convolution has one stride (tf.nn.depthwise_conv2d)."""
    strides = values.get("strides", 1)
    if len(set(_sizes(strides))) > 1:
        place.entry("strides").refuse(
            f"the strides of {owner} must be equal in height and width",
            received=_written(strides),
            advice=f"write {max(_sizes(strides))}, or use Conv2D",
        )


def _refuse_output_padding(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """Output padding stays below the strides (BaseConvTranspose.__init__)."""
    padding, strides = values.get("output_padding"), values.get("strides", 1)
    if padding is not None and any(
        one >= stride for one, stride in _paired(_sizes(padding), _sizes(strides))
    ):
        place.entry("output_padding").refuse(
            "`output_padding` must be below `strides`",
            received=f"output_padding {_written(padding)}, strides {_written(strides)}",
            advice="leave `output_padding` out, and Keras chooses it",
        )


def _refuse_two_ways_to_clip(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """Gradients are clipped in one way (BaseOptimizer.__init__)."""
    given = [name for name in _CLIPPING if values.get(name) is not None]
    if len(given) > 1:
        place.refuse_key(
            given[1],
            f"only one of {quoted(_CLIPPING)} can be given",
            received=quoted(given),
            advice=f"keep `{given[0]}` or `{given[1]}`",
        )


def _refuse_no_permutation(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """The axes behind the batch's, each once (Permute.__init__)."""
    dims = values.get("dims")
    if dims is not None and sorted(_sizes(dims)) != list(range(1, len(_sizes(dims)) + 1)):
        place.entry("dims").refuse(
            "must be the axes 1, 2, ... in another order",
            received=_written(dims),
            advice="write [3, 1, 2] to bring the channels of an image to the front",
        )


def _refuse_two_free_sizes(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """One size follows from the others (Reshape.__init__)."""
    shape = values.get("target_shape", ())
    if shape.count(-1) > 1 or 0 in shape:
        place.entry("target_shape").refuse(
            "must be sizes of at least 1, one of which may be -1 for what is left",
            received=_written(shape),
            advice="give all sizes but one",
        )


def _refuse_no_groups(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """A number of groups, or -1 for one a channel (GroupNormalization.__init__)."""
    if values.get("groups") == 0:
        place.entry("groups").refuse(
            "must be at least 1, or -1 for a group a channel", advice="write -1"
        )


def _refuse_unknown_classes(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """Target classes are among those that there are (IoU.__init__)."""
    classes, targets = values.get("num_classes"), values.get("target_class_ids", ())
    if classes is not None and any(target >= classes for target in targets):
        place.entry("target_class_ids").refuse(
            f"class numbers must be below num_classes, {classes}",
            received=_written(targets),
            advice="the first class is 0",
        )


def _refuse_even_kernel(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """A blur has a centre (RandomGaussianBlur.__init__)."""
    size = values.get("kernel_size", 1)
    if any(each % 2 == 0 for each in _sizes(size)):
        place.entry("kernel_size").refuse(
            "must be odd", received=_written(size), advice="add 1 to it"
        )


def _refuse_no_jitter(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """Without a factor, no step is made (RandomColorJitter.transform_images)."""
    if not any(values.get(name) is not None for name in _JITTERS):
        place.refuse(
            f"{owner} changes nothing without one of {quoted(_JITTERS)}",
            received="none of them",
            advice="write `{brightness_factor: 0.2, contrast_factor: [0.2, 0.2]}`",
        )


def _refuse_other_range(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """Images are augmented before all layers of the network, as they come."""
    given = values.get("value_range")
    if given is not None and tuple(given) != (0, 255):
        place.entry("value_range").refuse(
            "pixels are from 0 to 255 where they are augmented, whatever `preprocess` makes of"
            " them later",
            received=_written(given),
            advice="leave `value_range` out",
        )


def _refuse_wrong_pieces(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """One value more than boundaries (PiecewiseConstantDecay.__init__)."""
    boundaries, pieces = values.get("boundaries"), values.get("values")
    if boundaries is None or pieces is None:
        return
    if len(_sizes(pieces)) != len(_sizes(boundaries)) + 1:
        place.entry("values").refuse(
            "there must be one value more than boundaries",
            received=f"{len(_sizes(pieces))} values, {len(_sizes(boundaries))} boundaries",
            advice="the first value holds until the first boundary",
        )


def _refuse_falling_boundaries(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """Pieces follow each other, where both ends of one have the same unit (its docstring)."""
    boundaries = values.get("boundaries", ())
    for number, (first, second) in enumerate(pairwise(boundaries), start=1):
        has_one_unit = isinstance(first, Epochs) == isinstance(second, Epochs)
        if has_one_unit and _length(second) <= _length(first):
            place.at("boundaries", number).refuse(
                "each boundary must come after the one before it",
                received=f"`{_named(second)}` after `{_named(first)}`",
                advice="write them in rising order, with the values in the order of the pieces",
            )
            return


def _length(boundary: float | Epochs) -> float:
    return boundary.number if isinstance(boundary, Epochs) else boundary


def _named(boundary: float | Epochs) -> str:
    return str(boundary) if isinstance(boundary, Epochs) else f"{boundary:.10g}"


def _refuse_wrong_clipping(place: Place, owner: str, values: Mapping[str, Any]) -> None:
    """The correction's upper bound is not below its lower one (BatchNormalization.__init__)."""
    clipping = values.get("renorm_clipping") or {}
    highest, lowest = clipping.get("rmax", math.inf), clipping.get("rmin", -math.inf)
    if highest < lowest:
        place.at("renorm_clipping", "rmax").refuse(
            "`rmax` must not be below `rmin`",
            received=f"rmax {highest:g}, rmin {lowest:g}",
            advice="exchange them",
        )


def _refuse_empty_range(lowest: str, highest: str) -> Rule:
    """The rule that one argument is not above another."""

    def rule(place: Place, owner: str, values: Mapping[str, Any]) -> None:
        low, high = values.get(lowest), values.get(highest)
        if low is not None and high is not None and low > high:
            place.entry(lowest).refuse(
                f"`{lowest}` must not be above `{highest}`",
                received=f"{lowest} {low:g}, {highest} {high:g}",
                advice="exchange them",
            )

    return rule


def _refuse_unless_one_of(*names: str) -> Rule:
    """The rule that exactly one of some arguments is given."""

    def rule(place: Place, owner: str, values: Mapping[str, Any]) -> None:
        given = [name for name in names if values.get(name) is not None]
        if len(given) != 1:
            place.refuse(
                f"{owner} requires {'one of ' if len(names) > 1 else ''}{quoted(names)}",
                received=quoted(given) or "nothing for it",
                advice=f"add {' or '.join(f'`{name}`' for name in names)}",
            )

    return rule


_BY_ARGUMENTS: Final[tuple[tuple[set[str], Rule], ...]] = (
    ({"strides", "dilation_rate"}, refuse_strides_with_dilation),
    ({"filters", "groups"}, refuse_indivisible_filters),
    ({"strides", "output_padding"}, _refuse_output_padding),
    (set(_CLIPPING), _refuse_two_ways_to_clip),
)

_BY_CLASS: Final[Mapping[str, tuple[Rule, ...]]] = {
    "layers.BatchNormalization": (_refuse_wrong_clipping,),
    "layers.CategoryEncoding": (_refuse_unless_one_of("num_tokens"),),
    "layers.DepthwiseConv2D": (refuse_unequal_depthwise_strides,),
    "layers.Discretization": (_refuse_unless_one_of("num_bins", "bin_boundaries"),),
    "layers.GroupNormalization": (_refuse_no_groups,),
    "layers.Permute": (_refuse_no_permutation,),
    "layers.RandomGaussianBlur": (_refuse_even_kernel,),
    "image_layers.RandomGaussianBlur": (_refuse_even_kernel,),
    "image_layers.RandomColorJitter": (_refuse_no_jitter,),
    "layers.Reshape": (_refuse_two_free_sizes,),
    "layers.SeparableConv2D": (refuse_unequal_depthwise_strides,),
    "layers.SeparableConvolution2D": (refuse_unequal_depthwise_strides,),
    "constraints.MinMaxNorm": (_refuse_empty_range("min_value", "max_value"),),
    "initializers.RandomUniform": (_refuse_empty_range("minval", "maxval"),),
    "metrics.IoU": (_refuse_unknown_classes,),
    "metrics.OneHotIoU": (_refuse_unknown_classes,),
    "schedules.PiecewiseConstantDecay": (_refuse_wrong_pieces, _refuse_falling_boundaries),
}


def _sizes(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _paired(first: Sequence[int], second: Sequence[int]) -> list[tuple[int, int]]:
    """The two side by side, the shorter one repeated: 2 stands for (2, 2)."""
    length = max(len(first), len(second))
    return list(zip(_repeated(first, length), _repeated(second, length), strict=True))


def _repeated(sizes: Sequence[int], length: int) -> Sequence[int]:
    return [sizes[0]] * length if len(sizes) == 1 else sizes


def _written(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _divisors(number: int) -> str:
    divisors = [str(each) for each in range(1, min(number, 1024) + 1) if number % each == 0]
    return ", ".join(divisors[:8])
