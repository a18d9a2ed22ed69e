"""A run as one page, from the files of its folder.

The page of a run is `write_run_page`; study_page.py and comparison_page.py have the other two.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnrun.errors import RunError
from cnnrun.pages.config_lines import config_view
from cnnrun.pages.confusion import MOST_IN_A_MATRIX, class_rows, matrix, most_confused
from cnnrun.pages.layer_sentences import DISTRIBUTIONS_READ, SATURATION_READ, SIGNALS_READ
from cnnrun.pages.network_drawing import draw_network
from cnnrun.pages.page_files import (
    CURVES,
    DISTRIBUTIONS,
    LAYERS,
    read_drawing,
    read_network,
)
from cnnrun.pages.render import render
from cnnrun.pages.run_calibration import calibration_view
from cnnrun.pages.run_facts import (
    data_view,
    environment_of_run,
    git_diff,
    given_command,
    made_with,
    time_facts,
)
from cnnrun.pages.run_labels import labels_view
from cnnrun.pages.run_sentences import answer_sentence, asked_sentence, curves_sentence
from cnnrun.pages.run_tested import TestedImages, tested_images
from cnnrun.pages.shown_figure import ShownFigure, shown_figure
from cnnrun.runs.data_states import SPLITS
from cnnrun.runs.diagnostics import DiagnosticsRow, read_diagnostics
from cnnrun.runs.files import read_json, write_text
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.metrics import EpochRow, read_epochs
from cnnrun.runs.result import RunResult, read_result
from cnnrun.runs.state import RunState, read_state


def write_run_page(run: RunFolder) -> Path:
    """The run's report.html, written anew.

    Raises:
        StorageError: it cannot be written.
    """
    write_text(run.report_html, run_page(run))
    return run.report_html


def run_page(run: RunFolder) -> str:
    """A run as an HTML page: finished or not, and whatever of its files can be read."""
    damage: list[str] = []
    state = _state(run, damage)
    result = _result(run, damage)
    classes = _classes(run, damage)
    environment = environment_of_run(run)
    data = data_view(run, classes, environment)
    labels = labels_view(run, classes)
    tested = tested_images(run, classes) if labels is None else None
    layers = read_network(run)
    epochs = _epochs(run, damage)
    name = f"{run.path.absolute().parent.name}/{run.path.absolute().name}"
    return render(
        "run.html",
        {
            "name": name,
            "asked": asked_sentence(
                name,
                classes=len(classes),
                is_multi_label=labels is not None,
                training_images=None if data is None else data.totals[0],
                result=result,
            ),
            "answer": None if result is None else answer_sentence(result),
            "state": state,
            "damage": damage,
            "result": result,
            "curves": _curves(run, epochs, result) if epochs else None,
            "layers": _layers(run, damage),
            "classes": classes,
            "tested": tested,
            "labels": labels,
            **_confusion(tested, classes),
            "calibration": calibration_view(run),
            "drawing": draw_network(layers) if layers else None,
            "data": data,
            "splits": SPLITS,
            "time": list(time_facts(result, state)),
            "made_with": list(made_with(environment)),
            "diff": git_diff(environment),
            "command": given_command(environment),
            "config": config_view(run),
        },
    )


def _confusion(tested: TestedImages | None, classes: tuple[str, ...]) -> dict[str, Any]:
    if tested is None:
        return {"matrix": None, "pairs": (), "class_rows": ()}
    return {
        "matrix": matrix(tested.counts, len(classes)) if len(classes) <= MOST_IN_A_MATRIX else None,
        "pairs": most_confused(tested.counts) if len(classes) > MOST_IN_A_MATRIX else (),
        "class_rows": class_rows(tested.counts, classes),
    }


def _curves(run: RunFolder, epochs: tuple[EpochRow, ...], result: RunResult | None) -> ShownFigure:
    stages = len({row.stage for row in epochs})
    words = curves_sentence(result, epochs=len(epochs), stages=stages)
    drawn = read_drawing(run, CURVES) or _drawn_curves(epochs, result)
    return shown_figure(drawn, alt=f"Learning curves. {words}", caption=words)


def _drawn_curves(epochs: tuple[EpochRow, ...], result: RunResult | None) -> bytes:
    # Matplotlib takes half a second to be loaded, which runs that left their curves are spared.
    from cnnrun.pages.figures import svg
    from cnnrun.plots.curves import learning_curves

    return svg(learning_curves(epochs, best_epoch=result.best_epoch if result else None))


def _layers(run: RunFolder, damage: list[str]) -> list[ShownFigure]:
    """What diagnostics show; nothing of runs that recorded none."""
    try:
        looks = read_diagnostics(run.path)
    except RunError as error:
        damage.append(_without_folder(error, run))
        return []
    if not looks:
        return []
    captions = {
        LAYERS: f"From input to output, of a batch of training images. {SIGNALS_READ}."
        f" {SATURATION_READ}.",
        DISTRIBUTIONS: f"{DISTRIBUTIONS_READ}.",
    }
    there = {name: read_drawing(run, name) for name in captions}
    drawn = {} if there[LAYERS] else _drawn_layers(looks)
    return [
        shown_figure(content, alt=caption, caption=caption)
        for name, caption in captions.items()
        if (content := there[name] or drawn.get(name))
    ]


def _drawn_layers(looks: Sequence[DiagnosticsRow]) -> dict[str, bytes]:
    from cnnrun.pages.figures import svg
    from cnnrun.pages.layer_figures import figures_of_run

    return {name: svg(figure) for name, figure in figures_of_run(looks).items()}


def _state(run: RunFolder, damage: list[str]) -> RunState | None:
    try:
        return read_state(run)
    except RunError as error:
        damage.append(_without_folder(error, run))
        return None


def _result(run: RunFolder, damage: list[str]) -> RunResult | None:
    """None before the run has ended; damage is told."""
    if not run.result_json.exists():
        return None
    try:
        return read_result(run)
    except RunError as error:
        damage.append(_without_folder(error, run))
        return None


def _classes(run: RunFolder, damage: list[str]) -> tuple[str, ...]:
    if not run.classes_json.exists():
        return ()
    try:
        return tuple(map(str, read_json(run.classes_json)))
    except (RunError, TypeError) as error:
        damage.append(_without_folder(error, run))
        return ()


def _epochs(run: RunFolder, damage: list[str]) -> tuple[EpochRow, ...]:
    try:
        return read_epochs(run)
    except RunError as error:
        damage.append(_without_folder(error, run))
        return ()


def _without_folder(error: Exception, run: RunFolder) -> str:
    """A message that is the same wherever the run lies."""
    return str(error).replace(f"{run.path.as_posix()}/", "")
