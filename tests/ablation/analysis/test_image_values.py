"""What images add is read from predictions.csv, and checked against what the run recorded."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, hamming_loss

from cnnrun.ablation.analysis.image_values import ImageValues, image_values
from cnnrun.ablation.execution.cell_records import CellOutcome

CLASSES = ("cat, black", "dog")


def finished(
    folder: Path, arm: str, seed: int, rows: dict[str, tuple[str, float]], **recorded: float
) -> CellOutcome:
    """A cell that predicted these images: path -> its label, and the probability of a dog."""
    run = folder / f"{arm}-{seed}"
    run.mkdir()
    with (run / "predictions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "path",
                "label",
                "prediction",
                "probability",
                *(f"probability of {c}" for c in CLASSES),
            ]
        )
        for path, (label, dog) in rows.items():
            prediction = CLASSES[dog > 0.5]
            writer.writerow([path, label, prediction, max(dog, 1 - dog), 1 - dog, dog])
    right = [CLASSES[dog > 0.5] == label for label, dog in rows.values()]
    losses = [
        -math.log(max(dog if label == "dog" else 1 - dog, 1e-7)) for label, dog in rows.values()
    ]
    values = {"test_loss": float(np.mean(losses)), "test_accuracy": float(np.mean(right))}
    return CellOutcome(
        arm=arm,
        seed=seed,
        key="",
        state="finished",
        is_reused=False,
        folder=run,
        why="",
        seconds={},
        values=values | recorded,
        parameters=1,
        multiply_adds=1,
        processor="EPYC",
    )


ROWS = {"one.png": ("dog", 0.9), "two.png": ("cat, black", 0.6), "three.png": ("dog", 0.0)}


def test_losses_and_hits_of_images(tmp_path: Path) -> None:
    found = image_values([finished(tmp_path, "a", 0, ROWS)], "test_loss")
    assert (found.images, found.classes, found.is_one_test, found.why_not) == (3, 2, True, "")
    # Sorted by path: one, three, two. Certainly wrong counts as Keras's bound of 1e-7.
    expected = [-math.log(0.9), -math.log(1e-7), -math.log(0.4)]
    assert found.values["a"][0] == pytest.approx(expected)
    hits = image_values([finished(tmp_path, "b", 0, ROWS)], "test_accuracy")
    assert list(hits.values["b"][0]) == [1.0, 0.0, 0.0]


def test_images_that_a_run_does_not_test_are_not_numbers(tmp_path: Path) -> None:
    some = {path: ROWS[path] for path in ("one.png", "two.png")}
    found = image_values(
        [finished(tmp_path, "a", 0, ROWS), finished(tmp_path, "a", 1, some)], "test_loss"
    )
    assert not found.is_one_test
    assert np.isnan(found.values["a"][1]).tolist() == [False, True, False]


def why_not(found: ImageValues) -> str:
    assert found.values == {}
    return found.why_not


def test_why_a_metric_cannot_be_had_image_by_image(tmp_path: Path) -> None:
    cell = finished(tmp_path, "a", 0, ROWS)
    area = image_values([cell], "val_loss_area")
    assert why_not(area) == "val_loss_area is no mean over test images"
    assert area.is_one_test
    some = finished(tmp_path, "c", 1, {"one.png": ("dog", 0.9), "two.png": ("dog", 0.9)})
    assert not image_values([cell, some], "val_loss_area").is_one_test
    other_loss = finished(tmp_path, "b", 0, ROWS, test_loss=0.25)
    assert "with another loss than crossentropy" in why_not(image_values([other_loss], "test_loss"))
    (cell.folder / "predictions.csv").write_text("path,label\n")
    assert "predictions.csv" in why_not(image_values([cell], "test_loss"))
    (cell.folder / "predictions.csv").unlink()
    assert why_not(image_values([cell], "test_loss")).endswith("predictions.csv cannot be read")


def test_losses_of_logits_are_not_cut_off(tmp_path: Path) -> None:
    """Oracle: the loss that the run recorded, as Keras has it behind a softmax."""
    rows = {"one.png": ("dog", 0.9), "two.png": ("dog", 1e-12)}
    recorded = -(math.log(0.9) + math.log(1e-12)) / 2
    outcomes = [finished(tmp_path, "a", seed, rows, test_loss=recorded) for seed in (0, 1)]
    found = image_values(outcomes, "test_loss")
    assert found.why_not == ""
    assert found.values["a"][0] == pytest.approx([-math.log(0.9), -math.log(1e-12)], rel=1e-5)


LABEL_ROWS = {
    "one.png": ("cat", "cat", 0.9, 0.2, "1", "0"),
    "two.png": ("dog", "cat|dog", 0.8, 0.6, "0", "1"),
    "three.png": ("", "", 0.1, 0.3, "", "0"),
    "four.png": ("cat|dog", "dog", 0.4, 0.7, "1", "1"),
}
"""Path -> the labels, those said, the probabilities of cat and dog, and their truths."""


def finished_of_labels(folder: Path, seed: int, **recorded: float) -> CellOutcome:
    """A cell whose images have several labels each."""
    outcome = finished(folder, "a", seed, ROWS)
    names = [f"{what} of {label}" for what in ("probability", "truth") for label in ("cat", "dog")]
    with (outcome.folder / "predictions.csv").open("w", newline="") as file:
        rows = [[path, *cells] for path, cells in LABEL_ROWS.items()]
        csv.writer(file).writerows([["path", "labels", "said", *names], *rows])
    return replace(outcome, values=recorded)


def test_numbers_of_several_labels_vary_with_images(tmp_path: Path) -> None:
    truth, scores = [[1, 0], [0, 1], [1, 1]], [[0.9, 0.2], [0.8, 0.6], [0.4, 0.7]]
    of_cat = average_precision_score([1, 0, 1], [0.9, 0.8, 0.4])
    of_dog = average_precision_score([0, 1, 0, 1], [0.2, 0.6, 0.3, 0.7])
    right = 1 - hamming_loss(np.array(truth), np.array(scores) > 0.5)
    recorded = {
        "test_mean_average_precision": (of_cat + of_dog) / 2,
        "test_accuracy": (right * 6 + 1) / 7,  # the dog that is not on the third image
        "test_exact_match": 2 / 4,
    }
    outcome = finished_of_labels(tmp_path, 0, **recorded)
    for metric, number in recorded.items():
        found = image_values([outcome], metric)
        assert found.why_not == ""
        assert found.values["a"][0].mean() == pytest.approx(number)
        assert found.is_derived == (metric != "test_exact_match")
    assert list(image_values([outcome], "test_exact_match").values["a"][0]) == [0, 1, 1, 0]


def test_a_number_that_the_predictions_do_not_give_is_not_told_by_images(tmp_path: Path) -> None:
    outcome = finished_of_labels(tmp_path, 0, test_mean_average_precision=0.5)
    found = image_values([outcome], "test_mean_average_precision")
    assert why_not(found) == (
        "test_mean_average_precision as it follows from predictions.csv is not what the runs"
        " recorded"
    )
