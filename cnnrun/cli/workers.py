"""Options of the commands that run cells: by what, how many at a time, where they go."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnrun.errors import InputError

if TYPE_CHECKING:
    from cnnrun.ablation.execution.workers import Workers


class ExecutorName(StrEnum):
    """What runs the cells."""

    LOCAL = "local"
    RAY = "ray"


Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, metavar="N", help="Cells at a time; else one a core."),
]
ExecutorOption = Annotated[ExecutorName, typer.Option("--executor", help="What runs the cells.")]
Address = Annotated[str | None, typer.Option("--address", help="The address of a Ray cluster.")]
Experiments = Annotated[
    Path, typer.Option("--experiments", metavar="DIR", help="The folder of all runs.")
]


def workers_of(
    executor: ExecutorName, *, jobs: int | None, address: str | None, with_git: bool
) -> "Workers":
    """What the options say that runs the cells.

    Raises:
        InputError: an address is given without Ray.
    """
    from cnnrun.ablation.execution.workers import Workers

    refuse_address_alone(executor, address)
    return Workers(executor=executor.value, jobs=jobs, address=address, with_git=with_git)


def refuse_address_alone(executor: ExecutorName, address: str | None) -> None:
    """Refuses the address of a cluster that is not asked for.

    Raises:
        InputError: so it is.
    """
    if address is not None and executor is not ExecutorName.RAY:
        raise InputError.at(
            "--address",
            rule="goes with --executor ray",
            received=f"--executor {executor.value}",
            advice="add --executor ray, or leave --address out",
        )
