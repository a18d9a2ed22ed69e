"""What is refused since it would not fit. Oracle: the table in the manual's chapter."""

import re
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

import cnnrun
from cnnrun.config.applications import APPLICATIONS
from cnnrun.errors import ExportError, WorkError
from cnnrun.export import formats, memory
from cnnrun.export.formats import FORMATS

CHAPTER = Path(cnnrun.__file__).parent / "manual" / "export.md"
# Network, parameters, asked for, measured, seconds, measured for LiteRT.
ROW = re.compile(
    r"^\| (\w+) \| ([\d,]+) \| ([\d.]+) \| ([\d.]*) \| \d* \| ([\d.]*) \|$", re.MULTILINE
)


def test_what_was_measured_is_within_the_rule_and_not_far_below() -> None:
    rows = ROW.findall(CHAPTER.read_text())
    assert {name for name, *_ in rows} == set(APPLICATIONS)
    for name, parameters, asked, *measured in rows:
        there = APPLICATIONS[name].parameters["top"]
        assert parameters == f"{there:,}"
        assert asked == f"{memory.needed_bytes(FORMATS['onnx'], there) / 1e9:.1f}"
        for form, gigabytes in zip(("onnx", "litert"), measured, strict=True):
            needed = memory.needed_bytes(FORMATS[form], there) / 1e9
            assert not gigabytes or 0.5 * needed < float(gigabytes) <= 1.2 * needed


def test_too_little_memory_is_said_with_what_is_needed(
    monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda: 8 * 10**9)
    memory.refuse_too_little_memory(FORMATS["onnx"], 66_658_687)
    with pytest.raises(WorkError) as refusal:
        memory.refuse_too_little_memory(FORMATS["onnx"], 350_196_968)
    assert str(refusal.value) == snapshot


@pytest.mark.parametrize("name", FORMATS)
def test_what_no_file_of_a_format_can_hold_is_refused(
    name: str, snapshot: SnapshotAssertion
) -> None:
    formats.refuse_too_many_parameters(FORMATS[name], 500_000_000)
    if FORMATS[name].parameters_at_most is None:
        formats.refuse_too_many_parameters(FORMATS[name], 2_000_000_000)
        return
    with pytest.raises(ExportError) as refusal:
        formats.refuse_too_many_parameters(FORMATS[name], 500_000_001)
    assert str(refusal.value) == snapshot
