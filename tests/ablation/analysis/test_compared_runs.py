"""Two groups of runs on common test images. Oracles: SciPy's binomial and t tests, by hand."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, t
from syrupy.assertion import SnapshotAssertion

from cnnrun.ablation.analysis.compared_runs import (
    ComparedGroups,
    NotCompared,
    compare_groups,
    comparison_sentences,
    mcnemar,
)
from cnnrun.runs.comparing import RunGroup, Spread
from cnnrun.runs.data_states import ImageRecord, record_images
from cnnrun.runs.files import write_json, write_text
from cnnrun.runs.folder import RunFolder

Image = tuple[str, str, float]
"""A path, a label among "a" and "b", and the probability of that label."""
MakeGroup = Callable[..., RunGroup]


@pytest.fixture
def make_group(tmp_path: Path) -> MakeGroup:
    """`make_group("first", {0: images, 1: images})` writes runs with their predictions."""

    def make(
        name: str, runs: dict[int, Sequence[Image]], *, contents: dict[str, str] | None = None
    ) -> RunGroup:
        folders = []
        for seed, images in runs.items():
            run = RunFolder(tmp_path / name / f"seed{seed}")
            run.path.mkdir(parents=True)
            write_text(run.predictions_csv, predictions(images))
            data: dict[str, object] = {"blake2b": "of 0.1.0"}
            if contents is not None:
                records = [
                    ImageRecord(path, label, "test", "", contents[path])
                    for path, label, _ in images
                ]
                data = record_images(
                    run,
                    tmp_path,
                    state=f"{len(list(tmp_path.rglob('*.gz'))):032x}",
                    fingerprint={},
                    images=lambda records=records: records,
                )
            write_json(run.environment_json, {"data": data})
            folders.append(run.path)
        spread = Spread(1.0, None)
        return RunGroup(name, tuple(folders), tuple(runs), spread, {}, None, None, 1, spread, {})

    return make


def predictions(images: Sequence[Image]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["path", "label", "prediction", "probability", "probability of a", "probability of b"]
    )
    for path, label, probability in images:
        of_a = probability if label == "a" else 1 - probability
        predicted = "a" if of_a > 0.5 else "b"
        writer.writerow([path, label, predicted, max(of_a, 1 - of_a), of_a, 1 - of_a])
    return text.getvalue()


def images_with(right: Sequence[bool], *, start: int = 0) -> list[Image]:
    return [
        (f"photos/{number:03}.png", "ab"[number % 2], 0.9 if is_right else 0.2)
        for number, is_right in enumerate(right, start)
    ]


def the_one(groups: Sequence[RunGroup]) -> ComparedGroups:
    (compared,), () = compare_groups(groups)
    return compared


def test_two_networks_by_mcnemar(make_group: MakeGroup, snapshot: SnapshotAssertion) -> None:
    first = make_group("first", {0: images_with([True] * 30 + [False] * 10)})
    second = make_group("second", {5: images_with([False] * 2 + [True] * 36 + [False] * 2)})
    compared = the_one([first, second])
    assert (compared.only_first, compared.only_second) == (2, 8)
    accuracy = compared.differences["accuracy"]
    assert accuracy.p == pytest.approx(binomtest(2, 10).pvalue)
    assert accuracy.mean == pytest.approx(6 / 40)
    assert comparison_sentences(compared) == snapshot


def test_an_interval_over_images_is_a_t_interval_but_for_its_tail(make_group: MakeGroup) -> None:
    """Oracle: Student's interval, which skewness widens, and never narrows."""
    random = np.random.default_rng(3)
    ours, theirs = random.uniform(0.55, 0.95, size=(2, 400))
    names = [f"{number}.png" for number in range(400)]
    first = make_group("first", {0: [(name, "a", p) for name, p in zip(names, ours, strict=True)]})
    second = make_group("s", {0: [(name, "a", p) for name, p in zip(names, theirs, strict=True)]})
    loss = the_one([first, second]).differences["log loss"]
    differences = np.log(ours) - np.log(theirs)
    half = t.ppf(0.975, 399) * differences.std(ddof=1) / 20
    assert loss.mean == pytest.approx(differences.mean())
    low, high = loss.interval
    assert half * 0.99 < loss.mean - low < half * 1.1
    assert half * 0.99 < high - loss.mean < half * 1.1


def test_groups_are_paired_by_seed(make_group: MakeGroup, snapshot: SnapshotAssertion) -> None:
    random = np.random.default_rng(1)
    first, second = (
        make_group(name, {seed: images_with(random.random(60) < rate) for seed in seeds})
        for name, rate, seeds in (("first", 0.7, (0, 1, 2, 3)), ("second", 0.9, (1, 2, 3, 9)))
    )
    compared = the_one([first, second])
    assert (compared.pairs, compared.is_by_seed) == (3, True)
    assert compared.only_first is None
    assert comparison_sentences(compared)[:2] == snapshot


def test_images_are_found_again_by_their_content(
    make_group: MakeGroup, snapshot: SnapshotAssertion
) -> None:
    ours = [("old/1.png", "a", 0.9), ("old/2.png", "a", 0.9), ("old/3.png", "b", 0.9)]
    theirs = [("new/x.png", "a", 0.8), ("new/y.png", "a", 0.1), ("new/z.png", "a", 0.7)]
    contents = {
        "old/1.png": "11",
        "old/2.png": "22",
        "old/3.png": "33",
        "new/x.png": "11",
        "new/y.png": "22",
        "new/z.png": "44",
    }
    first = make_group("first", {0: ours}, contents=contents)
    second = make_group("second", {0: theirs}, contents=contents)
    compared = the_one([first, second])
    assert (compared.images, compared.matched_by) == (2, "content")
    assert compared.only_first == 1
    assert comparison_sentences(compared) == snapshot


def test_what_cannot_be_compared_is_said(
    make_group: MakeGroup, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    first = make_group("first", {0: images_with([True] * 20)})
    elsewhere = make_group("elsewhere", {0: images_with([True] * 20, start=100)})
    single = make_group("single", {0: images_with([True] * 20, start=19)})
    relabelled = make_group(
        "relabelled", {0: [(path, "a", p) for path, _, p in images_with([True] * 20)]}
    )
    compared, not_compared = compare_groups([first, elsewhere, single, relabelled])
    assert [comparison_sentences(each) for each in compared] == snapshot
    assert not_compared == ()
    RunFolder(elsewhere.runs[0]).predictions_csv.write_text("path,label\nx,y\n")
    RunFolder(single.runs[0]).predictions_csv.unlink()
    _, not_compared = compare_groups([first, elsewhere, single])
    assert [each.why.replace(str(tmp_path), "TMP") for each in not_compared] == snapshot
    assert [each.second for each in not_compared] == [2, 3]
    assert isinstance(not_compared[0], NotCompared)


def test_several_groups_are_corrected_by_holm(make_group: MakeGroup) -> None:
    first = make_group("first", {0: images_with([True] * 30 + [False] * 10)})
    second = make_group("second", {0: images_with([True] * 38 + [False] * 2)})
    third = make_group("third", {0: images_with([True] * 31 + [False] * 9)})
    compared, _ = compare_groups([first, second, third])
    plain = [each.differences["accuracy"].p for each in compared]
    assert [each.differences["accuracy"].adjusted_p for each in compared] == pytest.approx(
        [2 * plain[0], plain[1]]
    )


def test_no_discordant_image_is_no_evidence() -> None:
    assert mcnemar(np.zeros(10)) == 1.0
