"""A look at a study before it runs: what its networks are made of, and how long a cell takes."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from cnnrun.ablation.cell_training import train_cell
from cnnrun.ablation.tasks import Trial
from cnnrun.config.values import Config
from cnnrun.runs.folder import create_run_into, hold
from cnnrun.runs.metrics import read_epochs
from cnnrun.training.building import build_and_try
from cnnrun.training.preparing import Images, prepare_with
from cnnrun.training.reporting import Silent
from cnnrun.training.retraining import TracedNetwork
from cnnrun.training.stages import plan_stages

EPOCHS_TRIED = 3


def try_arms(configs: Mapping[str, Config], images: Images, *, folder: Path) -> Trial:
    """Build the network of each arm, and train the costliest for some epochs.

    Args:
        configs: arm -> its config.
        images: the images of all of them.
        folder: where to train, absent or empty.

    Raises:
        ConfigError: a network cannot be built or trained.
        DataError: the splits cannot be cut.
    """
    all_prepared = {
        arm: prepare_with(config, images, build=build_and_try, reporter=Silent())
        for arm, config in configs.items()
    }
    costs = {arm: prepared.costs for arm, prepared in all_prepared.items()}
    costliest = max(costs, key=lambda arm: (costs[arm].multiply_adds, costs[arm].parameters))
    short = replace(configs[costliest].train, epochs=EPOCHS_TRIED, stages=())
    config = replace(configs[costliest], train=short)
    started = time.perf_counter()
    prepared = prepare_with(config, images, build=build_and_try, reporter=Silent())
    network = prepared.built.network
    traced = TracedNetwork(network, loss=prepared.built.loss, store=images.store)
    run = create_run_into(folder)
    with hold(run):
        train_cell(
            run,
            prepared,
            traced,
            key="trial",
            diagnostics=False,
            checkpoint=None,
            started=started,
        )
    taken = time.perf_counter() - started
    # The first epoch also traces the step, as it does once an arm and worker.
    first, *others = [row.seconds for row in read_epochs(run)]
    an_epoch = min(others, default=first)
    epochs = plan_stages(configs[costliest])[-1].last_epoch
    return Trial(
        parameters={arm: cost.parameters for arm, cost in costs.items()},
        multiply_adds={arm: cost.multiply_adds for arm, cost in costs.items()},
        seconds_a_cell=taken - first - sum(others) + epochs * an_epoch,
        seconds_an_arm=first - an_epoch,
    )
