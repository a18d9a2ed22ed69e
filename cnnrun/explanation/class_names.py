"""The class that a user names, by its name or by ImageNet's synset."""

from collections.abc import Sequence

from cnnrun.errors import InputError
from cnnrun.wording import listed, nearest


def class_number(wanted: str, names: Sequence[str], synsets: Sequence[str] = ()) -> int:
    """The number of a class.

    Args:
        wanted: its name, or its synset such as "n02123045".
        names: the classes in the order of the network's outputs.
        synsets: of these; none where they are not ImageNet's.

    Raises:
        InputError: there is none, or several have this name, as two of ImageNet's do.
    """
    found = [number for number, name in enumerate(names) if name == wanted]
    found = found or [number for number, synset in enumerate(synsets) if synset == wanted]
    if not found:
        raise InputError.at(
            "--class",
            rule="must be one of the classes",
            received=f"`{wanted}`",
            advice=nearest(wanted, names, otherwise=f"the classes are {listed(names)}"),
        )
    if len(found) > 1:
        raise InputError.at(
            "--class",
            rule="must name one class",
            received=f"`{wanted}`, the name of {len(found)}",
            advice=f"give its synset: {' or '.join(synsets[number] for number in found)}",
        )
    return found[0]
