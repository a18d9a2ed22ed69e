"""What a good config becomes."""

import subprocess
import sys
from pathlib import Path

import pytest

from cnnrun.config.backbone_spec import TrainableFrom
from cnnrun.config.blocks import BlocksSpec
from cnnrun.config.data_section import DataSpec
from cnnrun.config.data_sources import CsvSource
from cnnrun.config.keras_calls import Arguments
from cnnrun.config.keras_table import LEFT_TO_THE_RUN, keras_table
from cnnrun.config.load import load_config
from cnnrun.config.preprocess_section import PreprocessSpec
from cnnrun.config.sections import Config
from cnnrun.config.train_section import TrainSpec
from cnnrun.config.values import BatchNorm, KerasCall

from .conftest import DATA, MODEL, Load, with_data, with_layers, with_train

CONFIGS = Path(__file__).parents[2] / "configs"


def test_defaults_are_those_of_the_dataclasses(load: Load, folder: Path) -> None:
    config = load(DATA + MODEL)
    assert config.seed == Config.seed
    assert config.preprocess == PreprocessSpec()
    assert config.train == TrainSpec()
    assert config.model.blocks == BlocksSpec()
    assert config.data == DataSpec(directory=folder / "images", image_size=(8, 8))


def test_empty_sections_are_sections_without_a_word(load: Load) -> None:
    assert load(DATA + MODEL + "train:\npreprocess:\n") == load(DATA + MODEL)


def test_layers_have_paths_addresses_and_positions(load: Load) -> None:
    layers = load(
        with_layers(
            "- Conv2D: {filters: 4, kernel_size: 3}\n- MaxPooling2D\n"
            "- Conv2D: {filters: 4, kernel_size: 3, name: second}\n"
            "- Conv2D: {filters: 4, kernel_size: 3}\n- residual: {layers: [BatchNormalization]}\n"
            "- classifier"
        )
    ).model.layers
    assert [layer.path for layer in layers] == [
        "conv2d_1",
        "max_pooling2d_1",
        "second",
        "conv2d_3",
        "residual_1",
        "classifier",
    ]
    assert [layer.named for layer in layers] == [False, False, True, False, False, False]
    assert layers[1].address == "model.layers[1].MaxPooling2D"
    inner = layers[4].arguments["layers"][0]
    assert (inner.path, inner.address) == (
        "batch_normalization_1",
        "model.layers[4].residual.layers[0].BatchNormalization",
    )
    assert layers[2].arguments == {"filters": 4, "kernel_size": 3}
    assert layers[2].position is not None
    assert (layers[2].position.line, layers[2].position.column) == (7, 7)


def test_blocks_take_over_what_model_blocks_says(load: Load) -> None:
    conv, dense, last = load(
        with_layers(
            "- conv_block: {filters: 4, kernel_size: 3, activation: tanh}\n"
            "- residual: {layers: [{dense_block: {units: 3, dropout: 0}}]}\n- classifier",
            blocks="{batch_norm: {position: after_activation, momentum: 0.9}, activation: elu, "
            "kernel_initializer: he_normal, kernel_regularizer: l2, use_bias: false, dropout: 0.5}",
        )
    ).model.layers
    dense = dense.arguments["layers"][0]
    batch_norm = BatchNorm("after_activation", {"momentum": 0.9})
    assert conv.arguments["batch_norm"] == dense.arguments["batch_norm"] == batch_norm
    assert conv.arguments["activation"] == KerasCall("activations", "tanh")
    assert dense.arguments["activation"] == KerasCall("activations", "elu")
    assert (conv.arguments["dropout"], dense.arguments["dropout"]) == (0.5, 0)
    for layer in (conv, dense, last):
        assert layer.arguments["kernel_initializer"] == KerasCall("initializers", "he_normal")
        assert layer.arguments["kernel_regularizer"] == KerasCall("regularizers", "L2")
        assert layer.arguments["use_bias"] is False
    assert last.arguments["activation"] == KerasCall("activations", "softmax")


def test_nothing_has_three_spellings(load: Load) -> None:
    for word in ("none", "None", "null", "~", ""):
        layers = load(
            with_layers(
                f"- conv_block:\n    filters: 4\n    kernel_size: 3\n    activation: {word}\n"
                f"    kernel_regularizer: {word}\n"
            )
        ).model.layers
        assert layers[0].arguments["activation"] is None
        assert layers[0].arguments["kernel_regularizer"] is None


def test_aliases_of_classes(load: Load) -> None:
    train = load(
        with_train("optimizer: adam\nloss: {mse: {reduction: sum}}\nmetrics: [acc, MSE, auc]")
    ).train
    assert train.optimizer == KerasCall("optimizers", "Adam")
    assert train.loss == KerasCall("losses", "MeanSquaredError", {"reduction": "sum"})
    assert [metric.name for metric in train.metrics] == ["acc", "MSE", "auc"]


def test_sources(load: Load, folder: Path) -> None:
    assert load(with_data("csv: a.csv\nimage_size: [8, 9]")).data.csv == CsvSource(
        file=folder / "a.csv"
    )
    arrays = load(with_data("arrays: {file: ../x.npz, value_range: [0, 1]}")).data.arrays
    assert arrays is not None
    assert (arrays.file, arrays.value_range) == (folder.parent / "x.npz", (0.0, 1.0))
    assert load(with_data("directory: ~/x\nimage_size: [1, 1]")).data.directory == Path.home() / "x"


def test_labels_are_text_as_written(load: Load) -> None:
    config = load(
        with_data("keras_dataset: mnist\nclasses: [0, 1.0, no, true]")
        + "train: {class_weight: {0: 2, no: 1}}\n"
    )
    assert config.data.classes == ("0", "1.0", "no", "true")
    assert config.train.class_weight == {"0": 2.0, "no": 1.0}


def test_stages(load: Load) -> None:
    stages = load(
        DATA
        + "model: {layers: [Flatten, {repeat: {times: 2, layers: [Flatten]}}, classifier]}\n"
        + "train: {stages: [{epochs: 1}, {trainable: {from: repeat_1/2/flatten_1}}]}\n"
    ).train.stages
    assert stages[0].trainable is None
    assert stages[1].trainable == TrainableFrom("repeat_1/2/flatten_1")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_the_projects_configs_load(path: Path) -> None:
    assert load_config(path).model.layers


def test_every_argument_of_every_class_has_a_kind() -> None:
    for family, classes in keras_table().items():
        if family in ("keras", "activations", "aliases", "renamed", "refused"):
            continue
        for owner, entry in classes.items():
            given = (argument["name"] for argument in entry["arguments"])
            names = [name for name in given if name not in LEFT_TO_THE_RUN.get(family, {})]
            assert list(Arguments(family, owner).keys(None)) == names


def test_loading_imports_neither_tensorflow_nor_numpy(folder: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from cnnrun.config.load import load_config\n"
        "load_config(Path(sys.argv[1]), overrides=['train.epochs=3'])\n"
        "heavy = {'tensorflow', 'keras', 'numpy', 'matplotlib', 'PIL'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    path = folder / "config.yaml"
    path.write_text(DATA + MODEL)
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
