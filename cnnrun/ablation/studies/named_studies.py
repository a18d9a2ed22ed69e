"""The studies that come with cnnrun: a YAML file each, in `named/`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cnnrun.ablation.studies.study import Study, load_study
from cnnrun.errors import StudyError
from cnnrun.wording import suggestion

_FOLDER: Final = Path(__file__).parent / "named"
_SUFFIXES: Final = (".yaml", ".yml")


@dataclass(frozen=True)
class FoundStudy:
    """A study with its name and its file."""

    name: str
    path: Path
    study: Study

    @property
    def is_packaged(self) -> bool:
        """Whether it comes with cnnrun."""
        return self.path.parent == _FOLDER


def find_study(given: str) -> FoundStudy:
    """The study that the command line means: the name of a packaged one, or a file.

    Raises:
        StudyError: there is none of this name.
        ConfigError: with every problem of the file.
    """
    path = Path(given)
    if path.suffix not in _SUFFIXES and not path.is_file():
        path = _FOLDER / f"{given}.yaml"
        if given not in study_names():
            raise StudyError.at(
                "",
                rule="a study is a file or one of those that `cnnrun ablate --list` names",
                received=f"`{given}`",
                advice=suggestion(given, study_names()),
            )
    return FoundStudy(path.stem, path, load_study(path))


def named_studies() -> tuple[FoundStudy, ...]:
    """All packaged studies, by name."""
    return tuple(find_study(name) for name in study_names())


def study_names() -> tuple[str, ...]:
    """The names of the packaged studies, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))
