"""A network with the graphs of its training step and its forward passes, each traced once.

To build and trace the graph of a training step takes longer than some epochs, and a study trains
the same network with many seeds. The graph holds none of what a seed decides: initial weights and
the states of random generators are variables, which are given their values anew.
"""

from dataclasses import replace
from functools import cached_property

import keras
import numpy as np

from cnnrun.assembly.compiling import compile_anew
from cnnrun.assembly.preparing import Prepared
from cnnrun.assembly.stages import Stage
from cnnrun.config.sections import Config
from cnnrun.evaluation.batch_statistics import BatchStatistics
from cnnrun.evaluation.evaluate import Examination, examination_of
from cnnrun.models.network import Network
from cnnrun.models.variables import assign_variables, network_variables, read_variables
from cnnrun.training.activation_probe import Probe


def can_be_retrained(config: Config) -> bool:
    """Whether the network can be trained again for another seed, with the graph that it has.

    With a single stage it is the same before and after; with a backbone, tracing costs little of
    what a run does.
    """
    return not config.train.stages and config.model.backbone is None


class TracedNetwork:
    """A network that is trained, for its own run or for the runs of other seeds after it.

    Attributes:
        network: the network.
    """

    def __init__(self, prepared: Prepared) -> None:
        """The network of a run, whose images give size and type of all that it is going to get."""
        self.network = prepared.built.network
        self._loss = prepared.built.loss
        self._prepared = prepared
        self._optimizer_at_start: tuple[np.ndarray, ...] | None = None

    def in_place_of(self, prepared: Prepared) -> Prepared:
        """A run with this network in place of its own, whose weights and generators it takes."""
        own: Network = prepared.built.network
        if own is not self.network:
            values = read_variables(network_variables(own.model))
            assign_variables(network_variables(self.network.model), values)
        return replace(prepared, built=replace(prepared.built, network=self.network))

    def compile_for(self, stage: Stage, fitted: keras.Model, config: Config) -> None:
        """Make the network ready for a stage: compiled anew, or its optimizer back at its start.

        Args:
            stage: the stage.
            fitted: the model to fit: the network's, or its head.
            config: the resolved config.
        """
        if self._optimizer_at_start is not None:
            assign_variables(fitted.optimizer.variables, self._optimizer_at_start)
            return
        compile_anew(
            fitted, config, network=self.network, loss=self._loss, optimizer=stage.optimizer
        )
        if can_be_retrained(config):
            fitted.optimizer.build(fitted.trainable_variables)
            self._optimizer_at_start = read_variables(fitted.optimizer.variables)

    @cached_property
    def examination(self) -> Examination:
        """The network as it predicts, with its loss and metrics."""
        return examination_of(self._prepared)

    def training_loss(self, train: np.ndarray, *, batch_size: int) -> float:
        """The mean loss on rows of the manifest, `(images,)`, as the network predicts.

        Without augmentation, dropout and penalties.
        """
        losses = self.examination.of(train, batch_size=batch_size).losses
        return float(losses.astype(np.float64).mean())

    @cached_property
    def batch_statistics(self) -> BatchStatistics:
        """What recomputes the statistics of its batch norm."""
        return BatchStatistics(self.network.model, self._prepared.feed.image_spec)

    @cached_property
    def probe(self) -> Probe:
        """What looks at its activations and gradients."""
        return Probe(
            self.network, loss=self._loss, by_label=self.examination.judge.output.is_multi_label
        )
