"""Shares of images, given to workers until the features of all are there.

The workers are those that run the cells of a study. A share whose worker was lost goes on elsewhere
from what it had written, for all see the same disk.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final

from cnnrun.ablation.execution.pool import Answer, Died, Pool
from cnnrun.ablation.execution.ray_pool import RayPool
from cnnrun.ablation.execution.tasks import Failed, ShareTask, WantedFeatures
from cnnrun.errors import FeaturesError, InterruptedRunError, WorkError
from cnnrun.features.folder import FeatureFolder, read_manifest_rows
from cnnrun.features.shards import divisions_of, shard_folder
from cnnrun.features.sources import Images
from cnnrun.runs.events import ExtractionBegins, ExtractionListener, ImagesExtracted, Note
from cnnrun.runs.work_share import SHARDS_FOLDER, WorkShare, share_of
from cnnrun.wording import counted

SHARES_A_WORKER: Final = 4
"""So many shares, that workers end at about the same time; a share's batches are not all full."""
ATTEMPTS: Final = 3
"""How often a share is begun whose worker dies before it has finished another image."""


def extract_on_ray(
    wanted: WantedFeatures,
    images: Images,
    *,
    address: str | None,
    resume: bool,
    listener: ExtractionListener,
) -> int:
    """Have the machines of a Ray cluster extract features, in shares that are then to be merged.

    Args:
        wanted: what is extracted.
        images: of what.
        address: of the cluster; None for one of this machine alone.
        resume: whether shares may be there, which are gone on with.
        listener: who listens.

    Returns:
        How many images had been finished before.

    Raises:
        StudyError: there is no Ray, no cluster, or no core.
        FeaturesError: shares are there that are not to be gone on with.
        WorkError: a share cannot be computed.
        InterruptedRunError: Ctrl-C.
    """
    total = _shares_there(wanted, resume=resume)
    pool = RayPool(jobs=None, address=address)
    with _interruptible(), closing(pool):
        total = total or min(pool.jobs * SHARES_A_WORKER, len(images.listed))
        listener(
            Note(
                f"{counted(total, 'share')} of the images,"
                f" {counted(min(pool.jobs, total), 'worker')} at a time"
            )
        )
        tasks = [ShareTask(wanted, WorkShare(number, total)) for number in range(1, total + 1)]
        finished = sum(_rows_of(task) for task in tasks)
        listener(ExtractionBegins(images=len(images.listed), finished=finished))
        _Schedule(pool, tasks, images, listener).run()
    return finished


def _rows_of(task: ShareTask) -> int:
    """How many images of a share are finished."""
    folder = FeatureFolder(shard_folder(task.wanted.out, task.share))
    return len(read_manifest_rows(folder))


def hash_of_names(images: Images) -> str:
    """The hash of the names and labels of images, in their order."""
    digest = hashlib.blake2b(digest_size=16)
    for image in images.listed:
        digest.update(f"{image.name}\0{image.label}\0".encode("utf-8", errors="surrogateescape"))
    return digest.hexdigest()


def _shares_there(wanted: WantedFeatures, *, resume: bool) -> int | None:
    """How many shares the features are divided into by those that are there; None without any.

    Raises:
        FeaturesError: they are not to be gone on with, or of several divisions.
    """
    place = wanted.out / SHARDS_FOLDER
    divisions = divisions_of(place)
    if divisions and not resume:
        raise FeaturesError.at(
            place,
            rule="features are begun in a folder without any",
            received=f"shares of {' and of '.join(map(str, divisions))}",
            advice="add `--resume` to go on with them, or name another folder",
        )
    if len(divisions) > 1:
        raise FeaturesError.at(
            place,
            rule="must hold the shares of one division",
            received=f"shares of {' and of '.join(map(str, divisions))}",
            advice="take away those that are not meant",
        )
    return divisions[0] if divisions else None


class _Schedule:
    """Gives shares to workers until each is done."""

    def __init__(
        self, pool: Pool, tasks: Sequence[ShareTask], images: Images, listener: ExtractionListener
    ) -> None:
        self._pool = pool
        self._waiting = deque(tasks)
        self._listener = listener
        total = tasks[0].share.total if tasks else 1
        self._images = Counter(share_of(each.name, total=total) for each in images.listed)
        self._busy: dict[int, ShareTask] = {}
        self._idle: set[int] = set()
        self._before = {task.share: _rows_of(task) for task in tasks}
        self._deaths: Counter[WorkShare] = Counter()
        self._finished = dict(self._before)
        self._deaths_at_start = 0

    def run(self) -> None:
        """Compute all shares.

        Raises:
            WorkError: one cannot be computed, or workers die before they have begun.
        """
        for _ in range(min(self._pool.jobs, len(self._waiting))):
            self._pool.start()
        while self._waiting or self._busy:
            for event in self._pool.wait():
                if isinstance(event, Answer):
                    self._answered(event)
                else:
                    self._died(event)

    def _answered(self, event: Answer) -> None:
        task = self._busy.pop(event.worker, None)
        self._deaths_at_start = 0
        if isinstance(event.report, Failed):
            raise WorkError.relayed(event.report.why)
        if task is not None:
            self._end(task)
        if self._waiting:
            self._busy[event.worker] = self._waiting.popleft()
            self._pool.give(event.worker, self._busy[event.worker])
        else:
            self._idle.add(event.worker)

    def _end(self, task: ShareTask) -> None:
        folder = FeatureFolder(shard_folder(task.wanted.out, task.share))
        if not folder.features_json.exists():
            raise WorkError.at(
                folder.path,
                rule="the folder of the features must be on a disk that all machines share",
                received="a share that a worker wrote, and that is not there",
                advice="name a folder on such a disk with `--out`",
            )
        # What was finished before is counted already.
        self._listener(
            ImagesExtracted(max(0, self._images[task.share.number] - self._before[task.share]))
        )

    def _died(self, event: Died) -> None:
        task = self._busy.pop(event.worker, None)
        if task is not None:
            self._give_up_or_wait(task, event.why)
        elif event.worker in self._idle:
            self._idle.remove(event.worker)
        else:
            self._deaths_at_start += 1
            if self._deaths_at_start > ATTEMPTS * self._pool.jobs:
                raise WorkError.at(
                    "",
                    rule="the workers must begin",
                    received=f"one that died: {event.why}",
                    advice="free some memory, or give Ray fewer cores of each machine",
                )
        if not self._waiting:
            return
        if self._idle:
            worker = self._idle.pop()
            self._busy[worker] = self._waiting.popleft()
            self._pool.give(worker, self._busy[worker])
        else:
            self._pool.start()  # where and when a core is free

    def _give_up_or_wait(self, task: ShareTask, why: str) -> None:
        share = task.share
        rows = _rows_of(task)
        if rows > self._finished[share]:
            self._deaths[share] = 0
        self._finished[share] = rows
        self._deaths[share] += 1
        if self._deaths[share] >= ATTEMPTS:
            raise WorkError.at(
                shard_folder(task.wanted.out, share),
                rule="a share of the images must come to an end",
                received=f"{counted(ATTEMPTS, 'worker')} that died over it: {why}",
                advice="free some memory, or write a smaller `--batch-size`; the same command with"
                " `--resume` goes on",
            )
        self._listener(Note(f"share {share} goes on elsewhere: {why}"))
        self._waiting.appendleft(task)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turns Ctrl-C into an error that says how to go on."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise InterruptedRunError.at(
            "",
            rule="interrupted",
            received="",
            advice="what was finished is kept: go on with the same command and `--resume`",
        ) from error
