"""`compare_runs` groups over seeds, and says where configs differ."""

import json
import os
import re
import statistics
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.errors import RunError
from cnnrun.runs.comparing import (
    compare_runs,
    comparison_csv,
    comparison_markdown,
)
from cnnrun.runs.files import write_json, write_text
from cnnrun.runs.spread import Spread
from cnnrun.runs.state import write_state


@pytest.fixture
def experiments(make_run, tmp_path: Path) -> Path:
    """Three seeds of one config, two of another, and a run that failed."""
    for seed, accuracy in enumerate((0.96, 0.98, 0.97)):
        make_run(f"none/seed{seed}", seed=seed, accuracy=accuracy)
    for seed, accuracy in enumerate((0.99, 0.98)):
        make_run(f"before/seed{seed}", seed=seed, accuracy=accuracy, batch_norm="before_activation")
    failed = make_run("none/seed3", seed=3, accuracy=0.1)
    write_state(failed, "failed", why="the loss became NaN")
    return tmp_path / "experiments"


def test_keras_accuracy_of_several_labels_is_no_accuracy_of_classes(make_run, tmp_path) -> None:
    make_run("digits/a", seed=0, accuracy=0.9)
    make_run("pairs/a", seed=0, accuracy=0.95, mean_average_precision=0.7, filters=64)
    comparison = compare_runs([tmp_path / "experiments"])
    of_classes, of_labels = sorted(comparison.groups, key=lambda group: group.name)
    assert "accuracy" in of_classes.metrics
    assert set(of_labels.metrics) == {"mean_average_precision", "loss"}
    assert "0.9500" not in comparison_markdown(comparison)


def test_seeds_make_a_group(experiments: Path) -> None:
    before, none = compare_runs([experiments]).groups
    assert (none.name, none.seeds, before.seeds) == ("none", (0, 1, 2), (0, 1))
    accuracies = [0.96, 0.98, 0.97]
    assert none.metrics["accuracy"] == Spread(
        pytest.approx(statistics.fmean(accuracies)), pytest.approx(statistics.stdev(accuracies))
    )


def test_one_run_has_no_spread(make_run) -> None:
    run = make_run("digits/a", seed=0, accuracy=0.96)
    (group,) = compare_runs([run.path]).groups
    assert group.metrics["accuracy"] == Spread(0.96, None)


def test_where_configs_differ(experiments: Path) -> None:
    comparison = compare_runs([experiments])
    assert comparison.differing == ("model.blocks.batch_norm.position",), "its layers follow"
    assert [list(group.values.values()) for group in comparison.groups] == [
        ["before_activation"],
        ["none"],
    ]


def test_a_layer_that_differs_by_itself(make_run, tmp_path: Path) -> None:
    make_run("a/0", seed=0, accuracy=0.9)
    make_run("b/0", seed=0, accuracy=0.9, filters=64)
    comparison = compare_runs([tmp_path])
    assert comparison.differing == ("model.layers[0].conv_block.filters",)
    values = [group["values"] for group in comparison.as_json()["groups"]]
    assert values == [{comparison.differing[0]: 32}, {comparison.differing[0]: 64}]


def test_a_value_that_one_config_lacks(make_run, tmp_path: Path) -> None:
    make_run("a/0", seed=0, accuracy=0.9)
    other = make_run("b/0", seed=0, accuracy=0.9)
    write_text(other.resolved_yaml, other.resolved_yaml.read_text() + "  threads: 2\n")
    comparison = compare_runs([tmp_path])
    assert comparison.differing == ("train.threads",)
    assert [group.values["train.threads"] for group in comparison.groups] == [None, "2"]


def test_a_moved_folder_of_the_same_images_is_the_same_data(make_run, tmp_path: Path) -> None:
    make_run("a/0", seed=0, accuracy=0.9, directory="../../digits")
    make_run("a/1", seed=1, accuracy=0.9, directory="/elsewhere/digits")
    assert len(compare_runs([tmp_path]).groups) == 1


def test_other_images_are_other_data(make_run, tmp_path: Path) -> None:
    make_run("a/0", seed=0, accuracy=0.9, fingerprint="f00d")
    make_run("a/1", seed=1, accuracy=0.9, fingerprint="beef")
    assert compare_runs([tmp_path]).differing == ("data.fingerprint",)


def test_without_a_fingerprint_paths_tell_data_apart(make_run, tmp_path: Path) -> None:
    make_run("a/0", seed=0, accuracy=0.9, fingerprint=None, directory="../../digits")
    make_run("a/deep/1", seed=1, accuracy=0.9, fingerprint=None, directory="../../../digits")
    make_run("a/2", seed=2, accuracy=0.9, fingerprint=None, directory="../../letters")
    comparison = compare_runs([tmp_path])
    assert comparison.differing == ("data.directory",)
    assert sorted(group.seeds for group in comparison.groups) == [(0, 1), (2,)]


def test_of_a_repeated_seed_the_last_run_counts(make_run, tmp_path: Path) -> None:
    for name, started, accuracy in (("new", "2026-02-02", 0.8), ("old", "2026-01-01", 0.9)):
        run = make_run(f"a/{name}", seed=0, accuracy=accuracy)
        state = json.loads(run.state_json.read_text())
        write_json(run.state_json, {**state, "started": f"{started}T00:00:00+00:00"})
    comparison = compare_runs([tmp_path])
    assert comparison.groups[0].metrics["accuracy"] == Spread(0.8, None)
    assert [left_out.run.name for left_out in comparison.left_out] == ["old"]


def test_a_run_named_twice_counts_once(make_run) -> None:
    run = make_run("a/0", seed=0, accuracy=0.9)
    relative = Path(os.path.relpath(run.path))
    comparison = compare_runs([run.path, relative, run.path.parent])
    assert comparison.groups[0].seeds == (0,)
    assert comparison.left_out == ()


def test_runs_without_test_images_are_left_out(make_run, tmp_path: Path, snapshot) -> None:
    make_run("a/0", seed=0, accuracy=0.9)
    run = make_run("a/1", seed=1, accuracy=0.9)
    write_json(run.result_json, {**json.loads(run.result_json.read_text()), "test": None})
    (left_out,) = compare_runs([tmp_path]).left_out
    assert left_out.why == snapshot


def test_nothing_to_compare_is_named(make_run, message_of, snapshot: SnapshotAssertion) -> None:
    run = make_run("a/0", seed=0, accuracy=0.9)
    write_state(run, "interrupted", why="stopped by the user")
    with pytest.raises(RunError) as raised:
        compare_runs([run.path.parent])
    assert message_of(raised) == snapshot


@pytest.mark.parametrize("content", [None, "a: [", "- 1\n", "seed: x\n"])
def test_a_run_with_a_damaged_config_is_left_out(
    content: str | None, make_run, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    make_run("a/0", seed=0, accuracy=0.9)
    run = make_run("a/1", seed=1, accuracy=0.9)
    run.resolved_yaml.unlink()
    if content is not None:
        run.resolved_yaml.write_text(content)
    (left_out,) = compare_runs([tmp_path]).left_out
    assert left_out.why.replace(str(tmp_path), "TMP") == snapshot


def test_json(experiments: Path) -> None:
    comparison = compare_runs([experiments]).as_json()
    assert json.loads(json.dumps(comparison)) == comparison
    assert comparison["groups"][1]["metrics"]["accuracy"]["mean"] == pytest.approx(0.97)


def test_markdown_and_csv(experiments: Path, snapshot: SnapshotAssertion) -> None:
    comparison = compare_runs([experiments])
    markdown = comparison_markdown(comparison).replace(str(experiments), "EXPERIMENTS")
    assert markdown == snapshot(name="markdown")
    assert re.sub(r"0\.0[0-9]{12,}", "STD", comparison_csv(comparison)) == snapshot(name="csv")
