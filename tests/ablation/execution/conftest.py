"""A Ray cluster on this machine, for tests of what works on several."""

from collections.abc import Iterator

import pytest


@pytest.fixture
def cluster() -> Iterator[object]:
    """A cluster of a head without cores, to which tests add nodes."""
    ray_cluster = pytest.importorskip("ray.cluster_utils")
    whole = ray_cluster.Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    yield whole
    whole.shutdown()
