"""The one place that chooses how a data source is read."""

from cnnrun.config.data_section import DataSpec
from cnnrun.data.array_names import ArrayNames
from cnnrun.data.arrays import manifest_from_arrays
from cnnrun.data.keras_classes import CLASSES
from cnnrun.data.manifest import Manifest
from cnnrun.data.places import read_images_at


def read_manifest(data: DataSpec) -> Manifest:
    """The images that a config's `data` section names, listed but not decoded.

    Raises:
        DataError: the source is absent, unreadable, or not what `data` says.
    """
    if data.keras_dataset is not None:
        return _keras_dataset(data)
    return read_images_at(data, partial=False)


def _keras_dataset(data: DataSpec) -> Manifest:
    # Imported here because it loads TensorFlow, which folders and files do not need.
    from cnnrun.data.keras_datasets import arrays_of_keras_dataset

    name = str(data.keras_dataset)
    classes = CLASSES[name] if data.classes is None else data.classes
    return manifest_from_arrays(
        arrays_of_keras_dataset(name),
        place=f"data.keras_dataset {name}",
        names=ArrayNames(),
        value_range=None,
        classes=classes,
        partial=False,
    )
