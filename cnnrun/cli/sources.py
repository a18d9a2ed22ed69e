"""The SOURCE of commands that take a run or a network of keras.applications, by name."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cnnrun.config.applications import APPLICATIONS, Application, size_refusal, unknown_application
from cnnrun.errors import InputError
from cnnrun.runs.folder import RunFolder, looks_like_run, open_run

if TYPE_CHECKING:
    from cnnrun.export.folder import Exported


def run_or_application(source: str) -> RunFolder | Application:
    """The run at a path, or else the network of a name.

    Raises:
        RunError: the path holds no run, or one that lacks files.
        InputError: it is neither; with the nearest networks.
    """
    path = Path(source)
    if not looks_like_run(path) and source in APPLICATIONS:
        return APPLICATIONS[source]
    # A word without a slash that leads nowhere may be a misspelt network.
    if os.path.lexists(path) or len(path.parts) > 1:
        return open_run(path)
    _, received, advice = unknown_application(source)
    raise InputError.at(
        "",
        rule="must be the folder of a run or the name of a network of keras.applications",
        received=f"{received}: no such run",
        advice=advice,
    )


def opened_export(path: Path, calibrated: bool) -> "Exported":
    """The exported folder at a path, whose runtime is installed.

    Raises:
        ExportError: it is damaged, or its runtime is not installed.
        InputError: its probabilities are to be calibrated, which is done when it is exported.
    """
    from cnnrun.export.folder import open_export
    from cnnrun.export.formats import refuse_absent_packages

    if calibrated:
        raise InputError.at(
            "--calibrated",
            rule="an exported network is calibrated when it is exported",
            received=f"the exported folder {path}",
            advice="export the run with `--calibrated`, or leave it out",
        )
    exported = open_export(path)
    refuse_absent_packages(exported.form, to_write=False)
    return exported


def refuse_options_of_networks(
    what: str, *, weights: str | None, image_size: tuple[int, int] | None
) -> None:
    """Refuses what only a network of keras.applications has to be told.

    Args:
        what: what the SOURCE is instead, such as "a run".
        weights: what `--weights` says, or None.
        image_size: what `--image-size` says, or None.

    Raises:
        InputError: one of them is given.
    """
    size = None if image_size is None else " ".join(map(str, image_size))
    for option, value in {"--weights": weights, "--image-size": size}.items():
        if value is not None:
            raise InputError.at(
                option,
                rule=f"{what} has weights and an image size of its own",
                received=value,
                advice="leave it out",
            )


def refuse_unfit_size(
    application: Application,
    image_size: tuple[int, int] | None,
    *,
    weights: str | None,
    include_top: bool,
) -> None:
    """Refuses a size that a network cannot take, with the weights and the top that it has.

    Raises:
        InputError: it cannot.
    """
    if image_size is None:
        return
    has_imagenets_top = include_top and weights in (None, "imagenet")
    refusal = size_refusal(application, image_size, has_imagenets_top=has_imagenets_top)
    if refusal is not None:
        rule, received, _ = refusal
        advice = f"without it, images are brought to {list(application.default_size)}"
        raise InputError.at("--image-size", rule=rule, received=received, advice=advice)
