"""Networks are found in files of weights wherever Keras puts them.

The oracle is the network itself, whose file it is. That the older
layout is the one of Keras 2 was tried with files that tf_keras 2.21 wrote.
"""

import re
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from cnnrun.errors import ModelFileError
from cnnrun.models.weights_files import load_weights_file
from cnnrun.models.whole_networks import open_application

FORMATS = ("it.weights.h5", "it.h5", "it.keras", "keras 2.h5")
FORMS = ("nested", "in a Sequential", "twice nested", "flat", "flat with two outputs")
SHAPE = (8, 8, 3)


def network(filters=4):
    """Layers that Keras names, layers with names of their own, and layers within layers."""
    taken = keras.Input(SHAPE)
    x = keras.layers.Conv2D(4, 3, name="stem")(taken)
    x = keras.layers.BatchNormalization(name="stem_bn")(x)
    inner = [keras.layers.Conv2D(4, 1, name="inner"), keras.layers.BatchNormalization()]
    x = keras.Sequential(inner, name="block")(x)
    left = keras.layers.Conv2D(filters, 3, padding="same")(x)
    right = keras.layers.Conv2D(filters, 3, padding="same")(x)
    right = keras.layers.BatchNormalization()(right)
    return keras.Model(taken, keras.layers.Add()([left, right]), name="backbone")


def drawn(model):
    """The model with weights that are all different, as if it had been trained."""
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(random.uniform(0.1, 1, weight.shape))
    return model


def form_of(base, form):
    """What tutorials build around a backbone."""
    if form == "in a Sequential":
        flip = keras.Sequential([keras.layers.RandomFlip()])
        head = [keras.layers.Flatten(), keras.layers.Dense(3)]
        return keras.Sequential([keras.Input(SHAPE), flip, base, *head])
    if form == "nested":
        taken = keras.Input(SHAPE)
        x = base(keras.layers.Rescaling(1 / 255)(taken), training=False)
        x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3)(x))
        return keras.Model(taken, keras.layers.Dense(3)(keras.layers.Flatten()(x)))
    if form == "twice nested":
        taken = keras.Input(SHAPE)
        return keras.Model(taken, form_of(base, "in a Sequential")(taken))
    outputs = [keras.layers.Dense(3)(keras.layers.Flatten()(base.output))]
    if form == "flat with two outputs":
        # A chain that is longer than the rest lets its branch come first in Keras's order.
        x = base.get_layer(index=-3).output
        for _ in range(6):
            x = keras.layers.Conv2D(4, 3, padding="same")(x)
        outputs.append(x)
    return keras.Model(base.input, outputs)


def written(model, path):
    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)
        if path.name == "keras 2.h5":
            _rename_as_keras_2(path)
    return path


def _rename_as_keras_2(path):
    """The weights at the file's top and their names with `:0`, as `save_weights("it.h5")` did."""
    with h5py.File(path, "r+") as file:
        for name in list(file["model_weights"]):
            group = file["model_weights"][name]
            weights = [str(one) for one in group.attrs["weight_names"]]
            for one in weights:
                group.move(one, f"{one}:0")
            group.attrs["weight_names"] = [f"{one}:0".encode() for one in weights]
            file.move(f"model_weights/{name}", name)
        file.attrs["layer_names"] = file["model_weights"].attrs["layer_names"]
        del file["model_weights"]


@pytest.mark.parametrize("trained", ["all", "nothing", "the end"])
@pytest.mark.parametrize("form", FORMS)
def test_a_network_is_found_wherever_it_stands(form, trained, tmp_path):
    base = drawn(network())
    base.trainable = trained != "nothing"
    for layer in base.layers[:3] if trained == "the end" else ():
        layer.trainable = False
    model = form_of(base, form)
    loaded, values = network(), [np.array(of) for layer in base.layers for of in layer.weights]
    for name in FORMATS:
        for weight in loaded.weights:
            weight.assign(np.zeros(weight.shape))
        load_weights_file(loaded, written(model, tmp_path / name), title="it")
        got = [np.array(of) for layer in loaded.layers for of in layer.weights]
        for one, expected in zip(got, values, strict=True):
            np.testing.assert_array_equal(one, expected, err_msg=name)


def test_a_list_of_names_that_is_longer_than_an_attribute_is_read(tmp_path):
    """Keras cuts lists of 64 KB and more into several attributes."""
    taken = x = keras.Input(SHAPE)
    for number in range(60):
        x = keras.layers.Conv2D(3, 1, name=f"{'very_' * 120}long_{number}")(x)
    base = drawn(keras.Model(taken, x))
    loaded = keras.models.clone_model(base)
    path = written(form_of(base, "in a Sequential"), tmp_path / "it.h5")
    load_weights_file(loaded, path, title="it")
    for got, expected in zip(loaded.weights, base.weights, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_the_backbone_of_a_tutorial_gives_its_features(tmp_path):
    """Oracle: the backbone that was saved, behind Keras's own preprocess_input."""
    size = {"input_shape": (32, 32, 3), "alpha": 0.25, "include_top": False}
    base = drawn(keras.applications.MobileNet(weights=None, **size))
    taken = keras.Input((32, 32, 3))
    x = base(keras.applications.mobilenet.preprocess_input(taken), training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    path = tmp_path / "pets.keras"
    keras.Model(taken, keras.layers.Dense(37)(x)).save(path)
    pixels = np.random.default_rng(1).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    ours = open_application(
        "MobileNet",
        weights=path,
        arguments={"alpha": 0.25, "include_top": False},
        image_size=(32, 32),
        precision="float32",
    )
    theirs = base(keras.applications.mobilenet.preprocess_input(pixels.copy()))
    np.testing.assert_array_equal(ours.model(pixels), theirs)


@pytest.mark.parametrize("name", FORMATS)
def test_two_networks_that_fit_are_refused_by_name(name, tmp_path, snapshot):
    taken = keras.Input(SHAPE)
    pair = [network(), network()]
    for number, base in enumerate(pair):
        base.name = f"backbone_{number}"
    both = keras.layers.Concatenate()([base(taken) for base in pair])
    path = written(keras.Model(taken, both), tmp_path / name)
    assert refused(path, network()) == snapshot


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("form", ["nested", "flat"])
def test_of_a_network_that_differs_the_first_layer_is_named(form, name, tmp_path, snapshot):
    path = written(form_of(network(), form), tmp_path / name)
    told = refused(path, network(filters=5))
    assert re.sub(r"conv2d_?\d*", "conv2d", told) == snapshot


@pytest.mark.parametrize("kind", ["external", "virtual", "link"])
def test_a_nested_network_whose_numbers_are_elsewhere_is_refused(kind, tmp_path, snapshot):
    path = written(form_of(network(), "nested"), tmp_path / "it.h5")
    place, shape = "model_weights/backbone/stem/kernel", (3, 3, 3, 4)
    (tmp_path / "raw").write_bytes(bytes(432))
    with h5py.File(path, "r+") as file:
        del file[place]
        if kind == "external":
            file.create_dataset(place, shape, "f4", external=[(str(tmp_path / "raw"), 0, 432)])
        elif kind == "virtual":
            layout = h5py.VirtualLayout(shape, "f4")
            layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "it", shape)
            file.create_virtual_dataset(place, layout)
        else:
            file[place] = h5py.ExternalLink(str(tmp_path / "other.h5"), "it")
    assert refused(path, network()) == snapshot


def refused(path: Path, model) -> str:
    with pytest.raises(ModelFileError) as refusal:
        load_weights_file(model, path, title="MobileNet")
    return str(refusal.value).replace(str(path.parent), "<folder>")
