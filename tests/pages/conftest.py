"""Runs for pages, without any training: written by what `train` writes them with."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnrun.pages.page_files import (
    CURVES,
    DrawnLayer,
    Picture,
    PictureMaps,
    SeenData,
    Tested,
    in_base64,
    write_maps,
    write_page_files,
)
from cnnrun.pages.study_folder import StudyFolder
from cnnrun.pages.thumbnails import map_thumbnail, thumbnail
from cnnrun.runs.files import append_line, json_text, write_json, write_text
from cnnrun.runs.folder import RunFolder
from cnnrun.runs.result import RunResult, write_result
from cnnrun.runs.tables import csv_table, markdown_table
from cnnrun.runs.unbegun import create_run_into

MakeRun = Callable[..., RunFolder]
MakeStudy = Callable[..., StudyFolder]

RESOLVED = """\
seed: 3
data: {directory: ../photos, image_size: [8, 8], split: {validation: 0.15, test: 0.3, seed: 0}}
augment: {rotation_range: 10.0, fill_mode: nearest}
model:
  blocks: {batch_norm: none, activation: relu, dropout: 0.0}
  layers:
  - conv_block: {filters: 8, kernel_size: 3, activation: tanh, dropout: 0.0}
  - GlobalAveragePooling2D
  - classifier: {activation: softmax}
train: {epochs: 2, batch_size: 32, optimizer: Adam}
"""
LAYERS = (
    DrawnLayer("rescale", "Rescaling", "rescale", (8, 8, 1), 0, 0, (1, 1), ()),
    DrawnLayer("conv", "Conv2D", "conv_block_1/conv", (8, 8, 8), 80, 4608, (3, 3), ("rescale",)),
    DrawnLayer("act", "Activation", "conv_block_1/act", (8, 8, 8), 0, 0, (3, 3), ("conv",)),
    DrawnLayer("add", "Add", "add", (8, 8, 8), 0, 0, (3, 3), ("act", "rescale")),
    DrawnLayer("classifier", "Dense", "classifier", (2,), 18, 16, None, ("add",)),
)


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Writes a run: `make_run("first", classes=("cat", "dog"), with_page=True)`."""

    def make(
        name: str = "20260102-030405-seed3",
        *,
        classes: tuple[str, ...] = ("cat", "dog"),
        images: int = 40,
        side: int = 8,
        state: str = "finished",
        with_page: bool = True,
        with_test: bool = True,
        with_maps: bool = False,
    ) -> RunFolder:
        run = create_run_into(tmp_path / "experiments" / "pets" / name)
        write_text(run.resolved_yaml, RESOLVED)
        write_json(run.classes_json, list(classes))
        when = "2026-01-02T03:04:05+00:00"
        write_json(
            run.state_json,
            {
                "state": state,
                "why": "the loss became NaN in epoch 3" if state == "failed" else "",
                "started": when,
                "updated": when,
                "process": 1,
                "host": "here",
            },
        )
        for epoch in (1, 2):
            row = {"epoch": epoch, "stage": 1, "loss": 1 / epoch, "val_loss": 1.1 / epoch}
            append_line(
                run.metrics_jsonl,
                json_text({**row, "learning_rate": 0.001, "seconds": 1.5}, indent=None),
            )
        command = ["/usr/bin/cnnrun", "train", "pets.yaml", "--set", "train.epochs=2"]
        git = {"commit": "f00d", "dirty": True, "diff": "+ epochs: 2 <b>"}
        write_json(
            run.environment_json,
            {
                "command_line": command,
                "threads": 2,
                "processor": {"model": "a processor"},
                "packages": {"cnnrun": "0.2.0", "keras": "3.15.1"},
                "git": git,
                "data": {"blake3": "abcd"},
            },
        )
        if state != "finished":
            return run
        pictures = _pictures(classes, images, side) if with_test else ()
        write_result(run, _result(pictures))
        if pictures:
            write_text(run.predictions_csv, _predictions(classes, pictures))
        if with_page:
            _write_page(run, classes, pictures, side)
        if with_maps:
            write_maps(run, _maps(pictures))
        return run

    return make


def _pictures(classes: tuple[str, ...], images: int, side: int) -> tuple[Picture, ...]:
    """Every fourth image is taken for the class after its own; all pictures are noise."""
    noise = np.random.default_rng(1).integers(0, 256, (7, side, side, 3), np.uint8)
    webps = [in_base64(thumbnail(pixels, of=images)) for pixels in noise]
    return tuple(
        Picture(
            path=f"{classes[number % len(classes)]}/{number:04}.png",
            truth=number % len(classes),
            prediction=(number + (number % 4 == 0)) % len(classes),
            probability=0.5 + number / (2 * images),
            webp=webps[number % len(webps)],
        )
        for number in range(images)
    )


def _maps(pictures: tuple[Picture, ...]) -> PictureMaps:
    """A map of noise for each mistake."""
    noise = np.random.default_rng(2).uniform(0, 1, (96, 96, 3))
    mistakes = [each for each in pictures if each.is_mistake]
    webp = in_base64(map_thumbnail(noise, of=len(mistakes)))
    webps = {(each.path, each.prediction): webp for each in mistakes}
    return PictureMaps("conv_block_1_act", 8, 8, webps)


def _result(pictures: tuple[Picture, ...]) -> RunResult:
    right = sum(not each.is_mistake for each in pictures)
    test = {
        "loss": 0.5,
        "accuracy": right / len(pictures) if pictures else 0.0,
        "balanced_accuracy": 0.75,
        "macro_f1": 0.75,
        "intervals": {"accuracy": [0.6, 0.86]},
        "images": len(pictures),
    }
    return RunResult(
        best_epoch=2,
        epochs=2,
        test=test if pictures else None,
        parameters=98,
        trainable_parameters=98,
        multiply_adds=4624,
        seconds={"total": 12.3, "fit": 3.0},
        images_per_second=1000.0,
        peak_memory_bytes=700_000_000,
        baselines={"chance": 0.5, "majority": 0.55} if pictures else {},
    )


def _predictions(classes: tuple[str, ...], pictures: tuple[Picture, ...]) -> str:
    header = ["path", "label", "prediction", "probability"]
    rows = (
        [
            each.path,
            classes[each.truth],
            classes[each.prediction],
            each.probability,
            *(
                each.probability
                if number == each.prediction
                else (1 - each.probability) / (len(classes) - 1)
                for number in range(len(classes))
            ),
        ]
        for each in pictures
    )
    return csv_table([*header, *(f"probability of {name}" for name in classes)], rows)


def _write_page(
    run: RunFolder, classes: tuple[str, ...], pictures: tuple[Picture, ...], side: int
) -> None:
    pairs = [(each.truth, each.prediction) for each in pictures]
    counts = tuple((*pair, pairs.count(pair)) for pair in sorted(set(pairs)))
    grey = thumbnail(np.full((side, side, 1), 128, np.uint8), of=8)
    write_page_files(
        run,
        tested=Tested(counts, pictures) if pictures else None,
        network=LAYERS,
        data=SeenData(
            counts={
                "train": (50,) * len(classes),
                "validation": (5,) * len(classes),
                "test": (10,) * len(classes),
            },
            left_out=(("cat/torn.png", "image file is truncated"),),
            notes=("`photos` is read as a folder a class",),
            first_batch=((in_base64(grey), 0),),
            augmented_by=("rotation_range",),
        ),
        drawings={
            CURVES: b'<svg xmlns="http://www.w3.org/2000/svg" height="36pt" width="72pt"'
            b' viewBox="0 0 72 36"><path d="M0 36L72 0" stroke="#000"/></svg>'
        },
    )


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """Writes a study's folder: `make_study(arms=("none", "before"), seeds=4)`."""

    def make(arms: tuple[str, ...] = ("none", "before"), *, seeds: int = 4) -> StudyFolder:
        study = StudyFolder(tmp_path / "experiments" / "order")
        study.path.mkdir(parents=True)
        values = {
            arm: {str(seed): 0.3 + 0.02 * number + 0.01 * seed for seed in range(seeds)}
            for number, arm in enumerate(arms)
        }
        rows = [
            [
                arm,
                f"level {number}",
                seed,
                "finished",
                f"{number:02}{int(seed):02}",
                value,
                1 - value,
            ]
            for number, arm in enumerate(arms)
            for seed, value in values[arm].items()
        ]
        for *_, name, value, _ in rows:
            run = RunFolder(study.path / "runs" / str(name))
            run.path.mkdir(parents=True)
            for epoch in (1, 2):
                row = {"epoch": epoch, "stage": 1, "loss": 1 / epoch, "val_loss": value}
                append_line(
                    run.metrics_jsonl,
                    json_text({**row, "learning_rate": 0.001, "seconds": 1.5}, indent=None),
                )
        header = ["arm", "position", "seed", "state", "run", "test_loss", "test_accuracy"]
        timed = [[*row, 3.5 + number] for number, row in enumerate(rows)]
        write_text(study.path / "cells.csv", csv_table([*header, "seconds_fit"], timed))
        metric = {"name": "test_loss", "better": "lower", "margin": None}
        plan = {"study": "order", "metric": metric, "planned_seeds": list(range(seeds))}
        write_json(study.path / "plan.json", {**plan, "arms": [{"name": arm} for arm in arms]})
        write_json(study.path / "results.json", _results(metric, values))
        write_text(study.path / "report.md", _report(arms))
        return study

    return make


def cell_name(arm: int, seed: str) -> str:
    """What the run of a cell is called."""
    return f"{arm:02}{int(seed):02}"


def _results(
    metric: dict[str, str | None], values: dict[str, dict[str, float]]
) -> dict[str, object]:
    first, *others = values
    return {
        "metric": metric,
        "arms": [
            {
                "name": arm,
                "levels": {"position": f"level {number}"},
                "parameters": 100 * (number + 1),
                "multiply_adds": 1000,
                "measures": {
                    "test_loss": {"mean": 0.3, "deviation": 0.01, "seeds": seeds},
                    "test_accuracy": {"mean": 0.9, "deviation": 0.02, "seeds": seeds},
                },
            }
            for number, (arm, seeds) in enumerate(values.items())
        ],
        "contrasts": [
            {
                "name": f"{arm} against {first}",
                "weights": {arm: 1.0, first: -1.0},
                "differences": dict.fromkeys(values[arm], 0.02),
                "mean": 0.02,
                "interval": [0.01, 0.03],
                "seeds_and_images": {"interval": [-0.01, 0.05]},
                "conservative": None,
                "verdict": "undecided",
            }
            for arm in others
        ],
        "tuning": None,
    }


def _report(arms: tuple[str, ...]) -> str:
    """A report as `ablate` writes it, with the names of the arms where it has them."""
    rows = [(arm, "4", "0.300 ± 0.010") for arm in arms]
    figures = {
        "contrasts.png": "The contrasts with their intervals",
        "learning_curves.png": "Learning curves: mean over the seeds",
    }
    shown = {file: f"![{words}](plots/{file})\n\n*{words}*\n" for file, words in figures.items()}
    return "\n".join(
        [
            "# order: Where should it stand?\n",
            "Said elsewhere: before, *always*.\n",
            "## Answer\n",
            f"- {arms[1]} against {arms[0]}: undecided\n",
            "## What is estimated\n",
            "The mean difference in test_loss between arms.\n",
            "## Contrasts\n",
            shown["contrasts.png"],
            "## Arms\n",
            markdown_table(("arm", "seeds", "test_loss"), rows),
            shown["learning_curves.png"],
            "## What the arms are\n",
            "```diff\n- <b>\n```\n",
        ]
    )
