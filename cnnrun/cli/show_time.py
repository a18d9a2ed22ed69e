"""`cnnrun show --time`: what a training step costs on this machine in each precision."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnrun.config.sections import Config

HEADINGS = ("precision", "ms a step", "images/s", "against float32", "range", "rounds")


def choose_threads(config: "Config") -> None:
    """Let TensorFlow compute with the threads that training would have; before all else.

    Raises:
        WorkError: this process has computed with another number of threads already.
    """
    from cnnrun.assembly.automatic_choices import use_threads, with_threads

    use_threads(with_threads(config, None).train.threads or 1)


def timed_steps(
    config: "Config", input_shape: tuple[int, int, int], classes: int, *, quiet: bool
) -> dict[str, Any]:
    """The training steps of each precision, as JSON; see training/timing.py."""
    from functools import partial

    from cnnrun.assembly.standardizing import unfitted_preprocessing
    from cnnrun.cli.output import print_note
    from cnnrun.preview.step_timing import time_precisions, timing_document

    times = time_precisions(
        config,
        input_shape=input_shape,
        classes=classes,
        preprocessing=unfitted_preprocessing(config, input_shape),
        tell=partial(print_note, quiet=quiet),
    )
    return timing_document(times, batch_size=config.train.batch_size)


def print_timing(document: dict[str, Any], *, precision: str) -> None:
    """Prints the table of precisions, and which one to train in; `precision` is the config's."""
    from cnnrun.cli.output import print_sentence, print_table

    rows = [
        (
            name,
            f"{1000 * timed['step_seconds']:,.1f}",
            f"{timed['images_per_second']:,.0f}",
            f"{timed['speedup']:.2f}",
            "{:.2f} to {:.2f}".format(*timed["speedup_range"]),
            str(timed["rounds"]),
        )
        for name, timed in document["precisions"].items()
    ]
    numeric = frozenset(HEADINGS) - {"precision", "range"}
    print_table(HEADINGS, rows, numeric=numeric, expendable=["rounds", "range"])
    print_sentence(f"Batches of {document['batch_size']} random images; training steps in turns.")
    print_sentence(recommendation(document, precision=precision))


def recommendation(document: dict[str, Any], *, precision: str) -> str:
    """Which precision to train in, and what it brings."""
    best = document["recommended"]
    if best == "float32":
        reason = "nothing is clearly faster here, and it keeps the most digits"
    else:
        reason = (
            f"a step is {document['precisions'][best]['speedup']:.1f} times as fast as in float32;"
            " compare the accuracy of a few seeds before you rely on it"
        )
    verb = "keep" if best == precision else "write"
    return f"{verb} `train.precision: {best}`: {reason}"
