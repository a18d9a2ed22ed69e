"""`cnnrun explain` draws what a network looks at, and says what stands in its way."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnrun.config.load import load_config
from cnnrun.runs.events import silent
from cnnrun.training.train import train

CONFIG = """\
data: {directory: images, image_size: [8, 8], color_mode: grayscale}
model:
  layers:
    - conv_block: {filters: 4, kernel_size: 3, name: stem}
    - MaxPooling2D
    - conv_block: {filters: 6, kernel_size: 3, name: last}
    - GlobalAveragePooling2D
    - classifier
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


def size_of(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as image:
        assert image.format == "PNG"
        return image.size


@pytest.mark.usefixtures("run")
def test_the_picture_is_written_and_named(command, tmp_path: Path) -> None:
    images = ["images/dark/0000.png", "images/light/0000.png"]
    ended = command("explain", "run", *images, "--out", "new/seen.png")
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "new/seen.png\n", "")
    narrow = size_of(tmp_path / "new" / "seen.png")
    ended = command("explain", "run", *images, "--class", "dark", "--out", "new/seen.png")
    assert ended.exit_code == 0
    assert size_of(tmp_path / "new" / "seen.png")[0] > narrow[0]


@pytest.mark.usefixtures("run")
def test_the_same_in_numbers(command) -> None:
    """Oracle: `cnnrun predict` for the probabilities."""
    image = "images/light/0000.png"
    ended = command("explain", "run", image, "--class", "dark", "--json", "--layer", "last_conv")
    document = json.loads(ended.stdout)
    predicted = json.loads(command("predict", "run", image, "--json").stdout)["predictions"][0]
    assert document["layer"] == {"name": "last_conv", "height": 4, "width": 4}
    (found,) = document["images"]
    assert found["image"] == image
    assert found["classes"] == predicted["classes"]
    of = {each["class"]: each["probability"] for each in predicted["classes"]}
    top = predicted["classes"][0]["class"]
    assert [each["class"] for each in found["maps"]] == [top, "dark"]
    for each in found["maps"]:
        assert each["probability"] == of[each["class"]]
        assert np.shape(each["values"]) == (4, 4)
        assert np.min(each["values"]) >= 0


@pytest.mark.usefixtures("run")
def test_images_that_cannot_be_read_are_skipped_and_said(command, tmp_path, snapshot) -> None:
    (tmp_path / "images" / "dark" / "0000.png").write_bytes(b"not a picture")
    images = ["images/dark/0000.png", "images/dark/0001.png"]
    assert command("explain", "run", *images) == snapshot
    ended = command("explain", "run", *images, "--on-bad-image", "skip", "--json")
    document = json.loads(ended.stdout)
    assert (len(document["images"]), ended.stderr) == (1, snapshot)
    assert document["skipped"] == snapshot


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "images/dark/0000.png", "--class", "drak"],
        ["run", "images/dark/0000.png", "--class", "zebra"],
        ["run", "images/dark/0000.png", "--layer", "last_cnv"],
        ["run", "images/dark/0000.png", "--out", "seen.jpg"],
        ["run", "images/dark/0000.png", "--out", "images"],
        ["run", "images/dark/0000.png", "--weights", "imagenet"],
        ["run", "nowhere.png"],
        ["run", "config.yaml"],
        ["MobileNet", "images/dark/0000.png", "--layer", "conv_pw_13_rel"],
        ["MobileNt", "images/dark/0000.png"],
        ["images", "images/dark/0000.png"],
        ["run", "images", "images"],
        ["run/model.keras", "images/dark/0000.png"],
        ["run"],
        ["MobileNet", "--what", "filters"],
        ["run", "images/dark", "--square", "3"],
        ["run", "images/dark", "--what", "occlusion", "--square", "8"],
        ["run", "images/dark", "--what", "occlusion", "--check"],
        ["run", "images/dark", "--what", "maps", "--class", "dark"],
        ["run", "images/dark", "--layer", "last_conv", "--layer", "stem_conv"],
        ["run", "images/dark", "--layer", "classifier"],
        ["run", "images/dark", "--what", "maps", "--layer", "a", "--layer", "b"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_explained(arguments: list[str], command, snapshot) -> None:
    ended = command("explain", *arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == snapshot


def test_a_run_without_a_model(run: Path, command, snapshot) -> None:
    (run / "model.keras").unlink()
    ended = command("explain", "run", "images/dark/0000.png")
    assert (ended.exit_code, ended.stderr) == (2, snapshot)


def test_two_classes_of_imagenet_have_one_name(command, photographs, mobilenet_weights, snapshot):
    assert mobilenet_weights.exists()
    ended = command("explain", "MobileNet", str(photographs / "cat.jpg"), "--class", "crane")
    assert (ended.exit_code, ended.stderr) == (2, snapshot)
    synset = ["--class", "n03126707", "--json", "--out", "cat.png"]
    document = json.loads(
        command("explain", "MobileNet", str(photographs / "cat.jpg"), *synset).stdout
    )
    first, second = document["images"][0]["maps"]
    assert (first["class"], second["class"]) == ("Egyptian_cat", "crane")
    assert np.shape(first["values"]) == (7, 7)


@pytest.mark.usefixtures("run")
def test_maps_and_their_arrays(command, tmp_path: Path) -> None:
    """Oracle: plain Keras up to the layer."""
    import keras

    image = "images/light/0000.png"
    layers = ["--layer", "last_conv", "--layer", "stem_activation"]
    ended = command("explain", "run", image, "--what", "maps", *layers, "--channels", "2", "--json")
    document = json.loads(ended.stdout)
    assert [each["name"] for each in document["layers"]] == ["last_conv", "stem_activation"]
    assert len(document["images"][0]["layers"]["last_conv"]["drawn"]) == 2
    assert (document["picture"], document["arrays"]) == ("explain.png", "explain.npz")
    model = keras.models.load_model(tmp_path / "run" / "model.keras")
    pixels = np.asarray(Image.open(tmp_path / image), np.float32)[None, :, :, None]
    with np.load(tmp_path / "explain.npz") as arrays:
        for name in ("last_conv", "stem_activation"):
            expected = keras.Model(model.inputs[0], model.get_layer(name).output)(pixels)
            np.testing.assert_allclose(arrays[name], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("run")
def test_filters_search_the_training_images_or_others(command) -> None:
    ended = command("explain", "run", "--what", "filters", "--json", "--channels", "3")
    document = json.loads(ended.stdout)
    assert document["images_searched"] == 42
    assert [each["name"] for each in document["filters"]] == ["stem_conv"]
    (layer,) = document["layers"]
    assert (layer["name"], len(layer["channels"])) == ("last_activation", 3)
    ended = command("explain", "run", "images/light", "--what", "filters", "--json")
    document = json.loads(ended.stdout)
    found = document["layers"][0]["channels"].values()
    assert document["images_searched"] == 30
    assert all(each["image"].startswith("images/light/") for of in found for each in of)


@pytest.mark.usefixtures("run")
def test_occlusion_and_the_check_are_written(command, tmp_path: Path) -> None:
    image = "images/light/0000.png"
    document = json.loads(command("explain", "run", image, "--what", "occlusion", "--json").stdout)
    assert document["square"] == {"side": 2, "tops": [*range(7)], "lefts": [*range(7)]}
    assert np.shape(document["images"][0]["maps"][0]["values"]) == (7, 7)
    ended = command("explain", "run", image, "--check", "--out", "seen.png")
    first, second, sentence = ended.stdout.split("\n", maxsplit=2)
    assert (first, second) == ("seen.png", "seen-check.png")
    assert "shuffled" in sentence
    assert size_of(tmp_path / "seen-check.png")[0] > 1000


@pytest.mark.slow
@pytest.mark.usefixtures("run")
def test_an_exported_network_is_explained_by_occlusion_alone(command, snapshot) -> None:
    """Oracle: the run that it was exported from."""
    assert command("export", "run", "--to", "onnx").exit_code == 0
    image = ["images/light/0000.png", "--what", "occlusion", "--json"]
    own, exported = (
        json.loads(command("explain", source, *image).stdout)["images"][0]["maps"][0]["values"]
        for source in ("run", "run/export/onnx")
    )
    np.testing.assert_allclose(exported, own, rtol=1e-3, atol=1e-3)
    ended = command("explain", "run/export/onnx", "images/light/0000.png")
    assert (ended.exit_code, ended.stderr) == (2, snapshot)
