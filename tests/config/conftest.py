"""Short ways to a config file and to what is wrong with it."""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cnnrun.config.load import load_config
from cnnrun.config.sections import Config
from cnnrun.errors import ConfigError

Load = Callable[..., Config]
Complain = Callable[..., str]

DATA = "data: {directory: images, image_size: [8, 8]}\n"
MODEL = "model:\n  layers:\n    - Flatten\n    - classifier\n"


def with_layers(layers: str, *, blocks: str = "{}") -> str:
    """A config whose layer list is `layers`."""
    indented = textwrap.indent(textwrap.dedent(layers).strip("\n"), "    ")
    return f"{DATA}model:\n  blocks: {blocks}\n  layers:\n{indented}\n"


def with_train(train: str) -> str:
    """A config whose `train` section holds these lines."""
    return f"{DATA}{MODEL}train:\n{textwrap.indent(textwrap.dedent(train).strip(chr(10)), '  ')}\n"


def with_data(data: str) -> str:
    """A config whose `data` section holds these lines."""
    return f"data:\n{textwrap.indent(textwrap.dedent(data).strip(chr(10)), '  ')}\n{MODEL}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, so that messages hold no path of this machine."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def load(folder: Path) -> Load:
    """Loads YAML text as config.yaml of the current folder."""

    def load_text(text: str, overrides: Sequence[str] = ()) -> Config:
        Path("config.yaml").write_text(text, encoding="utf-8")
        return load_config(Path("config.yaml"), overrides=overrides)

    return load_text


@pytest.fixture
def complain(load: Load) -> Complain:
    """The complete text of what is wrong with a config."""

    def complaints(text: str, overrides: Sequence[str] = ()) -> str:
        with pytest.raises(ConfigError) as refusal:
            load(text, overrides)
        return str(refusal.value)

    return complaints
