"""The example project that comes with cnnrun: its configs and the digits' images."""

from collections.abc import Iterator
from pathlib import Path

from cnnrun.starter.new_files import write_new_files

PACKAGED_PROJECT = Path(__file__).parent / "project"  # in a wheel alone: pyproject.toml fills it
REPOSITORY = Path(__file__).parents[2]
FOLDERS = ("configs", "datasets/digits")


def example_project() -> Path:
    """The folder that holds the example's `configs` and `datasets/digits`.

    A wheel carries copies of the repository's folders; an editable install reads the folders
    themselves, so that there is one source.
    """
    return PACKAGED_PROJECT if PACKAGED_PROJECT.is_dir() else REPOSITORY


def write_example(destination: Path) -> tuple[Path, ...]:
    """Copies the example project, and returns the new files' paths.

    Args:
        destination: the folder that gets `configs` and `datasets`; it is made where needed.

    Raises:
        InputError: one of the files is there already; nothing was written.
        StorageError: the folder cannot be written to.
    """
    project = example_project()
    contents = {
        destination / name: (project / name).read_bytes() for name in example_files(project)
    }
    write_new_files(contents)
    return tuple(contents)


def example_files(project: Path) -> Iterator[Path]:
    """The path within the project of each of its files; hidden files are left out."""
    for folder in FOLDERS:
        for path in sorted((project / folder).rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                yield path.relative_to(project)
