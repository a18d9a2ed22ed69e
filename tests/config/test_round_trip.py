"""`dump_config` writes what `load_config` reads; for configs of every kind of value."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from cnnrun.config.dump import dump_config
from cnnrun.config.load import load_config
from cnnrun.config.sections import Config

from .conftest import Load

COUNTS = st.integers(1, 64)
SHARES = st.floats(0, 0.99, allow_nan=False)
NUMBERS = st.floats(1e-9, 1e9, allow_nan=False, allow_infinity=False)
SIZES = COUNTS | st.lists(COUNTS, min_size=2, max_size=2)
LABELS = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Co", "Cn"]), min_size=1, max_size=8
) | st.sampled_from(["no", "007", "1e3", "null", "true", "~", "1_0", "0x1f", "12:30", "=", "<<"])
# A text such as "20 %" is refused as a share that is no number.
WORDS = LABELS.filter(lambda word: not word.endswith("%"))


def optional(**kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Maps with any of these keys."""
    return st.fixed_dictionaries({}, optional=kinds)


INITIALIZERS = st.sampled_from(["he_normal", "zeros", "GlorotUniform"]) | st.fixed_dictionaries(
    {"RandomNormal": optional(stddev=NUMBERS, seed=st.integers(0, 99))}
)
REGULARIZERS = st.sampled_from([None, "none", "l2"]) | st.fixed_dictionaries(
    {"L1L2": optional(l1=NUMBERS, l2=NUMBERS)}
)
ACTIVATIONS = st.sampled_from([None, "none", "relu", "PReLU"]) | st.fixed_dictionaries(
    {"LeakyReLU": optional(negative_slope=NUMBERS)}
)
BATCH_NORMS = st.sampled_from(["none", "after_activation"]) | st.fixed_dictionaries(
    {"position": st.just("before_convolution")},
    optional={"momentum": SHARES, "center": st.booleans()},
)
CONV_BLOCKS = st.fixed_dictionaries(
    {"filters": COUNTS, "kernel_size": SIZES},
    optional={
        "padding": st.sampled_from(["same", "valid"]),
        "batch_norm": BATCH_NORMS,
        "activation": ACTIVATIONS,
        "kernel_initializer": INITIALIZERS,
        "kernel_regularizer": REGULARIZERS,
        "convolution": st.sampled_from(["Conv2D", "SeparableConv2D"]),
        "dropout": SHARES,
    },
)
DENSE = st.fixed_dictionaries(
    {"units": COUNTS},
    optional={
        "activation": st.sampled_from([None, "none", "tanh"]),
        "use_bias": st.booleans(),
        "kernel_initializer": INITIALIZERS,
        "bias_regularizer": REGULARIZERS,
        "kernel_constraint": st.sampled_from([None, {"MaxNorm": {"max_value": 2}}]),
    },
)
SIMPLE_LAYERS = st.one_of(
    st.sampled_from(["Flatten", "GlobalAveragePooling2D", {"ReLU": None}]),
    st.fixed_dictionaries({"conv_block": CONV_BLOCKS}),
    st.fixed_dictionaries({"Dense": DENSE}),
    st.fixed_dictionaries({"MaxPooling2D": optional(pool_size=SIZES, strides=SIZES)}),
    st.fixed_dictionaries(
        {
            "Dropout": st.fixed_dictionaries(
                {"rate": SHARES}, optional={"noise_shape": st.just([None, 1])}
            )
        }
    ),
    st.fixed_dictionaries({"BatchNormalization": optional(momentum=SHARES, axis=st.just(-1))}),
)
LAYERS = st.recursive(
    st.lists(SIMPLE_LAYERS, min_size=1, max_size=3),
    lambda lists: st.lists(
        SIMPLE_LAYERS
        | st.fixed_dictionaries({"residual": st.fixed_dictionaries({"layers": lists})})
        | st.fixed_dictionaries(
            {"repeat": st.fixed_dictionaries({"times": COUNTS, "layers": lists})}
        )
        | st.fixed_dictionaries(
            {
                "branches": st.fixed_dictionaries(
                    {"branches": st.lists(lists, min_size=2, max_size=2)},
                    optional={"merge": st.sampled_from(["Add", {"Concatenate": {"axis": 1}}])},
                )
            }
        ),
        min_size=1,
        max_size=3,
    ),
    max_leaves=4,
)
PREPROCESS = optional(
    preprocessing_function=st.sampled_from([None, "mobilenet", "efficientnet_v2"]),
    rescale=NUMBERS | st.just("auto"),
    samplewise_center=st.booleans(),
    samplewise_std_normalization=st.booleans(),
    featurewise_center=st.booleans(),
    featurewise_std_normalization=st.booleans(),
    zca_epsilon=NUMBERS,
)
SHIFTS = SHARES | COUNTS | NUMBERS | st.lists(st.floats(-9, 9) | COUNTS, min_size=1, max_size=3)
AUGMENT = optional(
    rotation_range=NUMBERS,
    width_shift_range=SHIFTS,
    height_shift_range=SHIFTS,
    brightness_range=st.none() | st.tuples(SHARES, NUMBERS.map(lambda x: 1 + x)).map(list),
    shear_range=NUMBERS | COUNTS,
    zoom_range=SHARES | st.just([0.5, 2]),
    channel_shift_range=NUMBERS,
    fill_mode=st.sampled_from(["nearest", "reflect", "constant", "wrap"]),
    cval=NUMBERS,
    horizontal_flip=st.booleans(),
    vertical_flip=st.booleans(),
    interpolation_order=st.integers(0, 5),
    engine=st.sampled_from(["fast", "keras"]),
)
DATA = st.fixed_dictionaries(
    {"image_size": st.lists(st.integers(32, 96), min_size=2, max_size=2)},
    optional={
        "classes": st.lists(LABELS, min_size=2, max_size=4, unique=True) | st.integers(2, 9),
        "color_mode": st.sampled_from(["rgb", "grayscale"]),
        "split": optional(
            train=WORDS | st.lists(WORDS, min_size=1, max_size=2),
            validation=st.floats(0.01, 0.5),
            test=st.floats(0, 0.4),
            seed=st.integers(0, 2**32 - 1),
        ),
        "cache_memory_mb": COUNTS,
    },
)
SOURCES = st.sampled_from(
    [
        {"directory": "images"},
        {"directory": "../no"},
        {"directory": "images", "layout": "{split}/{label}/*", "exclude": ["masks", "a/b"]},
        {"directory": "images", "layout": ["{label}/**", "{label}_[0-9]*"], "csv": "t.csv"},
        {"csv": {"file": "a b.csv", "group": "who"}},
        {"csv": {"file": ["a.csv", "b.txt"], "columns": ["id", "7"], "label": ["x", "y"]}},
        {"csv": {"file": {"train": "a.csv", "test": "b.csv"}, "path": "{id}.jpg"}},
        {"csv": {"file": "fer.csv", "pixels": "pixels", "split": "Usage"}},
        {"arrays": {"file": "x.npz", "images": "{split}_a", "labels": "b", "groups": "c"}},
        {"arrays": {"file": "x.npz", "value_range": [-1, 1]}},
        {"tar": {"file": ["a-{0..7}.tar", "b*.tar"], "label": "json", "field": "kind"}},
        {"tar": {"file": {"train": "a.tar", "test": "b.tar"}, "image": "jpg", "group": "who"}},
        {"parquet": {"file": "a.parquet", "path": "p", "label": "l", "weight": "w"}},
        {"tfrecord": {"file": "a-*-of-9", "image": "x", "label": "y", "path": "z", "split": "s"}},
    ]
)
OPTIMIZERS = st.sampled_from(["adam", "SGD", {"Lion": None}]) | st.fixed_dictionaries(
    {
        "Adam": optional(
            learning_rate=NUMBERS
            | st.just({"CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 5}})
            | st.just({"one_cycle": {"maximum_learning_rate": 1, "total_steps": "0.5 epochs"}}),
            clipnorm=NUMBERS,
            use_ema=st.booleans(),
        )
    }
)
TRAIN = optional(
    epochs=COUNTS,
    optimizer=OPTIMIZERS,
    loss=st.sampled_from([None, "mse", {"Huber": {"delta": 0.5}}]),
    metrics=st.sampled_from([[], ["accuracy"], [{"TopKCategoricalAccuracy": {"k": 2}}, "acc"]]),
    class_weight=st.sampled_from([None, "balanced"]),
    best=st.sampled_from(["last", {"monitor": "loss", "mode": "min"}, {}]),
    callbacks=st.lists(st.sampled_from(["TerminateOnNaN", {"EarlyStopping": {"patience": 2}}])),
    stages=st.lists(optional(epochs=COUNTS, trainable=st.just("all"), optimizer=OPTIMIZERS)),
    threads=COUNTS,
    devices=st.sampled_from([1, 2, "all"]),
    fused_batch_norm=st.sampled_from(["none", {}]) | optional(least_numbers=COUNTS),
)
BACKBONES = st.fixed_dictionaries(
    {
        "name": st.just("MobileNet"),
        "weights": st.sampled_from(["none", "imagenet.h5", "../kept/a.weights.h5", "a.keras"]),
        "trainable": st.sampled_from(["all", {"from": "conv_pw_3"}]),
    },
    optional={
        "output_layer": st.sampled_from([None, "conv_pw_11_relu"]),
        "batch_norm": st.sampled_from(["frozen", "train"]),
        "alpha": NUMBERS,
        "pooling": st.sampled_from([None, "avg"]),
    },
)
CONFIGS = st.fixed_dictionaries(
    {
        "data": st.builds(dict.__or__, DATA, SOURCES),
        "model": st.fixed_dictionaries(
            {"layers": LAYERS},
            optional={"blocks": optional(batch_norm=BATCH_NORMS), "backbone": BACKBONES},
        ),
    },
    optional={
        "seed": st.integers(0, 2**32 - 1),
        "train": TRAIN,
        "preprocess": PREPROCESS,
        "augment": AUGMENT,
    },
)


def test_random_configs_survive(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("configs")
    (folder / "run").mkdir()

    @settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
    @given(CONFIGS)
    def survives(values: dict[str, Any]) -> None:
        (folder / "config.yaml").write_text(yaml.safe_dump(values, allow_unicode=True))
        config = load_config(folder / "config.yaml")
        resolved = folder / "run" / "written.yaml"
        resolved.write_text(dump_config(config, relative_to=resolved.parent))
        assert load_config(resolved) == config

    survives()


def test_what_is_chosen_in_code_survives_too(load: Load, folder: Path) -> None:
    config = load(
        "data: {keras_dataset: mnist}\nmodel: {layers: [{Dense: {units: 3, name: head}}]}\n"
    )
    train = replace(config.train, threads=2, steps_per_execution=7, best=None)
    config = replace(config, train=train, source=Path("elsewhere"))
    Path("written.yaml").write_text(dump_config(config, relative_to=folder))
    assert load_config(Path("written.yaml")) == config


@pytest.mark.parametrize("shift", ["3", "3.0", "0.25", "[3, 1.0]"])
def test_whole_pixels_stay_whole_and_fractions_fractions(
    load: Load, folder: Path, shift: str
) -> None:
    text = "data: {keras_dataset: mnist}\nmodel: {layers: [Flatten, classifier]}\n"
    config = load(f"{text}augment: {{width_shift_range: {shift}}}\n")
    Path("written.yaml").write_text(dump_config(config, relative_to=folder))

    read = load_config(Path("written.yaml")).augment.width_shift_range

    assert read == config.augment.width_shift_range
    assert type(read) is type(yaml.safe_load(shift)) or isinstance(read, tuple)


def test_the_text_reads_well(load: Load, folder: Path, snapshot: SnapshotAssertion) -> None:
    config = load(FULL)
    assert dump_config(config, relative_to=folder / "experiments" / "run") == snapshot


def test_positions_and_source_do_not_count(load: Load) -> None:
    one: Config = load(FULL)
    assert one == load("# moved down\n\n" + FULL)


FULL = """\
data:
  directory: images
  image_size: [8, 8]
  classes: ["0", "no", cat]
preprocess: {preprocessing_function: vgg16, zca_whitening: true, zca_epsilon: 0.1}
augment: {rotation_range: 10, width_shift_range: [1, 2], brightness_range: [0.5, 1.5]}
model:
  blocks: {batch_norm: {position: after_activation, momentum: 0.9}}
  layers:
    - conv_block: {filters: 32, kernel_size: 3, name: stem, activation: none}
    - Conv2D: {filters: 8, kernel_size: [3, 5], kernel_regularizer: {L2: {l2: 1e-4}}, name: plain}
    - residual:
        layers:
          - conv_block: {filters: 64, kernel_size: 3, activation: {PReLU: {shared_axes: [1, 2]}}}
    - GlobalAveragePooling2D
    - classifier
train:
  optimizer:
    Adam: {learning_rate: {CosineDecay: {initial_learning_rate: 1e-3, decay_steps: 1000}}}
  best: last
  class_weight: {"0": 1, cat: 2.5}
  stages: [{epochs: 2}, {trainable: {from: residual_1}, optimizer: SGD}]
"""


def test_a_run_of_an_earlier_version_keeps_its_reading(folder: Path) -> None:
    """Such a run's resolved.yaml names no layout; a config of one's own has it recognized."""
    text = "data: {directory: images, image_size: [8, 8]}\nmodel: {layers: [Flatten, classifier]}\n"
    for name in ("resolved.yaml", "mine.yaml"):
        Path(name).write_text(text)

    assert load_config(Path("resolved.yaml")).data.layout == ("class_folders",)
    assert load_config(Path("mine.yaml")).data.layout is None
