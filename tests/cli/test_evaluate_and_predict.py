"""`cnnrun evaluate` and `cnnrun predict` print what a run's model makes of images."""

import csv
import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnrun.config.load import load_config
from cnnrun.runs.events import silent
from cnnrun.training.train import train

CONFIG = """\
data: {directory: images, image_size: [8, 8], color_mode: grayscale}
model: {layers: [Flatten, classifier]}
train: {epochs: 1}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run `run/`, trained on the 60 `images/` of two classes."""
    folder = tmp_path_factory.mktemp("trained")
    random = np.random.default_rng(0)
    for label, brightness in (("dark", 40), ("light", 180)):
        (folder / "images" / label).mkdir(parents=True)
        for number in range(30):
            pixels = random.integers(brightness, brightness + 40, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "images" / label / f"{number:04}.png")
    (folder / "config.yaml").write_text(CONFIG)
    config = load_config(folder / "config.yaml")
    train(config, experiments=folder, into=folder / "run", listener=silent)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """The trained folder copied to `tmp_path`; its run."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def test_the_tables_of_an_evaluation(run: Path, command) -> None:
    ended = command("evaluate", "run")
    assert (ended.exit_code, ended.stderr) == (0, "")
    test = json.loads((run / "result.json").read_text())["test"]
    assert ended.stdout.startswith(f"{test['images']} images of 2 classes")
    assert f"{test['accuracy']:.4f}" in ended.stdout
    assert "truth \\ prediction  dark  light" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 80


@pytest.mark.usefixtures("run")
def test_an_evaluation_on_other_images_and_some_that_cannot_be_read(
    command, make_images, tmp_path: Path
) -> None:
    make_images("others", {"dark": 3, "light": 4})
    (tmp_path / "config.yaml").unlink()  # the run needs neither its config nor its images
    document = json.loads(command("evaluate", "run", "--data", "others", "--json").stdout)
    assert document["test"]["images"] == 7
    assert [each["support"] for each in document["classes"]] == [3, 4]
    assert sum(map(sum, document["confusion"])) == 7
    assert [each["label"] for each in document["predictions"]] == ["dark"] * 3 + ["light"] * 4


def test_the_predictions_as_csv(run: Path, command) -> None:
    printed = command("evaluate", "run", "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(printed)))
    kept = list(csv.DictReader(io.StringIO((run / "predictions.csv").read_text())))
    assert [row["path"] for row in rows] == [row["path"] for row in kept]
    assert [row["prediction"] for row in rows] == [row["prediction"] for row in kept]


@pytest.mark.usefixtures("run")
def test_the_table_of_predictions(command) -> None:
    images = ["images/dark/0000.png", "images/light/0000.png"]
    ended = command("predict", "run", *images)
    assert (ended.exit_code, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert len(lines) == 2 + 2 * len(images)
    for line, image in zip(lines[2::2], images, strict=True):
        assert line.startswith(image)
    probabilities = [float(line.split()[-1]) for line in lines[2:]]
    assert probabilities[0] + probabilities[1] == pytest.approx(1, abs=2e-4)
    assert probabilities[0] >= probabilities[1]


@pytest.mark.usefixtures("run")
def test_top_is_at_least_one(command) -> None:
    assert command("predict", "run", "images/dark/0000.png", "--top", "0").exit_code == 2


@pytest.mark.usefixtures("run")
def test_tables_and_arrays_are_predicted_as_the_files_are(command, tmp_path: Path) -> None:
    files = [f"images/{label}/0007.png" for label in ("light", "dark")]
    (tmp_path / "list.csv").write_text("\n".join(["photo,day", *(f"{each},3" for each in files)]))
    pixels = [np.asarray(Image.open(tmp_path / each)) for each in files]
    np.savez(tmp_path / "list.npz", x=np.stack(pixels))
    found = {
        place: json.loads(command("predict", "run", *place.split(), "--json").stdout)
        for place in (" ".join(files), "list.csv", "list.npz")
    }
    classes = [[each["classes"] for each in one["predictions"]] for one in found.values()]
    assert classes[0] == classes[1] == classes[2]
    named = [each["image"] for each in found["list.npz"]["predictions"]]
    assert named == ["list.npz:x[0]", "list.npz:x[1]"]


@pytest.mark.usefixtures("run")
def test_a_tar_file_is_predicted_as_its_files_are(command, tmp_path: Path) -> None:
    # Oracle: the same files, not packed.
    (tmp_path / "images" / "dark" / "0000.png").write_bytes(b"")
    with tarfile.open(tmp_path / "all.tar", "w") as packed:
        packed.add(tmp_path / "images", "images")
    files, inside = (
        json.loads(command("predict", "run", each, "--on-bad-image", "skip", "--json").stdout)
        for each in ("images", "all.tar")
    )
    for key, count in (("predictions", 59), ("skipped", 1)):
        assert len(inside[key]) == count
        names = [f"all.tar:{each['image']}" for each in files[key]]
        assert sorted(each["image"] for each in inside[key]) == sorted(names)
    found = {each["image"]: each["classes"] for each in inside["predictions"]}
    assert found == {f"all.tar:{each['image']}": each["classes"] for each in files["predictions"]}


@pytest.mark.usefixtures("run")
def test_folders_are_predicted_whole_and_in_order(command, tmp_path: Path) -> None:
    (tmp_path / "images" / "light" / "notes.txt").write_text("no image, and not taken for one")
    document = json.loads(command("predict", "run", "images", "--top", "1", "--json").stdout)
    assert document["source"] == "run"
    assert document["skipped"] == []
    assert [each["image"] for each in document["predictions"]] == [
        f"images/{label}/{number:04}.png" for label in ("dark", "light") for number in range(30)
    ]
    for each in document["predictions"]:
        ((name, probability),) = [(one["class"], one["probability"]) for one in each["classes"]]
        assert name in ("dark", "light")
        assert 0.5 <= probability <= 1


@pytest.mark.usefixtures("run")
def test_a_long_path_is_folded_where_the_terminal_is_narrow(command, tmp_path: Path) -> None:
    long = tmp_path / ("folder_" * 12)
    shutil.copytree(tmp_path / "images" / "dark", long)
    lines = command("predict", "run", long.name).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "".join(line.split()[0] for line in lines[2:4]) == f"{long.name}/0000.png"


@pytest.mark.usefixtures("run")
def test_images_that_cannot_be_read_are_skipped_and_said(command, tmp_path: Path, snapshot) -> None:
    (tmp_path / "images" / "dark" / "0001.png").write_text("not an image")
    ended = command("predict", "run", "images/dark", "--on-bad-image", "skip", "--json")
    document = json.loads(ended.stdout)
    assert len(document["predictions"]) == 29
    assert document["skipped"] == snapshot
    assert ended.stderr == snapshot
    ended = command("predict", "run", "images/dark", "--on-bad-image", "skip")
    assert len(ended.stdout.splitlines()) == 2 + 2 * 29


@pytest.mark.usefixtures("run")
def test_a_run_wins_over_a_network_of_its_name(command, tmp_path: Path) -> None:
    (tmp_path / "run").rename(tmp_path / "VGG16")
    document = json.loads(command("predict", "VGG16", "images/dark", "--json").stdout)
    assert {each["class"] for each in document["predictions"][0]["classes"]} == {"dark", "light"}


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "images", "--weights", "imagenet"],
        ["run", "images", "--image-size", "64", "64"],
        ["run", "imagess"],
        ["run", "empty"],
        ["MobilNet", "images"],
        ["somewhere/MobileNet", "images"],
        ["MobileNet", "images", "--image-size", "100", "100"],
        ["VGG16", "images", "--weights", "absent.h5", "--image-size", "20", "40"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_predicted(arguments: list[str], command, snapshot, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no image")
    ended = command("predict", *arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


@pytest.mark.usefixtures("mobilenet_weights")
def test_photographs_are_recognized(command, photographs: Path, snapshot) -> None:
    ended = command("predict", "MobileNet", str(photographs), "--top", "1", "--json")
    assert (ended.exit_code, ended.stderr) == (0, "")
    best = {
        Path(each["image"]).name: each["classes"][0]
        for each in json.loads(ended.stdout)["predictions"]
    }
    assert best["cat.jpg"]["class"] == "Egyptian_cat"
    assert best["coffee.jpg"]["wnid"] == "n07920052"  # espresso
    assert min(each["probability"] for each in best.values()) > 0.8


@pytest.mark.usefixtures("mobilenet_weights")
def test_weights_of_a_file(command, photographs: Path, mobilenet_weights: Path) -> None:
    images = [str(photographs / "cat.jpg"), "--json"]
    by_name = command("predict", "MobileNet", *images)
    by_file = command("predict", "MobileNet", *images, "--weights", str(mobilenet_weights))
    assert by_file == by_name


@pytest.mark.parametrize("arguments", [["evaluate", "absent"], ["predict", "absent", "a.png"]])
def test_a_run_that_is_not_there(arguments: list[str], command, snapshot) -> None:
    ended = command(*arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


@pytest.mark.usefixtures("run")
def test_an_image_that_is_none(command, snapshot, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not an image")
    ended = command("predict", "run", "notes.txt")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


@pytest.mark.usefixtures("run")
def test_predictions_in_a_file_are_those_that_are_printed(
    command, tmp_path: Path, snapshot
) -> None:
    (tmp_path / "images" / "dark" / "0001.png").write_text("not an image")
    wanted = ["run", "images", "--on-bad-image", "skip"]
    printed = json.loads(command("predict", *wanted, "--json").stdout)
    ended = command("predict", *wanted, "--csv", "p.csv")
    assert ended == snapshot
    with (tmp_path / "p.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows if row["skipped"]] == ["images/dark/0001.png"]
    found = [
        {
            "image": row["image"],
            "classes": [
                {"class": row[f"class{end}"], "probability": float(row[f"probability{end}"])}
                for end in ("", "_2")
            ],
        }
        for row in rows
        if not row["skipped"]
    ]
    assert found == printed["predictions"]
    assert command("predict", *wanted, "--csv", "p.csv", "--resume") == snapshot
    ended = command("predict", *wanted, "--csv", "p.csv", "--resume", "--quiet")
    assert (ended.exit_code, ended.stderr) == (0, "")


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    "arguments",
    [["--csv", "images"], ["--csv", "config.yaml"], ["--resume"], ["--csv", "a.csv", "--json"]],
    ids=" ".join,
)
def test_files_that_cannot_hold_predictions(arguments: list[str], command, snapshot) -> None:
    ended = command("predict", "run", "images", *arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


@pytest.mark.usefixtures("run")
def test_baselines_are_shown_beside_the_network(command, snapshot) -> None:
    ended = command("evaluate", "run", "--baselines")
    assert (ended.exit_code, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    begin = next(row for row, line in enumerate(lines) if line.startswith("baseline "))
    assert lines[begin : begin + 7] == snapshot
    assert (
        json.loads(command("evaluate", "run", "--baselines", "--json").stdout)["baselines"]
        == snapshot
    )
    assert "baselines" not in json.loads(command("evaluate", "run", "--json").stdout)
    refused = command("evaluate", "run", "--baselines", "--csv")
    assert (refused.exit_code, refused.stderr) == snapshot
