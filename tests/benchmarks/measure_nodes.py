"""How much faster two nodes of a Ray cluster extract features than one, each with one core.

Run `python tests/benchmarks/measure_nodes.py [--images 512] [--rounds 3]`. The nodes are local ones
of `ray.cluster_utils`, and images and features lie on the same disk. Time runs from the moment when
all workers have started; what merging takes is counted, too. On a machine that others use, two
workers do not have two cores: the ratio of processor times says more. It is the processor time of
the one worker over that of the busier of two, so that both lost work and uneven shares show. Bound:
1.8.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from PIL import Image
from ray.cluster_utils import Cluster
from sklearn.datasets import load_sample_images

from cnnrun.ablation.execution import share_schedule
from cnnrun.ablation.execution.pool import Event
from cnnrun.ablation.execution.ray_pool import RayPool
from cnnrun.ablation.execution.share_schedule import extract_on_ray, hash_of_names
from cnnrun.ablation.execution.tasks import WantedFeatures
from cnnrun.config.applications import application_named
from cnnrun.features.shards import merge_shards
from cnnrun.features.sources import Images, list_images
from cnnrun.runs.environment import installed_packages
from cnnrun.runs.events import silent

WORKER = b"cnnrun.ablation.execution.worker_process"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Taken:
    """What an extraction took: wall seconds, and processor seconds of each worker."""

    seconds: float
    processor_seconds: Sequence[float]


def main() -> None:
    """Print both ratios, of each round and their medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    share_schedule.RayPool = Together  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = make_images(folder / "photos", asked.images)
        ratios = []
        for number in range(asked.rounds):
            one, two = (extracted(images, folder, nodes, number) for nodes in (1, 2))
            busier = max(two.processor_seconds)
            ratios.append((one.seconds / two.seconds, one.processor_seconds[0] / busier))
            print(
                f"one node {one.seconds:.1f} s, {one.processor_seconds[0]:.1f} of the processor;"
                f" two {two.seconds:.1f} s,"
                f" {' and '.join(f'{each:.1f}' for each in two.processor_seconds)}; load"
                f" {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
                flush=True,
            )
    wall, processor = (median(each) for each in zip(*ratios, strict=True))
    print(f"two nodes against one: {processor:.2f} by processor time, {wall:.2f} by the clock")


class Together(RayPool):
    """Workers that begin together, once all have started."""

    begun: float
    startup: Mapping[int, float]

    def __init__(self, *, jobs: int | None, address: str | None) -> None:
        """As of a RayPool, which is remembered."""
        super().__init__(jobs=jobs, address=address)
        self._held: list[Event] | None = []
        self.latest: dict[int, float] = {}
        Together.last = self

    def wait(self) -> Sequence[Event]:
        """What has happened; at first, when all workers have started."""
        self.latest |= processor_seconds()
        while self._held is not None and len(self._held) < self.jobs:
            self._held += super().wait()
        if self._held is not None:
            held, self._held = self._held, None
            self.begun, self.startup = time.monotonic(), processor_seconds()
            return held
        events = super().wait()
        self.latest |= processor_seconds()
        return events

    last: "Together"


def processor_seconds() -> dict[int, float]:
    """Of each worker process, what it has used so far."""
    used = {}
    for place in Path("/proc").iterdir():
        try:
            if place.name.isdigit() and WORKER in (place / "cmdline").read_bytes():
                fields = (place / "stat").read_text().rpartition(")")[2].split()
                used[int(place.name)] = (int(fields[11]) + int(fields[12])) / TICKS
        except OSError:  # it has ended
            continue
    return used


def extracted(images: Images, folder: Path, nodes: int, number: int) -> Taken:
    """What so many nodes take for all images."""
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    for _ in range(nodes):
        cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    application = application_named("MobileNet")
    wanted = WantedFeatures(
        opened=application,
        input_shape=None,
        classes=0,
        weights="none",
        image_size=(224, 224),
        include_top=False,
        layers=(),
        pooling="avg",
        precision="float32",
        data=(folder / "photos",),
        images=len(images.listed),
        names=hash_of_names(images),
        batch_size=8,
        on_bad_image="error",
        out=folder / f"features-{nodes}-{number}",
        folder=folder,
        versions=installed_packages(),
    )
    extract_on_ray(wanted, images, address=cluster.address, resume=False, listener=silent)
    merge_shards(images, out=wanted.out, listener=silent)
    pool = Together.last
    seconds = time.monotonic() - pool.begun
    cluster.shutdown()
    used = [pool.latest[each] - before for each, before in pool.startup.items()]
    return Taken(seconds, used)


def make_images(folder: Path, number: int) -> Images:
    """So many JPEGs of 640x427, made of two photographs."""
    folder.mkdir(parents=True)
    photographs = [Image.fromarray(each) for each in load_sample_images().images]
    for each in range(number):
        photographs[each % 2].rotate(each % 7).save(folder / f"{each:05d}.jpg", quality=85)
    return list_images([folder])


if __name__ == "__main__":
    main()
