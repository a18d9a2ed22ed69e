"""result.json comes back, and damage is named."""

import math
from dataclasses import replace

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import RunError
from cnnrun.runs.files import write_json
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.result import read_result, write_result


def test_a_result_comes_back(make_run) -> None:
    run = make_run("digits/a", seed=0, accuracy=0.9)
    result = read_result(run)
    assert result.test is not None
    assert result.test["accuracy"] == 0.9
    untested = replace(result, test=None, images_per_second=12.5)
    write_result(run, untested)
    assert read_result(run) == untested


def test_a_speed_that_is_not_known_reads_as_nan(make_run) -> None:
    run = make_run("digits/a", seed=0, accuracy=0.9)
    write_result(run, replace(read_result(run), images_per_second=math.nan))
    assert '"images_per_second": null' in run.result_json.read_text()
    assert math.isnan(read_result(run).images_per_second)


@pytest.mark.parametrize("content", [[], {}, {"best_epoch": "2", "epochs": 2}])
def test_damage_is_named(
    content: object, run: RunFolder, message_of, snapshot: SnapshotAssertion
) -> None:
    write_json(run.result_json, content)
    with pytest.raises(RunError) as raised:
        read_result(run)
    assert message_of(raised) == snapshot
