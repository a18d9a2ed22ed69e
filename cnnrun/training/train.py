"""The straight line from a config to a run.

Images, split and build in `prepare`; compile, fit and evaluate in `fit_and_evaluate`, where a
study's cells go as well; then what the run's folder holds is written. What draws its pictures is
loaded while TensorFlow computes: Matplotlib takes longer to load than many an epoch.
"""

import difflib
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnnrun.assembly.preparing import Prepared, prepare
from cnnrun.assembly.recorded_images import image_records
from cnnrun.config.dump import dump_config
from cnnrun.config.sections import Config
from cnnrun.errors import RunError
from cnnrun.pages.run_page import write_run_page
from cnnrun.runs.data_states import (
    changes_between,
    experiments_of,
    experiments_of_unbegun,
    fingerprint_in,
    images_of,
    recorded_data,
)
from cnnrun.runs.events import Note, RunDone, RunEvent, RunListener, StepsDone
from cnnrun.runs.folder import RunFolder, create_run, hold, run_name
from cnnrun.runs.made_by import load_resolved, refuse_other_version
from cnnrun.runs.state import read_state, write_state
from cnnrun.runs.unbegun import clear_unbegun, create_run_into, is_unbegun
from cnnrun.training.checkpoints import newest_checkpoint
from cnnrun.training.fitted_and_tested import fit_and_evaluate
from cnnrun.training.profiling import NOT_WATCHED, Watch
from cnnrun.training.recorded_diagnostics import diagnostics_of_run
from cnnrun.training.recording import (
    environment_of,
    recorded,
    write_beginning,
    write_result_of,
)
from cnnrun.training.sitting import Sitting, begin_sitting
from cnnrun.training.traced_network import TracedNetwork


def train(
    config: Config,
    *,
    experiments: Path,
    into: Path | None,
    listener: RunListener,
    watch: Watch = NOT_WATCHED,
    with_git: bool = True,
) -> RunFolder:
    """Train a config from the beginning, into a run folder of its own.

    Args:
        config: a checked config, from `load_config`.
        experiments: where the run's folder is created, as `<config name>/<time>-seed<seed>`.
        into: the run's folder itself, absent or empty, instead.
        listener: who listens; `silent` for nobody.
        watch: who looks where the time goes.
        with_git: see `environment_of`.

    Returns:
        The finished run.

    Raises:
        ConfigError: the network cannot be built or trained.
        DataError: the data cannot be used.
        RunError: `into` is in use.
        DivergedError: the loss became NaN or infinite; the run is kept, as failed.
        StorageError: the run folder cannot be written to.
        InterruptedRunError: Ctrl-C; the run is kept and can be resumed.
    """
    began = time.perf_counter()
    watch.enter("data and network")
    cache_folder = into.parent if into else experiments
    prepared = prepare(config, earlier=None, cache_folder=cache_folder, listener=listener)
    environment = environment_of(
        prepared, with_git=with_git
    )  # git may take its time: before the folder is there
    run = (
        create_run_into(into)
        if into
        else create_run(experiments, name=run_name(config.source), seed=config.seed)
    )
    with hold(run):
        _begin(run, prepared, environment, listener=listener, watch=watch, began=began)
    return run


def resume(
    config: Config,
    *,
    run: RunFolder,
    listener: RunListener,
    watch: Watch = NOT_WATCHED,
    with_git: bool = True,
) -> RunFolder:
    """Continue a run that was interrupted, to the same bits as if it had not been.

    Args:
        config: the config that the run was started with.
        run: the run.
        listener: who listens.
        watch: who looks where the time of this sitting goes.
        with_git: see `environment_of`; for a run that has to begin anew.

    Raises:
        RunError: the run is finished or busy, its config or data have changed, or all of its
            checkpoints are damaged. And what `train` raises.
    """
    began = time.perf_counter()
    watch.enter("data and network")
    with hold(run):
        if is_unbegun(run.path):
            listener(Note(f"no epoch of {run.path} is on the disk: it begins anew"))
            folder = experiments_of_unbegun(run, name=run_name(config.source))
            prepared = prepare(config, earlier=None, cache_folder=folder, listener=listener)
            environment = environment_of(prepared, with_git=with_git)
            _begin(run, prepared, environment, listener=listener, watch=watch, began=began)
            return run
        _refuse_finished(run)
        refuse_other_version(run, config=config.source)
        earlier = load_resolved(run)
        cache_folder = experiments_of(run)
        prepared = prepare(config, earlier=earlier, cache_folder=cache_folder, listener=listener)
        _refuse_changes(run, earlier, prepared)
        found = newest_checkpoint(run)
        for path in found.damaged:
            listener(Note(f"{path.name} is damaged: going on from the checkpoint before it"))
        with recorded(run):
            sitting = begin_sitting(
                run, checkpoint=found.checkpoint, listener=listener, watch=watch, began=began
            )
            _complete(prepared, sitting)
    return run


def _begin(
    run: RunFolder,
    prepared: Prepared,
    environment: Mapping[str, Any],
    *,
    listener: RunListener,
    watch: Watch,
    began: float,
) -> None:
    """Begin a run that this process holds, in a folder in which none was begun, and end it."""
    clear_unbegun(run)
    with recorded(run):
        write_beginning(run, prepared, environment)
        sitting = begin_sitting(run, checkpoint=None, listener=listener, watch=watch, began=began)
        _complete(prepared, sitting)


def _complete(prepared: Prepared, sitting: Sitting) -> None:
    """Train, test and write a run; what it raises is recorded by the caller."""
    run, sitting = sitting.run, replace(sitting, listener=_loading_meanwhile(sitting.listener))
    traced = TracedNetwork(prepared)
    observers = diagnostics_of_run(prepared, sitting, traced)
    tested = fit_and_evaluate(prepared, sitting, traced, observers=observers)
    from cnnrun.training.page_record import record_page
    from cnnrun.training.run_plots import write_plots

    result = write_result_of(prepared, sitting, tested)
    figures = write_plots(run, prepared, tested, best_epoch=result.best_epoch)
    record_page(run, prepared, tested, figures=figures)
    sitting.watch.finish(run, prepared)
    write_state(run, "finished", why="")
    write_run_page(run)
    sitting.listener(RunDone(result))


def _loading_meanwhile(listener: RunListener) -> RunListener:
    """The listener; what draws a run is loaded after its first training steps."""
    loading = threading.Thread(target=_load_pictures, name="pictures", daemon=True)

    def listening(event: RunEvent) -> None:
        if isinstance(event, StepsDone) and loading.ident is None:
            loading.start()
        listener(event)

    return listening


def _load_pictures() -> None:
    import cnnrun.training.page_record
    import cnnrun.training.run_plots  # noqa: F401


def _refuse_finished(run: RunFolder) -> None:
    if read_state(run).state == "finished":
        raise RunError.at(
            run.path,
            rule="only a run that was cut short can be resumed",
            received="one that is finished",
            advice="train anew, without --resume",
        )


def _refuse_changes(run: RunFolder, earlier: Config, prepared: Prepared) -> None:
    now = dump_config(prepared.config, relative_to=run.path).splitlines()
    before = dump_config(earlier, relative_to=run.path).splitlines()
    changes = list(difflib.unified_diff(before, now, n=0, lineterm=""))[2:]
    if changes:
        told = "".join(f"\n    {line}" for line in changes if not line.startswith("@@"))
        raise RunError.at(
            run.resolved_yaml,
            rule="a run goes on with the config that it was started with",
            received="another one",
            advice=f"take the change back, or train anew, without --resume{told}",
        )
    if fingerprint_in(recorded_data(run)) != prepared.images.fingerprint["blake3"]:
        there_were, there_are = images_of(run) or (), image_records(prepared.images, None)
        told = "".join(f"\n    {line}" for line in changes_between(there_were, there_are))
        raise RunError.at(
            run.environment_json,
            rule="a run goes on with the images that it was started with",
            received="others",
            advice=f"restore them, or train anew, without --resume{told}",
        )
