"""What is found of images' bits and of the values that they use."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from cnnrun.data.image_facts import Finding, ImageFacts, Said, alone
from cnnrun.data.levels import likely_range, uses_few_levels
from cnnrun.wording import counted


def mixed_depths(facts: Sequence[ImageFacts]) -> Iterator[Finding]:
    """Images of 8 bits beside others of 16."""
    depths = Counter(fact.bits for fact in facts)
    if len(depths) < 2:
        return
    usual = depths.most_common(1)[0][0]
    others = [fact for fact in facts if fact.bits != usual]
    labels: dict[int, set[str]] = defaultdict(set)
    for fact in facts:
        labels[fact.bits].add(fact.label)
    told = " (and they give classes away)" * any(
        not labels[one] & labels[other] for one in depths for other in depths if one != other
    )
    listed = ", ".join(f"{number:,} of {bits} bits" for bits, number in sorted(depths.items()))
    yield Finding(
        "mixed_depths",
        "warning",
        f"images of different depths: {listed}{told}",
        "bring all to one depth; a class that has its own is told by it alone",
        tuple(f"{fact.path}: {fact.bits} bits" for fact in others),
        alone(others),
    )


def unused_range(facts: Sequence[ImageFacts], said: Said) -> Iterator[Finding]:
    """Values that use little of what they are read with, or lie outside of what is said."""
    if said.value_range is not None:
        yield from _beyond(facts, said.value_range)
        return
    deep = [fact for fact in facts if fact.bits == 16]
    for some, bits in ((deep, 16), ([] if deep else list(facts), 8)):
        if not some:
            continue
        found = min(fact.lowest for fact in some), max(fact.highest for fact in some)
        if uses_few_levels(found, bits):
            black, white = likely_range(*found, is_whole=True)
            yield Finding(
                "unused_range",
                "error",
                f"{counted(len(some), 'image')} of {bits} bits with values from {found[0]:g} to "
                f"{found[1]:g}, which come in almost black or with few levels",
                f"add value_range: [{black:g}, {white:g}]; train refuses them without one",
                (),
            )


def _beyond(facts: Sequence[ImageFacts], given: tuple[float, float]) -> Iterator[Finding]:
    low, high = given
    outside = [fact for fact in facts if fact.lowest < low or fact.highest > high]
    if outside:
        yield Finding(
            "beyond_range",
            "note",
            f"{counted(len(outside), 'image')} with values outside of value_range [{low:g}, "
            f"{high:g}], which become black or white",
            "widen the range where they matter",
            tuple(f"{fact.path}: {fact.lowest:g} to {fact.highest:g}" for fact in outside),
            alone(outside),
        )
