"""A wheel is enough: it works in an empty folder, without the repository."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--outdir", folder, REPOSITORY], folder)
    return folder


@pytest.mark.slow
def test_an_installed_wheel_trains_the_example(packages: Path, tmp_path: Path) -> None:
    (wheel,) = packages.glob("*.whl")
    site = tmp_path / "site"
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel]
    run([sys.executable, *install], tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    # The dependencies are those of the tests; cnnrun itself is found in `site` first.
    used = run([sys.executable, "-c", "import cnnrun; print(cnnrun.__file__)"], empty, site)
    assert Path(used.strip()).is_relative_to(site)
    run([sys.executable, "-m", "cnnrun", "init", "demo"], empty, site)
    trained = run(
        [sys.executable, "-m", "cnnrun", "train", "configs/digits.yaml", "--set", "train.epochs=1"],
        empty / "demo",
        site,
    )
    assert "accuracy" in trained
    assert list((empty / "demo").glob("experiments/digits/*/model.keras"))


@pytest.mark.slow
def test_the_sdist_holds_what_people_need(packages: Path) -> None:
    (sdist,) = packages.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "pyproject.toml", "configs/digits.yaml", "cnnrun/py.typed"} <= names
    assert {"cnnrun/config/keras_table.json", ".ci/run", "tests/conftest.py"} <= names
    assert sum(name.startswith("datasets/digits/") for name in names) >= 1797
    assert not [name for name in names if name.startswith("experiments/") and "seed" in name]


def run(command: list[str | Path], folder: Path, site: Path | None = None) -> str:
    """Runs a command that has to end well, and returns its standard output."""
    environment = os.environ | ({"PYTHONPATH": str(site)} if site else {})
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        pytest.fail(f"{command} ended with {ended.returncode}:\n{ended.stderr[-3000:]}")
    return ended.stdout
