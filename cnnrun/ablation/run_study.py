"""The straight line of a study: plan, tuning, cells, results, report.

What follows the cells is imported when it is needed, or while the first of them train: SciPy and
Matplotlib take longer to load than a plan takes to make, and no worker should wait for them.
"""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from cnnrun.ablation.execution.run_cells import ShareDone, cell_runner, share_runner
from cnnrun.ablation.execution.schedule import CellBegins, StudyEvent, StudyListener
from cnnrun.ablation.execution.workers import Workers
from cnnrun.ablation.planning.plan import StudyPlan
from cnnrun.ablation.planning.plan_file import write_plan
from cnnrun.ablation.studies.named_studies import FoundStudy
from cnnrun.runs.events import Note
from cnnrun.runs.files import write_bytes, write_text
from cnnrun.runs.listing import TRIALS_FILE
from cnnrun.runs.work_share import WorkShare

if TYPE_CHECKING:
    from cnnrun.ablation.analysis.results import StudyResults


def run_study(
    found: FoundStudy,
    plan: StudyPlan,
    *,
    folder: Path,
    workers: Workers,
    listener: StudyListener,
) -> "StudyResults":
    """What a study came to, after running those of its cells that are not done.

    Args:
        found: the study, with its file.
        plan: what `continued_plan` gave for this folder.
        folder: the study's folder.
        workers: what runs the cells.
        listener: who listens.

    Raises:
        StorageError: the folder cannot be written to. And what `run_cells` raises.
    """
    _write_beginning(found, plan, folder)
    tuning = None
    listening = _loading_meanwhile(listener)
    with cell_runner(folder=folder, workers=workers, listener=listening) as run:
        if plan.tuning is not None:
            from cnnrun.ablation.reporting.tuning_report import tuned_sentence, tuning_csv
            from cnnrun.ablation.tune_arms import tune_arms

            plan, tuning = tune_arms(found.study, plan, plan.tuning, run=run)
            write_text(folder / TRIALS_FILE, tuning_csv(tuning))
            listener(Note(tuned_sentence(tuning)))
        outcomes = run(plan.cells)
    from cnnrun.ablation.analysis.results import study_results
    from cnnrun.ablation.reporting.report import write_report

    results = study_results(plan, found.study, outcomes, tuning=tuning)
    write_report(folder, results, outcomes)
    return results


def run_share(
    found: FoundStudy,
    plan: StudyPlan,
    share: WorkShare,
    *,
    folder: Path,
    workers: Workers,
    listener: StudyListener,
) -> ShareDone:
    """What this process has done of a study, of which others on the same disk do other shares.

    The trials that tune its arms are nobody's share: whoever is there does them.

    Args:
        found: the study, with its file.
        plan: what `continued_plan` gave for this folder.
        share: which cells are run before all others.
        folder: the study's folder.
        workers: what runs the cells.
        listener: who listens.

    Raises:
        StudyError: another process has planned something else for the folder.
        StorageError: the folder cannot be written to. And what `run_cells` raises.
    """
    _write_beginning(found, plan, folder)
    with share_runner(folder=folder, workers=workers, listener=listener) as runner:
        if plan.tuning is not None:
            from cnnrun.ablation.reporting.tuning_report import tuned_sentence
            from cnnrun.ablation.tune_arms import tune_arms

            plan, tuning = tune_arms(found.study, plan, plan.tuning, run=runner.run)
            listener(Note(tuned_sentence(tuning)))
        return runner.run_share(plan.cells, share)


def _write_beginning(found: FoundStudy, plan: StudyPlan, folder: Path) -> None:
    write_plan(plan, found.study, folder)
    write_bytes(folder / "study.yaml", found.path.read_bytes())


def _loading_meanwhile(listener: StudyListener) -> StudyListener:
    """The listener; what follows the last cell is loaded when the first one begins."""
    loading = threading.Thread(target=_load_what_follows, daemon=True)

    def listening(event: StudyEvent) -> None:
        if isinstance(event, CellBegins) and loading.ident is None:
            loading.start()
        listener(event)

    return listening


def _load_what_follows() -> None:
    import cnnrun.ablation.analysis.results
    import cnnrun.ablation.reporting.report  # noqa: F401
