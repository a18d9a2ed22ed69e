"""What runs whose images have several labels cannot do, by name and with the reason."""

from collections.abc import Mapping

from cnnrun.errors import InputError


def refuse_for_labels(asked: Mapping[str, str]) -> None:
    """Raise for what was asked of a run whose images have several labels.

    Args:
        asked: the option or command -> why it does not apply; empty for one not asked for.

    Raises:
        InputError: there is a reason.
    """
    for name, reason in asked.items():
        if reason:
            raise InputError.at(
                name,
                rule="does not go with images of several labels",
                received=f"`task: multi_label`: {reason}",
                advice="`cnnrun help labels` says what does",
            )
