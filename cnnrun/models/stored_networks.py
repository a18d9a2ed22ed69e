"""Where a file of weights holds a network: by itself, below another head, or as a model in a model.

Keras writes two formats. In the older one (`.h5`) each layer of the saved model is a group with a
list of its weights' names; a model in it is one group with all of its layers' weights in one list,
those that were trained first. In the newer one (`.weights.h5`, `.keras`) layers are groups named by
class and number, and a model in the model is a folder `layers` of its own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice, takewhile, zip_longest
from typing import Any, Final

import h5py
import keras
from keras.src.utils.naming import to_snake_case

Shape = tuple[int, ...]

_ORDER: Final = "layer_names"  # an attribute of the older format
_WEIGHTS: Final = "weight_names"
_FOLDERS: Final = ("layers", "_layer_checkpoint_dependencies")  # the second before Keras 2.13


@dataclass(frozen=True, eq=False)
class Pair:
    """A layer, and what a file holds for it; no layer if the network ends before."""

    layer: Any
    name_in_file: str
    stored: tuple[Any, ...]

    @property
    def expected(self) -> list[Shape]:
        """The shapes of the layer's weights."""
        return [] if self.layer is None else [tuple(w.shape) for w in weights_of(self.layer)]

    @property
    def received(self) -> list[Shape]:
        """The shapes of what is stored."""
        return [tuple(each.shape) for each in self.stored if isinstance(each, h5py.Dataset)]

    @property
    def fits(self) -> bool:
        """Whether the layer can take what is stored."""
        return self.expected == self.received

    @property
    def is_alike(self) -> bool:
        """Whether as many weights of as many dimensions are stored as the layer has."""
        return [len(shape) for shape in self.expected] == [len(shape) for shape in self.received]


Reading = tuple[Pair, ...]
"""All layers of a network that have weights, each with what one way of reading finds for it."""


@dataclass(frozen=True)
class Place:
    """A model within a file.

    Attributes:
        name: its path in the file; empty for the model that was saved.
        readings: the ways of reading it, the most exact first.
    """

    name: str
    readings: tuple[Reading, ...]

    def fitting(self) -> Reading | None:
        """The first reading that has what every layer takes."""
        whole = (reading for reading in self.readings if all(pair.fits for pair in reading))
        return next(whole, None)

    def nearest(self) -> Reading:
        """The reading that comes nearest to the network."""
        return max(self.readings, key=_nearness)


def places_in(file: h5py.File, model: Any) -> list[Place]:
    """Every model that a file holds, read as a network; the one that was saved comes first.

    Args:
        file: the open file, of either format.
        model: the network.

    Raises:
        KeyError, OSError, RuntimeError, TypeError, ValueError: the file is damaged.
    """
    root = file.get("model_weights", file)  # the older format, if all of a model was saved
    places = _older(root, model) if _texts(root, _ORDER) else _newer(file, model)
    return list(places)


def nearest_of(places: Sequence[Place]) -> Reading:
    """The reading, of all, that comes nearest to the network."""
    return max((place.nearest() for place in places), key=_nearness)


def weights_of(layer: Any) -> list[Any]:
    """A layer's variables, in the order of the files."""
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _nearness(reading: Reading) -> tuple[int, int]:
    return sum(pair.is_alike for pair in reading), sum(pair.fits for pair in reading)


def _with_weights(layers: Sequence[Any]) -> list[Any]:
    return [layer for layer in layers if weights_of(layer)]


def _leaves(model: Any) -> list[Any]:
    """The layers with weights, those of Sequentials within it among them."""
    nested = (
        _leaves(layer) if isinstance(layer, keras.Sequential) else [layer] for layer in model.layers
    )
    return _with_weights(list(chain.from_iterable(nested)))


def _older(root: Any, model: Any) -> Iterator[Place]:
    layers = _with_weights(model.layers)
    groups = {name: _by_layer(root[name]) for name in _texts(root, _ORDER)}
    flat = {
        name: tuple(chain.from_iterable(found.values())) for name, found in groups.items() if found
    }
    readings = [_in_order(layers, flat), _by_name(layers, flat, "")]
    if len(flat) > len(layers):  # the last ones are those of another head
        readings.append(_in_order(layers, dict(islice(flat.items(), len(layers)))))
    yield Place("", tuple(readings))
    for name, found in groups.items():
        if len(found) > 1:
            yield Place(name, (_by_name(_leaves(model), found, f"{name}/"),))


def _by_layer(group: Any) -> dict[str, tuple[Any, ...]]:
    """What a group has for each layer: the last but one part of `block/conv1/kernel:0`."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in _texts(group, _WEIGHTS):
        layer = path.split("/")[-2] if "/" in path else path
        found[layer] = (*found.get(layer, ()), group[path])
    return found


def _texts(group: Any, name: str) -> list[str]:
    """A list of texts that is an attribute, or several where it was too long for one."""
    parts = (f"{name}{number}" for number in count())
    names = [name] if name in group.attrs else takewhile(group.attrs.__contains__, parts)
    texts = chain.from_iterable(group.attrs[part] for part in names)
    return [text.decode() if isinstance(text, bytes) else str(text) for text in texts]


def _in_order(layers: Sequence[Any], stored: Mapping[str, tuple[Any, ...]]) -> Reading:
    pairs = zip_longest(layers, stored.items(), fillvalue=None)
    return tuple(Pair(layer, *(group or ("", ()))) for layer, group in pairs)


def _by_name(layers: Sequence[Any], stored: Mapping[str, tuple[Any, ...]], prefix: str) -> Reading:
    names = _names_in_file(layers, stored)
    return tuple(
        Pair(layer, f"{prefix}{names[layer.name]}", stored.get(names[layer.name], ()))
        for layer in layers
    )


def _names_in_file(layers: Sequence[Any], stored: Iterable[str]) -> dict[str, str]:
    """Layers by their names, and by their numbers where Keras itself gave the names.

    Those depend on what else the process had built: `conv2d_94` is the first where 94 came before.
    """
    names = {layer.name: layer.name for layer in layers}
    for kind in {to_snake_case(type(layer).__name__) for layer in layers}:
        names |= dict(zip(_numbered(names, kind), _numbered(stored, kind), strict=False))
    return names


def _numbered(names: Iterable[str], kind: str) -> list[str]:
    """The names that Keras gives layers of a kind, of some names, by number."""
    numbers = {name: re.fullmatch(rf"{kind}(?:_(\d+))?", name) for name in names}
    given = {name: int(match[1] or 0) for name, match in numbers.items() if match}
    return sorted(given, key=given.__getitem__)


def _newer(file: h5py.File, model: Any) -> Iterator[Place]:
    nested = [path for path in _groups(file) if path.rpartition("/")[2] in _FOLDERS]
    for folder in sorted(nested, key=lambda path: path.count("/")) or _FOLDERS[:1]:
        yield Place(folder.rpartition("/")[0], tuple(_readings(file, model, folder)))


def _groups(file: h5py.File) -> list[str]:
    found: list[str] = []
    file.visititems(lambda path, it: found.append(path) if isinstance(it, h5py.Group) else None)
    return found


def _readings(file: h5py.File, model: Any, folder: str) -> Iterator[Reading]:
    """By the layers' names, if the file has them, and by class and number.

    Numbers follow the order of the layers, which a second output from their midst can change.
    """
    named = _named(file, folder)
    names = _names_in_file(_with_weights(model.layers), named)
    if all(name in named for name in names.values()):
        yield tuple(_in_folder(file, model, {own: named[name] for own, name in names.items()}))
    yield tuple(_in_folder(file, model, _by_number(model, folder)))


def _named(file: h5py.File, folder: str) -> dict[str, str]:
    """The paths of layers by their names, which files of newer versions of Keras have."""
    paths = [f"{folder}/{child}" for child in file.get(folder, ())]
    kept = {path: file.get(f"{path}/vars") for path in paths}
    names = {path: group.attrs.get("name") for path, group in kept.items() if group is not None}
    return {str(name): path for path, name in names.items() if name is not None}


def _by_number(model: Any, folder: str) -> dict[str, str]:
    """The paths that the newer format has for layers: `conv2d`, `conv2d_1` and so on."""
    seen: dict[str, int] = {}
    paths = {}
    for layer in model.layers:
        kind = to_snake_case(type(layer).__name__)
        number = seen[kind] = seen.get(kind, -1) + 1
        paths[layer.name] = f"{folder}/{kind}_{number}" if number else f"{folder}/{kind}"
    return paths


def _in_folder(file: h5py.File, model: Any, paths: Mapping[str, str]) -> Iterator[Pair]:
    """Layers with weights and what is stored for them.

    What else the file has, such as the weights of a top, is passed over, as Keras does.
    """
    for layer in _with_weights(model.layers):
        path = paths[layer.name]
        if isinstance(layer, keras.Sequential):
            yield from _in_folder(file, layer, _by_number(layer, f"{path}/layers"))
        else:
            group = file.get(f"{path}/vars", {})
            yield Pair(layer, path, tuple(group[str(number)] for number in range(len(group))))
