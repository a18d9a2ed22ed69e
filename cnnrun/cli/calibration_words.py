"""What calibrations of classes and of labels are said to be worth."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cnnrun.calibration.probability_scores import Scores

MEASURES: Final = (
    "negative log-likelihood",
    "Brier score",
    "calibration error",
    "  its 95 % interval",
    "  by chance alone",
    "  debiased, root mean square",
)


def measured_cells(scores: "Scores") -> tuple[str, ...]:
    """The cells of MEASURES."""
    error = scores.error
    low, high = error.interval
    return (
        f"{scores.log_loss:.4f}",
        f"{scores.brier:.4f}",
        f"{error.value:.4f}",
        f"{low:.4f} to {high:.4f}",
        f"{error.by_chance:.4f}",
        f"{error.debiased:.4f}",
    )


def change_words(change: tuple[float, float], *, images: int) -> str:
    """Whether the negative log-likelihood of test images falls, by the interval of its change."""
    low, high = change
    by = f"{low:+z.4f} to {high:+z.4f}"
    on = f"on {images:,} test images"
    if high < 0:
        return f"it lowers the negative log-likelihood {on} (by 95 % interval {by})"
    if low > 0:
        return f"it raises the negative log-likelihood {on} ({by}): better not to use it"
    return f"whether it lowers the negative log-likelihood is open {on} ({by})"
