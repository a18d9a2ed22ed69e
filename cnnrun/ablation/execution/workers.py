"""What cells are run by, as plain values."""

from dataclasses import dataclass
from typing import Literal

Executor = Literal["local", "ray"]


@dataclass(frozen=True, kw_only=True)
class Workers:
    """What cells are run by, and what is kept of git.

    Attributes:
        executor: "local" for processes of this machine, or "ray".
        jobs: how many cells run at a time; None for one a core, of this machine or the cluster.
        address: of the Ray cluster; None for one that is made here for the time being.
        with_git: whether environment.json of the cells keeps the state of the config's repository.
    """

    executor: Executor
    jobs: int | None
    address: str | None
    with_git: bool
