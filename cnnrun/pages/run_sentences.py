"""What was asked of a run and what came out, in sentences."""

from typing import Any

from cnnrun.pages.shares import percent, percent_interval
from cnnrun.runs.result import RunResult
from cnnrun.wording import counted


def asked_sentence(
    name: str,
    *,
    classes: int,
    is_multi_label: bool,
    training_images: int | None,
    result: RunResult | None,
) -> str:
    """What was asked: of which network, on how much."""
    on = "" if training_images is None else f" from {counted(training_images, 'training image')}"
    by = "" if result is None else f" by a network of {counted(result.parameters, 'parameter')}"
    epochs = "" if result is None else f" in {counted(result.epochs, 'epoch')}"
    what = f"to tell {counted(classes, 'class', 'classes')} apart"
    if is_multi_label:
        what = f"which of {counted(classes, 'label')} an image has"
    return f"{name} learns {what}{on}{by}{epochs}."


def answer_sentence(result: RunResult) -> str:
    """What came out, with its interval, against chance and the commonest class."""
    test = result.test
    if test is not None and test.get("mean_average_precision") is not None:
        return _answer_of_labels(result, test)
    if test is None or test.get("accuracy") is None:
        return (
            "There were no test images: what it comes to is known of validation images alone, by"
            f" which epoch {result.best_epoch} was chosen."
        )
    images = test.get("images")
    of = f" of {counted(images, 'test image')}" if isinstance(images, int) else " of test images"
    return f"It is right on {percent(test['accuracy'])}{of}{_interval(test)}{_against(result)}."


def _answer_of_labels(result: RunResult, test: Any) -> str:
    interval = test.get("intervals", {}).get("mean_average_precision")
    bounds = "" if interval is None else f" (95 % interval {interval[0]:.3f} to {interval[1]:.3f})"
    prevalence = result.baselines.get("prevalence")
    against = "" if prevalence is None else f", where any order of the images has {prevalence:.3f}"
    exact = test.get("exact_match")
    right = "" if exact is None else f" All labels are right of {percent(exact)} of the images."
    return (
        f"Its mean average precision is {test['mean_average_precision']:.3f}{bounds} on"
        f" {counted(test.get('images', 0), 'test image')}{against}.{right}"
    )


def _interval(test: Any) -> str:
    interval = test.get("intervals", {}).get("accuracy")
    return "" if interval is None else f" (95 % interval {percent_interval(*interval)})"


def _against(result: RunResult) -> str:
    """What it has to beat; of runs of 0.1.0 that was not kept."""
    baselines = result.baselines
    if not {"chance", "majority"} <= baselines.keys():
        return ""
    beaten = _beaten(result)
    return (
        f", where chance is {percent(baselines['chance'])} and always the commonest class of the"
        f" training images {percent(baselines['majority'])}{beaten}"
    )


def _beaten(result: RunResult) -> str:
    interval = (result.test or {}).get("intervals", {}).get("accuracy")
    best = max(result.baselines["chance"], result.baselines["majority"])
    if interval is None or interval[0] > best:
        return ""
    return "; its interval does not exclude that it has learnt nothing"


def curves_sentence(result: RunResult | None, *, epochs: int, stages: int) -> str:
    """What the learning curves show, for those who cannot see them."""
    if not epochs:
        return "No epoch was finished."
    best = f" Epoch {result.best_epoch} was kept." if result else ""
    in_stages = f" in {stages} stages" if stages > 1 else ""
    return f"Loss and metrics of {counted(epochs, 'epoch')}{in_stages}.{best}"
