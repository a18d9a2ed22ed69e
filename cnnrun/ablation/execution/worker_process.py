"""A worker's process: `python -m cnnrun.ablation.execution.worker_process DESCRIPTOR`."""

import sys

from cnnrun.models.keras_start import load_keras


def main(descriptor: int) -> None:
    """Do the tasks that come through a connection, until it is closed.

    The worker is imported here, when Keras is loaded, for Keras takes longer where a module of the
    worker's is the first to import it.
    """
    load_keras()
    from cnnrun.ablation.execution.worker import work_for

    work_for(descriptor)


if __name__ == "__main__":
    main(int(sys.argv[1]))
