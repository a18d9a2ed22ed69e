"""How the figures of diagnostics are to be read, in reports and on pages."""

from typing import Final

SIGNALS_READ: Final = (
    "A variance that stays level from layer to layer is a signal that is kept: on the way forward"
    " that of what reaches the activations, on the way back that of the loss's gradient there;"
    " 0 stands below the smallest power of ten"
)
SATURATION_READ: Final = (
    "A saturated input lies where the activation is flat, its slope being below a twentieth of its"
    " steepest (for ReLU, where it is negative); a dead channel is saturated at every place of all"
    " these images, and learns nothing from them"
)
DISTRIBUTIONS_READ: Final = (
    "What reaches the activations over the epochs: the median, the middle half and nine tenths"
)
