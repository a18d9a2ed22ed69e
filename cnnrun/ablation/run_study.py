"""The straight line of a study: plan, tuning, cells, results, report."""

from pathlib import Path

from cnnrun.ablation.analysis.results import StudyResults, study_results
from cnnrun.ablation.execution.run_cells import cell_runner
from cnnrun.ablation.execution.schedule import StudyListener
from cnnrun.ablation.execution.workers import Workers
from cnnrun.ablation.planning.plan import StudyPlan
from cnnrun.ablation.planning.plan_file import write_plan
from cnnrun.ablation.reporting.report import write_report
from cnnrun.ablation.reporting.tuning_report import tuned_sentence, tuning_csv
from cnnrun.ablation.studies.named_studies import FoundStudy
from cnnrun.ablation.tune_arms import tune_arms
from cnnrun.runs.events import Note
from cnnrun.runs.files import write_bytes, write_text
from cnnrun.runs.listing import TRIALS_FILE


def run_study(
    found: FoundStudy,
    plan: StudyPlan,
    *,
    folder: Path,
    workers: Workers,
    listener: StudyListener,
) -> StudyResults:
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
    write_plan(plan, found.study, folder)
    write_bytes(folder / "study.yaml", found.path.read_bytes())
    tuning = None
    with cell_runner(folder=folder, workers=workers, listener=listener) as run:
        if plan.tuning is not None:
            plan, tuning = tune_arms(found.study, plan, plan.tuning, run=run)
            write_text(folder / TRIALS_FILE, tuning_csv(tuning))
            listener(Note(tuned_sentence(tuning)))
        outcomes = run(plan.cells)
    results = study_results(plan, found.study, outcomes, tuning=tuning)
    write_report(folder, results, outcomes)
    return results
