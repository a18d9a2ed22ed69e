"""Tables and JSON documents, as a terminal of some width or a pipe gets them."""

import json
from collections.abc import Iterator

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.cli.output import (
    print_json,
    print_json_in_parts,
    print_table,
    print_table_in_parts,
)

HEADINGS = ("line", "layer", "parameters", "multiply-adds")
ROWS = (
    ("12", "stem", "1,792", "86,704,128"),
    (
        "",
        "residual_1_conv_block_2_batch_norm [BatchNormalization]",
        "102,764,544",
        "15,346,630,656",
    ),
)
TOTALS = ("", "total", "138,357,544", "15,470,264,320")


@pytest.mark.parametrize("columns", ["80", "60", None])
def test_numbers_are_never_cut(
    columns: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    snapshot: SnapshotAssertion,
) -> None:
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", columns)
    print_table(
        HEADINGS, ROWS, numeric=frozenset({"line", "parameters", "multiply-adds"}), totals=TOTALS
    )
    printed = capsys.readouterr().out
    for number in (*ROWS[0][2:], *ROWS[1][2:], *TOTALS[2:]):
        assert number in printed
    assert max(map(len, printed.splitlines())) <= int(columns or 1000)
    assert printed == snapshot


def test_square_brackets_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["[red]a[/red]"], [["[bold]x"]])
    assert "[red]a[/red]" in (printed := capsys.readouterr().out)
    assert "[bold]x" in printed


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"loss": float("nan"), "name": "häschen"})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"loss": None, "name": "häschen"}
    assert "häschen" in printed


@pytest.mark.parametrize(("columns", "shown"), [(40, "b c"), (13, "c"), (5, "")])
def test_columns_are_left_out_in_order_where_the_terminal_is_narrow(
    columns: int, shown: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    print_table(["a", "b", "c"], [["1234", "12345", "12345"]], expendable=["b", "c"])
    assert capsys.readouterr().out.splitlines()[0].split() == ["a", *shown.split()]


@pytest.mark.parametrize("items", [[], [{"a": 1}], [{"a": 1}, {"b": [2.5, None]}, 3]])
def test_a_document_in_parts_is_the_document(
    items: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    print_json_in_parts(
        {"source": "run"}, "list", iter(items), after=lambda: {"last": [float("nan")]}
    )
    whole = {"source": "run", "list": items, "last": [None]}
    assert json.loads(capsys.readouterr().out) == whole


def test_what_comes_last_is_asked_for_last(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[int] = []

    def items() -> Iterator[int]:
        for number in range(3):
            seen.append(number)
            yield number

    print_json_in_parts({"a": 1}, "list", items(), after=lambda: {"seen": seen})
    assert json.loads(capsys.readouterr().out)["seen"] == [0, 1, 2]


@pytest.mark.parametrize("columns", ["80", "30"])
def test_a_table_in_parts_looks_like_a_table(
    columns: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    snapshot: SnapshotAssertion,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    parts = [
        [("photos/a.jpg", "cat", "0.9000"), ("", "dog", "0.1000")],
        [("b.jpg", "dog", "1.0000")],
    ]
    numeric = frozenset({"probability"})
    headings = ("image", "class", "probability")
    print_table_in_parts(headings, iter(parts), widths=(12, 3, 6), numeric=numeric)
    in_parts = capsys.readouterr().out
    assert max(map(len, in_parts.splitlines())) <= int(columns)
    assert in_parts == snapshot
    if columns == "80":
        print_table(headings, [row for part in parts for row in part], numeric=numeric)
        assert in_parts == capsys.readouterr().out
