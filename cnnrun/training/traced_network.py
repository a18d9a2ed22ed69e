"""A network that is traced once and trains again from other weights, such as another seed's.

To build and trace the graph of a training step takes longer than some epochs, and a study trains
the same network with many seeds. The graph holds none of what a seed decides: initial weights and
the states of random generators are variables, which are given their values anew.
"""

from functools import cached_property

import keras
import numpy as np

from cnnrun.assembly.compiling import compile_anew
from cnnrun.config.values import Config, KerasCall
from cnnrun.data.images import ImageStore
from cnnrun.evaluation.batch_statistics import BatchStatistics
from cnnrun.evaluation.evaluate import Forward, forward_pass
from cnnrun.models.network import Network
from cnnrun.models.variables import assign_variables, network_variables, read_variables
from cnnrun.training.activation_probe import Probe


class TracedNetwork:
    """A network with the graphs of its training step and its forward passes.

    Attributes:
        network: the network.
    """

    def __init__(self, network: Network, *, loss: KerasCall, store: ImageStore) -> None:
        """The network, its loss, and images of the size and type that it is going to get."""
        self.network = network
        self._loss = loss
        self._store = store
        self._optimizer_at_start: tuple[np.ndarray, ...] | None = None

    def begin_as(self, fresh: Network) -> None:
        """Take the weights and the generators' states of a network that was built alike."""
        values = read_variables(network_variables(fresh.model))
        assign_variables(network_variables(self.network.model), values)

    def compile_model(
        self, model: keras.Model, config: Config, *, loss: KerasCall, optimizer: KerasCall
    ) -> None:
        """Compile the network, or put its optimizer back to its start; see `CompileModel`."""
        if self._optimizer_at_start is not None:
            assign_variables(model.optimizer.variables, self._optimizer_at_start)
            return
        compile_anew(model, config, loss=loss, optimizer=optimizer)
        model.optimizer.build(model.trainable_variables)
        self._optimizer_at_start = read_variables(model.optimizer.variables)

    @cached_property
    def forward(self) -> Forward:
        """The network as it predicts."""
        return forward_pass(self.network.model, self._store)

    @cached_property
    def batch_statistics(self) -> BatchStatistics:
        """What recomputes the statistics of its batch norm."""
        return BatchStatistics(self.network.model)

    @cached_property
    def probe(self) -> Probe:
        """What looks at its activations and gradients."""
        return Probe(self.network, loss=self._loss)
