"""Weights and models made to harm or damaged: refused by name, before a byte of theirs is used."""

import io
import json
import os
import zipfile

import h5py
import keras
import numpy as np
import pytest

from cnnrun.errors import ModelFileError
from cnnrun.models import hdf5_files
from cnnrun.models.saved import load_model
from cnnrun.models.weights_files import load_weights_file

pytestmark = pytest.mark.filterwarnings(
    # h5py asks Keras's variables for their array in NumPy 1's way.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)
FORMS = ("model.weights.h5", "model.h5", "model.keras")
SECRET = b"PASSWORD=hunter2" * 9  # 144 bytes: the (9, 4) float32 weights of the dense layer
PLACE = {"model.weights.h5": "layers/dense/vars/0", "model.keras": "layers/dense/vars/0"}


@pytest.fixture(scope="module")
def network():
    inputs = keras.Input((3, 3, 1))
    x = keras.layers.Flatten()(inputs)
    return keras.Model(inputs, keras.layers.Dense(4, name="dense")(x))


@pytest.fixture
def files(network, tmp_path):
    """The weights in every format."""
    for form in FORMS:
        if form.endswith(".weights.h5"):
            network.save_weights(tmp_path / form)
        else:
            network.save(tmp_path / form)
    return {form: tmp_path / form for form in FORMS}


@pytest.fixture
def secret(tmp_path):
    """What must not come into a model: raw bytes, and the same as a data set of HDF5."""
    (tmp_path / "secret.txt").write_bytes(SECRET)
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["kernel"] = np.frombuffer(SECRET, "<f4").reshape(9, 4)
    return tmp_path


def raw_storage(parent, name, folder):
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_external(os.fsencode(folder / "secret.txt"), 0, len(SECRET))
    space = h5py.h5s.create_simple((9, 4))
    kind = h5py.h5t.IEEE_F32LE
    h5py.h5d.create(parent.id, name.encode(), kind, space, dcpl=properties)


def virtual(parent, name, folder):
    layout = h5py.VirtualLayout((9, 4), "<f4")
    layout[:] = h5py.VirtualSource(folder / "secret.h5", "kernel", (9, 4))
    parent.create_virtual_dataset(name, layout)


def external_link(parent, name, folder):
    parent[name] = h5py.ExternalLink(folder / "secret.h5", "/kernel")


def link_behind_a_link(parent, name, folder):
    parent.file["elsewhere"] = h5py.ExternalLink(folder / "secret.h5", "/")
    parent[name] = h5py.SoftLink("/elsewhere/kernel")


def change_weights(path, change):
    """Change the HDF5 file at a path, or within the `.keras` file."""
    if path.suffix != ".keras":
        with h5py.File(path, "a") as file:
            change(file)
        return
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO(members["model.weights.h5"])
    with h5py.File(content, "a") as file:
        change(file)
    write_zip(path, members | {"model.weights.h5": content.getvalue()})


def write_zip(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def kernel_of(file):
    """The group and the name of the dense layer's kernel, in either format of Keras."""
    found = []
    file.visititems(
        lambda _, each: found.append(each) if getattr(each, "shape", 0) == (9, 4) else None
    )
    return found[0].parent, found[0].name.rpartition("/")[2]


def refused(function, *arguments, **named):
    with pytest.raises(ModelFileError) as refusal:
        function(*arguments, **named)
    return str(refusal.value)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("plant", [raw_storage, virtual, external_link, link_behind_a_link])
def test_weights_that_stand_in_other_files_are_refused(
    network, files, secret, form, plant, snapshot
):
    """None of the machine's files comes into a model: the weights stay what they were."""

    def planted(file):
        parent, name = kernel_of(file)
        del parent[name]
        plant(parent, name, secret)

    before = network.get_weights()
    change_weights(files[form], planted)
    told = refused(load_weights_file, network, files[form], title="it")
    assert told.replace(str(secret), "<folder>") == snapshot
    if form == "model.keras":
        assert refused(load_model, files[form]) == told
    for now, then in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def group_for_array(parent, name):
    del parent[name]
    parent.create_group(name)


def texts(parent, name):
    del parent[name]
    parent[name] = np.full((9, 4), b"text", dtype="S4")


def variable_texts(parent, name):
    del parent[name]
    parent.create_dataset(name, (9, 4), h5py.string_dtype())


def records(parent, name):
    del parent[name]
    parent.create_dataset(name, (9, 4), np.dtype([("a", "f4"), ("b", "i2")]))


def floats_of_no_kind(parent, name):
    """As changed bytes in the file make them: NumPy has no type for them."""
    floats = h5py.h5t.IEEE_F32LE.copy()
    floats.set_ebias(2**20)
    space = h5py.h5s.create_simple(parent[name].shape)
    del parent[name]
    h5py.h5d.create(parent.id, name.encode(), floats, space)


def huge(parent, name):
    del parent[name]
    parent.create_dataset(name, (2**40, 2**20), "f8", chunks=(1024, 4))


def another_name(parent, name):
    parent.move(name, "renamed")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "damage",
    [group_for_array, texts, variable_texts, records, floats_of_no_kind, huge, another_name],
)
def test_weights_of_another_kind_are_refused(network, files, tmp_path, form, damage, snapshot):
    change_weights(files[form], lambda file: damage(*kernel_of(file)))
    told = refused(load_weights_file, network, files[form], title="it")
    assert told.replace(str(tmp_path), "<folder>") == snapshot


@pytest.mark.parametrize(
    "names", [[3, 4], [b"\xff\xfe"], 7, np.zeros((2, 2)), "dense", h5py.Empty("S1")], ids=repr
)
@pytest.mark.parametrize("attribute", ["layer_names", "weight_names"])
def test_names_that_are_none_are_refused(network, files, names, attribute):
    def renamed(file):
        root = file["model_weights"]
        (root if attribute == "layer_names" else root["dense"]).attrs[attribute] = names

    change_weights(files["model.h5"], renamed)
    assert "model.h5: " in refused(load_weights_file, network, files["model.h5"], title="it")


def encrypted(path):
    """The flag alone: Python cannot write encrypted archives."""
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := content.find(signature, at + 1)) >= 0:
            content[at + flags] |= 1
    path.write_bytes(content)


def unknown_compression(path):
    content = bytearray(path.read_bytes())
    for signature, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = -1
        while (at := content.find(signature, at + 1)) >= 0:
            content[at + method] = 77
    path.write_bytes(content)


def with_config(change):
    def changed(path):
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        write_zip(path, members | {"config.json": change(members["config.json"])})

    return changed


def layer_with(**entries):
    def changed(text):
        config = json.loads(text)
        config["config"]["layers"][-1].update(entries)
        return json.dumps(config)

    return with_config(changed)


def immense_description(path):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, bytes(400 << 20) if name == "config.json" else content)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(encrypted, id="encrypted"),
        pytest.param(unknown_compression, id="unknown compression"),
        pytest.param(with_config(lambda _: "[" * 100_000), id="nested"),
        pytest.param(with_config(lambda _: '{"a":' * 900 + "1" + "}" * 900), id="nested less"),
        pytest.param(with_config(lambda _: "[]"), id="a list"),
        pytest.param(with_config(lambda _: "7"), id="a number"),
        pytest.param(with_config(lambda _: b'{"class_name": "\xff"}'), id="no UTF-8"),
        pytest.param(layer_with(class_name=["Dense"]), id="class_name a list"),
        pytest.param(layer_with(class_name={"a": 1}), id="class_name an object"),
        pytest.param(layer_with(module=5), id="module a number"),
        pytest.param(layer_with(module=["keras.layers"]), id="module a list"),
        pytest.param(layer_with(config=[]), id="config a list"),
        pytest.param(layer_with(config={"units": "many"}), id="units a text"),
        pytest.param(layer_with(config={"units": 10**4000}), id="units of 4000 digits"),
        pytest.param(layer_with(name=7, inbound_nodes="none"), id="no nodes"),
        pytest.param(immense_description, id="400 MB of config.json"),
    ],
)
def test_a_damaged_model_is_named(files, tmp_path, damage, snapshot):
    damage(files["model.keras"])
    told = refused(load_model, files["model.keras"])
    assert told.replace(str(tmp_path), "<folder>") == snapshot
    assert len(told) < 1000


def object_of_no_bytes(content):
    """As the first of the heap that holds the texts, which HDF5 then repeats for ever."""
    place = content.index(b"GCOL") + 16
    return content[:place] + bytes(16) + content[place + 16 :]


def texts_of_no_kind(content):
    """Texts of a length that varies, which are said to be neither texts nor lists."""
    place = content.index(b"layer_names\0") + 17
    return content[:place] + b"\x2f" + content[place + 1 :]


@pytest.mark.parametrize("form", ["model.h5", "model.keras"])
@pytest.mark.parametrize("damage", [object_of_no_bytes, texts_of_no_kind])
def test_what_the_library_does_not_survive_is_refused(
    network, files, tmp_path, monkeypatch, form, damage, snapshot
):
    """Found by the attack below: a call that never ended, and a crash."""
    monkeypatch.setattr(hdf5_files, "_LIMIT_S", 3)
    content = damage(files["model.h5"].read_bytes())
    path = files[form]
    if form == "model.keras":
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        write_zip(path, members | {"model.weights.h5": content})
        told = refused(load_model, path)
    else:
        path.write_bytes(content)
        told = refused(load_weights_file, network, path, title="it")
    assert told.replace(str(tmp_path), "<folder>") == snapshot


@pytest.mark.parametrize("name", ["pipe.h5", "pipe.keras"])
def test_a_pipe_is_not_waited_for(network, tmp_path, name, snapshot):
    os.mkfifo(tmp_path / name)
    told = [refused(load_weights_file, network, tmp_path / name, title="it")]
    told.append(refused(load_model, tmp_path / name))
    assert [each.replace(str(tmp_path), "<folder>") for each in told] == snapshot


def test_files_with_random_bytes_changed_are_read_or_refused(
    network, files, attack, tmp_path, monkeypatch
):
    """Whatever is damaged: either the numbers are read, or a message names the file."""
    monkeypatch.setattr(hdf5_files, "_LIMIT_S", 10)
    contents = {form: path.read_bytes() for form, path in files.items()}
    told = []
    for _ in attack.rounds(12):
        form = attack.random.choice(FORMS)
        path = tmp_path / f"damaged.{form}"
        path.write_bytes(damaged(contents[form], attack.random, packed=form == "model.keras"))
        try:
            if form == "model.keras" and attack.random.random() < 0.5:
                load_model(path)
            else:
                load_weights_file(network, path, title="it")
        except ModelFileError as refusal:
            told.append(str(refusal).replace(str(path), "<file>"))
    assert told
    assert [each for each in told if not each.startswith("<file>: ") or len(each) > 5000] == []


def damaged(content, random, *, packed):
    """The file with some bytes changed; of an archive, within one of its members."""
    if not packed:
        return changed_bytes(content, random)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = random.choice(sorted(members))
    members[name] = changed_bytes(members[name], random)
    packed_again = io.BytesIO()
    write_zip(packed_again, members)
    return packed_again.getvalue()


def changed_bytes(content, random):
    changed = bytearray(content)
    for _ in range(random.choice([1, 3, 10, 100])):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)
