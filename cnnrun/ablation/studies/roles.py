"""Roles: what a study may change in any config, by what it does there rather than where it stands.

A study addresses one as it addresses a value, `path: role.dropout`.
"""

from collections.abc import Mapping
from typing import Final

from cnnrun.errors import ConfigError, Position, Problem
from cnnrun.wording import suggestion

ROLES: Final[Mapping[str, str]] = {
    "learning_rate": "the learning rate, wherever it stands: in the optimizer of the last stage or"
    " of `train`, or in its schedule",
    "learning_rate_times": "so many times the learning rate of the config",
    "batch_size": "`train.batch_size`; schedules of the learning rate end when the training does",
    "training_share": "the share of the training images, of about as many updates: so many times as"
    " many epochs, and of patience in callbacks",
    "training_length": "so many times as many epochs; schedules are stretched as much",
    "batch_norm": "where batch norm stands at every convolution: none, before_activation,"
    " after_activation or before_convolution",
    "activation": "the activation of every layer but the output",
    "kernel_initializer": "how every kernel is drawn",
    "kernel_regularizer": "the penalty on every kernel",
    "dropout": "the share of numbers that are dropped after every convolution",
    "spatial_dropout": "the share of feature maps that are dropped after every convolution",
    "dropout_rate": "the rate of the dropout, of either kind, that stands after convolutions;"
    " nothing changes where there is none",
    "dilation_rate": "the dilation of every convolution without strides",
    "first_pooling": "the first layer that pools locally: max, average, strides (of the convolution"
    " before it, which takes them over), convolution (one with strides in its place), or a layer",
    "backbone": "a map of what changes of `model.backbone`",
    "head": "the layers that make numbers of the last feature maps, up to the classifier; dropout"
    " among them stays",
}
"""Each role with what it is."""

_PREFIX: Final = "role."


def role_of(address: str, position: Position) -> str | None:
    """The role that an address names; None where it is the address of a value.

    Raises:
        ConfigError: there is no such role.
    """
    role = role_name(address)
    if role is not None and role not in ROLES:
        rule = "must be a role that `cnnrun help studies` lists"
        advice = suggestion(role, list(ROLES))
        raise ConfigError([Problem(position, address, rule, f"`{role}`", advice)])
    return role


def role_name(address: str) -> str | None:
    """The role that stands at an address, known or not; None for the address of a value."""
    return address.removeprefix(_PREFIX) if address.startswith(_PREFIX) else None


def address_of(role: str) -> str:
    """How a study addresses a role."""
    return f"{_PREFIX}{role}"
