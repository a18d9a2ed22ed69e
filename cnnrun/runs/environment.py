"""What a run was made with: packages, processor, threads, the state of the code, the data."""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cnnrun import __version__
from cnnrun.runs.secrets import is_secret_name, without_secrets

# Only Unix has it.
_RESOURCE: Any = import_module("resource") if find_spec("resource") else None
_PACKAGES = (
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "numpy",
    "h5py",
    "pillow",
    "numba",
    "llvmlite",
)
# The instruction sets by which TensorFlow's kernels differ, and with them the last bits of sums.
_PROCESSOR_FLAGS = ("avx", "fma", "amx", "sse4", "asimd", "sve", "bf16", "i8mm")
_VARIABLES = re.compile(r"(?:TF|OMP|CUDA)_\w+|KERAS_BACKEND|KERAS_HOME")
# Terraform keeps its settings, passwords among them, under the same prefix as TensorFlow.
_TERRAFORM = ("TF_VAR_", "TF_TOKEN_", "TF_CLI_", "TF_HTTP_", "TF_WORKSPACE", "TF_REGISTRY_")
_DIFF_BYTES = 100_000
_UNTRACKED_FILES = 100
_PROGRAM_TIMEOUT_S = 5


def describe_environment(
    *, threads: int, data: Mapping[str, Any], configs: Sequence[Path] | None
) -> dict[str, Any]:
    """The content of environment.json. TensorFlow is not loaded for it.

    Args:
        threads: the number of threads that an operation of TensorFlow uses.
        data: the fingerprint of the images, as the data package gives it.
        configs: the files of the config, whose changes since the last commit are kept, as those of
            cnnrun itself are where it is a checkout; None to ask git nothing.
    """
    package = Path(__file__).parents[1]
    return {
        "command_line": [without_secrets(argument) for argument in sys.argv],
        "working_folder": str(Path.cwd()),
        "packages": installed_packages(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor(),
        "gpus": gpus(),
        "threads": threads,
        "memory_bytes": memory_bytes(),
        "variables": environment_variables(os.environ),
        "git": None if configs is None else git_state(Path.cwd(), files=configs),
        "cnnrun_git": None if configs is None else git_state(package, files=[package]),
        "data": dict(data),
    }


def installed_packages() -> dict[str, str]:
    """The versions of the packages on which the numbers depend; absent ones are left out."""
    versions = {"cnnrun": __version__}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def processor() -> dict[str, Any]:
    """The processor's model, its instruction sets that matter here, its cores."""
    fields = _cpuinfo()
    flags = fields.get("flags", fields.get("Features", "")).split()
    return {
        "model": fields.get("model name") or platform.processor() or platform.machine(),
        "instruction_sets": sorted(flag for flag in flags if _matters(flag)),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
    }


def usable_cores() -> int:
    """The number of logical cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # only some systems have it
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def peak_memory_bytes() -> int | None:
    """The most memory that this process has held so far; None where the system does not tell."""
    if _RESOURCE is None:
        return None
    peak: int = _RESOURCE.getrusage(_RESOURCE.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, Linux KiB


def memory_bytes() -> int | None:
    """The size of the machine's memory; None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def gpus() -> list[str]:
    """Name, memory and driver of each NVIDIA GPU."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    return (_output_of(query, Path.cwd()) or "").splitlines()


def environment_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables that change what Keras and TensorFlow do, secrets left out."""
    return {
        name: without_secrets(value)
        for name, value in sorted(variables.items())
        if _VARIABLES.fullmatch(name)
        and not name.startswith(_TERRAFORM)
        and not is_secret_name(name)
    }


def git_state(folder: Path, *, files: Sequence[Path]) -> dict[str, Any] | None:
    """The commit of the repository around `folder`, and how some of its files differ from that.

    Nothing of other files is kept; likely secrets are masked, and long diffs cut; `diff_blake2b` is
    of the whole. None when there is no repository, when it has none of the files, or no git.

    Args:
        folder: a folder of the repository.
        files: files and folders; those outside of the repository do not count.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None:
        return None
    root = Path(top.rstrip("\n"))
    inside = [str(file) for file in map(Path.resolve, files) if file.is_relative_to(root.resolve())]
    if not inside:
        return None
    listed = ("ls-files", "--others", "--exclude-standard", "--", *inside)
    untracked = (_git(root, *listed) or "").splitlines()
    if not untracked and not _git(root, "ls-files", "--", *inside):
        return None  # ignored, as an environment within the repository is
    commit = (_git(root, "rev-parse", "--verify", "--quiet", "HEAD") or "").strip() or None
    plain = ("--no-ext-diff", "--no-textconv", "--no-color")
    diff = _git(root, "diff", *plain, commit or "--cached", "--", *inside) or ""
    kept = without_secrets(diff).encode()[:_DIFF_BYTES].decode(errors="ignore")
    return {
        "commit": commit,
        "dirty": bool(diff or untracked),
        "diff": kept,
        "diff_characters": len(diff),
        "diff_blake2b": hashlib.blake2b(diff.encode(), digest_size=16).hexdigest(),
        "untracked": untracked[:_UNTRACKED_FILES],
        "untracked_files": len(untracked),
    }


def _cpuinfo() -> dict[str, str]:
    """The fields of the first processor in Linux's /proc/cpuinfo; none elsewhere."""
    try:
        first, _, _ = Path("/proc/cpuinfo").read_text().partition("\n\n")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _matters(flag: str) -> bool:
    return flag.startswith(_PROCESSOR_FLAGS) or flag.endswith("bf16")


def _git(folder: Path, *arguments: str) -> str | None:
    # A repository's own monitor program is not started, and its index is not refreshed on disk.
    return _output_of(
        ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *arguments], folder
    )


def _output_of(command: list[str], folder: Path) -> str | None:
    """What a program prints; None when it is absent, fails or takes too long."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, check=True, timeout=_PROGRAM_TIMEOUT_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", errors="replace")
