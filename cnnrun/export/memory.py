"""Whether an export fits into the memory, said before it starts; and what a process has taken."""

from pathlib import Path
from typing import Final

from cnnrun.errors import WorkError
from cnnrun.export.formats import Format
from cnnrun.runs.disk_room import size_text
from cnnrun.runs.environment import memory_bytes, peak_memory_bytes

_MEMORY: Final = Path("/proc/meminfo")
_OWN: Final = Path("/proc/self/status")
_BASE_BYTES: Final = 1.7e9


def refuse_too_little_memory(form: Format, parameters: int) -> None:
    """Raise unless there is the memory that an export takes, about.

    Raises:
        WorkError: there is less.
    """
    needed = needed_bytes(form, parameters)
    free = free_bytes()
    if free is not None and needed > free:
        raise WorkError.at(
            f"--to {form.name}",
            rule=f"{parameters:,} parameters take about {size_text(needed)} of memory to export",
            received=f"{size_text(free)} that are free",
            advice="close other programs, or export on a machine with more memory",
        )


def needed_bytes(form: Format, parameters: int) -> int:
    """What an export takes at its peak, about; measured by tests/benchmarks/export_networks.py."""
    return int(_BASE_BYTES + form.bytes_a_parameter * parameters)


def free_bytes() -> int | None:
    """The memory that programs can still get; all there is where only that is known."""
    return _read(_MEMORY, "MemAvailable:") or memory_bytes()


def own_peak_bytes() -> int | None:
    """The most memory that this program has held so far; None where the system does not tell.

    `getrusage` would count what the process held that started it.
    """
    return _read(_OWN, "VmHWM:") or peak_memory_bytes()


def _read(file: Path, name: str) -> int | None:
    """A number of bytes that Linux tells; None where it is not there."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    fields = (line.split() for line in lines if line.startswith(name))
    return next((1024 * int(each[1]) for each in fields), None)
