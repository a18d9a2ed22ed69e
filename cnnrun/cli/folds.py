"""`cnnrun train --folds K`: a run for each fold, and what they say together."""

import signal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnrun.ablation.folds import FoldResults
    from cnnrun.config.sections import Config


def train_folds(
    config: "Config",
    *,
    folds: int,
    into: Path | None,
    experiments: Path,
    jobs: int | None,
    with_git: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Trains all folds, and prints what they came to.

    Raises:
        WorkError: some folds failed.
    """
    from cnnrun.ablation.folds import plan_folds, run_folds
    from cnnrun.cli.output import print_json
    from cnnrun.cli.study_progress import study_progress

    plan = plan_folds(config, folds=folds)
    folder = into or experiments / plan.name
    # A scheduler's polite end is treated as Ctrl-C is: the folds go on later.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    heading = f"{plan.name}: each image tested once\n{folds} folds -> {folder}"
    with study_progress(heading, quiet=quiet) as listener:
        results = run_folds(plan, folder=folder, jobs=jobs, with_git=with_git, listener=listener)
    if as_json:
        print_json({"folder": str(folder), **results.as_json()})
    else:
        print_folds(results, folder)
    refuse_failed_folds(results, folder)


def refuse_failed_folds(results: "FoldResults", folder: Path) -> None:
    """Ends the command as failed work ends, when some folds have no result.

    Raises:
        WorkError: some folds failed.
    """
    from cnnrun.errors import WorkError

    failed = sum(each.state == "failed" for each in results.outcomes)
    if failed:
        raise WorkError.at(
            folder / "report.md",
            rule="says which folds failed and why",
            received=f"{failed} of {len(results.plan.arms)} that did",
            advice="the same command tries them again, and nothing else",
        )


def print_folds(results: "FoldResults", folder: Path) -> None:
    """Prints the folds, the estimates and how far they reach."""
    from cnnrun.ablation.folds import (
        ESTIMATE_COLUMNS,
        estimate_rows,
        fold_columns,
        fold_rows,
        reach,
    )
    from cnnrun.cli.output import print_sentence, print_table, print_text

    columns = fold_columns(results)
    print_table(columns, fold_rows(results), numeric=frozenset(columns) - {"state"})
    if results.estimates:
        print_text("")
        print_table(
            ESTIMATE_COLUMNS,
            estimate_rows(results),
            numeric=frozenset(ESTIMATE_COLUMNS) - {"measure"},
            expendable=("highest fold", "lowest fold", "conservative 95 %"),
        )
        print_sentence(reach(results))
    print_text(str(folder))
