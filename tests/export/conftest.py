"""Runs that are exported, and the parts of an export without the processes that measure speed."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cnnrun.runs.folder import RunFolder

MakeExported = Callable[..., Any]


@contextmanager
def in_silence(what: str) -> Iterator[None]:
    """Tells nobody what takes long."""
    assert what
    yield


@pytest.fixture
def exported() -> MakeExported:
    """Exports a run as the command does, but measures no speed: that takes four processes."""
    return export_unmeasured


def export_unmeasured(
    run: RunFolder,
    name: str = "onnx",
    *,
    precision: Any = "float32",
    opset: int | None = None,
    calibrated: bool = False,
    min_agreement: float = 0.99,
    out: Path | None = None,
) -> Any:
    """What the fixture does."""
    from cnnrun.export import export_run as module
    from cnnrun.export.formats import FORMATS

    wanted = module.Wanted(FORMATS[name], precision, opset, calibrated, min_agreement)
    out = out or module.default_folder(run, wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "measured_speeds", lambda *_: ())
        return module.export_run(run, wanted, out=out, waiting=in_silence)


@pytest.fixture(scope="session")
def exported_once(
    trained_once: Callable[[Mapping[str, Any]], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A tiny run that is exported to all formats, not to be changed."""
    from cnnrun.export.formats import FORMATS

    run = tmp_path_factory.mktemp("exported") / "run"
    shutil.copytree(trained_once({}), run)
    for name in FORMATS:
        export_unmeasured(RunFolder(run), name)
    return run


@pytest.fixture
def in_all_formats(exported_once: Path, tmp_path: Path) -> RunFolder:
    """A tiny run with its exports to all formats, a test's own copy in `tmp_path`."""
    return RunFolder(Path(shutil.copytree(exported_once, tmp_path / "run")))
