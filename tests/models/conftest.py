"""Networks from lines of YAML, as a user writes them."""

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from keras.src.backend.config import keras_home

from cnnrun.assembly.measuring import measures
from cnnrun.assembly.targets import Output
from cnnrun.config.backbone_spec import BackboneSpec
from cnnrun.config.load import load_config
from cnnrun.config.model_section import ModelSpec
from cnnrun.config.sections import Config
from cnnrun.config.values import KerasCall
from cnnrun.models.first_step import try_one_step
from cnnrun.models.network import Network, build_network
from cnnrun.models.preprocessing import Preprocessing

HEAD = """\
data:
  keras_dataset: cifar10
  image_size: [8, 8]
  classes: 3
model:
"""

RESCALED = Preprocessing(
    function=None,
    rescale=1 / 255,
    samplewise_center=False,
    samplewise_std_normalization=False,
    mean=None,
    std=None,
    zca_matrix=None,
)
"""What happens to pixels when nothing is said."""

OUTPUT = Output(3, "probabilities")

ReadModel = Callable[..., Config]
Build = Callable[..., Network]


@pytest.fixture
def read_model(tmp_path: Path) -> ReadModel:
    """Reads a config whose `model` section has these `layers:` lines (and `blocks:` lines)."""

    def read(layers: str, *, blocks: str = "{}") -> Config:
        path = tmp_path / "network.yaml"
        listed = textwrap.indent(textwrap.dedent(layers).strip("\n"), "    ")
        path.write_text(f"{HEAD}  blocks: {blocks}\n  layers:\n{listed}\n")
        return load_config(path)

    return read


@pytest.fixture
def build(read_model: ReadModel) -> Build:
    """Builds the network of these lines: `build("- Flatten\\n- classifier", shape=(8, 8, 3))`."""

    def made(
        layers: str,
        *,
        blocks: str = "{}",
        shape: tuple[int, int, int] = (8, 8, 3),
        classes: int = 3,
        seed: int = 0,
        precision: str = "float32",
        preprocessing: Preprocessing = RESCALED,
    ) -> Network:
        return build_network(
            read_model(layers, blocks=blocks).model,
            input_shape=shape,
            classes=classes,
            preprocessing=preprocessing,
            seed=seed,
            precision=precision,
        )

    return made


@pytest.fixture
def try_out() -> Callable[..., None]:
    """Tries a step of a network as a classifier of three classes."""
    import numpy as np

    def step(
        network: Network,
        *,
        loss: str = "sparse_categorical_crossentropy",
        metric: str = "accuracy",
    ) -> None:
        one_hot = np.eye(3, dtype=np.float32)
        try_one_step(
            network,
            targets=np.array([0, 1, 2], np.int32) if loss.startswith("sparse") else one_hot,
            loss=KerasCall("losses", loss),
            loss_is_written=True,
            optimizer=KerasCall("optimizers", "SGD"),
            metrics={metric: measures((KerasCall("metrics", metric),), OUTPUT)[0]},
        )

    return step


@pytest.fixture
def build_on(read_model: ReadModel) -> Build:
    """Builds lines on a backbone: `build_on("- Flatten", name="MobileNet", alpha=0.25)`.

    Weights are initial ones unless told otherwise; `stem` has the lines of layers below it.
    """

    def made(
        layers: str = "",
        *,
        stem: str = "",
        name: str | None = "MobileNet",
        weights: str | Path = "none",
        output_layer: str | None = None,
        shape: tuple[int, int, int] = (32, 32, 3),
        classes: int = 3,
        seed: int = 0,
        precision: str = "float32",
        preprocessing: Preprocessing = RESCALED,
        **arguments: object,
    ) -> Network:
        backbone = BackboneSpec(
            name=name, weights=weights, output_layer=output_layer, arguments=arguments
        )
        head, below = (read_model(lines).model.layers if lines else () for lines in (layers, stem))
        return build_network(
            ModelSpec(backbone=backbone, stem=below or None, layers=head),
            input_shape=shape,
            classes=classes,
            preprocessing=preprocessing,
            seed=seed,
            precision=precision,
        )

    return made


@pytest.fixture
def genuine_weights() -> None:
    """Skips a test where Keras's cache has not MobileNet's weights of ImageNet."""
    file = Path(keras_home()) / "models" / "mobilenet_1_0_224_tf.h5"
    if not file.exists():
        pytest.skip(f"KERAS_HOME has no {file.name}")
