"""What is refused before anything is trained, and what is planned."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from cnnrun.search import tree_parzen
from cnnrun.search.asked import asked_search
from cnnrun.search.run_search import check_search
from cnnrun.search.search_plan import trial_config

from .conftest import CONFIG, FILTERS, RATE, PlanSearch, complaint

SCHEDULE = "Adam.learning_rate.CosineDecay.initial_learning_rate"
SIZE = "train.batch_size=4..16"
REFUSED: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "nothing": ((), {}),
    "no values": (("learning_rate",), {}),
    "nothing behind =": (("learning_rate=",), {}),
    "one value": (("learning_rate=1e-3",), {}),
    "words": (("learning_rate=few..many",), {}),
    "falling": (("train.batch_size=64..8",), {}),
    "one point": (("train.batch_size=8..8",), {}),
    "endless": (("train.batch_size=8...inf",), {}),
    "log of 0": (("model.blocks.dropout=0..0.5:log",), {}),
    "unknown scale": (("learning_rate=1e-4..1e-2:lin",), {}),
    "misspelt rate": (("learning_rat=1e-4..1e-2",), {}),
    "misspelt address": (("train.batchsize=8..64",), {}),
    "no such layer": (("model.layers[7].conv_block.filters=8..64",), {}),
    "another optimizer's": (("train.optimizer.SGD.momentum=0..0.9",), {}),
    "outside of Keras": (("train.optimizer.Adam.beta_1=0.5..1.5",), {}),
    "below 1": (("model.layers[stem].conv_block.filters=0..8",), {}),
    "no whole number": (("model.layers[stem].conv_block.filters=2..8.5",), {}),
    "unknown value": (("model.blocks.activation=relu,geluu",), {}),
    "a value twice": (("model.blocks.activation=relu,relu",), {}),
    "an address twice": ((SIZE, SIZE), {}),
    "two names of one": ((RATE, f"train.optimizer.{SCHEDULE}=1e-4..1"), {}),
    "two names of a layer": (
        ("model.layers[0].conv_block.filters=8..64", "model.layers[stem].conv_block.filters=2..4"),
        {},
    ),
    "one around another": (
        ("model.blocks.activation=relu,elu", "model.blocks={activation: tanh},{activation: selu}"),
        {},
    ),
    "a seed": (("seed=1..9",), {}),
    "a split": (("data.split.seed=1..9",), {}),
    "several at once": (("train.batch_size=0..8", "model.blocks.dropout=0.5..1.5"), {}),
    "no trial": ((SIZE,), {"trials": 0}),
    "halving by 1": ((SIZE,), {"halving": 1}),
    "halving and tpe": ((SIZE,), {"halving": 2, "sampler": "tpe"}),
    "halving of few": ((SIZE,), {"halving": 9}),
    "halving of lengths": (("train.epochs=2..8",), {"halving": 2}),
    "fewer than none": ((SIZE,), {"confirm": -1}),
    "no measure of validation": ((SIZE,), {"metric": "val_loss_area"}),
    "misspelt measure": ((SIZE,), {"metric": "test_acuracy"}),
    "one seed": ((SIZE,), {"seeds": 1}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_searched_is_refused(
    plan: PlanSearch, snapshot: SnapshotAssertion, case: str
) -> None:
    over, given = REFUSED[case]
    assert complaint(lambda: plan(*over, **given)) == snapshot


FILES: dict[str, str] = {
    "a study": "question: Why?\nfactors: {f: {path: train.epochs, values: [1, 2]}}\n",
    "both": "question: Why?\nfactors: {f: {path: train.epochs, values: [1, 2]}}\n"
    "search: {over: {learning_rate: {low: 1e-4, high: 1e-2}}}\n",
    "resplit": "question: Why?\nresplit: true\nsearch: {over: {r: {low: 1e-4, high: 1e-2}}}\n",
    "nothing to search": "question: Why?\nsearch: {trials: 8}\n",
    "range and values": "question: Why?\nsearch: {over: {r: {low: 1, high: 2, values: [1, 2]}}}\n",
    "neither": "question: Why?\nsearch: {over: {r: {path: train.epochs}}}\n",
    "one end": "question: Why?\nsearch: {over: {r: {low: 1e-4}}}\n",
    "scale of values": "question: Why?\n"
    "search: {over: {r: {path: train.epochs, values: [1, 2], scale: log}}}\n",
    "a list": "question: Why?\nsearch: {over: [learning_rate]}\n",
    "misspelt": "question: Why?\nsearch: {over: {r: {low: 1e-4, high: 1e-2}}, trails: 8}\n",
    "sampler": "question: Why?\nsearch: {over: {r: {low: 1e-4, high: 1e-2}}, sampler: grid}\n",
    "neither of both": "question: Why?\n",
}


@pytest.mark.parametrize("case", FILES)
def test_what_a_file_gets_wrong_is_refused(
    folder: Path, snapshot: SnapshotAssertion, case: str
) -> None:
    Path("study.yaml").write_text(FILES[case])
    assert complaint(lambda: asked_search(Path("study.yaml"), over=(), metric=None)) == snapshot


def test_a_file_and_over_are_not_mixed(folder: Path, snapshot: SnapshotAssertion) -> None:
    Path("s.yaml").write_text("question: Why?\nsearch: {over: {r: {low: 1e-4, high: 1e-2}}}\n")
    assert complaint(lambda: asked_search(Path("s.yaml"), over=[RATE], metric=None)) == snapshot


@pytest.mark.parametrize(
    ("over", "is_logarithmic", "is_integer"),
    [
        ("learning_rate=1e-4..1e-2", True, False),
        ("train.batch_size=8..64", False, True),
        ("train.batch_size=8..64:log", True, True),
        ("train.batch_size=8..80", True, True),
        ("train.batch_size=8..80:linear", False, True),
        ("model.blocks.dropout=0..0.5", False, False),
        ("augment.rotation_range = 1 .. 9 : log", True, True),
    ],
)
def test_scale_and_whole_numbers_follow_from_what_is_written(
    plan: PlanSearch, over: str, is_logarithmic: bool, is_integer: bool
) -> None:
    (axis,) = plan(over).plan.axes
    assert (axis.is_logarithmic, axis.is_integer) == (is_logarithmic, is_integer)


def test_choices_may_be_calls(plan: PlanSearch) -> None:
    planned = plan("model.blocks.activation=relu,{PReLU: {shared_axes: [1, 2]}}").plan
    (axis,) = planned.axes
    assert list(axis.choices) == ["relu", "PReLU"]
    made = trial_config(planned, {axis.name: "PReLU"})
    assert made.overrides == ("model.blocks.activation={PReLU: {shared_axes: [1, 2]}}",)


def test_few_configs_and_few_seeds_are_said(plan: PlanSearch, snapshot: SnapshotAssertion) -> None:
    assert plan("model.blocks.activation=relu,elu", seeds=3).notes == snapshot


CHANGED: dict[str, Callable[[PlanSearch], Any]] = {
    "more trials": lambda plan: plan(RATE, FILTERS, trials=9),
    "another range": lambda plan: plan("learning_rate=1e-3..2e-1", FILTERS, trials=8),
    "another seed": lambda plan: plan(RATE, FILTERS, trials=8, seed=5),
    "another config": lambda plan: plan(RATE, FILTERS, trials=8, overrides=["train.epochs=9"]),
    "more seeds": lambda plan: plan(RATE, FILTERS, trials=8, seeds=9),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_folder_goes_on_with_its_own_search_alone(
    plan: PlanSearch, images: Path, snapshot: SnapshotAssertion, case: str
) -> None:
    from cnnrun.runs.files import write_json

    first = plan(RATE, FILTERS, trials=8).plan
    Path("search").mkdir()
    write_json(Path("search/plan.json"), first.as_json())
    check_search(first, Path("search"))
    changed = CHANGED[case](plan).plan
    assert complaint(lambda: check_search(changed, Path("search"))) == snapshot


def test_a_folder_of_something_else_is_refused(
    plan: PlanSearch, images: Path, snapshot: SnapshotAssertion
) -> None:
    planned = plan(RATE).plan
    Path("study").mkdir()
    Path("study/plan.json").write_text('{"study": "bn-order"}')
    Path("other").mkdir()
    Path("other/notes.txt").write_text("mine")
    study, other = Path("study"), Path("other")
    assert complaint(lambda: check_search(planned, study)) == snapshot
    assert complaint(lambda: check_search(planned, other)) == snapshot


@pytest.mark.parametrize("share", ["validation", "test"])
def test_images_to_judge_and_confirm_by_must_be_there(
    plan: PlanSearch, images: Path, snapshot: SnapshotAssertion, share: str
) -> None:
    planned = plan(RATE, overrides=[f"data.split.{share}=0"]).plan
    assert complaint(lambda: check_search(planned, Path("search"))) == snapshot
    if share == "test":
        alone = plan(RATE, overrides=["data.split.test=0"], confirm=0).plan
        check_search(alone, Path("search"))


def test_without_optuna_the_command_to_install_it_is_said(
    plan: PlanSearch, images: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(tree_parzen, "import_module", missing)
    planned = plan(RATE, sampler="tpe").plan
    assert complaint(lambda: check_search(planned, Path("search"))) == snapshot


def test_the_configs_own_seed_and_fresh_seeds(plan: PlanSearch) -> None:
    planned = plan(RATE, config=CONFIG.replace("seed: 3", "seed: 4294967290")).plan
    assert len({*planned.seeds, planned.trial_seed}) == 8
    assert all(0 <= seed < 2**32 for seed in (*planned.seeds, planned.trial_seed))
