"""The part of a network that a bottleneck stage fits, and what it is fitted to."""

from typing import Any, Final

import keras

from cnnrun.models.network import Network
from cnnrun.models.penalties import PenaltyApart, is_penalized

# They shrink what has to be kept to a number a channel, and hold nothing that learns or draws.
_POOLING: Final = frozenset({"GlobalAveragePooling2D", "GlobalMaxPooling2D"})


def features_of(network: Network) -> Any:
    """What stays the same for an image in every epoch while the backbone is frozen.

    Returns:
        The tensor `(batch, ...)` that the backbone gives, or what the head's first entries pool it
        to: at 224x224 that is 4 KB an image in place of 200.
    """
    backbone = network.backbone
    if backbone is None:
        raise ValueError("a network without a backbone has no features")
    features = backbone.output
    for built in network.own_layers:
        is_entry = built.path == built.spec.path
        if not is_entry or built.spec.kind not in _POOLING:
            break
        features = built.layer.output
    return features


def head_of(network: Network) -> keras.Model:
    """The layers from the features on as a model of its own, over the network's variables."""
    head = PenaltyApart(features_of(network), network.model.output, name="head")
    head.is_of_penalized = is_penalized(network.model)
    return head
