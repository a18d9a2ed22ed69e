"""What a shell offers for the words of a command, after `cnnrun --install-completion`.

Nothing here fails, loads TensorFlow or reads more than names: a shell waits for it at each key.
"""

import json
import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer

MOST_RUNS = 200


def configs(incomplete: str) -> list[str]:
    """YAML files here and in `configs`, and folders that lead on."""
    return list(_starting(incomplete, _yaml_files(incomplete)))


def runs(incomplete: str) -> list[str]:
    """Folders of runs below the folder that is begun, or below `experiments`."""
    return list(_starting(incomplete, _run_folders(incomplete)))


def runs_and_studies(incomplete: str) -> list[str]:
    """Folders of runs, and those of studies in the place of their cells."""
    folders = map(_study_or_run, _run_folders(incomplete))
    return list(_starting(incomplete, dict.fromkeys(folders)))


def sources(incomplete: str) -> list[str]:
    """Networks of keras.applications, runs and configs."""
    return [*networks(incomplete), *runs(incomplete), *configs(incomplete)]


def runs_or_networks(incomplete: str) -> list[str]:
    """Networks of keras.applications, and runs."""
    return [*networks(incomplete), *runs(incomplete)]


def networks(incomplete: str) -> list[str]:
    """Networks of keras.applications."""
    from cnnrun.config.applications import APPLICATIONS

    return list(_starting(incomplete, APPLICATIONS))


def studies(incomplete: str) -> list[str]:
    """The studies that come with cnnrun, and YAML files."""
    from cnnrun.ablation.studies.named_studies import study_names

    return [*_starting(incomplete, study_names()), *configs(incomplete)]


def layers(context: typer.Context, incomplete: str) -> list[str]:
    """The layers of the network or run that the command line names."""
    from cnnrun.config.applications import APPLICATIONS, layer_names

    # What stands before an option without its value is not assigned yet.
    source = context.params.get("source") or next(iter(context.args), "")
    names = layer_names(source) if source in APPLICATIONS else _layers_of_run(Path(source))
    return list(_starting(incomplete, names))


def topics(incomplete: str) -> list[str]:
    """What the manual explains."""
    from cnnrun.manual.topics import topics as of_the_manual

    return list(_starting(incomplete, dict.fromkeys(of_the_manual())))


def _starting(incomplete: str, words: Iterable[str]) -> Iterator[str]:
    return (word for word in words if word.startswith(incomplete))


def _yaml_files(incomplete: str) -> Iterator[str]:
    begun = Path(os.path.dirname(incomplete))
    folders = [begun] if "/" in incomplete else [begun, Path("configs")]
    for folder in folders:
        for path in _children(folder):
            if path.suffix in (".yaml", ".yml"):
                yield path.as_posix()
            elif path.is_dir() and folder == begun:
                yield f"{path.as_posix()}/"


def _run_folders(incomplete: str) -> Iterator[str]:
    from cnnrun.errors import CnnrunError
    from cnnrun.runs.listing import find_runs

    begun = Path(incomplete)
    folder = begun if incomplete.endswith("/") else begun.parent
    folder = folder if folder != Path() else Path("experiments")
    try:
        found = find_runs(folder)
    except CnnrunError:
        return
    for run in found[-MOST_RUNS:]:
        yield run.path.as_posix()


def _study_or_run(run: str) -> str:
    study = Path(run).parent.parent
    return study.as_posix() if (study / "plan.json").is_file() else run


def _layers_of_run(path: Path) -> list[str]:
    """The names in the model of a run, whose file is a ZIP archive; none where there is none."""
    try:
        with zipfile.ZipFile(path / "model.keras") as archive:
            config = json.loads(archive.read("config.json"))["config"]
        return [layer["config"]["name"] for layer in config["layers"]]
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
        return []


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
