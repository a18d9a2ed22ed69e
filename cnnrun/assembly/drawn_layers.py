"""A network's layers as its drawing takes them: the rows of its costs, and its graph."""

from typing import Any

from cnnrun.models.cost import Costs
from cnnrun.models.layer_calls import taken_by
from cnnrun.models.network import Network
from cnnrun.pages.page_files import DrawnLayer


def drawn_layers(network: Network, costs: Costs) -> list[DrawnLayer]:
    """The layers in the order of their calls, each with those that it follows.

    Args:
        network: a built network.
        costs: what it costs.
    """
    paths = {built.name: built.path for built in network.layers}
    inputs = _inputs(network)
    return [
        DrawnLayer(
            name=row.name,
            kind=row.kind,
            path=paths.get(row.name, row.name),
            output_shape=row.output_shape[1:],
            parameters=row.parameters,
            multiply_adds=row.multiply_adds,
            receptive_field=row.receptive_field,
            inputs=inputs[row.name],
        )
        for row in costs.layers
    ]


def _inputs(network: Network) -> dict[str, tuple[str, ...]]:
    """Layer name -> the names of the layers whose outputs it takes."""
    inputs: dict[str, tuple[str, ...]] = {}
    last: tuple[str, ...] = ()
    for step in network.steps:
        inputs[step.name] = last
        last = (step.name,)
    origin: dict[int, tuple[str, ...]] = {id(network.preprocessing.output): last}
    for built in network.layers:
        taken: Any = taken_by(built.layer)
        sources = taken if isinstance(taken, list) else [taken]
        inputs[built.name] = tuple(name for each in sources for name in origin[id(each)])
        origin[id(built.layer.output)] = (built.name,)
    return inputs
