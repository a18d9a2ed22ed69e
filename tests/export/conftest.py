"""Runs that are exported, and the parts of an export without the processes that measure speed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cnnrun.config.sections import Config
from cnnrun.runs.events import silent
from cnnrun.runs.folder import RunFolder

MakeConfig = Callable[..., Config]
MakeExported = Callable[..., Any]


@contextmanager
def in_silence(what: str) -> Iterator[None]:
    """Tells nobody what takes long."""
    assert what
    yield


@pytest.fixture
def make_trained(make_config: MakeConfig, tmp_path: Path) -> Callable[..., RunFolder]:
    """Trains a tiny run; keywords replace whole sections of its config."""

    def make(name: str = "run", **sections: Any) -> RunFolder:
        from cnnrun.training.train import train

        sections = {"train": {"epochs": 2, "batch_size": 8}} | sections
        config = make_config(name, **sections)
        return train(config, experiments=tmp_path, into=tmp_path / name, listener=silent)

    return make


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MakeExported:
    """Exports a run as the command does, but measures no speed: that takes four processes."""

    def export(
        run: RunFolder,
        name: str = "onnx",
        *,
        precision: Any = "float32",
        opset: int | None = None,
        calibrated: bool = False,
        min_agreement: float = 0.99,
        out: Path | None = None,
    ) -> Any:
        from cnnrun.export import export_run as module
        from cnnrun.export.formats import FORMATS

        monkeypatch.setattr(module, "measured_speeds", lambda *_: ())
        wanted = module.Wanted(FORMATS[name], precision, opset, calibrated, min_agreement)
        out = out or module.default_folder(run, wanted)
        return module.export_run(run, wanted, out=out, waiting=in_silence)

    return export
