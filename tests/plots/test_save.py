"""Figures are written whole, look the same whatever the user's settings, and leave no trace."""

from pathlib import Path

import matplotlib
import pytest
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import StorageError
from cnnrun.pages.figures import pdf, svg
from cnnrun.plots.curves import learning_curves
from cnnrun.plots.figures import house_style
from cnnrun.plots.save import save_figure
from cnnrun.runs.metrics import EpochRow

ROWS = [EpochRow(epoch, 1, {"loss": 1 / epoch}, 1e-3, 1.0) for epoch in (1, 2, 3)]


def test_a_figure_becomes_a_png_in_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "plots" / "learning_curves.png"
    save_figure(learning_curves(ROWS, best_epoch=None), path)
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("PNG", "RGBA")
        assert image.width == 150 * 6
    assert [child.name for child in path.parent.iterdir()] == ["learning_curves.png"]


def test_the_same_numbers_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        save_figure(learning_curves(ROWS, best_epoch=2), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_parts_of_a_figure_stand_where_matplotlib_puts_them(tmp_path: Path) -> None:
    save_figure(learning_curves(ROWS, best_epoch=2), tmp_path / "ours.png")
    figure = learning_curves(ROWS, best_epoch=2)
    with house_style():
        figure.savefig(tmp_path / "theirs.png", dpi=150, facecolor="white")
    assert (tmp_path / "ours.png").read_bytes() == (tmp_path / "theirs.png").read_bytes()


def test_a_figure_is_the_same_in_files_of_another_form_before_and_after() -> None:
    figure = learning_curves(ROWS, best_epoch=2)
    first = svg(learning_curves(ROWS, best_epoch=2))
    pdf(figure)
    assert svg(figure) == first == svg(figure)


def test_settings_of_the_user_change_nothing(tmp_path: Path) -> None:
    save_figure(learning_curves(ROWS, best_epoch=2), tmp_path / "plain.png")
    with matplotlib.rc_context({"text.usetex": True, "font.size": 30, "figure.facecolor": "black"}):
        save_figure(learning_curves(ROWS, best_epoch=2), tmp_path / "set.png")
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "set.png").read_bytes()


def test_the_style_ends_with_its_block() -> None:
    before = dict(matplotlib.rcParams)
    with house_style():
        assert dict(matplotlib.rcParams) != before
    assert dict(matplotlib.rcParams) == before


def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    (tmp_path / "plots").touch()
    with pytest.raises(StorageError) as raised:
        save_figure(learning_curves(ROWS, best_epoch=None), tmp_path / "plots" / "curves.png")
    assert str(raised.value).replace(str(tmp_path), "TMP") == snapshot
