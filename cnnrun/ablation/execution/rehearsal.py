"""A look at a study before it runs: what its networks are made of, and how long a cell takes."""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from cnnrun.ablation.execution.cell_training import train_cell
from cnnrun.ablation.execution.tasks import Trial, TrialTask
from cnnrun.assembly.building import build_and_try
from cnnrun.assembly.preparing import Images, split_and_build
from cnnrun.assembly.stages import plan_stages
from cnnrun.config.sections import Config
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder, hold
from cnnrun.runs.metrics import read_epochs
from cnnrun.runs.unbegun import create_run_into
from cnnrun.training.profiling import NOT_WATCHED
from cnnrun.training.recording import environment_of
from cnnrun.training.sitting import begin_sitting
from cnnrun.training.traced_network import TracedNetwork

EPOCHS_TRIED = 3


def try_arms(task: TrialTask, images: Mapping[str, Images]) -> Trial:
    """Build the network of each arm, and train the costliest for some epochs.

    Args:
        task: the arms.
        images: arm -> the images of its config.

    Raises:
        ConfigError: a network cannot be built or trained.
        DataError: the splits cannot be cut.
    """
    costs = {
        arm: split_and_build(config, images[arm], build=build_and_try, listener=silent).costs
        for arm, config in task.configs.items()
    }
    costliest = max(costs, key=lambda arm: (costs[arm].multiply_adds, costs[arm].parameters))
    config = task.configs[costliest]
    run = create_run_into(task.folder)
    taken = _trained_seconds(run, config, images[costliest], diagnostics=task.diagnostics)
    # The first epoch also traces the step, as it does once an arm and worker.
    first, *others = [row.seconds for row in read_epochs(run)]
    an_epoch = min(others, default=first)
    epochs = plan_stages(config)[-1].last_epoch
    return Trial(
        parameters={arm: cost.parameters for arm, cost in costs.items()},
        multiply_adds={arm: cost.multiply_adds for arm, cost in costs.items()},
        seconds_a_cell=taken - first - sum(others) + epochs * an_epoch,
        seconds_an_arm=first - an_epoch,
    )


def _trained_seconds(run: RunFolder, config: Config, images: Images, *, diagnostics: bool) -> float:
    """How long a cell of few epochs takes, from its network's building on."""
    short = replace(config, train=replace(config.train, epochs=EPOCHS_TRIED, stages=()))
    began = time.perf_counter()
    prepared = split_and_build(short, images, build=build_and_try, listener=silent)
    with hold(run):
        sitting = begin_sitting(
            run, checkpoint=None, listener=silent, watch=NOT_WATCHED, began=began
        )
        train_cell(
            prepared,
            sitting,
            TracedNetwork(prepared),
            key="trial",
            diagnostics=diagnostics,
            environment_of=partial(environment_of, with_git=False),
        )
    return time.perf_counter() - began
